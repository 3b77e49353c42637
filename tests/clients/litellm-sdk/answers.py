"""Whole answers, and which models there are."""

import asyncio
import os

import litellm

from checks import KEY, URL, equal, predictions, prints_as_documented
from sdk import WRITTEN, ask, ask_async, checks


@checks.add("completion")
def a_completion_is_answered():
    answer = ask("writer")
    equal(answer.choices[0].message.content, WRITTEN)
    equal((answer.object, answer.model, answer.choices[0].finish_reason), ("chat.completion", "writer", "stop"))


@checks.add("completion")
def the_example_of_the_documentation_works():
    prints_as_documented("docs/use-with.md", "LiteLLM SDK", WRITTEN)


@checks.add("completion")
def the_prompt_and_the_answer_may_be_of_any_script():
    for prompt in ("hello", "Grüße, 世界 🌍🏽!", 'quotes " and \\ and a\nnew line'):
        equal(ask("echo", prompt).choices[0].message.content, f"You said: {prompt}")


@checks.add("completion")
def only_the_first_part_of_a_models_name_is_litellms():
    answer = ask("acme/tiny-writer")
    equal((answer.model, answer.choices[0].message.content), ("acme/tiny-writer", WRITTEN))


@checks.add("completion")
def the_base_url_may_be_in_the_environment():
    os.environ.update(OPENAI_API_BASE=f"{URL}/v1", OPENAI_API_KEY=KEY)
    try:
        equal(ask("writer", api_base=None, api_key=None).choices[0].message.content, WRITTEN)
    finally:
        del os.environ["OPENAI_API_BASE"], os.environ["OPENAI_API_KEY"]


@checks.add("usage")
def usage_is_what_the_model_reports():
    usage = ask("echo", "two words").usage
    equal((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (2, 4, 6))


@checks.add("reasoning")
def reasoning_is_set_apart():
    message = ask("thinker").choices[0].message
    equal((message.content, message.reasoning_content), ("The answer is 42.", "First I think. Then I answer."))


@checks.add("headers")
def the_daemons_headers_are_there_with_litellms_prefix():
    headers = ask("writer", "whose headers")._hidden_params["additional_headers"]
    equal(headers["llm_provider-x-replicate-prediction-id"], predictions("whose headers")[0]["id"])
    equal(headers["llm_provider-x-replibridge-usage"], "reported")


@checks.add("acompletion")
def the_async_function_is_answered():
    equal(asyncio.run(ask_async("writer")).choices[0].message.content, WRITTEN)


@checks.add("acompletion")
def twenty_questions_at_once_get_their_own_answers():
    async def run():
        return await asyncio.gather(*(ask_async("echo", f"number {i}") for i in range(20)))

    said = [answer.choices[0].message.content for answer in asyncio.run(run())]
    equal(said, [f"You said: number {i}" for i in range(20)])


@checks.add("get_valid_models")
def the_daemons_models_are_found():
    found = litellm.get_valid_models(check_provider_endpoint=True, custom_llm_provider="openai", api_key=KEY,
                                     api_base=f"{URL}/v1")
    equal({"writer", "echo", "boots", "acme/tiny-writer"} - set(found), set(), "what is missing")
