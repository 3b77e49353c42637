"""Images in messages: they reach the input that the model has for them, large ones as files that are uploaded before."""

import base64

import openai

from checks import equal, predictions, true
from errors import refused
from sdk import checks, make

PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAQUBAScY42YAAAAASUVORK5CYII=")


def look(url, prompt, model="seer", **options):
    parts = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": url}}]
    return make().chat.completions.create(model=model, messages=[{"role": "user", "content": parts}], **options)


def seen(prompt):
    [one] = predictions(prompt)
    return one["input"]


@checks.add("images")
def an_image_by_its_address_reaches_the_models_own_input():
    answer = look("https://example.com/cat.png", "What is at this address?", max_tokens=100)
    equal(answer.choices[0].message.content, "I see a cat.")
    equal(seen("What is at this address?"), {"prompt": "What is at this address?", "max_new_tokens": 100,
                                             "picture": "https://example.com/cat.png"})


@checks.add("images")
def a_small_image_is_sent_within_the_input():
    look(f"data:image/png;base64,{PIXEL}", "What is within?")
    equal(seen("What is within?")["picture"], f"data:image/png;base64,{PIXEL}")


@checks.add("images")
def a_large_image_is_uploaded_before():
    large = base64.b64encode(base64.b64decode(PIXEL) + bytes(1_000_000)).decode()
    equal(look(f"data:image/png;base64,{large}", "What is large?").choices[0].message.content, "I see a cat.")
    true(seen("What is large?")["picture"].startswith("http"), seen("What is large?")["picture"][:80])


@checks.add("images")
def an_image_for_a_model_that_reads_none_is_refused_in_a_sentence():
    refused(openai.BadRequestError, (400, "invalid_request_error", "messages[0].content[1]", "unsupported_parameter"),
            "image", lambda: look("https://example.com/cat.png", "Who looks?", model="echo"))
