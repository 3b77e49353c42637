"""Prints one fenced block of a page, so that a client's checks run what the page says.

    python3 tests/docs/snippet.py docs/use-with.md HEADING LANGUAGE

Paths are those of the repository. Where REPLIBRIDGE_URL and REPLIBRIDGE_KEY are set, they stand in for the address and
the key that the pages write.
"""

import os
import sys
from pathlib import Path

from fences import fences_of

ROOT = Path(__file__).resolve().parents[2]


def snippet(page, heading, language):
    fences = fences_of(page, (ROOT / page).read_text(encoding="utf-8"))
    found = [fence for fence in fences if (fence.heading, fence.language) == (heading, language)]
    if len(found) != 1:
        raise SystemExit(f"{page}: there are {len(found)} blocks in {language} below the heading {heading!r}, not one")
    text = found[0].text.replace("http://127.0.0.1:4000", os.environ.get("REPLIBRIDGE_URL", "http://127.0.0.1:4000"))
    for key in ("your-key", "anything"):
        text = text.replace(key, os.environ.get("REPLIBRIDGE_KEY", key))
    return text


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: python3 snippet.py FILE HEADING LANGUAGE")
    print(snippet(*sys.argv[1:]), end="")
