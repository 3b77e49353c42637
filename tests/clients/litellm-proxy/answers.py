"""Whole answers, and which models there are."""

from checks import equal, predictions, true
from sdk import WRITTEN, ask, checks, make


@checks.add("whole answers")
def an_answer_comes_through():
    answer = ask("writer")
    equal(answer.choices[0].message.content, WRITTEN)
    equal((answer.object, answer.model, answer.choices[0].finish_reason), ("chat.completion", "writer", "stop"))


@checks.add("whole answers")
def the_model_of_the_documentation_answers():
    equal(ask("kimi-k2").choices[0].message.content, WRITTEN)


@checks.add("whole answers")
def the_prompt_and_the_answer_may_be_of_any_script():
    for prompt in ("hello", "Grüße, 世界 🌍🏽!", 'quotes " and \\ and a\nnew line'):
        equal(ask("echo", prompt).choices[0].message.content, f"You said: {prompt}")


@checks.add("whole answers")
def a_model_may_have_another_name_here_and_a_slash_in_the_daemons():
    for model in ("tiny", "acme/tiny-writer"):
        equal(ask(model).choices[0].message.content, WRITTEN, model)


@checks.add("usage")
def usage_comes_through():
    usage = ask("echo", "two words").usage
    equal((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (2, 4, 6))


@checks.add("reasoning")
def reasoning_comes_through():
    message = ask("thinker").choices[0].message
    equal((message.content, message.reasoning_content), ("The answer is 42.", "First I think. Then I answer."))


@checks.add("headers")
def the_daemons_headers_are_handed_on_with_the_proxys_prefix():
    messages = [{"role": "user", "content": "whose headers"}]
    headers = make().chat.completions.with_raw_response.create(model="writer", messages=messages).headers
    equal(headers["llm_provider-x-replicate-prediction-id"], predictions("whose headers")[0]["id"])
    equal(headers["llm_provider-x-replibridge-usage"], "reported")


@checks.add("model discovery")
def the_proxy_finds_the_daemons_models():
    ids = {model.id.removeprefix("openai/") for model in make().models.list()}
    true({"writer", "echo", "boots", "acme/tiny-writer"} <= ids, f"the list is {sorted(ids)}")
