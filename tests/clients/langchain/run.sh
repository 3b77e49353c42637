#!/bin/sh
# LangChain for Python: ChatOpenAI of langchain-openai. Nothing is traced to LangSmith.
export LANGSMITH_TRACING=false LANGSMITH_TRACING_V2=false LANGCHAIN_TRACING=false LANGCHAIN_TRACING_V2=false
exec "$TOOLS/venv/bin/python" main.py
