"""The programs of a bench, each started on its processors and ended with all that it started."""
import http.client
import json
import os
import resource
import signal
import subprocess
import time

from . import machine

PATIENCE_S = 90


class BenchError(Exception):
    """Why a bench cannot go on, in a sentence."""


def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Program:
    """A process in a group of its own, whose output goes to a file of the scratch folder."""

    def __init__(self, name, command, cpus, scratch, env=None, stdin=subprocess.DEVNULL, stdout=None):
        self.name = name
        self.log = os.path.join(scratch, f"{name}.log")
        self.began = time.monotonic()
        with open(self.log, "ab") as log:
            # pylint: disable=subprocess-popen-preexec-fn # nothing else runs in this process
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=stdout or log, stderr=log, env=env, start_new_session=True, cwd=scratch,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.pid = self.process.pid

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return " ".join(file.read()[-600:].split())

    def wait_for_port(self, port):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended by itself: {self.tail()}")
            if machine.listens(port):
                return
            time.sleep(0.002)
        raise BenchError(f"{self.name} does not listen: {self.tail()}")

    def stop(self):
        """True: it was still there, and ended in order when it was asked to."""
        was_there = self.process.poll() is None
        if was_there:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            was_there = False
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.process.wait() == 0 and was_there


class Bench:
    """The folders, the processors, and the simulated Replicate, which one run has one of."""

    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        self.source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.processors = machine.Processors()
        os.sched_setaffinity(0, self.processors.load)
        self.limit = raise_limit()
        self.left_out = {}
        self.running = []
        if not os.path.exists(self.tool("upstream")):
            raise BenchError(f"there is nothing built in {build}: `make bench` builds all that it needs, and runs this")
        self.upstream = self.start("upstream", [self.tool("upstream")], self.processors.load, stdout=subprocess.PIPE)
        line = self.upstream.process.stdout.readline()
        if not line.strip():
            raise BenchError(f"the simulated Replicate does not start: {self.upstream.tail()}")
        self.upstream_port = int(line)

    def tool(self, name):
        return os.path.join(self.build, "tests/bench/load", name)

    def start(self, name, command, cpus=None, **options):
        program = Program(name, command, cpus or self.processors.proxy, self.scratch, **options)
        self.running.append(program)
        return program

    def stop(self, program):
        self.running.remove(program)
        return program.stop()

    def stop_all(self):
        for program in list(reversed(self.running)):
            self.stop(program)

    def stop_proxies(self):
        """What a lane that broke off has left behind."""
        for program in [one for one in reversed(self.running) if one is not self.upstream]:
            self.stop(program)

    def try_round(self, name, what, a_round):
        """What the round returns; None where a peer cannot do it, which is a figure too. Ours has to."""
        try:
            return a_round()
        except BenchError as error:
            if name == "replibridge":
                raise
            return self.leave_out(f"{name}, {what}", str(error))

    def leave_out(self, name, why):
        if name not in self.left_out:
            print(f"left out: {name}: {why}", flush=True)
        self.left_out[name] = why

    def _ask_upstream(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=30)
        connection.request(method, path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def counts(self):
        return self._ask_upstream("GET", "/bench/counts")

    def cancels(self):
        return self._ask_upstream("GET", "/bench/cancels")

    def reset(self):
        self._ask_upstream("POST", "/bench/reset")
