# SPDX-License-Identifier: MIT
"""berth-init's options: signals rewritten, exit statuses remapped, what is told, the hold after the end."""

import json
import os
import signal
import subprocess
import time

import pytest

import harness
import initrun
from initrun import PYTHON, Init, mode, run  # noqa: F401

pytestmark = pytest.mark.sanitize


def probe(count):
    return PYTHON, initrun.PROBE, count


# ---- signals


def test_signals_are_rewritten_dropped_or_left(mode):
    with Init(mode, *probe(4), options=["--rewrite", "TERM:INT", "--rewrite", "1:0", "--rewrite=40:SIGUSR2"]) as init:
        assert init.line() == "ready"
        for number in (1, 15):
            os.kill(init.pid, number)
        assert json.loads(init.line())["signal"] == signal.SIGINT
        initrun.queue(init.pid, 40, 7)
        got = json.loads(init.line())
        assert (got["signal"], got["value"], got["code"]) == (signal.SIGUSR2, 7, initrun.SI_QUEUE)
        for number in (2, 41):
            os.kill(init.pid, number)
            assert json.loads(init.line())["signal"] == number
        assert init.end().status == 0


def test_a_single_child_gets_signals_alone(mode):
    command = f"import subprocess; p = subprocess.Popen({[str(word) for word in probe(1)]}); " \
              f"import sys; sys.path.insert(0, {str(initrun.PROBE.parent)!r}); import initrun; " \
              "initrun.probe(2); p.kill()"
    with Init(mode, PYTHON, "-c", command, options=["--single-child"]) as init:
        assert [init.line() for _ in range(2)] == ["ready"] * 2
        os.kill(init.pid, signal.SIGHUP)
        initrun.queue(init.pid, 50, 1)
        result = init.end()
        assert [json.loads(line)["signal"] for line in result.stdout.splitlines()] == [1, 50], result


@pytest.mark.parametrize("all_are_told", [True, False])
def test_in_slurm_a_signal_arrives_once_whoever_is_told(mode, all_are_told):
    """A sender may tell only berth-init or everybody below it, and does not say which."""
    with Init(mode, *probe(3), env={**os.environ, "SLURM_JOB_ID": "7"}) as init:
        assert init.line() == "ready"
        for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGTERM):
            everybody = [init.pid, *initrun.descendants(init.pid)]
            for pid in everybody if all_are_told else everybody[:1]:
                os.kill(pid, number)
            got = json.loads(init.line())
            assert got["signal"] == number
        # A second one would have come before this.
        assert init.end().stdout == ""


def test_the_death_of_the_parent_is_a_signal_for_the_command(tmp_path):
    """A shell starts berth-init in the background and is killed."""
    command = f"trap 'echo told >{tmp_path}/told; exit' USR2; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    with subprocess.Popen(["bash", "-c", '"$@" & wait', "x", initrun.PROGRAM, "--parent-death", "USR2", "--",
                           "bash", "-c", command]) as shell:
        harness.until((tmp_path / "ready").exists, "start")
        shell.kill()
    harness.until((tmp_path / "told").exists, "signal")


# ---- ranks


def test_a_number_stands_for_a_task_of_an_array_with_gaps(mode, tmp_path):
    shown = run(mode, "sh", "-c", "echo $SLURM_ARRAY_TASK_ID $BERTH_RANK", options=[
        "--dir", tmp_path, "--no-tunnel", "--rank", "2", "--indices", "9,1-5:2%1"])
    assert shown.stdout == "5 5\n" and json.loads((tmp_path / "status.5.json").read_text())["rank"] == 5
    for options in (["--rank", "4", "--indices", "9,1-5:2"], ["--rank", "0", "--indices", "1-"]):
        refused = run(mode, "true", options=options)
        assert refused.status != 0 and "--indices" in refused.stderr, refused


# ---- the end


@pytest.mark.parametrize("options,status", [(["--remap-exit", "3"], 0), (["--remap-exit", "3:77"], 77),
                                            (["--remap-exit", "4"], 3)])
def test_an_exit_status_is_remapped(mode, options, status):
    assert run(mode, "sh", "-c", "exit 3", options=options).status == status


def test_a_status_of_a_signal_is_remapped(mode):
    assert run(mode, "sh", "-c", "kill -TERM $$", options=["--remap-exit", "143"]).status == 0


def test_reaping_is_told_of_when_asked(mode):
    command = "(sleep 0.1 &); sleep 0.5"
    result = run(mode, "sh", "-c", command, options=["--warn-on-reap"])
    assert result.output == b"" and "Reaped zombie process with pid=" in result.stderr, result
    assert run(mode, "sh", "-c", command).errors == b""


def test_each_v_tells_more(mode):
    def told(*options):
        command = "n=0; trap n=1 USR1; kill -USR1 $PPID; until [ $n = 1 ]; do :; done; exit 1"
        return run(mode, "sh", "-c", command, options=options).stderr

    assert told() == ""
    first, second, third = told("-v"), told("-vv"), told("-vvv")
    assert "command: ended by status 1" in first and "signal 10" not in first
    assert "signal 10: passed on as 10" in second and "from process" not in second
    assert "signal 10: code 0, from process" in third


def test_without_adopting_orphans_they_are_left_alone(tmp_path):
    command = f"setsid sh -c 'touch {tmp_path}/up; sleep 0.5; touch {tmp_path}/lived' >&- 2>&- & " \
              f"until [ -e {tmp_path}/up ]; do sleep 0.02; done; exit 5"
    assert run("sub", "sh", "-c", command, options=["--no-subreaper"]).status == 5
    harness.until((tmp_path / "lived").exists, "end of what was left alone")


# ---- sockets that are passed


def test_passed_sockets_are_the_commands(mode):
    """LISTEN_PID names whoever is executed next; the shell becomes berth-init with its own number in it."""
    inner = ["sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', "sh"]
    result = run(mode, "sh", "-c", 'echo $((LISTEN_PID == $$)) $LISTEN_FDS', inner=inner)
    assert result.stdout == "1 1\n"
    result = run(mode, "sh", "-c", "echo $LISTEN_PID", prefix=["/usr/bin/env", "LISTEN_PID=99999999"])
    assert result.stdout == "99999999\n"


# ---- the hold


class Held:
    def __init__(self, mode, tmp_path, hold, command, **more):
        self.dir = tmp_path
        self.init = Init(mode, "sh", "-c", command, options=["--dir", tmp_path, "--no-tunnel", "--hold", hold], **more)

    def status(self):
        file = self.dir / "status.0.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def until_held(self):
        harness.until(lambda: self.status().get("state") == "held", "hold")
        return self.status()


@pytest.mark.parametrize("number", [1, 2, 3, 15, 23])
def test_a_failed_command_is_held_until_a_signal(mode, tmp_path, number):
    held = Held(mode, tmp_path, "30m,on-failure", "exit 3")
    with held.init as init:
        before = time.time()
        status = held.until_held()
        assert (status["exit_code"], status["signal"]) == (3, None) and status["ended"]
        assert before + 1700 < status["hold_until"] < time.time() + 1801
        os.kill(init.pid, signal.SIGUSR2)
        os.kill(init.pid, number)
        assert init.end().status == 3
    status = held.status()
    assert (status["state"], status["exit_code"], status["hold_until"]) == ("exited", 3, None)


def test_a_hold_ends_by_itself_and_is_not_for_success_unless_always(mode, tmp_path):
    started = time.monotonic()
    assert run(mode, "sh", "-c", "exit 3", options=["--hold", "500ms"]).status == 3
    assert time.monotonic() - started >= 0.5
    assert run(mode, "true", options=["--hold", "1h,on-failure"]).status == 0
    held = Held(mode, tmp_path, "1h", "exit 0")
    with held.init as init:
        held.until_held()
        os.kill(init.pid, signal.SIGTERM)
        assert init.end().status == 0


def test_from_inside_the_job_the_hold_starts_anew_or_ends(mode, tmp_path):
    script = f"until [ -e {tmp_path}/anew ]; do sleep 0.02; done; kill -USR1 $1; " \
             f"until [ -e {tmp_path}/end ]; do sleep 0.02; done; kill $1"
    held = Held(mode, tmp_path, "30m", f"setsid sh -c '{script}' x $PPID & exit 4")
    with held.init as init:
        first = held.until_held()["hold_until"]
        (tmp_path / "anew").touch()
        harness.until(lambda: held.status()["hold_until"] > first, "another time")
        (tmp_path / "end").touch()
        assert init.end().status == 4


def test_what_the_command_left_lives_until_the_hold_ends(mode, tmp_path):
    held = Held(mode, tmp_path, "30m", f"setsid sh -c 'trap \"echo told; exit\" TERM; touch {tmp_path}/up; "
                f"while :; do sleep 0.05; done' & until [ -e {tmp_path}/up ]; do sleep 0.02; done; exit 4")
    with held.init as init:
        held.until_held()
        assert init.process.poll() is None
        os.kill(init.pid, signal.SIGINT)
        result = init.end()
        assert (result.status, result.stdout) == (4, "told\n")


def test_a_command_that_is_told_to_end_is_not_held(mode):
    with Init(mode, "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done",
              options=["--hold", "1h"]) as init:
        assert init.line() == "ready"
        os.kill(init.pid, signal.SIGTERM)
        assert init.end().status == 9


def test_nothing_wakes_it_up_while_it_holds(mode, tmp_path):
    held = Held(mode, tmp_path, "30m", "exit 1")
    with held.init as init:
        held.until_held()
        harness.until(lambda: not initrun.children(init.pid), "end of the writer")

        def switches():
            lines = (initrun.pathlib.Path(f"/proc/{init.pid}/status")).read_text().splitlines()
            return [line for line in lines if "ctxt_switches" in line]

        harness.until(lambda: initrun.pathlib.Path(f"/proc/{init.pid}/stat").read_text().split()[2] == "S", "sleep")
        before = switches()
        with pytest.raises(subprocess.TimeoutExpired):
            init.process.wait(1)
        assert switches() == before


# ---- installing first


def test_what_is_installed_first_becomes_the_command_with_signals_as_they_were(mode, short_dir):
    for name in "from", "to":
        (short_dir / name).mkdir()
    (short_dir / "from" / "file").write_text("x")
    with Init(mode, *probe(1), options=["--install", f"{short_dir}/from:{short_dir}/to:0700", "--",
                                        initrun.PROGRAM]) as init:
        assert init.line() == "ready"
        assert (short_dir / "to" / "file").read_text() == "x"
        os.kill(init.pid, signal.SIGTERM)
        assert json.loads(init.line())["signal"] == signal.SIGTERM
        assert init.end().status == 0
