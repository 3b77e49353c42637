"""What all checks share: agents, and how they are asked."""

import os
import sys
from importlib.metadata import version

sys.path.insert(0, os.environ["CHECKS"])
import loopback  # noqa: E402, F401  before everything that may connect
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel  # noqa: E402
from checks import KEY, URL, Checks  # noqa: E402
from openai import AsyncOpenAI  # noqa: E402

checks = Checks("OpenAI Agents SDK (chat completions)", version("openai-agents"))

WRITTEN = "Slow models are worth waiting for."


def make(model, instructions=None, settings=None, **options):
    """An agent whose model is not asked again after an error."""
    client = AsyncOpenAI(**{"base_url": f"{URL}/v1", "api_key": KEY, "max_retries": 0, **options})
    return Agent(name="clerk", instructions=instructions, model_settings=settings or ModelSettings(include_usage=True),
                 model=OpenAIChatCompletionsModel(model=model, openai_client=client))


async def deltas(result, kind="response.output_text.delta"):
    """The pieces of that kind of a run that is streamed."""
    return [event.data.delta async for event in result.stream_events()
            if event.type == "raw_response_event" and event.data.type == kind]
