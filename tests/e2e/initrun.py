# SPDX-License-Identifier: MIT
"""Running berth-init as PID 1 of a PID namespace or as a child subreaper, and signals with all that belongs to them.

It also is the program that is run to see which signals arrive: `python3 initrun.py COUNT` prints "ready", then one
JSON line for each of COUNT signals, blocked and fetched by system calls because the C library hides 32 and 33.
"""

import ctypes
import functools
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import textwrap

import pytest

import harness

BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", harness.TOP / "build")).resolve()
PROGRAM = BUILD / "init" / "berth-init"
PROBE = pathlib.Path(__file__).resolve()
PYTHON = "/usr/bin/python3"

ROOT = harness.IS_ROOT
CATCHABLE = [n for n in range(1, 65) if n not in (9, 19)]
SI_QUEUE = -1

libc = ctypes.CDLL(None, use_errno=True)
_calls = {"x86_64": (14, 128, 129), "aarch64": (135, 137, 138)}
SYS_SIGPROCMASK, SYS_SIGTIMEDWAIT, SYS_SIGQUEUEINFO = _calls[os.uname().machine]


@functools.cache
def namespace() -> list:
    """The command that gives what follows a PID namespace; empty where the machine does not allow it."""
    for user in ([], ["--user", "--map-root-user"]):
        argv = ["unshare", *user, "--pid", "--fork", "--kill-child", "--mount-proc"]
        if shutil.which("unshare") and subprocess.run([*argv, "true"], capture_output=True).returncode == 0:
            return argv
    return []


def block_all() -> None:
    every = ctypes.c_uint64(2**64 - 1)
    assert libc.syscall(SYS_SIGPROCMASK, 2, ctypes.byref(every), None, 8) == 0


def fetch() -> dict:
    every, info = ctypes.c_uint64(2**64 - 1), ctypes.create_string_buffer(128)
    number = libc.syscall(SYS_SIGTIMEDWAIT, ctypes.byref(every), info, None, 8)
    _, _, code, _, pid, uid, value = struct.unpack("=iiiiiIQ", info.raw[:32])
    return {"signal": number, "code": code, "pid": pid, "uid": uid, "value": value}


def queue(pid: int, number: int, value: int) -> None:
    """sigqueue(3) with a value of 64 bits."""
    info = struct.pack("=iiiiiIQ", number, 0, SI_QUEUE, 0, os.getpid(), os.getuid(), value).ljust(128, b"\0")
    if libc.syscall(SYS_SIGQUEUEINFO, pid, number, info) != 0:
        raise OSError(ctypes.get_errno(), f"signal {number} to {pid}")


def children(pid: int) -> list:
    return [int(n) for n in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descendants(pid: int) -> list:
    """The deepest last, so that killing in order leaves no orphans to be moved away."""
    found = [pid]
    for parent in found:
        try:
            found += children(parent)
        except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or read
            pass
    return found[1:]


class Init:
    """berth-init that runs."""

    def __init__(self, mode: str, *command, options=(), prefix=(), inner=(), program=PROGRAM, **popen):
        """`prefix` runs all of it, `inner` only berth-init (or `program`), inside the namespace."""
        outer = namespace() if mode == "pid1" else []
        popen.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [str(word) for word in (*prefix, *outer, *inner, program, *options, "--", *command)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **popen)
        self.mode = mode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            for pid in descendants(self.process.pid):
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            self.process.kill()
        self.process.communicate()

    @functools.cached_property
    def pid(self) -> int:
        """Its process id as seen from here; it has to be running still."""
        if self.mode == "sub":
            return self.process.pid
        return harness.until(lambda: children(self.process.pid), "process in the namespace")[0]

    @property
    def command(self) -> int:
        """The command's process id, as seen from here."""
        return harness.until(lambda: children(self.pid), "command")[0]

    def line(self) -> str:
        return self.process.stdout.readline().decode().rstrip("\n")

    def end(self, limit=30) -> harness.Result:
        try:
            output, errors = self.process.communicate(timeout=limit * harness.PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.process.args}: no end within {limit} s") from None
        return harness.Result(self.process.args, self.process.returncode, output, errors)


def run(mode: str, *command, **more) -> harness.Result:
    with Init(mode, *command, **more) as init:
        return init.end()


def probe(count: int) -> None:
    block_all()
    os.write(1, b"ready\n")
    for _ in range(count):
        # One write a line: several of us share the pipe.
        os.write(1, json.dumps(fetch()).encode() + b"\n")


@pytest.fixture(params=["pid1", "sub"])
def mode(request):
    if request.param == "pid1" and not namespace():
        pytest.skip("this machine allows no PID namespaces")
    return request.param


def script(path: pathlib.Path, text: str) -> pathlib.Path:
    """An executable file."""
    path.write_text(textwrap.dedent(text).lstrip())
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    probe(int(sys.argv[1]))
