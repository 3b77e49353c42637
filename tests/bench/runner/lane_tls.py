"""Lane e: Replicate behind TLS, as it is in truth. What that adds to a request."""
import os
import subprocess

from . import proxies
from .figures import medians, ratio, show
from .load import hold, wrk
from .programs import BenchError

CLIENTS = 64


def certificate(bench):
    """A certificate of its own for 127.0.0.1, made now, and its key."""
    paths = [os.path.join(bench.scratch, name) for name in ("tls.crt", "tls.key")]
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BenchError(f"openssl made no certificate: {done.stderr[-300:]}")
    return paths


def start_all(bench):
    path, key = certificate(bench)
    tls = f" ssl;\n        ssl_certificate {path};\n        ssl_certificate_key {key}"
    front = proxies.nginx(bench, name="nginx-front", tls=tls, cpus=bench.processors.load)
    found = {
        "replibridge": proxies.replibridge(bench),
        "replibridge, TLS": proxies.replibridge(bench, base_url=f"https://127.0.0.1:{front.port}/v1", ca_file=path),
        "nginx": proxies.nginx(bench),
        "nginx, TLS": proxies.nginx(bench, name="nginx-tls", scheme="https", upstream=front.port),
    }
    return front, found


def run(bench, plan):
    if not all(proxies.find(command) for command in ("nginx", "openssl", "wrk")):
        bench.leave_out("TLS", "needs nginx, openssl and wrk; Debian's packages are nginx-light, openssl and wrk")
        return {"rounds": {}, "figures": {}}
    front, found = start_all(bench)
    lane = {name: [] for name in found}
    for proxy in found.values():
        hold(bench, proxy, clients=CLIENTS, rounds=20)
    for number in range(plan.rounds):
        for name, proxy in found.items():
            if number == 0:
                wrk(bench, proxy, CLIENTS, plan.warm_up_s)
            lane[name].append(wrk(bench, proxy, CLIENTS, plan.seconds))
    print(f"\ninstant answers, {CLIENTS} clients")
    print(f"  {'':18} {'requests/s':>11} {'p50 us':>8} {'p99 us':>8} {'CPU us':>7}")
    for name, ones in lane.items():
        one = medians(ones)
        print(f"  {name:18} {show(one['rps']):>11} {show(one['p50_us']):>8} {show(one['p99_us']):>8} "
              f"{show(one['cpu_us']):>7}", flush=True)
    for proxy in [*found.values(), front]:
        proxy.stop(bench)
    ours, plain, other = (medians(lane[name]) for name in ("replibridge, TLS", "replibridge", "nginx, TLS"))
    return {"rounds": lane, "figures": {"added_cpu_us": ours["cpu_us"] - plain["cpu_us"],
                                        "cpu.nginx": ratio(ours["cpu_us"], other["cpu_us"])}}
