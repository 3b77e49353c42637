"""Errors: LiteLLM makes exceptions of its own of them, by their status and by words in them."""

import socket

import litellm

from checks import KEY, equal, true
from sdk import ask, checks


def caught(kind, sentence, model, prompt="hello", **options):
    """That class exactly, and our sentence in it."""
    try:
        ask(model, prompt, **options)
    except Exception as error:
        equal(type(error), kind, f"the class of {error!r}")
        true(sentence in str(error), str(error))
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def refused(kind, status, sentence, model, prompt="hello", **options):
    error = caught(kind, sentence, model, prompt, **options)
    equal(error.status_code, status, "the status")
    return error


@checks.add("exceptions")
def a_wrong_value_is_a_bad_request_that_names_the_parameter():
    error = refused(litellm.BadRequestError, 400, "`temperature` has to be", "writer", temperature=9)
    equal((error.param, error.code, error.type), ("temperature", "invalid_value", "invalid_request_error"))


@checks.add("exceptions")
def a_safety_filter_is_a_content_policy_violation():
    refused(litellm.ContentPolicyViolationError, 400, "safety filter", "unsafe")


@checks.add("exceptions")
def a_wrong_key_is_an_authentication_error():
    refused(litellm.AuthenticationError, 401, "API key", "writer", api_key="wrong-key")


@checks.add("exceptions")
def a_model_that_the_key_may_not_use_is_a_403():
    error = refused(litellm.BadRequestError, 403, "may not use the model `echo`", "echo", api_key="writer-key")
    equal((error.param, error.code), ("model", "model_not_allowed"))


@checks.add("exceptions")
def an_unknown_model_is_not_found():
    refused(litellm.NotFoundError, 404, "`nobody/nothing`", "nobody/nothing")


@checks.add("exceptions")
def a_failed_prediction_is_a_422():
    error = refused(litellm.BadRequestError, 422, "The model tripped over its own feet.", "failing")
    equal((error.code, error.type), ("prediction_failed", "server_error"))
    true(error.litellm_response_headers["x-replicate-prediction-id"] in str(error), "the prediction's id is not told")


@checks.add("exceptions")
def the_second_request_in_a_minute_of_a_limited_model_is_a_rate_limit_error():
    equal(ask("limited").choices[0].finish_reason, "stop")
    error = refused(litellm.RateLimitError, 429, "limited", "limited")
    true(0 < int(error.litellm_response_headers["retry-after"]) <= 60, "retry-after is not within a minute")


@checks.add("exceptions")
def a_passing_fault_of_replicate_is_an_unavailable_service():
    refused(litellm.ServiceUnavailableError, 503, "Try again", "busy")


@checks.add("exceptions")
def a_model_that_does_not_answer_in_time_is_a_timeout():
    refused(litellm.Timeout, 504, "did not answer within 1 s", "late")


@checks.add("exceptions")
def a_daemon_that_is_not_there_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        caught(litellm.InternalServerError, "Connection error", "writer", api_base=url)


@checks.add("exceptions")
def errors_tell_no_secrets():
    wrong = refused(litellm.AuthenticationError, 401, "API key", "writer", api_key=f"{KEY}-but-wrong")
    true(KEY not in str(wrong), "the message holds the key")
    failed = refused(litellm.BadRequestError, 422, "tripped", "failing", "my secret plans")
    true("secret plans" not in str(failed), "the message holds the prompt")
