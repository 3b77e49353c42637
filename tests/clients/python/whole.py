"""Whole answers."""

import asyncio

from checks import equal, prints_as_documented, true
from sdk import WRITTEN, ask, checks, make, make_async, user


@checks.add("chat.completions.create")
def a_completion_is_answered():
    answer = ask(make(), "writer")
    equal(answer.object, "chat.completion")
    equal(answer.model, "writer")
    equal(answer.choices[0].message.role, "assistant")
    equal(answer.choices[0].message.content, WRITTEN)
    equal(answer.choices[0].finish_reason, "stop")
    true(answer.id.startswith("chatcmpl-"), f"the id is {answer.id}")


@checks.add("chat.completions.create")
def the_examples_of_the_documentation_work():
    prints_as_documented("README.md", "Use it", WRITTEN)
    prints_as_documented("docs/use-with.md", "OpenAI SDK for Python", WRITTEN)


@checks.add("chat.completions.create")
def the_prompt_reaches_the_model_and_comes_back_in_any_script():
    for prompt in ("hello", "Grüße, 世界 🌍🏽!", 'quotes " and \\ and a\nnew line'):
        equal(ask(make(), "echo", prompt).choices[0].message.content, f"You said: {prompt}")


@checks.add("chat.completions.create")
def content_may_be_a_list_of_parts():
    answer = ask(make(), "echo", [{"type": "text", "text": "in parts"}])
    equal(answer.choices[0].message.content, "You said: in parts")


@checks.add("chat.completions.create")
def a_conversation_of_several_messages_reaches_the_model():
    messages = [{"role": "system", "content": "Be brief."}, *user("one"), {"role": "assistant", "content": "two"},
                *user("three")]
    said = make().chat.completions.create(model="echo", messages=messages).choices[0].message.content
    for words in ("one", "two", "three"):
        true(words in said, f"{words!r} is not in {said!r}")


@checks.add("usage")
def usage_is_what_the_model_reports():
    usage = ask(make(), "echo", "two words").usage
    equal((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (2, 4, 6))


@checks.add("usage")
def usage_that_nobody_reports_is_estimated():
    response = make().chat.completions.with_raw_response.create(model="uncounted", messages=user("hello"))
    usage = response.parse().usage
    equal(response.headers["x-replibridge-usage"], "estimated")
    true(usage.completion_tokens > 0, "no completion tokens")
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)


@checks.add("reasoning")
def reasoning_is_set_apart():
    message = ask(make(), "thinker").choices[0].message
    equal(message.content, "The answer is 42.")
    equal(message.reasoning_content, "First I think. Then I answer.")
    equal(message.reasoning, message.reasoning_content)


@checks.add("raw responses")
def raw_responses_show_the_headers():
    response = make().chat.completions.with_raw_response.create(
        model="writer", messages=user("hello"), extra_headers={"X-Request-Id": "my-own-id"})
    equal(response.headers["x-request-id"], "my-own-id")
    equal(response.headers["x-replibridge-usage"], "reported")
    equal(response.headers["content-type"], "application/json")
    true(response.headers["x-replicate-prediction-id"], "no prediction id")
    equal(response.parse()._request_id, "my-own-id")


@checks.add("raw responses")
def an_answer_carries_its_request_id():
    true(ask(make(), "writer")._request_id.startswith("req_"), "no request id")


@checks.add("AsyncOpenAI")
def the_async_client_gets_a_completion():
    async def run():
        async with make_async() as client:
            return await ask(client, "writer")

    equal(asyncio.run(run()).choices[0].message.content, WRITTEN)


@checks.add("AsyncOpenAI")
def twenty_questions_at_once_get_their_own_answers():
    async def run():
        async with make_async() as client:
            return await asyncio.gather(*(ask(client, "echo", f"number {i}") for i in range(20)))

    said = [answer.choices[0].message.content for answer in asyncio.run(run())]
    equal(said, [f"You said: number {i}" for i in range(20)])
