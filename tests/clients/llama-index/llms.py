"""What all checks share: LlamaIndex's models."""

import os
import sys
from importlib.metadata import version

sys.path.insert(0, os.environ["CHECKS"])
import loopback  # noqa: E402, F401  before everything that may connect
from checks import KEY, URL, Checks  # noqa: E402
from llama_index.core.llms import ChatMessage  # noqa: E402
from llama_index.llms.openai_like import OpenAILike  # noqa: E402

checks = Checks("LlamaIndex (llama-index-llms-openai-like)", version("llama-index-llms-openai-like"))

WRITTEN = "Slow models are worth waiting for."


def make(model, **options):
    """A model that is not asked again after an error."""
    defaults = {"api_base": f"{URL}/v1", "api_key": KEY, "is_chat_model": True, "max_retries": 0}
    return OpenAILike(model=model, **{**defaults, **options})


def user(prompt):
    return [ChatMessage(role="user", content=prompt)]


