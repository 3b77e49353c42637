"""A simulated Replicate and a daemon, started for the pages, and the surroundings in which snippets run."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

BUILD = Path(os.environ.get("BUILD", "build")).resolve()
ROOT = Path(__file__).resolve().parents[2]
LISTENS = re.compile(r"listening on (http://[^\s\"]+)\s")
START_SECONDS = 30

CONFIG = """
models:
  kimi-k2: moonshotai/kimi-k2-thinking
  llama: meta/meta-llama-3-70b-instruct
  "*/*": "*/*"
"""


def await_url(process, log):
    """The address after "listening on", as soon as it stands in the log."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        listens = LISTENS.search(log.read_text(encoding="utf-8", errors="replace"))
        if listens:
            return listens[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"it does not start: {log.read_text(encoding='utf-8', errors='replace')[-1000:]}")


def end(process):
    """Ends it with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def start(command, log, **options):
    with open(log, "wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                start_new_session=True, **options)


@contextlib.contextmanager
def serving(command, log, **options):
    """Yields the address of what the command starts."""
    process = start(command, log, **options)
    try:
        yield await_url(process, log)
    finally:
        end(process)


def surroundings(scratch, sim_url):
    """The environment of a snippet: nothing of the caller's but its PATH and the way it builds."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("CCACHE_") or name == "LANG"}
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    # An answer that is an error fails the snippet; no proxy of this machine stands between.
    (home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\nnoproxy = *\nmax-time = 60\n", encoding="utf-8")
    return {**kept, "PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(home), "CURL_HOME": str(home),
            "BUILD": str(BUILD), "PORT": "0", "REPLICATE_API_TOKEN": "test-token", "REPLICATE_API_BASE": sim_url}


def working_folder(scratch, name):
    """A folder that looks like a clone in which `make` has run, and may be written to."""
    folder = scratch / name
    folder.mkdir()
    for entry in ROOT.iterdir():
        if not entry.name.startswith((".", "build")):
            (folder / entry.name).symlink_to(entry)
    (folder / "build").symlink_to(BUILD)
    return folder


@contextlib.contextmanager
def daemon(scratch):
    """Yields the addresses of the daemon and of the simulated Replicate."""
    config = scratch / "daemon.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    sim = [str(BUILD / "replicate-sim"), "--port", "0", "--boot", "100", "--run", "50"]
    with serving(sim, scratch / "sim.log") as sim_url:
        environment = surroundings(scratch, sim_url)
        with serving([str(BUILD / "replibridge"), "--config", str(config)], scratch / "daemon.log",
                     env=environment) as url:
            yield url, sim_url
