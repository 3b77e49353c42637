"""What all checks share: the command, and the folder with its models and keys."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, os.environ["CHECKS"])
from checks import KEY, URL, Checks, documented  # noqa: E402

checks = Checks("llm", version("llm"))

WRITTEN = "Slow models are worth waiting for."
HOME = Path(os.environ["LLM_USER_PATH"])
STRANGERS = HOME / "strangers"

# Python reads this before it runs anything: each command notes whom it would speak with beside the daemon.
WATCH = f"""
import atexit, sys
sys.path.insert(0, {os.environ["CHECKS"]!r})
from loopback import strangers
atexit.register(lambda: strangers and open({str(STRANGERS)!r}, "a").write(f"{{strangers}} "))
"""


def extra_model(model_id, model_name=None, path="/v1", **more):
    return {"model_id": model_id, "model_name": model_name or model_id, "api_base": URL + path,
            "api_key_name": "replibridge", **more}


def set_up():
    names = ["writer", "acme/tiny-writer", "echo", "thinker", "boots", "endless", "failing", "breaking", "unsafe",
             "busy", "late", "strict", "nobody/nothing"]
    models = [extra_model(name) for name in names]
    models += [extra_model(f"base {path or 'bare'}", "acme/tiny-writer", path) for path in ("", "/", "/v1", "/v1/")]
    (HOME / "site").mkdir(parents=True)
    (HOME / "extra-openai-models.yaml").write_text(json.dumps(models), encoding="utf-8")  # which is YAML, too
    (HOME / "keys.json").write_text(json.dumps({"replibridge": KEY}), encoding="utf-8")
    (HOME / "site" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")


set_up()
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOME / "site")}
COMMAND = [str(Path(sys.executable).parent / "llm")]


def llm(*arguments, **options):
    """Runs llm: a CompletedProcess, whose standard output and standard error are texts."""
    return subprocess.run([*COMMAND, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=90,
                          stdin=subprocess.DEVNULL, check=False, **options)


def start(*arguments):
    return subprocess.Popen([*COMMAND, *arguments], env=ENVIRONMENT, stdin=subprocess.DEVNULL, text=True, bufsize=0,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def as_documented():
    """Runs the example of the documentation, in a folder of its own: what it prints."""
    home = HOME / "documented"
    home.mkdir()
    (home / "extra-openai-models.yaml").write_text(documented("docs/use-with.md", "llm", "yaml"), encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "LLM_USER_PATH": str(home), "PATH": path}
    return subprocess.run(["sh", "-eu", "-c", documented("docs/use-with.md", "llm", "sh")], env=environment, check=True,
                          capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL).stdout.strip()


def said(*arguments):
    """What llm prints when all is well."""
    done = llm(*arguments)
    if done.returncode != 0:
        raise AssertionError(f"llm ended with {done.returncode}: {done.stderr}")
    return done.stdout.rstrip("\n")


said("-m", "writer", "first use")  # makes the database for the log, which two at once would trip over


def strangers():
    return STRANGERS.read_text(encoding="utf-8") if STRANGERS.exists() else ""
