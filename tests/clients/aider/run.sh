#!/bin/sh
# aider, which asks through LiteLLM.
exec "$TOOLS/venv/bin/python" main.py
