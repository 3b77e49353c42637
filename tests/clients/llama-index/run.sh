#!/bin/sh
# LlamaIndex: OpenAILike of llama-index-llms-openai-like. It would look for data of its tokenizers in its cache folder.
export LLAMA_INDEX_CACHE_DIR="$SCRATCH/cache" NLTK_DATA="$SCRATCH/nltk"
exec "$TOOLS/venv/bin/python" main.py
