"""The fenced blocks of a page in Markdown: the language of each, the heading above it, and the remark before it.

A remark is an HTML comment on a line of its own, right before the fence:

    <!-- not run: WHY -->               no test can run it here; its syntax is checked
    <!-- run by tests/clients/NAME -->  that client's checks run it
    <!-- serves -->                     it ends with a daemon that serves until it is stopped
"""

import re
from dataclasses import dataclass

OPENING = re.compile(r"^( *)```(\w*)\s*$")
REMARK = re.compile(r"^<!-- (not run: .+|run by tests/clients/[\w-]+|serves) -->$")


@dataclass
class Fence:
    page: str
    line: int  # of the first line of its text
    heading: str
    language: str
    remark: str
    text: str


def headings_of(text):
    return [line.lstrip("#").strip() for line in outside_of_fences(text) if line.startswith("#")]


def outside_of_fences(text):
    is_inside = False
    for line in text.splitlines():
        is_fence = line.lstrip().startswith("```")
        if not is_inside and not is_fence:
            yield line
        is_inside ^= is_fence


def fences_of(page, text):
    fences, heading, before, opened = [], "", "", None
    for number, line in enumerate(text.splitlines(), 1):
        opening = OPENING.match(line) if opened is None else None
        if opening:
            remark = REMARK.match(before)
            opened = Fence(page, number + 1, heading, opening[2], remark[1] if remark else "", "")
            indent = len(opening[1])
        elif opened is None:
            heading = line.lstrip("#").strip() if line.startswith("#") else heading
            before = line.strip() or before
        elif line.strip() == "```":
            fences.append(opened)
            opened, before = None, ""
        else:
            opened.text += line[indent:] + "\n"
    if opened is not None:
        raise SystemExit(f"{page}:{opened.line - 1}: this fence is never closed")
    return fences
