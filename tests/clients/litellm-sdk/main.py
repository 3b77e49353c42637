"""LiteLLM as a library: all checks, which the other files of this folder hold by subject."""

import sys

import answers  # noqa: F401, I001  importing them adds their checks, in this order
import streams  # noqa: F401, I001
import errors  # noqa: F401, I001
import retries  # noqa: F401, I001
import waiting  # noqa: F401, I001
import strangers  # noqa: F401, I001
from sdk import checks

sys.exit(checks.run())
