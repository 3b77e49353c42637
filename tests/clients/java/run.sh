#!/bin/sh
# The official OpenAI SDK for Java.
set -eu
javac -Xlint:all,-deprecation -Werror -proc:none -cp "$TOOLS/lib/*" -d "$SCRATCH/classes" ./*.java
exec java -cp "$SCRATCH/classes:$TOOLS/lib/*" Main
