"""Who is measured, side by side: how each is started, and how it is asked."""
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

from . import machine
from .programs import BenchError

CHAT = "/v1/chat/completions"
CREATE = "/v1/models/bench/instant/predictions"


class Proxy:
    """One of them, running. `form` and `path` say how it is asked; `program` is None for the direct way."""

    def __init__(self, name, port, program, form="replicate", path=CREATE, header=None):
        self.name, self.port, self.program = name, port, program
        self.form, self.path, self.header = form, path, header

    @property
    def pid(self):
        return self.program.pid

    def left(self):
        """What ours still works on, by its own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = {}
        for name, count in re.findall(r"^replibridge_(predictions|transfers)(?:\{.*\})? (\d+)$", text, re.M):
            found[name] = found.get(name, 0) + int(count)
        if len(found) != 2:
            raise BenchError("replibridge's metrics do not tell of its predictions and transfers")
        return found

    def stop(self, bench):
        """Ours must be left with nothing, and end in order when it is asked to."""
        until = time.monotonic() + 20
        while self.name == "replibridge" and any(self.left().values()):
            if time.monotonic() > until:
                raise BenchError(f"all was answered, but replibridge still works on {self.left()}")
            time.sleep(0.1)
        if self.program and not bench.stop(self.program) and self.name == "replibridge":
            raise BenchError(f"replibridge did not end in order: {self.program.tail()}")

def find(command):
    """Daemons' places are often not in a user's path."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def write(bench, name, text):
    path = os.path.join(bench.scratch, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# ---- ours, as users run it: with its log and its metrics, and a worker for its processor ----

CONFIG = """listen: 127.0.0.1:0
workers: 1
max_in_flight: 20000
log: {{file: {log}}}
models: {{bench: {{model: bench/instant}}}}
replicate:
  base_url: {base_url}
  token: test-token
  poll_interval: 500ms
  polls_per_minute: {polls_per_minute}
  creates_per_minute: 1000000
"""


def replibridge(bench, base_url=None, ca_file=None, prefix=(), polls_per_minute=1000000):
    number = len(os.listdir(bench.scratch))
    text = CONFIG.format(log=os.path.join(bench.scratch, f"replibridge-{number}.events"),
                         base_url=base_url or f"http://127.0.0.1:{bench.upstream_port}/v1",
                         polls_per_minute=polls_per_minute)
    if ca_file:
        text += f"  ca_file: {ca_file}\n"
    config = write(bench, f"replibridge-{number}.yaml", text)
    name = f"replibridge-{number}"
    program = bench.start(name, [*prefix, os.path.join(bench.build, "replibridge"), "--config", config])
    return Proxy("replibridge", port_of(program), program, "openai", CHAT)


def port_of(program):
    """The port that the daemon says it listens on."""
    until = time.monotonic() + 30
    while time.monotonic() < until and program.process.poll() is None:
        with open(program.log, encoding="utf-8", errors="replace") as file:
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", file.read())
        if found:
            return int(found[1])
        time.sleep(0.002)
    raise BenchError(f"replibridge does not start: {program.tail()}")


# ---- those that only pass bytes on ----

NGINX = """daemon off;
{user}
pid {scratch}/{name}.pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile {limit};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/{name}-body;
    proxy_temp_path {scratch}/{name}-proxy;
    fastcgi_temp_path {scratch}/{name}-fastcgi;
    uwsgi_temp_path {scratch}/{name}-uwsgi;
    scgi_temp_path {scratch}/{name}-scgi;
    client_max_body_size 64m;
    client_body_buffer_size 8m;
    keepalive_requests 100000000;
    upstream replicate {{
        server 127.0.0.1:{upstream};
        keepalive 1024;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096{tls};
        location / {{
            proxy_pass {scheme}://replicate;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_read_timeout 600s;
            proxy_buffering {buffering};
        }}
    }}
}}
"""


def nginx(bench, name="nginx", **how):
    """`how`: `tls`, what makes it listen with TLS; `buffering`; `scheme` and `upstream`, where it passes to; `cpus`."""
    command = find("nginx")
    if not command:
        return bench.leave_out("nginx", "not installed; the Debian package nginx-light has it")
    port = machine.free_port()
    config = write(bench, f"{name}.conf", NGINX.format(
        user="user root;" if os.geteuid() == 0 else "", scratch=bench.scratch, name=name, limit=bench.limit,
        connections=bench.limit - 100, upstream=how.get("upstream", bench.upstream_port), port=port,
        tls=how.get("tls", ""), buffering=how.get("buffering", "on"), scheme=how.get("scheme", "http")))
    program = bench.start(name, [command, "-p", bench.scratch, "-c", config], how.get("cpus"))
    program.wait_for_port(port)
    return Proxy(name, port, program)


HAPROXY = """global
    nbthread 1
    maxconn {connections}
defaults
    mode http
    http-reuse always
    timeout connect 10s
    timeout client 600s
    timeout server 600s
frontend clients
    bind 127.0.0.1:{port}
    default_backend replicate
backend replicate
    server replicate 127.0.0.1:{upstream}
"""


def haproxy(bench):
    command = find("haproxy")
    if not command:
        return bench.leave_out("HAProxy", "not installed; the Debian package haproxy has it")
    port = machine.free_port()
    config = write(bench, "haproxy.cfg", HAPROXY.format(
        connections=(bench.limit - 200) // 2, port=port, upstream=bench.upstream_port))
    program = bench.start("haproxy", [command, "-db", "-f", config])
    program.wait_for_port(port)
    return Proxy("HAProxy", port, program)


def direct(bench):
    return Proxy("direct", bench.upstream_port, None)


# ---- those that translate, or know OpenAI's form ----

def node(bench):
    command = find("node")
    if not command:
        return bench.leave_out("Node", "not installed; the Debian package nodejs has it")
    port = machine.free_port()
    script = os.path.join(bench.source, "peers/node-proxy.mjs")
    program = bench.start("node", [command, script, str(port), str(bench.upstream_port)])
    program.wait_for_port(port)
    return Proxy("Node", port, program, "openai", CHAT)


def client_folder(bench, name):
    """Where `make check-clients` installs the gateways that it tests with."""
    return os.path.join(os.environ.get("BENCH_CLIENTS", os.path.join(bench.build, "clients")), name)


def portkey(bench):
    home = os.path.join(client_folder(bench, "portkey"), "node_modules/@portkey-ai/gateway")
    if not os.path.isdir(home) and find("npm"):
        root = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=False).stdout.strip()
        home = os.path.join(root, "@portkey-ai/gateway")
    script = os.path.join(home, "build/start-server.js")
    if not find("node") or not os.path.exists(script):
        return bench.leave_out("Portkey", "not installed; `make check-clients CLIENTS=portkey` installs it")
    port = machine.free_port()
    hook = os.path.join(bench.source, "peers/loopback.mjs")
    program = bench.start("portkey", [find("node"), "--import", hook, script, "--headless", f"--port={port}"])
    program.wait_for_port(port)
    header = f"x-portkey-provider: openai\r\nx-portkey-custom-host: http://127.0.0.1:{bench.upstream_port}/v1"
    return Proxy("Portkey", port, program, "openai", CHAT, header)


def litellm(bench):
    command = os.path.join(client_folder(bench, "litellm-proxy"), "venv/bin/litellm")
    if not os.path.exists(command):
        command = find("litellm")
    if not command:
        return bench.leave_out("LiteLLM", "not installed; `make check-clients CLIENTS=litellm-proxy` installs it")
    port = machine.free_port()
    model = {"model": "openai/bench", "api_base": f"http://127.0.0.1:{bench.upstream_port}/v1", "api_key": "test-key"}
    names = [{"model_name": "bench", "litellm_params": model}]
    config = write(bench, "litellm.yaml", json.dumps({"model_list": names}))
    env = dict(os.environ, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False", NO_DOCS="True",
               LITELLM_LOG="ERROR", LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
               LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True", LITELLM_LOCAL_AUTOROUTER_PRESETS="True",
               LITELLM_LOCAL_BLOG_POSTS="True", LITELLM_LOCAL_POLICY_TEMPLATES="True")
    program = bench.start("litellm", [command, "--config", config, "--host", "127.0.0.1", "--port", str(port),
                                      "--num_workers", "1", "--telemetry", "False"], env=env)
    program.wait_for_port(port)
    return Proxy("LiteLLM", port, program, "openai", CHAT)
