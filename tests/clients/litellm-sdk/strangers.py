"""Whom LiteLLM speaks with."""

from checks import equal
from sdk import checks, strangers


@checks.add("no other hosts")
def it_speaks_with_nobody_but_the_daemon():
    equal(strangers, [])
