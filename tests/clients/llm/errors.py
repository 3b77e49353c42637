"""Errors: what a person sees is the daemon's sentence."""

import json
import socket

from checks import equal, predictions, true
from command import HOME, checks, extra_model, llm


def refused(sentence, *arguments):
    done = llm(*arguments, "hello")
    true(done.returncode == 1 and done.stderr.startswith("Error: "), f"{done.returncode}: {done.stderr}")
    true(sentence in done.stderr, done.stderr)


@checks.add("errors")
def each_error_says_what_the_daemon_says():
    refused("safety filter stopped the prediction", "-m", "unsafe")
    refused("has no input for `logit_bias`", "-m", "strict", "-o", "logit_bias", '{"1": 2}')
    refused("Incorrect API key provided.", "-m", "writer", "--key", "wrong-key")
    refused("may not use the model `echo`.", "-m", "echo", "--key", "writer-key")
    refused("The model `nobody/nothing` does not exist here.", "-m", "nobody/nothing")
    refused("The model tripped over its own feet.", "-m", "failing")
    refused("The model tripped over its own feet.", "-m", "failing", "--no-stream")
    refused("did not answer within 1 s", "-m", "late")


@checks.add("errors")
def a_failure_in_mid_stream_is_told_after_the_text_before_it():
    done = llm("-m", "breaking", "hello")
    equal((done.returncode, done.stdout.strip()), (1, "This will not"))
    true("The model fell asleep in mid-sentence." in done.stderr, done.stderr)


@checks.add("errors")
def a_daemon_that_is_not_there_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        path = HOME / "extra-openai-models.yaml"
        before = path.read_text(encoding="utf-8")
        gone = {**extra_model("gone"), "api_base": f"http://127.0.0.1:{taken.getsockname()[1]}/v1"}
        path.write_text(json.dumps([*json.loads(before), gone]), encoding="utf-8")
        true("Connection error" in llm("-m", "gone", "hello").stderr, "it does not say so")


@checks.add("retries")
def only_a_passing_fault_is_tried_again():
    for model, count in (("busy", 3), ("failing", 1), ("late", 1), ("unsafe", 1)):
        prompt = f"tried again, {model}"
        equal(llm("-m", model, prompt).returncode, 1)
        equal(len(predictions(prompt)), count, f"the number of predictions of {model}")
