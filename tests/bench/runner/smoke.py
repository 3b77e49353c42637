"""What may fail a small run besides a wrong answer: figures that do not depend on how busy a machine is, and bounds so
wide that only a blunder crosses them."""
import os
import re

from . import proxies
from .load import hold
from .programs import BenchError

CPU_MOST = 20            # times nginx; a processor shared with others has been seen to make 8 of 4
INSTRUCTIONS_MOST = 600_000
FEW, MANY = 50, 350      # requests; their difference leaves the start out


def collected(bench, requests):
    """The instructions of a process that answered so many requests."""
    proxy = proxies.replibridge(bench, prefix=(proxies.find("valgrind"), "--tool=callgrind",
                                               f"--callgrind-out-file={os.path.join(bench.scratch, 'callgrind.out')}"))
    hold(bench, proxy, clients=1, rounds=requests)
    proxy.stop(bench)
    with open(proxy.program.log, encoding="utf-8", errors="replace") as file:
        found = re.search(r"Collected : (\d+)", file.read())
    if not found:
        raise BenchError(f"callgrind counted nothing: {proxy.program.tail()}")
    return int(found[1])


def instructions(bench):
    if not proxies.find("valgrind"):
        return bench.leave_out("instructions per request", "needs valgrind; the Debian package valgrind has it")
    each = (collected(bench, MANY) - collected(bench, FEW)) / (MANY - FEW)
    print(f"\n{each:,.0f} instructions for a request (at most {INSTRUCTIONS_MOST:,})")
    if each > INSTRUCTIONS_MOST:
        raise BenchError(f"a request takes {each:,.0f} instructions, more than {INSTRUCTIONS_MOST:,}")
    return each


def judge(bench, lanes):
    """Raises where a bound is crossed."""
    ratio = lanes.get("a", {}).get("figures", {}).get("cpu.nginx.c64")
    if ratio is not None and ratio > CPU_MOST:
        raise BenchError(f"a request takes {ratio:.1f} times the CPU that nginx takes, more than {CPU_MOST} times")
    return instructions(bench)
