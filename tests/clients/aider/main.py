"""aider: single turns, in which it chats, and edits files. They are few, since each takes seconds to start."""

import importlib.metadata
import sys
import time

from checks import Checks, equal, predictions, true
from turns import turn

checks = Checks("aider", importlib.metadata.version("aider-chat"))

# The model that echoes writes this file listing, and so aider writes the file.
LISTING = "greeting.txt\n```\nHello from Replicate.\n```\n"


def says(output, sentence):
    true(sentence in output, f"{sentence!r} is not in {output[-600:]!r}")


@checks.add("edits")
def a_file_that_the_model_writes_is_written():
    output, folder = turn("echo", f"Please write a greeting.\n\n{LISTING}", "--edit-format", "whole")
    says(output, "Applied edit to greeting.txt")
    equal((folder / "greeting.txt").read_text().rstrip(), "Hello from Replicate.")


@checks.add("reasoning")
def the_models_thoughts_are_shown_before_its_answer():
    output, _ = turn("thinker", "think")
    says(output, "received")  # as many tokens
    true(0 < output.find("First I think. Then I answer.") < output.find("The answer is 42."), output[-600:])


# A failed prediction, which is a 422, is not among these errors: aider sets LiteLLM's drop_params, and with it LiteLLM
# repeats whatever is a 422 and then loses its answer.
@checks.add("errors")
def a_refused_parameter_is_told_of_and_no_prediction_is_made():
    output, _ = turn("strict", "as cold as can be")  # aider always sends a temperature
    says(output, "BadRequestError")
    says(output, "temperature")
    equal(len(predictions("as cold as can be")), 0, "the number of predictions")


@checks.add("errors")
def a_wrong_key_is_told_of():
    output, _ = turn("writer", "hello", key="wrong-key")
    says(output, "AuthenticationError")
    says(output, "API key")


def booted(prompt, *options):
    began = time.monotonic()
    output, _ = turn("boots", prompt, *options)
    says(output, "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    booted("boot, whole", "--no-stream")


@checks.add("models that boot for 20 s", long=True)
def a_stream_outlives_a_timeout_that_is_shorter_than_the_boot():
    booted("boot, signs of life", "--timeout", "12")


sys.exit(checks.run())
