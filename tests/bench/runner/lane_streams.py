"""Lane c: streams side by side. What a piece costs, and how much later it arrives than without anybody in between."""
import math

from . import proxies
from .figures import medians, ratio, show
from .load import hold
from .programs import BenchError

RAMP_US_EACH = 2000
RAMP_LEAST_MS = 500


def start_all(bench, plan):
    found = [proxies.replibridge(bench), proxies.direct(bench)]
    if plan.with_peers:
        found.append(proxies.nginx(bench, buffering="off"))
    if plan.with_peers and not plan.is_again:
        found.append(proxies.node(bench))
    return [proxy for proxy in found if proxy]


def ramp_of(streams, pace_ms):
    """Streams that nobody has set to one beat: so many paces, prime to their number, that no two begin at the same place
    of a pace."""
    paces = -(-max(RAMP_LEAST_MS, streams * RAMP_US_EACH // 1000) // pace_ms)
    while math.gcd(paces, streams) != 1:
        paces += 1
    return paces * pace_ms


def options_of(streams, per_s, seconds):
    """Long enough that all stream at once for so many seconds."""
    ramp_ms = ramp_of(streams, 1000 // per_s)
    return {"clients": streams, "pace_us": 1_000_000 // per_s, "ramp_ms": ramp_ms,
            "pieces": int((seconds + ramp_ms / 1000 + 1) * per_s), "patience_ms": (seconds + 60) * 1000 + 2 * ramp_ms}


def one_round(bench, proxy, options):
    form = "openai" if proxy.form == "openai" else "stream"
    report, holder = hold(bench, proxy, form=form, **options)
    steady = holder.between("steady", "ending")
    rss = holder.marks["ending"]["rss"]
    return {"cpu_us": steady["cpu_s"] / max(steady["pieces"], 1) * 1e6, "pieces": steady["pieces"], "rss": rss,
            "cpu_percent": steady["cpu_s"] / steady["at_s"] * 100,
            "p50_us": report["piece_us"]["p50"], "p99_us": report["piece_us"]["p99"],
            "gap_p1_ms": report["gap_us"]["p1"] / 1000, "gap_p99_ms": report["gap_us"]["p99"] / 1000,
            "gap_most_ms": report["gap_us"]["most"] / 1000}


def tell(streams, per_s, rounds):
    print(f"\n{streams:,} streams of {per_s} pieces/s")
    print(f"  {'':12} {'p50 us':>8} {'p99 us':>8} {'CPU us/piece':>13} {'x nginx':>8} {'CPU %':>6} {'gap p1':>8} "
          f"{'p99':>7} {'most ms':>8}")
    base = medians(rounds["nginx"]) if "nginx" in rounds else None
    for name, ones in rounds.items():
        one = medians(ones)
        print(f"  {name:12} {show(one['p50_us']):>8} {show(one['p99_us']):>8} {show(one['cpu_us']):>13} "
              f"{show(base and ratio(one['cpu_us'], base['cpu_us'])):>8} {show(one['cpu_percent']):>6} "
              f"{show(one['gap_p1_ms']):>8} {show(one['gap_p99_ms']):>7} {show(one['gap_most_ms']):>8}", flush=True)


def figures_of(lane):
    found = {}
    for shape, rounds in lane.items():
        ours, direct = medians(rounds["replibridge"]), medians(rounds["direct"])
        found[f"added_p50.{shape}"] = ours["p50_us"] - direct["p50_us"]
        found[f"cpu_us.{shape}"] = ours["cpu_us"]
        if "nginx" in rounds:
            nginx = medians(rounds["nginx"])
            found[f"cpu.nginx.{shape}"] = ratio(ours["cpu_us"], nginx["cpu_us"])
            found[f"nginx_added_p50.{shape}"] = nginx["p50_us"] - direct["p50_us"]
    return found


def run(bench, plan):
    lane = {}
    found = start_all(bench, plan)
    for streams, per_s in plan.streams:
        shape = f"{streams}x{per_s}"
        if streams > (bench.limit - 1500) // 2:
            bench.leave_out(f"{shape} streams", f"a process may have only {bench.limit:,} descriptors here")
            continue
        options = options_of(streams, per_s, plan.stream_s)
        lane[shape] = {}
        for number in range(plan.long_rounds):
            for proxy in found:
                # Node is saturated by the larger ones, and then takes as long as it likes.
                if proxy.name == "Node" and (number > 0 or streams > 100):
                    continue
                one = bench.try_round(proxy.name, f"{shape} streams",
                                      lambda proxy=proxy: one_round(bench, proxy, options))
                if one:
                    lane[shape].setdefault(proxy.name, []).append(one)
        tell(streams, per_s, lane[shape])
    for proxy in found:
        proxy.stop(bench)
    if bench.counts()["open_streams"]:
        raise BenchError(f"{bench.counts()['open_streams']} streams were left open")
    return {"rounds": lane, "figures": figures_of(lane)}
