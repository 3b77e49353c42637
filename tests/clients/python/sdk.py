"""What all checks of the SDK share: its clients, and how a question is asked."""

import openai

from checks import KEY, URL, Checks

checks = Checks("OpenAI SDK for Python", openai.__version__)

WRITTEN = "Slow models are worth waiting for."


def make(kind=openai.OpenAI, **options):
    """A client that neither retries nor waits for ever, and takes no answer that is not as the SDK's types have it."""
    defaults = {"base_url": f"{URL}/v1", "api_key": KEY, "max_retries": 0, "timeout": 60,
                "_strict_response_validation": True}
    return kind(**{**defaults, **options})


def make_async(**options):
    return make(openai.AsyncOpenAI, **options)


def user(prompt):
    return [{"role": "user", "content": prompt}]


def ask(client, model, prompt="hello", **options):
    return client.chat.completions.create(model=model, messages=user(prompt), **options)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
