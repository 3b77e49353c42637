"""Whole answers, streams, usage, and what else LangChain makes of them."""

import asyncio

from chat import WRITTEN, checks, make, run, together
from checks import URL, ends_as, equal, predictions, prints_as_documented, true
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate


@checks.add("invoke")
def a_question_is_answered():
    answer = make("writer").invoke("hello")
    equal(answer.content, WRITTEN)
    equal(answer.response_metadata["finish_reason"], "stop")
    equal(answer.response_metadata["model_name"], "writer")


@checks.add("invoke")
def the_example_of_the_documentation_works():
    prints_as_documented("docs/use-with.md", "LangChain for Python", WRITTEN)


@checks.add("invoke")
def a_conversation_of_several_messages_reaches_the_model():
    messages = [SystemMessage("Be brief."), HumanMessage("one"), AIMessage("two"), HumanMessage("三 🌍")]
    said = make("echo").invoke(messages).content
    for words in ("one", "two", "三 🌍"):
        true(words in said, f"{words!r} is not in {said!r}")


@checks.add("invoke")
def every_way_to_write_the_base_url_works():
    for path in ("", "/", "/v1", "/v1/"):
        equal(make("acme/tiny-writer", base_url=URL + path).invoke("hello").content, WRITTEN, f"the answer at {path}")


@checks.add("invoke")
def the_reasoning_of_a_model_is_not_taken_for_its_answer():
    equal(make("thinker").invoke("hello").content, "The answer is 42.")
    equal(together(list(make("thinker").stream("hello"))).content, "The answer is 42.")


@checks.add("images")
def an_image_by_its_address_reaches_the_models_own_input():
    parts = [{"type": "text", "text": "What is at this address?"},
             {"type": "image", "url": "https://example.com/cat.png"}]
    equal(make("seer").invoke([HumanMessage(parts)]).content, "I see a cat.")
    [one] = predictions("What is at this address?")
    equal(one["input"]["picture"], "https://example.com/cat.png")


@checks.add("chains")
def a_chain_of_template_model_and_parser_answers_with_text():
    chain = ChatPromptTemplate.from_template("Tell me about {topic}") | make("echo") | StrOutputParser()
    equal(chain.invoke({"topic": "chains"}), "You said: Tell me about chains")
    equal("".join(chain.stream({"topic": "streams"})), "You said: Tell me about streams")


@checks.add("batch")
def a_batch_gets_an_answer_for_each_question():
    prompts = [f"batch {i}" for i in range(8)]
    equal([answer.content for answer in make("echo").batch(prompts)], [f"You said: {prompt}" for prompt in prompts])


@checks.add("stream")
def a_stream_brings_the_whole_text_piece_by_piece():
    """That they come while the model still writes is seen where a stream without end is closed half-way."""
    chunks = list(make("writer").stream("hello"))
    equal(len([chunk for chunk in chunks if chunk.content]), 6, "the number of pieces")
    whole = together(chunks)
    equal((whole.content, whole.response_metadata["finish_reason"]), (WRITTEN, "stop"))


@checks.add("ainvoke and astream")
def the_async_methods_do_the_same():
    async def both():
        whole = await make("writer").ainvoke("hello")
        return whole.content, "".join([chunk.content async for chunk in make("writer").astream("hello")])

    equal(run(both()), (WRITTEN, WRITTEN))


@checks.add("usage_metadata")
def usage_is_told_whole_and_streamed():
    streamed = together(list(make("echo", stream_usage=True).stream("two words")))
    for usage in (make("echo").invoke("two words").usage_metadata, streamed.usage_metadata):
        equal((usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]), (2, 4, 6))


@checks.add("leaving early")
def a_stream_closed_half_way_cancels_its_prediction():
    stream = make("endless").stream("closed half-way")
    text = ""
    while len(text) < 20:
        text += next(stream).content
    stream.close()
    true(text.startswith("on and on and "), f"the text is {text!r}")
    ends_as("closed half-way", "canceled")


@checks.add("leaving early")
def a_cancelled_task_cancels_its_prediction():
    async def whole():
        await make("endless").ainvoke("cancelled whole")

    async def stream():
        async for _ in make("endless").astream("cancelled stream"):
            pass

    async def leave(work):
        """Before 3.12 Python's own `wait_for`, in which LangChain waits for each piece, loses a cancellation that
        comes at the same moment as the piece; then it is said once more."""
        task = asyncio.ensure_future(work())
        await asyncio.wait({task}, timeout=1)
        true(not task.done(), "it was answered")
        for _ in range(5):
            task.cancel()
            await asyncio.wait({task}, timeout=1)
        true(task.cancelled(), "it could not be cancelled")

    for prompt, work in (("cancelled whole", whole), ("cancelled stream", stream)):
        run(leave(work))
        ends_as(prompt, "canceled")
