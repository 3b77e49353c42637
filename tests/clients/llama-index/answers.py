"""Whole answers, streams, reasoning and usage."""

import asyncio
import gc

from checks import URL, ends_as, equal, predictions, true
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llms import WRITTEN, checks, make, user


@checks.add("chat")
def a_question_is_answered():
    answer = make("writer").chat(user("hello"))
    equal((answer.message.content, answer.message.role.value), (WRITTEN, "assistant"))
    equal(answer.raw.choices[0].finish_reason, "stop")


@checks.add("chat")
def a_conversation_of_several_messages_reaches_the_model():
    messages = [ChatMessage(role="system", content="Be brief."), *user("one"),
                ChatMessage(role="assistant", content="two"), *user("三 🌍")]
    said = make("echo", temperature=0.5, max_tokens=50).chat(messages).message.content
    for words in ("one", "two", "三 🌍"):
        true(words in said, f"{words!r} is not in {said!r}")


@checks.add("chat")
def every_way_to_write_the_base_url_works():
    for path in ("", "/", "/v1", "/v1/"):
        answer = make("acme/tiny-writer", api_base=URL + path).chat(user("hello"))
        equal(answer.message.content, WRITTEN, f"the answer at {path}")


@checks.add("images")
def an_image_by_its_address_reaches_the_models_own_input():
    blocks = [TextBlock(text="What is at this address?"), ImageBlock(url="https://example.com/cat.png")]
    equal(make("seer").chat([ChatMessage(role="user", blocks=blocks)]).message.content, "I see a cat.")
    [one] = predictions("What is at this address?")
    equal(one["input"]["picture"], "https://example.com/cat.png")


@checks.add("complete")
def a_completion_is_answered_by_way_of_chat():
    equal(make("writer").complete("hello").text, WRITTEN)
    equal("".join(piece.delta for piece in make("writer").stream_complete("hello")), WRITTEN)


@checks.add("stream_chat")
def a_stream_brings_the_whole_text_piece_by_piece():
    """That they come while the model still writes is seen where a stream without end is closed half-way."""
    pieces = list(make("writer").stream_chat(user("hello")))
    equal(len([piece for piece in pieces if piece.delta]), 6, "the number of pieces")
    equal(pieces[-1].message.content, WRITTEN)


@checks.add("achat and astream_chat")
def the_async_methods_do_the_same():
    async def both():
        whole = await make("writer").achat(user("hello"))
        stream = await make("writer").astream_chat(user("hello"))
        return whole.message.content, "".join([piece.delta async for piece in stream])

    equal(asyncio.run(both()), (WRITTEN, WRITTEN))


@checks.add("reasoning")
def reasoning_is_set_apart_whole_and_streamed():
    answer = make("thinker").chat(user("hello"))
    equal([(block.block_type, getattr(block, "content", None) or block.text) for block in answer.message.blocks],
          [("thinking", "First I think. Then I answer."), ("text", "The answer is 42.")])
    pieces = list(make("thinker").stream_chat(user("hello")))
    thoughts = [piece.additional_kwargs.get("thinking_delta", "") for piece in pieces]
    equal("".join(thoughts), "First I think. Then I answer.")
    equal("".join(piece.delta for piece in pieces), "The answer is 42.")


@checks.add("usage")
def usage_is_told_whole_and_streamed():
    whole = make("echo").chat(user("two words"))
    *_, last = make("echo").stream_chat(user("two words"), stream_options={"include_usage": True})
    for answer in (whole, last):
        equal([answer.additional_kwargs[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")],
              [2, 4, 6])


@checks.add("leaving early")
def a_stream_closed_half_way_cancels_its_prediction():
    stream = make("endless").stream_chat(user("closed half-way"))
    text = ""
    while len(text) < 20:
        text += next(stream).delta
    stream.close()
    del stream
    gc.collect()  # LlamaIndex does not close the connection: it ends when nobody refers to it
    true(text.startswith("on and on and "), f"the text is {text!r}")
    ends_as("closed half-way", "canceled")


@checks.add("leaving early")
def a_cancelled_task_cancels_its_prediction():
    try:
        asyncio.run(asyncio.wait_for(make("endless").achat(user("cancelled task")), 1))
        raise AssertionError("it was answered")
    except asyncio.TimeoutError:
        ends_as("cancelled task", "canceled")
