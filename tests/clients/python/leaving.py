"""Clients that do not wait for the end: predictions that nobody waits for are cancelled."""

import asyncio
import itertools

from checks import ends_as, equal, eventually, predictions, true
from sdk import ask, checks, make, make_async, user


@checks.add("leaving early")
def a_stream_closed_half_way_cancels_its_prediction():
    stream = ask(make(), "endless", "closed half-way", stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in itertools.islice(stream, 5))
    stream.close()
    true(text.startswith("on and on and "), f"the text is {text!r}")
    ends_as("closed half-way", "canceled")


@checks.add("leaving early")
def leaving_the_stream_helper_cancels_its_prediction():
    with make().chat.completions.stream(model="endless", messages=user("left the helper")) as stream:
        next(iter(stream))
    ends_as("left the helper", "canceled")


@checks.add("leaving early")
def a_cancelled_task_cancels_its_prediction():
    async def run():
        async with make_async() as client:
            await asyncio.wait_for(ask(client, "endless", "cancelled task"), 1)

    try:
        asyncio.run(run())
        raise AssertionError("it was answered")
    except asyncio.TimeoutError:
        ends_as("cancelled task", "canceled")


@checks.add("leaving early", long=True)
def a_client_that_may_come_back_is_given_ten_seconds():
    stream = ask(make(), "patient", "back in a minute", stream=True)
    next(stream)
    stream.close()
    asyncio.run(asyncio.sleep(6))
    equal([one["status"] for one in predictions("back in a minute")], ["processing"])
    ends_as("back in a minute", "canceled", seconds=8)


@checks.add("leaving early")
def the_connection_of_a_closed_stream_is_no_loss():
    with make() as client:
        stream = ask(client, "endless", "closed, and on", stream=True)
        next(stream)
        stream.close()
        equal(ask(client, "writer").model, "writer")
    eventually(lambda: predictions("closed, and on")[0]["status"] == "canceled", "it is cancelled")
