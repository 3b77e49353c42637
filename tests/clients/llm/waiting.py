"""Models that take 20 s to boot."""

import time

from checks import equal, predictions, true
from command import checks, said


def booted(prompt, *arguments):
    began = time.monotonic()
    equal(said("-m", "boots", *arguments, prompt), "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    booted("boot, whole", "--no-stream")


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    booted("boot, streamed")
