"""What the machine tells: its processors, and what a process has used of them."""
import datetime
import os
import platform
import socket
import subprocess

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Processors:
    """The proxy has one to itself, and what loads it another; with a single one there is nothing to divide."""

    def __init__(self):
        allowed = sorted(os.sched_getaffinity(0))
        self.all = set(allowed)
        self.proxy = {allowed[0]}
        self.load = {allowed[1]} if len(allowed) > 1 else {allowed[0]}
        self.are_apart = self.proxy != self.load


def tree(pid):
    """The process and all that it started, and those they started."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def stat_fields(pid):
    """The fields of /proc/PID/stat from the third on: the second may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_s(pid):
    """Seconds of processor time that the tree has used, those of ended children included."""
    ticks = 0
    for one in tree(pid):
        fields = stat_fields(one)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * TICK_S


def memory_bytes(pid, what="VmRSS"):
    """What the tree holds in memory. Pages that several of its processes share count for each of them."""
    total = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/status", encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith(what + ":"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def free_port():
    """A port that the kernel gives out, and at which nobody listens: who shared it would take half of the load."""
    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if not listens(port):
            return port
    raise RuntimeError("no port is free")


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def output_of(*command):
    """The first line that the command prints; "" where it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


def processor_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def memory_total():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe(processors):
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor_name(),
        "processors": len(processors.all),
        "are_apart": processors.are_apart,
        "memory_bytes": memory_total(),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }
