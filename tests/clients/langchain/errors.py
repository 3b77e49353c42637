"""Errors: what a person sees is the daemon's sentence."""

import socket

import openai
from chat import checks, make
from checks import equal, predictions, true


def caught(kind, function):
    try:
        function()
    except openai.OpenAIError as error:
        true(isinstance(error, kind), f"it is no {kind.__name__} but {type(error).__name__}: {error}")
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def refused(kind, expected, sentence, model, **options):
    error = caught(kind, lambda: make(model, **options).invoke("hello"))
    equal((error.status_code, error.code), expected)
    true(sentence in str(error), str(error))


@checks.add("errors")
def each_error_says_what_the_daemon_says():
    refused(openai.BadRequestError, (400, "invalid_value"), "`temperature` has to be", "writer", temperature=9)
    refused(openai.BadRequestError, (400, "content_policy_violation"), "The model's safety filter", "unsafe")
    refused(openai.BadRequestError, (400, "unsupported_parameter"), "no input for `verbosity`", "strict",
            verbosity="low")
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
    equal(make("limited").invoke("hello").response_metadata["model_name"], "limited")
    refused(openai.RateLimitError, (429, "rate_limit_exceeded"), "limit of 1 request per minute", "limited")


@checks.add("errors")
def a_failure_in_mid_stream_is_raised_after_the_text_before_it():
    pieces = []
    error = caught(openai.APIError, lambda: pieces.extend(make("breaking").stream("hello")))
    true("The model fell asleep in mid-sentence." in str(error), str(error))
    equal("".join(piece.content for piece in pieces), "This will not ")


@checks.add("errors")
def who_does_not_wait_gets_a_timeout():
    caught(openai.APITimeoutError, lambda: make("slow", timeout=0.5).invoke("who will not wait"))
    equal(len(predictions("who will not wait")), 1, "the number of predictions")


@checks.add("errors")
def a_daemon_that_is_not_there_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        caught(openai.APIConnectionError, lambda: make("writer", base_url=url).invoke("hello"))


@checks.add("retries")
def only_a_passing_fault_is_tried_again():
    for model, count in (("busy", 3), ("failing", 1), ("late", 1), ("unsafe", 1)):
        prompt = f"tried again, {model}"
        caught(openai.APIStatusError, lambda: make(model, max_retries=2).invoke(prompt))
        equal(len(predictions(prompt)), count, f"the number of predictions of {model}")
