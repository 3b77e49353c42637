#!/bin/sh
# LangChain for JavaScript: ChatOpenAI of @langchain/openai. Modules are looked for beside the file that imports them,
# hence the copy. Nothing is traced to LangSmith.
set -eu
export LANGSMITH_TRACING=false LANGSMITH_TRACING_V2=false LANGCHAIN_TRACING=false LANGCHAIN_TRACING_V2=false
cp ./*.mjs "$CHECKS/checks.mjs" "$CHECKS/loopback.mjs" "$SCRATCH"
ln -s "$TOOLS/node_modules" "$SCRATCH/node_modules"
exec node "$SCRATCH/main.mjs"
