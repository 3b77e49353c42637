"""What all checks share: how LiteLLM is asked, as aider and others do it."""

import importlib.metadata

from loopback import strangers  # noqa: F401, I001  before LiteLLM
import litellm

from checks import KEY, URL, Checks

litellm.suppress_debug_info = True
checks = Checks("LiteLLM SDK", importlib.metadata.version("litellm"))

WRITTEN = "Slow models are worth waiting for."


def call(function, model, prompt, options):
    """Neither retries nor waits for ever."""
    defaults = {"api_base": f"{URL}/v1", "api_key": KEY, "timeout": 60, "max_retries": 0}
    messages = [{"role": "user", "content": prompt}]
    return function(model=f"openai/{model}", messages=messages, **{**defaults, **options})


def ask(model, prompt="hello", **options):
    return call(litellm.completion, model, prompt, options)


def ask_async(model, prompt="hello", **options):
    return call(litellm.acompletion, model, prompt, options)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
