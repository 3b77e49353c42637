"""Streamed answers."""

import asyncio

import openai

from checks import equal, true
from sdk import WRITTEN, ask, checks, make, make_async, text_of, user


@checks.add("streams")
def a_stream_brings_the_whole_text_and_ends_in_order():
    chunks = list(ask(make(), "writer", stream=True))
    equal(text_of(chunks), WRITTEN)
    equal({(chunk.id, chunk.object, chunk.model) for chunk in chunks},
          {(chunks[0].id, "chat.completion.chunk", "writer")})
    equal(chunks[0].choices[0].delta.role, "assistant")
    equal([chunk.choices[0].delta.role for chunk in chunks[1:]], [None] * (len(chunks) - 1))
    equal([chunk.choices[0].finish_reason for chunk in chunks], [None] * (len(chunks) - 1) + ["stop"])
    equal([chunk.usage for chunk in chunks], [None] * len(chunks))


@checks.add("streams")
def each_piece_that_the_model_writes_is_a_chunk_of_its_own():
    """That they come while the model still writes is seen where a stream without end is closed half-way."""
    pieces = [chunk for chunk in ask(make(), "writer", stream=True) if chunk.choices[0].delta.content]
    equal(len(pieces), 6, "the number of pieces")


@checks.add("streams")
def a_stream_carries_any_script():
    prompt = "Grüße, 世界 🌍🏽!"
    equal(text_of(ask(make(), "echo", prompt, stream=True)), f"You said: {prompt}")


@checks.add("usage")
def include_usage_adds_a_last_chunk_without_choices():
    chunks = list(ask(make(), "echo", "two words", stream=True, stream_options={"include_usage": True}))
    equal([chunk.usage for chunk in chunks[:-1]], [None] * (len(chunks) - 1))
    equal(chunks[-1].choices, [])
    equal((chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens), (2, 4))


@checks.add("reasoning")
def reasoning_is_streamed_before_the_answer():
    deltas = [chunk.choices[0].delta for chunk in ask(make(), "thinker", stream=True)]
    kinds = ["thought" if getattr(delta, "reasoning_content", None) else "text" for delta in deltas
             if delta.content or getattr(delta, "reasoning_content", None)]
    equal("".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas), "First I think. Then I answer.")
    equal("".join(delta.content or "" for delta in deltas), "The answer is 42.")
    equal(kinds, sorted(kinds, reverse=True), "thoughts before text")


@checks.add("chat.completions.stream")
def the_stream_helper_tells_events_and_puts_the_answer_together():
    with make().chat.completions.stream(model="writer", messages=user("hello"),
                                        stream_options={"include_usage": True}) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    equal("".join(event.delta for event in events if event.type == "content.delta"), WRITTEN)
    equal([event.content for event in events if event.type == "content.done"], [WRITTEN])
    equal(final.choices[0].message.content, WRITTEN)
    equal(final.choices[0].message.role, "assistant")
    equal(final.choices[0].finish_reason, "stop")
    equal(final.usage.completion_tokens, 6)


@checks.add("chat.completions.stream")
def the_async_stream_helper_does_too():
    async def run():
        async with make_async().chat.completions.stream(model="thinker", messages=user("hello")) as stream:
            deltas = [event.delta async for event in stream if event.type == "content.delta"]
            return deltas, await stream.get_final_completion()

    deltas, final = asyncio.run(run())
    equal("".join(deltas), "The answer is 42.")
    equal(final.choices[0].message.content, "The answer is 42.")


@checks.add("AsyncOpenAI")
def the_async_client_streams():
    async def run():
        async with make_async() as client:
            return [chunk async for chunk in await ask(client, "writer", stream=True)]

    equal(text_of(asyncio.run(run())), WRITTEN)


@checks.add("raw responses")
def a_raw_stream_is_lines_of_data_that_end_with_done():
    with make().chat.completions.with_streaming_response.create(
            model="writer", messages=user("hello"), stream=True) as response:
        kind = response.headers["content-type"]
        lines = [line for line in response.iter_lines() if line]
    equal(kind, "text/event-stream; charset=utf-8")
    equal(lines[-1], "data: [DONE]")
    true(all(line.startswith("data: {") for line in lines[:-1]), "a line is neither empty nor data")


@checks.add("errors in streams")
def a_failure_in_mid_stream_is_raised_after_the_text_before_it():
    text = ""
    try:
        for chunk in ask(make(), "breaking", stream=True):
            text += text_of([chunk])
        raise AssertionError("the stream ended without an error")
    except openai.APIError as error:
        equal(text, "This will not ")
        equal((error.code, error.type, error.param), ("prediction_failed", "server_error", None))
        true("The model fell asleep in mid-sentence." in error.message, error.message)


@checks.add("errors in streams")
def a_failure_before_any_text_has_its_status():
    try:
        ask(make(), "failing", stream=True)
        raise AssertionError("the stream began")
    except openai.UnprocessableEntityError as error:
        equal(error.code, "prediction_failed")
