"""Lane a: answers that are there at once. What a request costs, beside those who only pass it on."""
from . import machine, proxies
from .figures import medians, ratio, show
from .load import hold, wrk
from .programs import BenchError

CLIENTS = (1, 64, 512)
SLOW = ("Portkey", "LiteLLM")  # a round or two at 64 clients say it all


def start_all(bench, plan):
    """Those that are here, and answer rightly. Ours, nginx and the direct way are always asked first."""
    makers = [proxies.replibridge, proxies.nginx, proxies.direct]
    if plan.with_peers:
        makers += [proxies.haproxy, proxies.node]
    if plan.with_gateways:
        makers += [proxies.portkey, proxies.litellm]
    found = []
    for make in makers:
        try:
            proxy = make(bench)
            if proxy:
                hold(bench, proxy, clients=16, rounds=5 if proxy.name in SLOW else 50)
                found.append(proxy)
        except BenchError as error:
            if make in (proxies.replibridge, proxies.direct):
                raise
            bench.leave_out(make.__name__, str(error))
    return found


def one_round(bench, proxy, which, plan):
    clients, number = which
    if number == 0:
        wrk(bench, proxy, clients, plan.warm_up_s)
    one = wrk(bench, proxy, clients, plan.seconds)
    one["rss"] = machine.memory_bytes(proxy.pid) if proxy.program else 0
    return one


def measure(bench, found, clients, plan):
    """The rounds of each, in turn, so that what disturbs the machine disturbs all."""
    rounds = {proxy.name: [] for proxy in found if clients == 64 or proxy.name not in SLOW}
    for number in range(plan.rounds):
        for proxy in found:
            if proxy.name not in rounds or (proxy.name in SLOW and number >= 2):
                continue
            one = bench.try_round(proxy.name, f"{clients} clients",
                                  lambda proxy=proxy, number=number: one_round(bench, proxy, (clients, number), plan))
            if one:
                rounds[proxy.name].append(one)
    return {name: ones for name, ones in rounds.items() if ones}


def tell(clients, rounds):
    print(f"\ninstant answers, {clients} client{'s' if clients > 1 else ''}")
    print(f"  {'':12} {'requests/s':>11} {'x nginx':>8} {'p50 us':>9} {'p99 us':>9} {'CPU us':>8} {'x nginx':>8} "
          f"{'MB':>6}")
    base = medians(rounds["nginx"]) if "nginx" in rounds else None
    for name, ones in rounds.items():
        one = medians(ones)
        print(f"  {name:12} {show(one['rps']):>11} {show(base and ratio(one['rps'], base['rps'])):>8} "
              f"{show(one['p50_us']):>9} {show(one['p99_us']):>9} {show(one['cpu_us']):>8} "
              f"{show(base and ratio(one['cpu_us'], base['cpu_us'])):>8} {show(one['rss'] / 1e6, 0):>6}", flush=True)


def figures_of(lane):
    """What the targets ask for."""
    found = {}
    for clients, rounds in lane.items():
        ours = medians(rounds["replibridge"])
        for name, ones in rounds.items():
            other = medians(ones)
            key = f"{name}.c{clients}"
            found[f"rps.{key}"] = ratio(ours["rps"], other["rps"])
            found[f"cpu.{key}"] = ratio(ours["cpu_us"], other["cpu_us"])
            found[f"p99.{key}"] = ratio(ours["p99_us"], other["p99_us"])
            found[f"added_p50.{key}"] = ours["p50_us"] - other["p50_us"]
    return found


INSTALL = "`sh scripts/install-dependencies.sh bench` installs all that the benchmarks use."


def run(bench, plan):
    if not plan.is_small and not (proxies.find("wrk") and proxies.find("nginx")):
        raise BenchError("lane a needs wrk and nginx; the Debian packages wrk and nginx-light have them. " + INSTALL)
    if not proxies.find("wrk"):
        bench.leave_out("instant answers", "need wrk; the Debian package wrk has it")
        return {"rounds": {}, "figures": {}}
    found = start_all(bench, plan)
    lane = {}
    for clients in plan.clients:
        for proxy in found:
            if proxy.name not in SLOW:
                bench.try_round(proxy.name, f"{clients} clients",
                                lambda proxy=proxy, clients=clients: hold(bench, proxy, clients=clients, rounds=20))
        lane[clients] = measure(bench, found, clients, plan)
        tell(clients, lane[clients])
    for proxy in found:
        proxy.stop(bench)
    return {"rounds": lane, "figures": figures_of(lane)}
