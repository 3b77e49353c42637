"""LiteLLM's proxy in front of the daemon: all checks, which the other files of this folder hold by subject."""

import sys

import answers  # noqa: F401, I001  importing them adds their checks, in this order
import streams  # noqa: F401, I001
import errors  # noqa: F401, I001
import health  # noqa: F401, I001
import waiting  # noqa: F401, I001
from proxy import running
from sdk import checks

with running():
    code = checks.run()
sys.exit(code)
