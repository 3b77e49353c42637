"""Checks for clients written in Python: functions whose names are sentences.

    checks = Checks("OpenAI SDK for Python", openai.__version__)

    @checks.add("streams")
    def a_stream_arrives_in_pieces():
        ...

    sys.exit(checks.run())

Those marked `long=True` wait for something and run side by side in the background, the others one after the other
meanwhile. What was exercised (the first argument) goes into the table of clients when all its checks passed.
"""

import json
import os
import subprocess
import sys
import threading
import time
import traceback
import urllib.request

URL = os.environ["REPLIBRIDGE_URL"]
KEY = os.environ["REPLIBRIDGE_KEY"]
SIM_URL = os.environ["SIM_URL"]
NAME = os.environ["name"]


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what or 'the value'} is {actual!r} and not {expected!r}")


def true(value, what):
    if not value:
        raise AssertionError(what)


def predictions(prompt):
    """What the simulated Replicate knows of the predictions with that prompt."""
    found, url = [], f"{SIM_URL}/predictions"
    while url:
        request = urllib.request.Request(url, headers={"Authorization": "Bearer test-token"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            page = json.load(answer)
        found += [one for one in page["results"] if prompt in json.dumps(one["input"])]
        url = page["next"]
    return found


def eventually(condition, what, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        true(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(0.05)


def ends_as(prompt, status, seconds=5):
    """The only prediction with that prompt comes to that end."""
    eventually(lambda: [one["status"] for one in predictions(prompt)] == [status], f"one prediction, {status}", seconds)


def documented(page, heading, language):
    """The block of that page of the repository, with the address and the key of this test."""
    script = os.path.join(os.environ["CHECKS"], "../../docs/snippet.py")
    return subprocess.run([sys.executable, script, page, heading, language], check=True, capture_output=True,
                          text=True).stdout


def prints_as_documented(page, heading, expected):
    """Runs the block of Python, as its readers do."""
    done = subprocess.run([sys.executable, "-c", documented(page, heading, "python")], capture_output=True, text=True,
                          timeout=60, check=False)
    equal(done.stdout.strip(), expected, f"the output (standard error: {done.stderr[-300:]!r})")


class Checks:
    def __init__(self, client, version):
        self.client, self.version = client, version
        self.checks, self.passed, self.lock = [], {}, threading.Lock()

    def add(self, exercised, long=False):
        def remember(function):
            self.checks.append((exercised, long, function))
            return function

        return remember

    def run_one(self, exercised, function):
        sentence = function.__name__.replace("_", " ")
        try:
            function()
            line, passed = f"ok {NAME}: {sentence}", True
        except Exception as error:  # whatever it is, it is the check's result
            where = [at for at in traceback.extract_tb(error.__traceback__) if at.name == function.__name__]
            why = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            line, passed = f"not ok {NAME}: {sentence}: {why} (line {where[-1].lineno if where else '?'})", False
        with self.lock:
            self.passed[exercised] = self.passed.get(exercised, True) and passed
            print(line, flush=True)

    def run(self):
        waiting = [threading.Thread(target=self.run_one, args=(exercised, function), daemon=True)
                   for exercised, long, function in self.checks if long]
        for thread in waiting:
            thread.start()
        for exercised, long, function in self.checks:
            if not long:
                self.run_one(exercised, function)
        for thread in waiting:
            thread.join()
        self.write_result()
        return 0 if all(self.passed.values()) else 1

    def write_result(self):
        in_order = dict.fromkeys(exercised for exercised, _, _ in self.checks)
        result = {"client": self.client, "version": self.version,
                  "exercised": [exercised for exercised in in_order if self.passed[exercised]]}
        with open(os.path.join(os.environ["RESULTS"], f"{NAME}.json"), "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
