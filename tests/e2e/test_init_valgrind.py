# SPDX-License-Identifier: MIT
"""berth-init under valgrind: no read of what was not written, none outside of what is ours, nothing lost.

It is berth-init on the machine's own libc (tests/e2e/init_host): musl in a static program hides its allocator. Its
forked children are watched until they execute something. No error is suppressed.
"""

import json
import os
import shutil
import signal

import pytest

import harness
import initrun
from initrun import PYTHON, script


@pytest.fixture
def watched(build_dir, short_dir):
    """Runs it and says how it ended; in the end every process of it must have been without fault."""
    if not shutil.which("valgrind"):
        pytest.skip("no valgrind: apt-get install valgrind")
    program = build_dir / "tests" / "e2e" / "init_host"
    if b"__asan_init" in program.read_bytes():
        pytest.skip("a sanitizer and valgrind exclude each other")
    valgrind = ["valgrind", "--quiet", "--vgdb=no", "--default-suppressions=no", "--leak-check=full",
                "--errors-for-leak-kinds=definite,possible", "--error-exitcode=99",
                f"--log-file={short_dir}/valgrind.%p"]

    def start(*command, name="berth-init", options=(), **more):
        link = short_dir / name
        if not link.exists():
            link.symlink_to(program)
        return initrun.Init("sub", *command, options=options, program=link, inner=valgrind, **more)
    yield start
    for log in short_dir.glob("valgrind.*"):
        # Between dashes valgrind speaks of itself: of system calls that are newer than it is.
        found = [line for line in log.read_text().splitlines() if not line.startswith("--")]
        assert not found, "\n".join(found)


def run(watched, *command, **more):
    with watched(*command, **more) as init:
        return init.end(60)


def test_ends_of_all_sorts(watched, tmp_path):
    plain = script(tmp_path / "plain", "exit 4\n")
    for command, status in ((["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -9 $$"], 137), (["/no/such"], 127),
                            (["/etc"], 126), ([plain, "a"], 4), ([""], 127)):
        assert run(watched, *command).status == status


def test_signals_with_and_without_values(watched):
    with watched(PYTHON, initrun.PROBE, 4, options=["--rewrite", "TERM:INT", "-vvv"],
                 env={**os.environ, "SLURM_JOB_ID": "7"}) as init:
        assert init.line() == "ready"
        for number in (signal.SIGHUP, signal.SIGTERM, 50):
            os.kill(init.pid, number)
        initrun.queue(init.pid, 51, 2**40)
        result = init.end(60)
        assert result.status == 0
        got = {each["signal"]: each["value"] for each in map(json.loads, result.stdout.splitlines())}
        assert sorted(got) == [1, 2, 50, 51] and got[51] == 2**40


def test_orphans_a_tunnel_that_falls_and_a_grace_that_ends(watched, tmp_path):
    (tmp_path / "job").mkdir(mode=0o700)
    tunnel = script(tmp_path / "tunnel", '#!/bin/sh\necho >>"$3/starts"\nexit 1\n')
    command = ("(trap '' TERM; setsid sleep 60 & sleep 0.1 &) ; "
               f"until [ $(wc -l <{tmp_path}/job/starts) -ge 3 ]; do sleep 0.05; done 2>/dev/null; exit 5")
    result = run(watched, "sh", "-c", command,
                 options=["--dir", tmp_path / "job", "--tunnel", tunnel, "--grace", "300ms", "--remap-exit", "5:6"])
    assert result.status == 6
    status = json.loads((tmp_path / "job" / "status.0.json").read_text())
    assert (status["exit_code"], status["state"]) == (5, "exited") and status["tunnel_restarts"] >= 2


def test_a_hold_that_is_released(watched, tmp_path):
    with watched("sh", "-c", "exit 3", options=["--hold", "60s", "--dir", tmp_path, "--no-tunnel"]) as init:
        def held():
            path = tmp_path / "status.0.json"
            return path.exists() and json.loads(path.read_text())["hold_until"]
        harness.until(held, "hold")
        os.kill(init.pid, signal.SIGTERM)
        assert init.end(60).status == 3


@pytest.mark.parametrize("name, options", [("tini", ["-s", "-g", "-w", "-e", "7"]), ("dumb-init", ["-r", "15:2"])])
def test_in_the_place_of_others(watched, name, options):
    result = run(watched, "sh", "-c", "(sleep 0.1 &); sleep 0.3; exit 7", name=name, options=options)
    assert result.status == (0 if name == "tini" else 7)


def test_wrong_command_lines(watched):
    for options in (["--grace", "soon"], ["--rewrite", "x"], ["--hold", "x,y"], ["--help"], ["--version"]):
        assert run(watched, "true", options=options).status == (0 if options[0] in ("--help", "--version") else 64)
