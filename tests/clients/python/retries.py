"""Retries of the SDK itself: a client that waits too short a time is given the prediction of its first try."""

import asyncio

from checks import equal, predictions, true
from sdk import ask, checks, make, make_async, text_of

ANSWER = "It took four seconds."


def only_one(prompt, text):
    equal(text, ANSWER)
    equal([one["status"] for one in predictions(prompt)], ["succeeded"], "the predictions")


@checks.add("retries that join", long=True)
def a_timeout_of_a_second_and_a_model_of_four_cost_one_prediction():
    answer = ask(make(timeout=1, max_retries=5), "slow", "impatient, whole")
    only_one("impatient, whole", answer.choices[0].message.content)


@checks.add("retries that join", long=True)
def the_async_client_is_given_its_first_prediction_too():
    async def run():
        async with make_async(timeout=1, max_retries=5) as client:
            return await ask(client, "slow", "impatient, async")

    only_one("impatient, async", asyncio.run(run()).choices[0].message.content)


@checks.add("retries that join", long=True)
def a_streaming_retry_is_told_everything_from_the_first_piece():
    only_one("impatient, streamed", text_of(ask(make(timeout=1, max_retries=5), "slow", "impatient, streamed", stream=True)))


@checks.add("retries that join")
def an_idempotency_key_is_one_prediction():
    headers = {"Idempotency-Key": "the-same"}
    ids = [make().chat.completions.with_raw_response.create(
        model="echo", messages=[{"role": "user", "content": "only once, by key"}], extra_headers=headers
    ).headers["x-replicate-prediction-id"] for _ in range(2)]
    equal(ids[0], ids[1])
    true(len(predictions("only once, by key")) == 1, "there is more than one prediction")
