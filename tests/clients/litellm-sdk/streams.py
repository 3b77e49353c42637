"""Streamed answers."""

import asyncio
import itertools

import litellm

from checks import ends_as, equal, true
from sdk import WRITTEN, ask, ask_async, checks, text_of


@checks.add("streams")
def a_stream_brings_the_whole_text_and_ends_in_order():
    chunks = list(ask("writer", stream=True))
    equal(text_of(chunks), WRITTEN)
    equal({(chunk.id, chunk.object) for chunk in chunks}, {(chunks[0].id, "chat.completion.chunk")})
    equal([chunk.choices[0].finish_reason for chunk in chunks], [None] * (len(chunks) - 1) + ["stop"])


@checks.add("streams")
def each_piece_that_the_model_writes_is_a_chunk_of_its_own():
    pieces = [chunk for chunk in ask("writer", stream=True) if chunk.choices[0].delta.content]
    equal(len(pieces), 6, "the number of pieces")


@checks.add("streams")
def the_async_function_streams():
    async def run():
        return [chunk async for chunk in await ask_async("writer", stream=True)]

    equal(text_of(asyncio.run(run())), WRITTEN)


@checks.add("usage")
def the_usage_of_a_stream_is_there_when_asked_for():
    chunks = list(ask("echo", "two words", stream=True, stream_options={"include_usage": True}))
    usages = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    equal([(usage.prompt_tokens, usage.completion_tokens) for usage in usages], [(2, 4)])


@checks.add("reasoning")
def reasoning_is_streamed_before_the_answer():
    deltas = [chunk.choices[0].delta for chunk in ask("thinker", stream=True)]
    kinds = ["thought" if getattr(delta, "reasoning_content", None) else "text" for delta in deltas
             if delta.content or getattr(delta, "reasoning_content", None)]
    equal("".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas), "First I think. Then I answer.")
    equal("".join(delta.content or "" for delta in deltas), "The answer is 42.")
    equal(kinds, sorted(kinds, reverse=True), "thoughts before text")


@checks.add("stream_chunk_builder")
def a_stream_can_be_put_together_again():
    chunks = list(ask("thinker", stream=True, stream_options={"include_usage": True}))
    answer = litellm.stream_chunk_builder(chunks)
    message = answer.choices[0].message
    equal((message.content, message.reasoning_content), ("The answer is 42.", "First I think. Then I answer."))
    equal((message.role, answer.choices[0].finish_reason), ("assistant", "stop"))
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)


@checks.add("errors in streams")
def a_failure_in_mid_stream_is_raised_after_the_text_before_it():
    text = ""
    try:
        for chunk in ask("breaking", stream=True):
            text += text_of([chunk])
        raise AssertionError("the stream ended without an error")
    except litellm.ServiceUnavailableError as error:  # its MidStreamFallbackError
        equal(text, "This will not ")
        true("The model fell asleep in mid-sentence." in str(error), str(error))


@checks.add("errors in streams")
def a_failure_before_any_text_has_its_status():
    try:
        ask("failing", stream=True)
        raise AssertionError("the stream began")
    except litellm.BadRequestError as error:
        equal((error.status_code, error.code), (422, "prediction_failed"))


@checks.add("leaving early")
def a_stream_that_is_closed_half_way_cancels_its_prediction():
    stream = ask("endless", "closed half-way", stream=True)
    text = text_of(itertools.islice(stream, 5))
    stream.completion_stream.close()  # LiteLLM's own stream has no close
    true(text.startswith("on and on and "), f"the text is {text!r}")
    ends_as("closed half-way", "canceled")


@checks.add("leaving early")
def an_async_stream_that_is_closed_half_way_cancels_its_prediction():
    async def run():
        stream = await ask_async("endless", "async, closed", stream=True)
        await anext(stream)
        await stream.aclose()

    asyncio.run(run())
    ends_as("async, closed", "canceled")
