#!/bin/sh
# The official OpenAI SDK for Python.
exec "$TOOLS/venv/bin/python" main.py
