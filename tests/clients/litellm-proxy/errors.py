"""Errors: their status and our sentence have to be seen through the proxy."""

import openai

from checks import equal, predictions, true
from sdk import ask, checks


def refused(kind, status, sentence, model, prompt="hello", **options):
    try:
        ask(model, prompt, **options)
    except openai.APIStatusError as error:
        equal((type(error), error.status_code), (kind, status), "the error")
        true(sentence in error.body["message"], error.body["message"])
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


@checks.add("errors")
def a_wrong_value_is_a_bad_request():
    refused(openai.BadRequestError, 400, "temperature", "writer", temperature=9)


@checks.add("errors")
def a_safety_filter_is_a_bad_request():
    refused(openai.BadRequestError, 400, "safety filter", "unsafe")


@checks.add("errors")
def a_wrong_key_for_the_daemon_is_an_authentication_error():
    refused(openai.AuthenticationError, 401, "API key", "wrong-key")


@checks.add("errors")
def a_model_that_the_proxys_key_may_not_use_is_permission_denied():
    refused(openai.PermissionDeniedError, 403, "may not use the model `echo`", "forbidden")


@checks.add("errors")
def an_unknown_model_is_not_found():
    refused(openai.NotFoundError, 404, "`nobody/nothing`", "nobody/nothing")


@checks.add("errors")
def a_failed_prediction_is_unprocessable():
    error = refused(openai.UnprocessableEntityError, 422, "The model tripped over its own feet.", "failing")
    true(error.response.headers["llm_provider-x-replicate-prediction-id"] in error.message, "its id is not told")


@checks.add("errors")
def the_second_request_in_a_minute_of_a_limited_model_is_a_rate_limit_error():
    equal(ask("limited").choices[0].finish_reason, "stop")
    error = refused(openai.RateLimitError, 429, "limited", "limited")
    true(0 < int(error.response.headers["llm_provider-retry-after"]) <= 60, "retry-after is not within a minute")


@checks.add("errors")
def a_passing_fault_of_replicate_is_a_503():
    refused(openai.InternalServerError, 503, "Try again", "busy")


@checks.add("errors")
def a_model_that_does_not_answer_in_time_is_a_504():
    refused(openai.InternalServerError, 504, "did not answer within 1 s", "late")


@checks.add("retries")
def a_passing_fault_is_tried_again():
    refused(openai.InternalServerError, 503, "Try again", "busy-again", "three times busy")
    equal(len(predictions("three times busy")), 3, "the number of predictions")


@checks.add("retries")
def what_failed_for_good_is_not_tried_again():
    refused(openai.UnprocessableEntityError, 422, "tripped", "failing-again", "only once, failing")
    refused(openai.BadRequestError, 400, "safety filter", "unsafe-again", "only once, unsafe")
    for model in ("failing", "unsafe"):
        equal(len(predictions(f"only once, {model}")), 1, f"the number of predictions of {model}")
