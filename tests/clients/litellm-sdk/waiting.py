"""Models that take 20 s to boot."""

import asyncio
import time

from checks import equal, predictions, true
from sdk import ask, ask_async, checks, text_of


def booted(prompt, began, text):
    equal(text, "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    began = time.monotonic()
    answer = ask("boots", "boot, whole", max_retries=2)
    booted("boot, whole", began, answer.choices[0].message.content)


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    began = time.monotonic()
    booted("boot, streamed", began, text_of(ask("boots", "boot, streamed", stream=True)))


@checks.add("models that boot for 20 s", long=True)
def a_stream_outlives_a_timeout_that_is_shorter_than_the_boot():
    began = time.monotonic()
    booted("boot, signs of life", began, text_of(ask("boots", "boot, signs of life", stream=True, timeout=12)))


@checks.add("models that boot for 20 s", long=True)
def the_async_function_waits_for_models_that_boot():
    async def stream():
        return text_of([chunk async for chunk in await ask_async("boots", "boot, async stream", stream=True)])

    async def run():
        return await asyncio.gather(ask_async("boots", "boot, async whole"), stream())

    began = time.monotonic()
    whole, streamed = asyncio.run(run())
    booted("boot, async whole", began, whole.choices[0].message.content)
    booted("boot, async stream", began, streamed)
