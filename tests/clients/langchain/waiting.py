"""Models that take 20 s to boot."""

import time

from chat import checks, make, run
from checks import equal, predictions, true


def booted(prompt, began, text):
    equal(text, "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    began = time.monotonic()
    booted("boot, whole", began, make("boots", max_retries=2).invoke("boot, whole").content)


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    began = time.monotonic()
    stream = make("boots", max_retries=2).stream("boot, streamed")
    booted("boot, streamed", began, "".join(chunk.content for chunk in stream))


@checks.add("models that boot for 20 s", long=True)
def the_async_stream_waits_for_a_model_that_boots():
    async def text():
        return "".join([chunk.content async for chunk in make("boots").astream("boot, async")])

    began = time.monotonic()
    booted("boot, async", began, run(text()))
