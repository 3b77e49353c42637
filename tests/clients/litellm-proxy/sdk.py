"""What all checks share: the proxy's client, and how a question is asked."""

import importlib.metadata
import os

import openai

from checks import Checks

checks = Checks("LiteLLM proxy", importlib.metadata.version("litellm"))

WRITTEN = "Slow models are worth waiting for."


def make(**options):
    """A client of the proxy, which neither retries nor waits for ever."""
    defaults = {"base_url": f"{os.environ['PROXY_URL']}/v1", "api_key": "sk-proxy-key", "max_retries": 0, "timeout": 60}
    return openai.OpenAI(**{**defaults, **options})


def ask(model, prompt="hello", client=None, **options):
    messages = [{"role": "user", "content": prompt}]
    return (client or make()).chat.completions.create(model=model, messages=messages, **options)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
