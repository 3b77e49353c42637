"""Lane f: a cold start. How long until the first answer, and what an idle process holds."""
import http.client
import json
import time

from . import machine, proxies
from .figures import medians, show
from .load import wrk_body
from .programs import BenchError

SETTLE_S = 1


def first_answer(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.request("POST", proxy.path, json.dumps(wrk_body(proxy.form)),
                       {"Content-Type": "application/json", "Authorization": "Bearer test-key"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status not in (200, 201):
        raise BenchError(f"{proxy.name} answers {answer.status} at first")


def one_round(bench, make):
    """The first answer needs the model's document, which is then fetched."""
    proxy = make(bench)
    listens_s = time.monotonic() - proxy.program.began
    first_answer(proxy)
    answered_s = time.monotonic() - proxy.program.began
    time.sleep(SETTLE_S)
    one = {"listens_ms": listens_s * 1000, "answered_ms": answered_s * 1000, "rss": machine.memory_bytes(proxy.pid)}
    proxy.stop(bench)
    return one


def run(bench, plan):
    makers = {"replibridge": proxies.replibridge}
    if plan.with_peers:
        makers |= {"nginx": proxies.nginx, "HAProxy": proxies.haproxy, "Node": proxies.node}
    commands = {"nginx": "nginx", "HAProxy": "haproxy", "Node": "node"}
    lane = {name: [] for name in makers if name not in commands or proxies.find(commands[name])}
    for _ in range(plan.rounds):
        for name in lane:
            lane[name].append(one_round(bench, makers[name]))
    print(f"\n  {'':12} {'listens ms':>11} {'first answer ms':>16} {'idle MB':>8}")
    for name, ones in lane.items():
        one = medians(ones)
        print(f"  {name:12} {show(one['listens_ms']):>11} {show(one['answered_ms']):>16} {show(one['rss'] / 1e6):>8}",
              flush=True)
    ours = medians(lane["replibridge"])
    return {"rounds": lane, "figures": {"answered_ms": ours["answered_ms"], "idle_mb": ours["rss"] / 1e6}}
