"""Retries and timeouts. `max_retries` is that of OpenAI's SDK, which LiteLLM uses: it counts its tries, and it obeys
x-should-retry. `num_retries` is LiteLLM's own, on top: it does neither, and so each of its tries is a new prediction,
whatever the error was."""

import litellm

from checks import equal, predictions, true
from errors import refused
from sdk import ask, checks


@checks.add("max_retries")
def a_passing_fault_is_tried_again_as_a_new_prediction():
    refused(litellm.ServiceUnavailableError, 503, "Try again", "busy", "three times busy", max_retries=2)
    equal(len(predictions("three times busy")), 3, "the number of predictions")


@checks.add("max_retries")
def what_failed_for_good_is_not_tried_again():
    for model, kind, status, sentence in (("failing", litellm.BadRequestError, 422, "tripped"),
                                          ("unsafe", litellm.ContentPolicyViolationError, 400, "safety filter"),
                                          ("late", litellm.Timeout, 504, "did not answer")):
        prompt = f"only once, {model}"
        refused(kind, status, sentence, model, prompt, max_retries=2)
        equal(len(predictions(prompt)), 1, f"the number of predictions of {model}")


@checks.add("num_retries")
def a_passing_fault_is_tried_again_by_litellm_too():
    refused(litellm.ServiceUnavailableError, 503, "Try again", "busy", "busy for litellm", num_retries=1)
    true(len(predictions("busy for litellm")) > 1, "it was not tried again")


@checks.add("num_retries")
def what_succeeds_is_asked_once():
    equal(ask("echo", "once and well", num_retries=2).choices[0].message.content, "You said: once and well")
    equal(len(predictions("once and well")), 1, "the number of predictions")


@checks.add("timeout")
def a_client_that_does_not_wait_gets_a_timeout():
    refused(litellm.Timeout, 408, "timed out", "slow", "who will not wait", timeout=1)
    equal(len(predictions("who will not wait")), 1, "the number of predictions")


@checks.add("timeout")
def tries_that_time_out_are_one_prediction():
    refused(litellm.Timeout, 408, "timed out", "slow", "three times too late", timeout=0.5, max_retries=2)
    equal(len(predictions("three times too late")), 1, "the number of predictions")


@checks.add("timeout", long=True)
def a_try_after_a_timeout_gets_the_answer_of_the_first():
    answer = ask("slow", "answered in the end", timeout=2.5, max_retries=2)
    equal(answer.choices[0].message.content, "It took four seconds.")
    equal(len(predictions("answered in the end")), 1, "the number of predictions")
