"""Base URLs, connections and headers."""

import openai

from checks import URL, equal
from sdk import WRITTEN, ask, checks, make, text_of, user


@checks.add("base URLs")
def every_way_to_write_the_base_url_works():
    for base in ("", "/", "/v1", "/v1/"):
        client = make(base_url=URL + base)
        equal(ask(client, "acme/tiny-writer").choices[0].message.content, WRITTEN, f"the answer at {base or 'no path'}")
        equal(client.models.retrieve("acme/tiny-writer").id, "acme/tiny-writer")


@checks.add("base URLs")
def a_model_of_the_path_is_used():
    client = make(base_url=f"{URL}/openai/deployments/acme/tiny-writer", default_query={"api-version": "2024-10-21"})
    equal(ask(client, "acme/tiny-writer").choices[0].message.content, WRITTEN)


@checks.add("connections")
def one_connection_serves_whole_answers_streams_and_errors_in_turn():
    with make(max_retries=0) as client:
        for _ in range(3):
            equal(ask(client, "writer").choices[0].message.content, WRITTEN)
            equal(text_of(ask(client, "writer", stream=True)), WRITTEN)
            try:
                ask(client, "failing")
            except Exception as error:
                equal(error.code, "prediction_failed")


@checks.add("connections")
def organization_and_project_headers_disturb_nobody():
    client = make(organization="org-none", project="proj-none", default_headers={"OpenAI-Beta": "none=v0"})
    equal(ask(client, "writer").choices[0].message.content, WRITTEN)


@checks.add("parameters")
def parameters_that_mean_nothing_to_the_model_disturb_nobody():
    answer = ask(make(), "writer", user="somebody", store=False, metadata={"a": "b"}, service_tier="auto")
    equal(answer.choices[0].message.content, WRITTEN)


@checks.add("parameters")
def a_hint_that_the_model_has_no_input_for_is_left_out_and_said_to_be():
    response = make().chat.completions.with_raw_response.create(model="coarse", messages=user("hello"), temperature=0.5)
    equal(response.headers["x-replibridge-ignored"], "temperature")
    equal(response.parse().choices[0].message.content, WRITTEN)


@checks.add("parameters")
def where_hints_are_taken_strictly_it_is_a_bad_request():
    try:
        ask(make(), "strict", temperature=0.5)
        raise AssertionError("it was answered")
    except openai.BadRequestError as error:
        equal((error.code, error.param), ("unsupported_parameter", "temperature"))
