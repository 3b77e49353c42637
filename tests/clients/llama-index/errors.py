"""Errors: what a person sees is the daemon's sentence."""

import socket

import openai
from checks import equal, predictions, true
from llms import checks, make, user


def caught(kind, function):
    try:
        function()
    except openai.OpenAIError as error:
        true(isinstance(error, kind), f"it is no {kind.__name__} but {type(error).__name__}: {error}")
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def refused(kind, expected, sentence, model, **options):
    error = caught(kind, lambda: make(model, **options).chat(user("hello")))
    equal((error.status_code, error.code), expected)
    true(sentence in str(error), str(error))


@checks.add("errors")
def each_error_says_what_the_daemon_says():
    refused(openai.BadRequestError, (400, "invalid_value"), "`temperature` has to be", "writer",
            additional_kwargs={"temperature": 9})
    refused(openai.BadRequestError, (400, "content_policy_violation"), "safety filter stopped the prediction", "unsafe")
    refused(openai.BadRequestError, (400, "unsupported_parameter"), "has no input for", "strict",
            additional_kwargs={"verbosity": "low"})
    refused(openai.AuthenticationError, (401, "invalid_api_key"), "Incorrect API key provided.", "writer",
            api_key="wrong-key")
    refused(openai.PermissionDeniedError, (403, "model_not_allowed"), "may not use the model `echo`.", "echo",
            api_key="writer-key")
    refused(openai.NotFoundError, (404, "model_not_found"), "The model `nobody/nothing` does not exist here.",
            "nobody/nothing")
    refused(openai.UnprocessableEntityError, (422, "prediction_failed"), "The model tripped over its own feet.",
            "failing")
    refused(openai.InternalServerError, (503, "upstream_transient_failure"), "Try again.", "busy")
    refused(openai.InternalServerError, (504, "timeout"), "did not answer within 1 s", "late")


@checks.add("errors")
def the_second_request_in_a_minute_of_a_limited_model_is_a_rate_limit_error():
    equal(make("limited").chat(user("hello")).raw.model, "limited")
    refused(openai.RateLimitError, (429, "rate_limit_exceeded"), "limit of 1 request per minute", "limited")


@checks.add("errors")
def a_failure_in_mid_stream_is_raised_after_the_text_before_it():
    pieces = []
    error = caught(openai.APIError, lambda: pieces.extend(make("breaking").stream_chat(user("hello"))))
    true("The model fell asleep in mid-sentence." in str(error), str(error))
    equal("".join(piece.delta for piece in pieces), "This will not ")


@checks.add("errors")
def who_does_not_wait_gets_a_timeout():
    caught(openai.APITimeoutError, lambda: make("slow", timeout=0.5).chat(user("who will not wait")))
    equal(len(predictions("who will not wait")), 1, "the number of predictions")


@checks.add("errors")
def a_daemon_that_is_not_there_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        caught(openai.APIConnectionError, lambda: make("writer", api_base=url).chat(user("hello")))


@checks.add("retries")
def a_failed_or_refused_prediction_is_not_tried_again():
    for model in ("failing", "unsafe"):
        caught(openai.APIStatusError, lambda: make(model, max_retries=2).chat(user(f"only once, {model}")))
        equal(len(predictions(f"only once, {model}")), 1, f"the number of predictions of {model}")


@checks.add("retries")
def a_passing_fault_is_tried_again():
    caught(openai.InternalServerError, lambda: make("busy", max_retries=2).chat(user("again and again")))
    # The OpenAI SDK beneath makes three tries of each of LlamaIndex's two.
    equal(len(predictions("again and again")), 6, "the number of predictions")
