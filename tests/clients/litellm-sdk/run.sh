#!/bin/sh
# LiteLLM as a library. It fetches no prices of models.
export LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_TELEMETRY=False
exec "$TOOLS/venv/bin/python" main.py
