"""LiteLLM's proxy, started in front of the daemon."""

import contextlib
import os
import pathlib
import re
import subprocess
import time

import yaml
from checks import KEY, URL, documented, true

LISTENS = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
START_SECONDS = 90
STOP_SECONDS = 10

# It tells nobody that it runs, and fetches nothing. Were it to try all the same, it would meet a closed port.
QUIET = {
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}


def await_url(process, log):
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        listens = LISTENS.search(log.read_text(errors="replace"))
        if listens:
            return listens[1]
        time.sleep(0.1)
    raise SystemExit(f"LiteLLM's proxy does not start:\n{log.read_text(errors='replace')}")


def configuration(file):
    """The models of proxy.yaml, and those that the documentation shows."""
    shown = yaml.safe_load(documented("docs/use-with.md", "LiteLLM proxy", "yaml"))
    config = yaml.safe_load(pathlib.Path("proxy.yaml").read_text(encoding="utf-8"))
    config["model_list"] += shown["model_list"]
    config["router_settings"].update(shown["router_settings"])
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(file)


@contextlib.contextmanager
def running():
    """Starts the proxy, and stops it. PROXY_URL tells where it is."""
    scratch = pathlib.Path(os.environ["SCRATCH"])
    log = scratch / "proxy.log"
    command = [os.path.join(os.environ["TOOLS"], "venv/bin/litellm"), "--config", configuration(scratch / "proxy.yaml"),
               "--host", "127.0.0.1", "--port", "0", "--telemetry", "False"]
    environment = {**os.environ, **QUIET, "DAEMON_BASE": f"{URL}/v1", "REPLIBRIDGE_KEY": KEY}
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=scratch, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        os.environ["PROXY_URL"] = await_url(process, log)
        yield
        true(process.poll() is None, "LiteLLM's proxy ended by itself")
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
