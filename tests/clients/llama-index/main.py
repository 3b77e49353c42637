"""LlamaIndex: all checks, which the other files of this folder hold by subject."""

import sys

from llms import checks
from checks import equal
from loopback import strangers

import answers  # noqa: F401  importing them adds their checks
import errors  # noqa: F401
import waiting  # noqa: F401


@checks.add("chat")
def nobody_else_was_spoken_with():
    equal(strangers, [])


sys.exit(checks.run())
