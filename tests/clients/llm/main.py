"""llm at the command line: all checks, which the other files of this folder hold by subject."""

import sys

from command import checks, strangers
from checks import equal

import answers  # noqa: F401  importing them adds their checks
import errors  # noqa: F401
import waiting  # noqa: F401


@checks.add("llm")
def nobody_else_was_spoken_with():
    equal(strangers(), "")


sys.exit(checks.run())
