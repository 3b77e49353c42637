"""Load, and what it finds: wrk for instant answers as fast as they come, the holder for everything that is checked."""
import json
import os
import subprocess
import time

from . import machine
from .programs import BenchError
from .proxies import find, write

TALK = "You are a helpful assistant who answers in few and plain words, and says so where the answer is not known."
QUESTION = "Tell me in two sentences why slow models are worth waiting for, and quick ones worth having too. "


# ---- wrk ----

def wrk_body(form):
    order = "[bench 1 0 0 0]"
    if form == "openai":
        return {"model": "bench", "messages": [{"role": "system", "content": TALK},
                                               {"role": "user", "content": QUESTION + order}],
                "max_tokens": 256, "temperature": 0.7}
    return {"input": {"prompt": QUESTION + order, "system_prompt": TALK, "max_tokens": 256, "temperature": 0.7}}


def wrk_command(bench, proxy, clients, seconds):
    headers = "Content-Type: application/json\r\nAuthorization: Bearer test-key"
    if proxy.header:
        headers += "\r\n" + proxy.header
    head = write(bench, f"wrk-{proxy.name}.head", headers.replace("\r\n", "\n") + "\n")
    body = write(bench, f"wrk-{proxy.form}.json", json.dumps(wrk_body(proxy.form), separators=(",", ":")))
    script = os.path.join(bench.source, "runner/wrk.lua")
    return [find("wrk"), "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "20s", "-s", script,
            f"http://127.0.0.1:{proxy.port}{proxy.path}", "--", head, body]


def wrk(bench, proxy, clients, seconds):
    """A round: requests a second, times, and the proxy's processor time for each request."""
    command = wrk_command(bench, proxy, clients, seconds)
    before = machine.cpu_s(proxy.pid) if proxy.program else 0
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          preexec_fn=lambda: os.sched_setaffinity(0, bench.processors.load))
    after = machine.cpu_s(proxy.pid) if proxy.program else 0
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise BenchError(f"wrk failed: {(done.stdout + done.stderr).strip()[-300:]}")
    found = json.loads(lines[-1])
    if found["refused"] or found["broken"]:
        raise BenchError(f"{proxy.name} refused {found['refused']} of {found['requests']} requests and broke "
                         f"{found['broken']}")
    requests = max(found["requests"], 1)
    return {"rps": requests / (found["duration_us"] / 1e6), "p50_us": found["p50_us"], "p99_us": found["p99_us"],
            "cpu_us": (after - before) / requests * 1e6, "requests": requests}


# ---- the holder ----

class Holder:
    """A run of the holder, which says how far it is; at each of its marks the proxy's counters are read."""

    def __init__(self, bench, proxy, **options):
        self.bench, self.proxy = bench, proxy
        self.marks = {}
        command = [bench.tool("holder"), "--port", str(proxy.port), "--form", options.pop("form", proxy.form),
                   "--path", proxy.path]
        if proxy.header:
            command += ["--header", proxy.header]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self.program = bench.start("holder", command, bench.processors.load, stdout=subprocess.PIPE)

    def _mark(self, name, pieces):
        pid = self.proxy.program and self.proxy.pid
        self.marks[name] = {"at_s": time.monotonic(), "cpu_s": machine.cpu_s(pid) if pid else 0,
                            "rss": machine.memory_bytes(pid) if pid else 0, **self.bench.counts()}
        self.marks[name]["pieces"] = int(pieces)

    def wait(self, until=None):
        """Reads on until this mark, or to the report: None, or the report."""
        for line in self.program.process.stdout:
            text = line.decode()
            if text.startswith("{"):
                return json.loads(text)
            self._mark(*text.split())
            if text.split()[0] == until:
                return None
        raise BenchError(f"the holder ended without a report: {self.program.tail()}")

    def end(self):
        self.program.process.stdout.close()
        self.bench.stop(self.program)

    def between(self, first, last):
        """What came to pass between two marks: seconds, processor seconds, and counts."""
        if first not in self.marks or last not in self.marks:
            raise BenchError(f"{self.proxy.name}: not all were at work at once: the machine is too slow for this lane")
        a, b = self.marks[first], self.marks[last]
        return {key: b[key] - a[key] for key in ("at_s", "pieces", "cpu_s", "creates", "polls")}


def hold(bench, proxy, **options):
    """A whole run: the report, and the holder with its marks. What is wrong with the answers ends the bench."""
    holder = Holder(bench, proxy, **options)
    try:
        report = holder.wait()
    finally:
        holder.end()
    check(proxy, report)
    return report, holder


def check(proxy, report):
    if report["faults"]:
        raise BenchError(f"{proxy.name}: {report['faults']} of {report['requests']} requests went wrong, the first: "
                         f"{report['fault']}")
