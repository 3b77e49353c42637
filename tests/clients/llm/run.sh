#!/bin/sh
# Simon Willison's llm, as people use it: at the command line. Its models are those of extra-openai-models.yaml.
export LLM_USER_PATH="$SCRATCH/llm"
unset OPENAI_API_KEY OPENAI_BASE_URL
exec "$TOOLS/venv/bin/python" main.py
