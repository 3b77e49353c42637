"""Models that take 20 s to boot."""

import asyncio
import time

from agent import checks, deltas, make
from agents import Runner
from checks import equal, predictions, true


def booted(prompt, began, text):
    equal(text, "Booted at last.")
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    began = time.monotonic()
    result = asyncio.run(Runner.run(make("boots", max_retries=2), "boot, whole"))
    booted("boot, whole", began, result.final_output)


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    async def run():
        return "".join(await deltas(Runner.run_streamed(make("boots", max_retries=2), "boot, streamed")))

    began = time.monotonic()
    booted("boot, streamed", began, asyncio.run(run()))
