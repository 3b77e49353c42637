"""Lane g: instant answers while thousands of others wait. What the neighbours cost somebody who does not wait."""
import time

from . import machine, proxies
from .figures import medians, show
from .load import Holder, wrk
from .programs import BenchError

CLIENTS = 64
WAIT_MS = 900_000
PATIENCE_S = 180
POLLS_PER_MINUTE = 2700  # by default: Replicate allows few more, however many wait


def wait_until(is_true, what):
    until = time.monotonic() + PATIENCE_S
    while not is_true():
        if time.monotonic() > until:
            raise BenchError(what)
        time.sleep(0.1)


def one_size(bench, neighbours, plan):
    """The neighbours are polled rarely, and what those polls take is not counted as the requests'."""
    proxy = proxies.replibridge(bench, polls_per_minute=POLLS_PER_MINUTE)
    bench.reset()
    holder = None
    if neighbours > 0:
        holder = Holder(bench, proxy, clients=neighbours, wait_least_ms=WAIT_MS, wait_most_ms=WAIT_MS,
                        ramp_ms=neighbours, patience_ms=WAIT_MS)
        holder.wait("asked")
        wait_until(lambda: bench.counts()["creates"] == neighbours, "not all neighbours have come to wait")
    wrk(bench, proxy, CLIENTS, plan.warm_up_s)
    before, began = machine.cpu_s(proxy.pid), time.monotonic()
    time.sleep(plan.seconds)
    idle = (machine.cpu_s(proxy.pid) - before) / (time.monotonic() - began)
    rounds = []
    for _ in range(plan.rounds):
        one = wrk(bench, proxy, CLIENTS, plan.seconds)
        one["cpu_us"] -= idle * plan.seconds / one["requests"] * 1e6
        rounds.append(one)
    if holder:
        holder.end()
        wait_until(lambda: bench.counts()["cancels"] == neighbours,
                   f"of {neighbours} neighbours that left, only {bench.counts()['cancels']} were cancelled")
    proxy.stop(bench)
    return rounds


def run(bench, plan):
    lane = {}
    if not proxies.find("wrk"):
        bench.leave_out("neighbours", "need wrk; the Debian package wrk has it")
        return {"rounds": {}, "figures": {}}
    for neighbours in plan.neighbours:
        if neighbours > bench.limit - 1500:
            bench.leave_out(f"{neighbours:,} neighbours", f"a process may have only {bench.limit:,} descriptors here")
            continue
        lane[neighbours] = one_size(bench, neighbours, plan)
    print(f"\ninstant answers, {CLIENTS} clients, beside so many that wait")
    print(f"  {'waiting':>9} {'requests/s':>11} {'p50 us':>8} {'p99 us':>8} {'CPU us':>7}")
    for neighbours, ones in lane.items():
        one = medians(ones)
        print(f"  {neighbours:>9,} {show(one['rps']):>11} {show(one['p50_us']):>8} {show(one['p99_us']):>8} "
              f"{show(one['cpu_us']):>7}", flush=True)
    return {"rounds": lane, "figures": {f"cpu_us.n{n}": medians(ones)["cpu_us"] for n, ones in lane.items()}}
