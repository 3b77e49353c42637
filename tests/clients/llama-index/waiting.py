"""Models that take 20 s to boot."""

import asyncio
import time

from checks import equal, predictions, true
from llms import checks, make, user


def booted(prompt, began, text):
    equal(text, "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    began = time.monotonic()
    booted("boot, whole", began, make("boots", max_retries=3).chat(user("boot, whole")).message.content)


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    began = time.monotonic()
    stream = make("boots", max_retries=3).stream_chat(user("boot, streamed"))
    booted("boot, streamed", began, "".join(piece.delta for piece in stream))


@checks.add("models that boot for 20 s", long=True)
def the_async_methods_wait_for_a_model_that_boots():
    async def answer():
        return (await make("boots").achat(user("boot, async"))).message.content

    began = time.monotonic()
    booted("boot, async", began, asyncio.run(answer()))
