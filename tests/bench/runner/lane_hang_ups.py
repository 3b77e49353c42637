"""Lane h: clients that hang up while they wait. How long until Replicate is asked to cancel."""
import time

from . import proxies
from .figures import show
from .load import hold
from .programs import BenchError

PATIENCE_S = 20


def delays_us(bench, hang_ups):
    """From each hang-up to its cancel call, sorted; each must have come."""
    until = time.monotonic() + PATIENCE_S
    while True:
        cancelled = dict(map(tuple, bench.cancels()))
        missing = [nonce for nonce, _ in hang_ups if nonce not in cancelled]
        if not missing:
            return sorted(cancelled[nonce] - at_us for nonce, at_us in hang_ups)
        if time.monotonic() > until:
            raise BenchError(f"{len(missing)} of {len(hang_ups)} predictions whose clients left were not cancelled")
        time.sleep(0.1)


def one_round(bench, proxy, plan, ramp_ms):
    bench.reset()
    report, _ = hold(bench, proxy, clients=plan.hang_ups, wait_least_ms=plan.wait_ms, wait_most_ms=plan.wait_ms + 1000,
                     ramp_ms=ramp_ms, hang_up_percent=50, hang_up_after_ms=plan.wait_ms // 2)
    if not report["hang_ups"]:
        raise BenchError("nobody hung up")
    return delays_us(bench, report["hang_ups"])


def share(delays, part):
    return delays[int((len(delays) - 1) * part)] / 1000


def run(bench, plan):
    proxy = proxies.replibridge(bench)
    hold(bench, proxy, clients=16, rounds=20)
    lane = {}
    for name, ramp_ms in (("spread", plan.wait_ms), ("at once", 0)):
        rounds = [one_round(bench, proxy, plan, ramp_ms) for _ in range(plan.long_rounds)]
        lane[name] = sorted(delay for one in rounds for delay in one)
    proxy.stop(bench)
    print(f"\n{plan.hang_ups} clients wait, half of them hang up; until the cancel call")
    print(f"  {'':12} {'hang-ups':>9} {'p50 ms':>8} {'p99 ms':>8} {'latest ms':>10}")
    for name, ones in lane.items():
        print(f"  {name:12} {len(ones):>9} {show(share(ones, 0.5)):>8} {show(share(ones, 0.99)):>8} "
              f"{show(share(ones, 1)):>10}", flush=True)
    spread = lane["spread"]
    return {"rounds": lane, "figures": {"p50_ms": share(spread, 0.5), "p99_ms": share(spread, 0.99)}}
