#!/bin/sh
# OpenAI's Agents SDK in its mode for chat completions. Without these it would send what it traces to OpenAI.
export OPENAI_AGENTS_DISABLE_TRACING=1 OPENAI_AGENTS_DONT_LOG_MODEL_DATA=1
unset OPENAI_API_KEY OPENAI_BASE_URL
exec "$TOOLS/venv/bin/python" main.py
