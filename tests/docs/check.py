"""Checks the README and the pages in docs/: what they tell to run is run, what cannot be run here is at least parsed.

* `sh`: run against the daemon, unless a remark (see fences.py) says why not; then the shell parses it.
* `yaml`: parsed. With `# config.yaml` as its first line it is a configuration of ours: `--check` accepts it, and the
  page's commands find it under that name. A ConfigMap's config.yaml is one, too. With `services`, Docker Compose
  accepts it.
* `json`: parsed. `nginx`: accepted by `nginx -t`. `python`, `js`: a client's checks run them, which a remark names.
* Links to files of the repository lead somewhere, and metrics that are named exist.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from fences import fences_of, outside_of_fences
from servers import BUILD, ROOT, daemon, serving, surroundings, working_folder

try:
    import yaml
except ImportError:
    yaml = None

SECONDS = 60
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
METRIC = re.compile(r"\breplibridge_[a-z_]+")
VARIABLE = re.compile(r"\$\{([A-Z_]+)\}")


class Failure(Exception):
    pass


class Checks:
    def __init__(self, scratch, url, sim_url):
        self.scratch, self.url, self.sim_url = scratch, url, sim_url
        self.passed, self.failed, self.folders, self.left_out = 0, 0, {}, set()
        self.kinds = {"sh": self.shell, "yaml": self.yaml, "json": lambda fence: json.loads(fence.text),
                      "nginx": self.nginx, "python": self.python, "js": self.javascript}

    def check(self, where, function, *arguments):
        try:
            function(*arguments)
            self.passed += 1
            print(f"ok {where}", flush=True)
        except Exception as error:  # whatever it is, it is the check's result
            self.failed += 1
            print(f"not ok {where}: {type(error).__name__}: {str(error)[:2000]}", flush=True)

    def run(self, command, **options):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS, check=False, text=True, errors="replace", **options)
        if done.returncode != 0:
            raise Failure(f"exit code {done.returncode}: {done.stdout[-1500:]}")
        return done.stdout

    def environment(self):
        return surroundings(self.scratch, self.sim_url)

    def folder(self, page):
        """Where the commands of a page run, one after the other."""
        if page not in self.folders:
            self.folders[page] = working_folder(self.scratch, page.replace("/", "_"))
        return self.folders[page]

    # ---- one fence

    def shell(self, fence):
        text = fence.text.replace("127.0.0.1:4000", self.url.removeprefix("http://"))
        text = re.sub(r"\b([A-Z_]+)=\S*…", r"\1=test-\1", text)
        file = self.scratch / "snippet.sh"
        file.write_text(text, encoding="utf-8")
        self.run(["sh", "-n", str(file)])
        if fence.remark.startswith("run by"):
            self.by_client(fence)
        elif fence.remark == "serves":
            with serving(["sh", "-eu", str(file)], self.scratch / "serves.log", cwd=self.folder(fence.page),
                         env=self.environment()):
                pass
        elif not fence.remark:
            self.run(["sh", "-eu", str(file)], cwd=self.folder(fence.page), env=self.environment())

    def yaml(self, fence):
        if fence.text.startswith("# config.yaml\n"):
            self.configuration(self.folder(fence.page) / "config.yaml", fence.text)
        if yaml is None:
            self.left_out.add("the syntax of YAML (needs Python's yaml)")
            return
        for document in yaml.safe_load_all(fence.text):
            if isinstance(document, dict) and document.get("kind") == "ConfigMap":
                self.configuration(self.scratch / "config-map.yaml", document["data"]["config.yaml"])
            if isinstance(document, dict) and "services" in document:
                self.compose(fence.text)

    def compose(self, text):
        if not shutil.which("docker-compose"):
            self.left_out.add("the files of Docker Compose (need docker-compose)")
            return
        file = self.scratch / "compose.yaml"
        file.write_text(text, encoding="utf-8")
        self.run(["docker-compose", "-f", str(file), "config", "-q"], cwd=self.scratch)

    def configuration(self, file, text):
        file.write_text(text, encoding="utf-8")
        variables = {name: f"test-{name}" for name in VARIABLE.findall(text)}
        said = self.run([str(BUILD / "replibridge"), "--config", str(file), "--check"],
                        env={**self.environment(), **variables})
        if len(said.splitlines()) != 1:
            raise Failure(f"--check has something to say: {said}")

    def nginx(self, fence):
        program = next((path for path in ("/usr/sbin/nginx", "/usr/bin/nginx") if os.access(path, os.X_OK)), None)
        if program is None:
            self.left_out.add("the configuration of nginx (needs nginx)")
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # The certificate is the reader's own: without TLS the rest is checked all the same.
        text = re.sub(r"^ *ssl_certificate.*\n", "", fence.text, flags=re.MULTILINE)
        text = re.sub(r"\blisten 443 ssl", f"listen 127.0.0.1:{port}", text)
        file = self.scratch / "nginx.conf"
        file.write_text(f"pid {self.scratch}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n"
                        f"access_log {self.scratch}/access.log;\nclient_body_temp_path {self.scratch}/body;\n"
                        f"proxy_temp_path {self.scratch}/proxy;\n{text}}}\n", encoding="utf-8")
        self.run([program, "-t", "-p", str(self.scratch), "-c", str(file)])

    def python(self, fence):
        compile(fence.text, fence.page, "exec")
        self.by_client(fence)

    def javascript(self, fence):
        file = self.scratch / "snippet.mjs"
        file.write_text(fence.text, encoding="utf-8")
        if shutil.which("node"):
            self.run(["node", "--check", str(file)])
        else:
            self.left_out.add("the syntax of JavaScript (needs node)")
        self.by_client(fence)

    def by_client(self, fence):
        """The folder that the remark names has to mention the heading, which is how it finds the block."""
        if fence.remark.startswith("not run"):
            return
        if not fence.remark.startswith("run by "):
            raise Failure("no remark says which client's checks run it")
        folder = ROOT / fence.remark.removeprefix("run by ")
        if not any(fence.heading in file.read_text(encoding="utf-8", errors="replace") for file in folder.iterdir()):
            raise Failure(f"no check in {folder.relative_to(ROOT)} mentions its heading")

    # ---- one page

    def page(self, page):
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in {link for line in outside_of_fences(text) for link in LINK.findall(line)}:
            if "://" not in target:
                self.check(f"{page}: the link to {target}", self.leads_somewhere, page, target)
        for metric in sorted(set(METRIC.findall(text))):
            self.check(f"{page}: the metric {metric}", self.metric_exists, metric)
        # Files first: a command may need one that the page shows later.
        fences = sorted(fences_of(page, text), key=lambda fence: fence.language == "sh")
        for fence in fences:
            if fence.language in self.kinds:
                self.check(f"{page}:{fence.line} ({fence.language})", self.kinds[fence.language], fence)

    def leads_somewhere(self, page, target):
        if not ((ROOT / page).parent / target).exists():
            raise Failure("there is no such file")

    def metric_exists(self, metric):
        directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with directly.open(f"{self.url}/metrics", timeout=10) as answer:
            if f"# TYPE {metric} " not in answer.read().decode():
                raise Failure("/metrics does not have it")


def main():
    pages = sys.argv[1:] or ["README.md", *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md"))]
    with tempfile.TemporaryDirectory() as folder, daemon(Path(folder)) as (url, sim_url):
        checks = Checks(Path(folder), url, sim_url)
        for page in pages:
            checks.page(page)
    for what in sorted(checks.left_out):
        print(f"left out: {what}")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
