"""Whole answers, streams, reasoning, usage and conversations."""

import asyncio

from agent import WRITTEN, checks, deltas, make
from agents import Runner, SQLiteSession
from checks import URL, ends_as, equal, predictions, true


@checks.add("Runner.run")
def an_agent_answers():
    result = Runner.run_sync(make("writer"), "hello")
    equal(result.final_output, WRITTEN)
    equal([type(item).__name__ for item in result.new_items], ["MessageOutputItem"])


@checks.add("Runner.run")
def instructions_and_prompt_reach_the_model():
    said = asyncio.run(Runner.run(make("echo", instructions="Be brief."), "三 🌍")).final_output
    for words in ("Be brief.", "三 🌍"):
        true(words in said, f"{words!r} is not in {said!r}")


@checks.add("Runner.run")
def every_way_to_write_the_base_url_works():
    for path in ("", "/", "/v1", "/v1/"):
        agent = make("acme/tiny-writer", base_url=URL + path)
        equal(Runner.run_sync(agent, "hello").final_output, WRITTEN, f"the answer at {path}")


@checks.add("conversations")
def what_was_said_before_reaches_the_model():
    first = Runner.run_sync(make("writer"), "one")
    second = Runner.run_sync(make("echo"), [*first.to_input_list(), {"role": "user", "content": "two"}])
    for words in ("one", WRITTEN, "two"):
        true(words in second.final_output, f"{words!r} is not in {second.final_output!r}")


@checks.add("conversations")
def a_session_remembers_reasoning_and_all():
    async def run():
        session = SQLiteSession("talk")
        await Runner.run(make("thinker"), "one", session=session)
        return (await Runner.run(make("echo"), "two", session=session)).final_output

    said = asyncio.run(run())
    for words in ("one", "The answer is 42.", "two"):
        true(words in said, f"{words!r} is not in {said!r}")


@checks.add("Runner.run_streamed")
def a_stream_brings_the_whole_text_piece_by_piece():
    async def run():
        result = Runner.run_streamed(make("writer"), "hello")
        return await deltas(result), result.final_output

    pieces, whole = asyncio.run(run())
    equal((len(pieces), "".join(pieces), whole), (6, WRITTEN, WRITTEN))


@checks.add("reasoning")
def reasoning_is_an_item_of_its_own_whole_and_streamed():
    result = Runner.run_sync(make("thinker"), "hello")
    equal([type(item).__name__ for item in result.new_items], ["ReasoningItem", "MessageOutputItem"])
    equal(result.new_items[0].raw_item.summary[0].text, "First I think. Then I answer.")
    equal(result.final_output, "The answer is 42.")

    async def run(kind):
        return "".join(await deltas(Runner.run_streamed(make("thinker"), "hello"), kind))

    equal(asyncio.run(run("response.reasoning_summary_text.delta")), "First I think. Then I answer.")
    equal(asyncio.run(run("response.output_text.delta")), "The answer is 42.")


@checks.add("images")
def an_image_by_its_address_reaches_the_models_own_input():
    parts = [{"type": "input_text", "text": "What is at this address?"},
             {"type": "input_image", "image_url": "https://example.com/cat.png"}]
    equal(Runner.run_sync(make("seer"), [{"role": "user", "content": parts}]).final_output, "I see a cat.")
    [one] = predictions("What is at this address?")
    equal(one["input"]["picture"], "https://example.com/cat.png")


@checks.add("usage")
def usage_is_told_whole_and_streamed():
    async def run():
        result = Runner.run_streamed(make("echo"), "two words")
        await deltas(result)
        return result

    for result in (Runner.run_sync(make("echo"), "two words"), asyncio.run(run())):
        usage = result.context_wrapper.usage
        equal((usage.input_tokens, usage.output_tokens, usage.total_tokens), (2, 4, 6))


@checks.add("leaving early")
def a_cancelled_run_cancels_its_prediction():
    async def run():
        result = Runner.run_streamed(make("endless"), "cancelled run")
        text = ""
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                text += event.data.delta
            if len(text) > 20:
                result.cancel()
        return text

    true(asyncio.run(run()).startswith("on and on and "), "it did not begin")
    ends_as("cancelled run", "canceled")


@checks.add("leaving early")
def a_cancelled_task_cancels_its_prediction():
    async def run():
        await asyncio.wait_for(Runner.run(make("endless"), "cancelled task"), 1)

    try:
        asyncio.run(run())
        raise AssertionError("it was answered")
    except asyncio.TimeoutError:
        ends_as("cancelled task", "canceled")
