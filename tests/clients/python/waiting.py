"""Models that take 20 s to boot."""

import asyncio
import time

from checks import equal, predictions, true
from sdk import ask, checks, make, make_async, text_of, user

ANSWER = "Booted at last."


def booted(prompt, began, text):
    equal(text, ANSWER)
    true(time.monotonic() - began > 19, "it did not boot")
    equal(len(predictions(prompt)), 1, "the number of predictions")


@checks.add("models that boot for 20 s", long=True)
def a_whole_answer_waits_for_a_model_that_boots():
    began = time.monotonic()
    answer = ask(make(max_retries=2), "boots", "boot, whole")
    booted("boot, whole", began, answer.choices[0].message.content)


@checks.add("models that boot for 20 s", long=True)
def a_stream_waits_for_a_model_that_boots():
    began = time.monotonic()
    booted("boot, streamed", began, text_of(ask(make(max_retries=2), "boots", "boot, streamed", stream=True)))


@checks.add("models that boot for 20 s", long=True)
def a_stream_outlives_a_timeout_that_is_shorter_than_the_boot():
    began = time.monotonic()
    booted("boot, signs of life", began, text_of(ask(make(timeout=12), "boots", "boot, signs of life", stream=True)))


@checks.add("models that boot for 20 s", long=True)
def the_stream_helper_waits_for_a_model_that_boots():
    began = time.monotonic()
    with make().chat.completions.stream(model="boots", messages=user("boot, helped")) as stream:
        booted("boot, helped", began, stream.get_final_completion().choices[0].message.content)


@checks.add("models that boot for 20 s", long=True)
def the_async_client_waits_for_models_that_boot():
    async def stream(client):
        return text_of([chunk async for chunk in await ask(client, "boots", "boot, async stream", stream=True)])

    async def run():
        async with make_async() as client:
            return await asyncio.gather(ask(client, "boots", "boot, async whole"), stream(client))

    began = time.monotonic()
    whole, streamed = asyncio.run(run())
    booted("boot, async whole", began, whole.choices[0].message.content)
    booted("boot, async stream", began, streamed)
