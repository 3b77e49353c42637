#!/bin/sh
# LiteLLM's proxy in front of the daemon.
exec "$TOOLS/venv/bin/python" main.py
