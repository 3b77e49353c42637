#!/usr/bin/env python3
"""The benchmarks, side by side in one run: replibridge, nginx, HAProxy, a Node proxy, and gateways that are installed.

    python3 tests/bench/run.py --build build [--lanes "a c"] [--write]

Each lane says what it measures. Answers are checked, and a wrong one ends the run as a failure; figures never do.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile

from runner import (lane_hang_ups, lane_images, lane_instant, lane_neighbours, lane_start, lane_streams, lane_tls,
                    lane_waiting, machine, report, smoke, targets)
from runner.programs import Bench, BenchError

LANES = {"a": lane_instant, "b": lane_waiting, "c": lane_streams, "d": lane_images, "e": lane_tls, "f": lane_start,
         "g": lane_neighbours, "h": lane_hang_ups}
# Those whose answers nothing else checks under load.
SMOKE_LANES = ("a", "b", "c", "d", "g", "h")


class Plan:
    """How much of everything."""

    def __init__(self, arguments):
        self.rounds = arguments.rounds
        self.seconds = arguments.seconds
        self.warm_up_s = 2
        self.clients = tuple(arguments.clients)
        self.with_gateways = not arguments.no_gateways
        self.with_peers = True
        self.is_small = False
        self.is_again = False
        self.long_rounds = max(1, arguments.rounds * 3 // 5)  # of lanes whose rounds take long
        self.wait_ms = 5000
        self.waiting = (1000, 5000, 10000)
        self.stream_s = 8
        self.streams = ((100, 50), (1000, 50), (5000, 2))
        self.image_streams = 200
        self.neighbours = (0, 1000, 5000, 10000)
        self.hang_ups = 1000

    def repeat(self):
        """For the runs after the first: those who are slow anyway are not measured again."""
        self.is_again = True
        self.with_gateways = False

    def shrink(self):
        """Just enough to see that all arrives, in seconds."""
        self.is_small = True
        self.rounds = self.long_rounds = self.seconds = self.warm_up_s = 1
        self.clients = (64,)
        self.with_gateways = self.with_peers = False
        self.wait_ms = 1000
        self.waiting = (300,)
        self.stream_s = 1
        self.streams = ((100, 20),)
        self.image_streams = 20
        self.neighbours = (200,)
        self.hang_ups = 100


def read_arguments():
    parser = argparse.ArgumentParser(description="The benchmarks, side by side in one run.")
    parser.add_argument("--build", default="build", help="the build folder (default: build)")
    parser.add_argument("--lanes", default="", help="letters of lanes; all of them where nothing is said: "
                        + ", ".join(f"{letter} = {lane.__doc__.split(': ')[1].split('.')[0]}"
                                    for letter, lane in LANES.items()))
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--smoke", action="store_true", help="small rounds: only what arrives is of interest")
    parser.add_argument("--runs", type=int, default=1, help="the whole, so many times (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turn (default: 5)")
    parser.add_argument("--seconds", type=int, default=3, help="of a round of instant answers (default: 3)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 64, 512], help="of instant answers")
    parser.add_argument("--no-gateways", action="store_true", help="leave Portkey and LiteLLM out")
    return parser.parse_args()


def run_all(bench, plan, letters, runs):
    """The results of each run, and what went wrong in any."""
    found, failures = [], {}
    for _ in range(runs):
        found.append(run_lanes(bench, plan, letters, failures))
        plan.repeat()
    return found, failures


def run_lanes(bench, plan, letters, failures):
    """The results of each; what went wrong in those that have none goes to `failures`."""
    results = {}
    for letter in letters:
        print(f"\n=== lane {letter}: {LANES[letter].__doc__.split(': ')[1]}", flush=True)
        try:
            results[letter] = LANES[letter].run(bench, plan)
        except BenchError as error:
            failures[letter] = str(error)
            print(f"\nlane {letter} failed: {error}", flush=True)
            bench.stop_proxies()
    return results


def write_json(build, results):
    folder = os.path.join(build, "bench")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "results.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    print(f"\nEach round's figures are in {path}.")


def finish(bench, arguments, results):
    """The pages tell of whole runs only."""
    targets.tell(results["runs"])
    write_json(arguments.build, results)
    if arguments.write and all(set(lanes) == set(LANES) for lanes in results["runs"]):
        report.write(os.path.join(os.path.dirname(os.path.dirname(bench.source)), "docs"), results)
    elif arguments.write:
        print("docs/performance.md stays as it is: it needs all lanes.")


def main():
    arguments = read_arguments()
    letters = arguments.lanes.replace(",", " ").split() or list(SMOKE_LANES if arguments.smoke else LANES)
    unknown = [letter for letter in letters if letter not in LANES]
    if unknown:
        print(f"there is no lane {unknown[0]}; there are: {' '.join(LANES)}", file=sys.stderr)
        return 2
    # Whoever ends this run ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    build = os.path.abspath(arguments.build)
    scratch = tempfile.mkdtemp(prefix="replibridge-bench-")
    bench, failures = None, {}
    try:
        bench = Bench(build, scratch)
        about = machine.describe(bench.processors)
        plan = Plan(arguments)
        if arguments.smoke:
            plan.shrink()
        runs, failures = run_all(bench, plan, letters, max(1, arguments.runs))
        if arguments.smoke:
            smoke.judge(bench, runs[-1])
        else:
            finish(bench, arguments, {"machine": about, "runs": runs, "left_out": bench.left_out,
                                      "failures": failures})
    except BenchError as error:
        print(f"\nbench: {error}", file=sys.stderr)
        return 1
    finally:
        if bench:
            bench.stop_all()
        shutil.rmtree(scratch, ignore_errors=True)
    for letter, why in failures.items():
        print(f"bench: lane {letter} failed: {why}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
