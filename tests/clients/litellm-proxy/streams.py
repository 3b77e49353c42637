"""Streamed answers."""

import itertools

import openai

from checks import ends_as, equal, true
from sdk import WRITTEN, ask, checks, text_of


@checks.add("streams")
def a_stream_brings_the_whole_text_and_ends_in_order():
    chunks = list(ask("writer", stream=True))
    equal(text_of(chunks), WRITTEN)
    equal({(chunk.id, chunk.object) for chunk in chunks}, {(chunks[0].id, "chat.completion.chunk")})
    equal([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason], ["stop"])
    equal(chunks[-1].choices[0].finish_reason, "stop")


@checks.add("streams")
def each_piece_that_the_model_writes_is_a_chunk_of_its_own():
    """That they come while the model still writes is seen where a stream without end is left half-way."""
    pieces = [chunk for chunk in ask("writer", stream=True) if chunk.choices[0].delta.content]
    equal(len(pieces), 6, "the number of pieces")


@checks.add("usage")
def the_usage_of_a_stream_comes_through():
    chunks = list(ask("echo", "two words", stream=True, stream_options={"include_usage": True}))
    equal([(chunk.usage.prompt_tokens, chunk.usage.completion_tokens) for chunk in chunks if chunk.usage], [(2, 4)])


@checks.add("reasoning")
def reasoning_is_streamed_before_the_answer():
    deltas = [chunk.choices[0].delta for chunk in ask("thinker", stream=True)]
    kinds = ["thought" if getattr(delta, "reasoning_content", None) else "text" for delta in deltas
             if delta.content or getattr(delta, "reasoning_content", None)]
    equal("".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas), "First I think. Then I answer.")
    equal("".join(delta.content or "" for delta in deltas), "The answer is 42.")
    equal(kinds, sorted(kinds, reverse=True), "thoughts before text")


@checks.add("errors in streams")
def a_failure_in_mid_stream_comes_after_the_text_before_it():
    text = ""
    try:
        for chunk in ask("breaking", stream=True):
            text += text_of([chunk])
        raise AssertionError("the stream ended without an error")
    except openai.APIError as error:
        equal(text, "This will not ")
        true("The model fell asleep in mid-sentence." in error.message, error.message)


@checks.add("errors in streams")
def a_failure_before_any_text_has_its_status():
    try:
        ask("failing", stream=True)
        raise AssertionError("the stream began")
    except openai.UnprocessableEntityError as error:
        true("The model tripped over its own feet." in error.message, error.message)


@checks.add("leaving early")
def a_stream_that_is_left_half_way_cancels_its_prediction():
    stream = ask("endless", "closed half-way", stream=True)
    text = text_of(itertools.islice(stream, 5))
    stream.close()
    true(text.startswith("on and on and "), f"the text is {text!r}")
    ends_as("closed half-way", "canceled")
