# SPDX-License-Identifier: MIT
"""Processes of this machine, read from /proc: ps(1) would not tell more, and may not be there."""

import contextlib
import os
import pathlib
import signal


def read(pid: int, name: str) -> bytes:
    """/proc/PID/NAME, or nothing when the process is gone or hidden."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def all_pids() -> list:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def argv(pid: int) -> list:
    return read(pid, "cmdline").decode(errors="replace").split("\0")[:-1]


def state(pid: int) -> str:
    """As ps(1) has it: R, S, T, Z ...; empty when there is no such process."""
    words = read(pid, "stat").rpartition(b")")[2].split()
    return words[0].decode() if words else ""


def is_alive(pid: int) -> bool:
    return state(pid) not in ("", "Z")


def tunnels_of(job_dir: pathlib.Path) -> list:
    """The pids of `berth-tunnel serve` of one job."""
    def serves(words):
        return words and os.path.basename(words[0]) == "berth-tunnel" and "serve" in words and str(job_dir) in words
    return [pid for pid in all_pids() if serves(argv(pid)) and is_alive(pid)]


def remove_cgroup(path: pathlib.Path) -> None:
    """Control groups are removed by rmdir alone, the deepest first; one that is still used stays."""
    for inner in sorted((each for each in path.rglob("*") if each.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            inner.rmdir()
    with contextlib.suppress(OSError):
        path.rmdir()


def end_tree(pid: int) -> None:
    """Kills a process and all below it, which it could not start anew: it is stopped before they are looked for."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        for child in read(pid, f"task/{pid}/children").split():
            end_tree(int(child))
        os.kill(pid, signal.SIGKILL)
