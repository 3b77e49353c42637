"""What all checks share: LangChain's models."""

import asyncio
import os
import sys
import threading
from importlib.metadata import version

sys.path.insert(0, os.environ["CHECKS"])
import loopback  # noqa: E402, F401  before everything that may connect
from checks import KEY, URL, Checks  # noqa: E402
from langchain_openai import ChatOpenAI  # noqa: E402

checks = Checks("LangChain for Python (langchain-openai)", version("langchain-openai"))

# LangChain keeps connections for all its models, and they belong to the loop that made them: so there is but one.
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()

WRITTEN = "Slow models are worth waiting for."


def make(model, **options):
    """A model that is not asked again after an error."""
    return ChatOpenAI(model=model, **{"base_url": f"{URL}/v1", "api_key": KEY, "max_retries": 0, **options})


def run(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def together(chunks):
    """The message that LangChain puts together from the pieces of a stream."""
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole
