"""aider, run for one turn, in a folder and with a home of its own."""

import os
import pathlib
import subprocess
import sys
import tempfile

from checks import KEY, URL, true

# It tells nobody that it runs, and looks for nothing new.
OPTIONS = ["--no-git", "--yes-always", "--no-analytics", "--no-check-update", "--no-show-model-warnings",
           "--no-show-release-notes", "--no-detect-urls", "--no-suggest-shell-commands", "--no-pretty"]

# Prices and limits of models, which it would fetch if it had none.
PRICES = '{"openai/none": {}}'


# Ends with a line that tells whom else it wanted to speak with.
LAUNCH = """
import atexit, sys
from loopback import strangers
atexit.register(lambda: print("strangers:", strangers, flush=True))
from aider.main import main
sys.exit(main())
"""


def home():
    """A home in which those prices have just been fetched."""
    folder = pathlib.Path(os.environ["SCRATCH"]) / "home"
    caches = folder / ".aider" / "caches"
    if not caches.exists():
        caches.mkdir(parents=True)
        (caches / "model_prices_and_context_window.json").write_text(PRICES)
    return folder


HOME = home()


def turn(model, message, *options, key=KEY):
    """What aider prints in that turn, and the folder in which it worked."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ["SCRATCH"]))
    environment = {**os.environ, "HOME": str(HOME), "OPENAI_API_BASE": f"{URL}/v1", "OPENAI_API_KEY": key,
                   "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [sys.executable, "-c", LAUNCH, "--model", f"openai/{model}", "--message", message]
    ran = subprocess.run([*command, *OPTIONS, *options], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=120, check=False)
    output = ran.stdout + ran.stderr
    true("strangers: []" in output, f"it wanted to speak with others: {output[-600:]!r}")
    return output, folder
