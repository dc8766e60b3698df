# SPDX-License-Identifier: MIT
"""What `berth-tunnel serve` keeps resident: without a session, and for each idle session that holds a terminal."""

import os
import subprocess
import time

from parties import harness
from report import Aim, Row

SESSIONS = 40
REST = 12  # seconds; a tunnel gives memory back after five without an event


def resident(pid: int) -> int:
    """Bytes that the process has mapped and that are there, its program's file among them."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Rss:")) * 1024


def serve_pid(job_dir) -> int:
    """Of the tunnel whose --dir is this job's."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"serve" in words and str(job_dir).encode() in words:
            return int(pid)
    raise AssertionError(f"no tunnel of {job_dir}")


def idle_sessions(job, count: int) -> list:
    clients = [subprocess.Popen([*job.client(), "-tt", job.name, "echo here; exec cat"], env=job.env,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
               for _ in range(count)]
    for client in clients:
        assert client.stdout.readline().strip() == b"here"
    return clients


def at_rest(pid: int, seconds: float) -> int:
    """The smallest that is seen while nothing happens: at rest a tunnel gives memory back."""
    end, smallest = time.monotonic() + seconds, resident(pid)
    while time.monotonic() < end:
        time.sleep(0.5)
        smallest = min(smallest, resident(pid))
    return smallest


def memory(bench) -> list:
    job, count = bench.fresh_job(), bench.size(SESSIONS)
    pid, clients, rest = serve_pid(job.dir), [], bench.seconds(REST)
    alone = at_rest(pid, rest)
    try:
        # The first sessions grow what all share.
        clients = idle_sessions(job, 2)
        before = at_rest(pid, rest)
        clients += idle_sessions(job, count)
        each = (at_rest(pid, rest) - before) / count
    finally:
        for client in clients:
            harness.stop(client)
    return [Row("memory", 1, f"{alone / 1e6:.2f} MB", "", alone / 1e6, Aim("<=", 6, "MB")),
            Row("memory-session", count, f"{each / 1e3:.1f} KB", "", each / 1e3, Aim("<=", 100, "KB"))]


CASES = {"memory": ("resident memory of berth-tunnel serve, idle, and for each further idle session", memory)}
