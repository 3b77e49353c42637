"""Models that take 20 s to boot."""

import time

from checks import equal, predictions, true
from sdk import ask, checks, text_of


def booted(prompt, began, text):
    equal(text, "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    began = time.monotonic()
    booted("boot, whole", began, ask("boots", "boot, whole").choices[0].message.content)


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    began = time.monotonic()
    booted("boot, streamed", began, text_of(ask("boots", "boot, streamed", stream=True)))


@checks.add("models that boot for 20 s", long=True)
def the_signs_of_life_carry_a_stream_over_the_proxys_timeout():
    began = time.monotonic()
    booted("boot, impatient", began, text_of(ask("boots-impatiently", "boot, impatient", stream=True)))
