"""Every class of error, each from a real one."""

import socket

import openai

from checks import KEY, equal, predictions, true
from sdk import ask, checks, make, user


def caught(kind, function):
    try:
        function()
    except openai.OpenAIError as error:
        equal(type(error), kind, "the error's class")
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def refused(kind, expected, sentence, function):
    """An answer of that class and with that (status, type, param, code), which says that sentence."""
    error = caught(kind, function)
    equal((error.status_code, error.type, error.param, error.code), expected)
    true(sentence in error.body["message"], error.body["message"])
    true(sentence in error.message, error.message)
    true(error.request_id.startswith("req_"), f"the request id is {error.request_id}")
    return error


@checks.add("error classes")
def no_message_is_a_bad_request():
    refused(openai.BadRequestError, (400, "invalid_request_error", "messages", "invalid_value"), "messages",
            lambda: make().chat.completions.create(model="writer", messages=[]))


@checks.add("error classes")
def a_wrong_value_is_a_bad_request_that_names_the_parameter():
    refused(openai.BadRequestError, (400, "invalid_request_error", "temperature", "invalid_value"), "temperature",
            lambda: ask(make(), "writer", temperature=9))


@checks.add("error classes")
def a_safety_filter_is_a_bad_request():
    refused(openai.BadRequestError, (400, "invalid_request_error", None, "content_policy_violation"), "safety filter",
            lambda: ask(make(), "unsafe"))


@checks.add("error classes")
def a_wrong_key_is_an_authentication_error():
    refused(openai.AuthenticationError, (401, "invalid_request_error", None, "invalid_api_key"), "key",
            lambda: ask(make(api_key="wrong-key"), "writer"))


@checks.add("error classes")
def a_model_that_the_key_may_not_use_is_permission_denied():
    client = make(api_key="writer-key")
    equal(ask(client, "writer").model, "writer")
    refused(openai.PermissionDeniedError, (403, "invalid_request_error", "model", "model_not_allowed"), "key",
            lambda: ask(client, "echo"))


@checks.add("error classes")
def an_unknown_model_is_not_found():
    refused(openai.NotFoundError, (404, "invalid_request_error", "model", "model_not_found"), "`nobody/nothing`",
            lambda: ask(make(), "nobody/nothing"))


@checks.add("error classes")
def an_unknown_path_is_not_found():
    refused(openai.NotFoundError, (404, "invalid_request_error", None, None), "/v1/nowhere",
            lambda: make().post("/nowhere", cast_to=object, body={}))


@checks.add("error classes")
def a_wrong_method_is_an_api_status_error():
    error = caught(openai.APIStatusError, lambda: make().get("/chat/completions", cast_to=object))
    equal((error.status_code, error.code), (405, "method_not_supported"))
    true("POST" in error.response.headers["allow"], "Allow does not name POST")


@checks.add("error classes")
def a_failed_prediction_is_unprocessable():
    error = refused(openai.UnprocessableEntityError, (422, "server_error", None, "prediction_failed"),
                    "The model tripped over its own feet.", lambda: ask(make(), "failing"))
    true(error.response.headers["x-replicate-prediction-id"] in error.message, "the prediction's id is not told")


@checks.add("error classes")
def the_second_request_in_a_minute_of_a_limited_model_is_a_rate_limit_error():
    equal(ask(make(), "limited").model, "limited")
    error = refused(openai.RateLimitError, (429, "rate_limit_error", None, "rate_limit_exceeded"), "limited",
                    lambda: ask(make(), "limited"))
    true(0 < int(error.response.headers["retry-after"]) <= 60, "retry-after is not within a minute")


@checks.add("error classes")
def a_passing_fault_of_replicate_is_an_internal_server_error():
    refused(openai.InternalServerError, (503, "server_error", None, "upstream_transient_failure"), "Try again",
            lambda: ask(make(), "busy"))


@checks.add("error classes")
def a_model_that_does_not_answer_in_time_is_an_internal_server_error():
    refused(openai.InternalServerError, (504, "server_error", None, "timeout"), "did not answer within 1 s",
            lambda: ask(make(), "late"))


@checks.add("error classes")
def a_client_that_does_not_wait_gets_a_timeout_error():
    caught(openai.APITimeoutError, lambda: ask(make(timeout=0.5), "slow", "who will not wait"))
    equal(len(predictions("who will not wait")), 1, "the number of predictions")


@checks.add("error classes")
def a_daemon_that_is_not_there_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        caught(openai.APIConnectionError, lambda: ask(make(base_url=url), "writer"))


@checks.add("retries")
def a_passing_fault_is_tried_again_as_a_new_prediction():
    error = caught(openai.InternalServerError, lambda: ask(make(max_retries=2), "busy", "three times busy"))
    equal(error.status_code, 503)
    equal(len(predictions("three times busy")), 3, "the number of predictions")


@checks.add("retries")
def what_failed_for_good_is_not_tried_again():
    for model, kind in (("failing", openai.UnprocessableEntityError), ("late", openai.InternalServerError),
                        ("unsafe", openai.BadRequestError)):
        prompt = f"only once, {model}"
        caught(kind, lambda: ask(make(max_retries=2), model, prompt))
        equal(len(predictions(prompt)), 1, f"the number of predictions of {model}")


@checks.add("error classes")
def errors_tell_no_secrets():
    error = caught(openai.AuthenticationError, lambda: ask(make(api_key=f"{KEY}-but-wrong"), "writer"))
    true(KEY not in error.message, "the message holds the key")
    error = caught(openai.UnprocessableEntityError, lambda: ask(make(), "failing", "my secret plans"))
    true("secret plans" not in error.message, "the message holds the prompt")


@checks.add("raw responses")
def a_raw_response_of_an_error_raises_the_same():
    raw = make().chat.completions.with_raw_response
    caught(openai.NotFoundError, lambda: raw.create(model="nope", messages=user("hello")))
