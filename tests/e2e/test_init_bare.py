# SPDX-License-Identifier: MIT
"""berth-init where things are missing: /proc, /dev, /bin/sh, an answer from the file system, new system calls."""

import json
import os
import shutil
import signal
import subprocess

import pytest

import harness
import initrun
from initrun import PROGRAM, PYTHON, ROOT, Init, mode, run, script  # noqa: F401

needs_root = pytest.mark.skipif(not ROOT, reason="needs root, to mount and to change the root")
# A dynamic program has an interpreter, which is named in it.
needs_static = pytest.mark.skipif(b"/ld-linux" in PROGRAM.read_bytes()[:4096],
                                  reason="a sanitizer needs libraries, /proc, and ptrace for itself")


def without(calls: str) -> list:
    """A command that runs what follows on a kernel that does not know some system calls."""
    if not shutil.which("strace"):
        pytest.skip("needs strace, to take system calls away")
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error=ENOSYS"]


@needs_static
def test_an_old_kernel_will_do(tmp_path):
    left = script(tmp_path / "left", "#!/bin/bash\ntrap 'exit' TERM; touch ready; while :; do sleep 0.05; done\n")
    command = f"trap : 40; setsid {left} 2>&- & until [ -e ready ]; do sleep 0.02; done; {PYTHON} {initrun.PROBE} 1; exit 4"
    with open(left) as held, Init("sub", "bash", "-c", command, cwd=tmp_path, pass_fds=[held.fileno()],
                                  prefix=without("pidfd_open,pidfd_send_signal,close_range"),
                                  options=["--grace", "20s"]) as init:
        assert init.line() == "ready"
        pid = initrun.children(init.process.pid)[0]
        assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
        initrun.queue(pid, 40, 12345)
        assert json.loads(init.line())["value"] == 12345
        assert init.end().status == 4


@needs_root
@needs_static
def test_without_proc_everything_but_strangers_is_reached(mode, tmp_path):  # noqa: F811
    status = tmp_path / "job"
    status.mkdir()
    hide = ["sh", "-c", "mount -t tmpfs none /proc; exec \"$@\"", "sh"]
    prefix = ["unshare", "--mount"] if mode == "sub" else []
    with Init(mode, "bash", "-c", "sleep 60 & echo ready; read line; exit 3", prefix=prefix, inner=hide,
              stdin=subprocess.PIPE, options=["--dir", status, "--no-tunnel"]) as init:
        assert init.line() == "ready"
        init.process.stdin.write(b"\n")
        assert init.end().status == 3
    assert json.loads((status / "status.0.json").read_text())["exit_code"] == 3


@needs_root
@needs_static
def test_an_image_with_nothing_in_it(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(PROGRAM, root / "init")
    outer = [*initrun.namespace(), "chroot", root]
    result = harness.run([*outer, "/init", "--", "/init", "--", "/init", "--version"])
    assert result.status == 0 and result.stdout.startswith("berth-init ")
    assert harness.run([*outer, "/init", "--", "/bin/sh"]).status == 127
    assert harness.run([*outer, "/init", "--dir", "/job", "--", "/init", "--nonsense"]).status == 64


def test_a_log_that_hangs_when_it_is_opened_holds_up_nobody(mode, tmp_path):  # noqa: F811
    # Opening a pipe for writing waits for a reader, as a dead file server has everybody wait.
    os.mkfifo(tmp_path / "tunnel.0.log")
    with Init(mode, "sh", "-c", "trap 'echo got it; exit 5' USR1; echo ready; while :; do sleep 0.02; done",
              options=["--dir", tmp_path, "--tunnel", "/bin/true"]) as init:
        assert init.line() == "ready"
        os.kill(init.pid, signal.SIGUSR1)
        result = init.end()
        assert (result.status, result.stdout) == (5, "got it\n")


@pytest.mark.parametrize("options", [["--as-pid-1"], []])
def test_under_bubblewrap(options):
    bwrap = ["bwrap", "--unshare-pid", *options, "--dev-bind", "/", "/", "--proc", "/proc"]
    if not shutil.which("bwrap") or subprocess.run([*bwrap, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs bubblewrap, and namespaces")
    result = run("sub", "sh", "-c", "echo $PPID; exit 7", prefix=bwrap)
    assert (result.status, result.stdout) == (7, "1\n" if options else "2\n")


def test_nested_ones_pass_a_signal_on_once(mode):  # noqa: F811
    """berth-init inside berth-init: a signal to the outer one arrives once at the innermost command."""
    with Init(mode, PROGRAM, "--", PROGRAM, "--", PYTHON, initrun.PROBE, "2") as init:
        assert init.line() == "ready"
        os.kill(init.pid, signal.SIGHUP)
        assert json.loads(init.line())["signal"] == signal.SIGHUP
        initrun.queue(init.pid, 64, 7)
        got = json.loads(init.line())
        assert (got["signal"], got["value"]) == (64, 7)
        assert init.end().status == 0


@needs_static
@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")
def test_valgrind_has_nothing_to_say(tmp_path):
    """Everything that it does: signals, orphans, the tunnel, status, hold, leftovers that ignore SIGTERM."""
    watch = ["valgrind", "-q", f"--log-file={tmp_path}/log.%p", "--error-exitcode=99"]
    command = "trap : USR2; kill -USR2 $PPID; (sleep 0.1 &); " \
              "setsid sh -c \"trap '' TERM; touch up; exec sleep 60\" & until [ -e up ]; do sleep 0.02; done; exit 3"
    result = run("sub", "sh", "-c", command, cwd=tmp_path, prefix=watch, options=[
        "--dir", tmp_path, "--tunnel", "/bin/false", "--hold", "200ms", "--grace", "200ms", "--rewrite", "1:2", "-vvv"])
    assert result.status == 3 and b"hold: begins" in result.errors, result
    assert json.loads((tmp_path / "status.0.json").read_text())["exit_code"] == 3
    for log in tmp_path.glob("log.*"):
        # System calls that are newer than valgrind are no errors.
        words = [line for line in log.read_text().splitlines() if line.startswith("==")]
        assert not words, log.read_text()
