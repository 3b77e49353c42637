"""Lane b: thousands of predictions that take 5 to 10 s, polled twice a second. What each costs while it waits."""
from . import machine, proxies
from .figures import medians, show
from .load import hold

PATIENCE_MS = 120_000
POLLS_PER_S = 2  # of each
ROUNDS = 3  # so that the last has begun long before the first is done


def one_round(bench, make, clients, plan):
    """A fresh process, for memory once used is not given back."""
    proxy = make(bench)
    hold(bench, proxy, clients=16, rounds=20)
    idle = machine.memory_bytes(proxy.pid)
    bench.reset()
    report, holder = hold(bench, proxy, clients=clients, rounds=ROUNDS, wait_least_ms=plan.wait_ms,
                          wait_most_ms=2 * plan.wait_ms, ramp_ms=max(plan.wait_ms, clients), patience_ms=PATIENCE_MS)
    counts = bench.counts()
    steady = holder.between("steady", "ending")
    most = max(mark["rss"] for mark in holder.marks.values())
    proxy.stop(bench)
    cpu_percent = steady["cpu_s"] / steady["at_s"] * 100
    polls_per_s = steady["polls"] / steady["at_s"]
    return {"cpu_percent": cpu_percent,
            # Who polls less than was asked for, because it cannot keep up, is not to look the better for it.
            "cpu_percent_due": cpu_percent * max(1, clients * POLLS_PER_S / max(polls_per_s, 1)),
            "cpu_per_call_us": steady["cpu_s"] / max(steady["creates"] + steady["polls"], 1) * 1e6,
            "bytes_each": (most - idle) / clients, "rss": most,
            "polls_each": counts["polls"] / max(counts["creates"], 1),
            "polls_per_s": polls_per_s,
            "late_p50_ms": report["late_us"]["p50"] / 1000, "late_p99_ms": report["late_us"]["p99"] / 1000,
            "unknown": counts["unknown"], "lost": report["requests"] - report["answers"]}


def tell(clients, rounds):
    print(f"\n{clients:,} waiting")
    print(f"  {'':12} {'KB each':>8} {'MB':>6} {'CPU %':>6} {'if all polled':>13} {'CPU us/call':>12} "
          f"{'polls each':>11} {'late p50 ms':>12} {'p99 ms':>8}")
    for name, ones in rounds.items():
        one = medians(ones)
        print(f"  {name:12} {show(one['bytes_each'] / 1000):>8} {show(one['rss'] / 1e6, 0):>6} "
              f"{show(one['cpu_percent']):>6} {show(one['cpu_percent_due']):>13} {show(one['cpu_per_call_us']):>12} "
              f"{show(one['polls_each']):>11} {show(one['late_p50_ms']):>12} {show(one['late_p99_ms']):>8}", flush=True)


def figures_of(lane):
    found = {}
    for clients, rounds in lane.items():
        for key, value in medians(rounds["replibridge"]).items():
            found[f"{key}.n{clients}"] = value
    return found


def run(bench, plan):
    lane = {}
    makers = {"replibridge": proxies.replibridge}
    if plan.with_peers and not plan.is_again and proxies.find("node"):
        makers["Node"] = proxies.node
    for clients in plan.waiting:
        if clients > bench.limit - 1500:
            bench.leave_out(f"{clients:,} waiting", f"a process may have only {bench.limit:,} descriptors here")
            continue
        lane[clients] = {}
        for number in range(plan.long_rounds):
            for name, make in makers.items():
                if number > 0 and name != "replibridge":
                    continue
                one = bench.try_round(name, f"{clients:,} waiting",
                                      lambda make=make: one_round(bench, make, clients, plan))
                if one:
                    lane[clients].setdefault(name, []).append(one)
                else:
                    bench.stop_proxies()
        tell(clients, lane[clients])
    return {"rounds": lane, "figures": figures_of(lane)}
