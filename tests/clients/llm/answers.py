"""Whole answers, streams, usage, conversations and the log."""

import json
import os
import signal

from checks import ends_as, equal, true
from command import WRITTEN, as_documented, checks, llm, said, start


@checks.add("llm")
def a_question_is_answered_streamed_and_whole():
    for model in ("writer", "acme/tiny-writer"):
        equal(said("-m", model, "hello"), WRITTEN)
        equal(said("-m", model, "--no-stream", "hello"), WRITTEN)


@checks.add("llm")
def the_example_of_the_documentation_works():
    equal(as_documented(), WRITTEN)


@checks.add("llm")
def system_prompt_and_options_reach_the_daemon():
    answer = said("-m", "echo", "-s", "Be brief.", "-o", "temperature", "0.5", "-o", "max_tokens", "50", "三 🌍")
    for words in ("Be brief.", "三 🌍"):
        true(words in answer, f"{words!r} is not in {answer!r}")


@checks.add("llm")
def every_way_to_write_the_base_url_works():
    for path in ("bare", "/", "/v1", "/v1/"):
        equal(said("-m", f"base {path}", "hello"), WRITTEN, f"the answer at {path}")


@checks.add("llm")
def a_stream_is_shown_as_it_comes():
    process = start("-m", "endless", "shown as it comes")
    shown = b""
    with process:
        while len(shown) < 20 and (piece := os.read(process.stdout.fileno(), 100)):
            shown += piece
        process.terminate()
        process.communicate(timeout=10)
    true(shown.startswith(b"on and on and "), f"it shows {shown!r}")
    ends_as("shown as it comes", "canceled")


@checks.add("llm")
def the_reasoning_of_a_model_is_not_taken_for_its_answer():
    for mode in ([], ["--no-stream"]):
        equal(said("-m", "thinker", *mode, "hello"), "The answer is 42.")


@checks.add("llm --usage")
def usage_is_told_whole_and_streamed():
    for mode in ([], ["--no-stream"]):
        done = llm("-m", "echo", "--usage", *mode, "two words")
        true("2 input, 4 output" in done.stderr, f"the usage is {done.stderr!r}")


@checks.add("llm --continue")
def a_conversation_goes_on():
    conversation = json.loads(said("logs", "-n", "1", "--json") or "[]")
    said("-m", "echo", "one")
    answer = said("--continue", "two")
    for words in ("one", "two"):
        true(words in answer, f"{words!r} is not in {answer!r}")
    last = json.loads(said("logs", "-n", "1", "--json"))[0]
    equal((last["model"], last["response"]), ("echo", answer))
    true([last["id"]] != [one["id"] for one in conversation], "it was not logged")


@checks.add("leaving early")
def an_interrupted_answer_cancels_its_prediction():
    process = start("-m", "endless", "interrupted")
    with process:
        true(os.read(process.stdout.fileno(), 100), "nothing came")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    ends_as("interrupted", "canceled")
