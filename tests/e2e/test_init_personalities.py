# SPDX-License-Identifier: MIT
"""berth-init under the names of tini and dumb-init: in their place nobody notices, but for what it does better.

Where they agree by design the real ones run the same in the same test.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import harness
import initrun
from initrun import PYTHON, Init, mode  # noqa: F401
from terminal import Terminal, suspend_and_resume

pytestmark = pytest.mark.sanitize

SUSPENDING = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> dict:
    """Name -> berth-init under it."""
    dir = tmp_path_factory.mktemp("names")
    names = {}
    for name in ("tini", "tini-static", "docker-init", "dumb-init"):
        (dir / name).symlink_to(initrun.PROGRAM)
        names[name] = dir / name
    return names


@pytest.fixture(params=["ours", "theirs"])
def tini(request, ours):
    return ours["tini"] if request.param == "ours" else real("tini")


@pytest.fixture(params=["ours", "theirs"])
def dumb_init(request, ours):
    return ours["dumb-init"] if request.param == "ours" else real("dumb-init")


def real(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"needs {name}, to compare with")
    return path


def run(mode, program, *command, options=(), env=(), **more):
    with Init(mode, *command, program=program, options=options, env={**os.environ, **dict(env)}, **more) as init:
        return init.end()


def probe(count):
    return PYTHON, initrun.PROBE, count


# ---- tini


@pytest.mark.parametrize("command,options,status", [
    (["sh", "-c", "exit 3"], [], 3), (["sh", "-c", "kill -TERM $$"], [], 143), (["no-such-command"], [], 127),
    (["/etc"], [], 126), (["sh", "-c", "exit 3"], ["-e", "3"], 0), (["sh", "-c", "exit 4"], ["-e3", "-e", "5"], 4),
    (["sh", "-c", "kill -TERM $$"], ["-e", "143"], 0), (["true"], ["-e", "256"], 1), (["true"], ["-p", "SIGNO"], 1),
    (["true"], ["-x"], 1), ([], [], 1), (["sh", "-c", "exit 6"], ["-gswvvvp", "SIGTERM"], 6)])
def test_tini_exits_as_it_does(mode, tini, command, options, status):
    assert run(mode, tini, *command, options=options).status == status


def test_tini_tells_its_version_to_dockerd(ours):
    """dockerd cuts the line at " - " and takes what follows "tini version " (parseInitVersion() in its info)."""
    for name in ("tini", "tini-static", "docker-init"):
        result = harness.run([ours[name], "--version"])
        assert result.status == 0 and result.errors == b""
        assert re.fullmatch(r"\d+\.\d+\.\d+", result.stdout.strip().split(" - ")[0].removeprefix("tini version "))
    if shutil.which("docker-init"):
        theirs = harness.run([shutil.which("docker-init"), "--version"])
        assert theirs.stdout.startswith("tini version ")


def test_tini_helps(tini):
    result = harness.run([tini, "-h"])
    assert result.status == 0
    for option in ("-h", "-s", "-p SIGNAL", "-v", "-w", "-g", "-e EXIT_CODE", "-l", "--version", "TINI_SUBREAPER",
                   "TINI_VERBOSITY", "TINI_KILL_PROCESS_GROUP"):
        assert option in result.stdout, option
    assert "MIT" in harness.run([tini, "-l"]).stdout
    result = harness.run([tini])
    assert "Usage: tini [OPTIONS] PROGRAM -- [ARGS] | --version" in result.stdout + result.stderr


@pytest.mark.parametrize("options,env,both", [([], {}, False), (["-g"], {}, True),
                                              ([], {"TINI_KILL_PROCESS_GROUP": "1"}, True)])
def test_tini_signals_the_child_or_its_group(mode, tini, options, env, both):
    command = f"import subprocess, sys; p = subprocess.Popen({[str(word) for word in probe(1)]}); " \
              f"sys.path.insert(0, {str(initrun.PROBE.parent)!r}); import initrun; initrun.probe(1); " \
              f"{'p.wait()' if both else 'p.kill()'}"
    with Init(mode, PYTHON, "-c", command, program=tini, options=["-s", *options], env={**os.environ, **env}) as init:
        assert [init.line() for _ in range(2)] == ["ready"] * 2
        os.kill(init.pid, signal.SIGUSR1)
        lines = init.end().stdout.splitlines()
        assert [json.loads(line)["signal"] for line in lines] == [signal.SIGUSR1] * (1 + both)


def test_tini_warns_where_it_reaps_nobody(tini):
    def told(options=(), **env):
        return run("sub", tini, "true", options=options, env=env).stderr
    assert "zombie reaping won't work" in told()
    assert "zombie reaping won't work" not in told(["-s"])
    assert "zombie reaping won't work" not in told(TINI_SUBREAPER="")
    assert told(TINI_VERBOSITY="0") == ""


def test_tini_tells_of_what_it_reaps(mode, tini):
    result = run(mode, tini, "sh", "-c", "(sleep 0.1 &); sleep 0.5", options=["-sw"])
    assert "Reaped zombie process with pid=" in result.stderr


@pytest.mark.parametrize("number", [4, 11, 31])
def test_as_tini_the_signals_that_it_loses_are_passed_on(mode, ours, number):
    with Init(mode, *probe(1), program=ours["tini"], options=["-s"]) as init:
        assert init.line() == "ready"
        os.kill(init.pid, number)
        assert json.loads(init.line())["signal"] == number
        assert init.end().status == 0


# ---- dumb-init


@pytest.mark.parametrize("command,options,status", [
    (["sh", "-c", "exit 3"], [], 3), (["sh", "-c", "kill -TERM $$"], [], 143), (["no-such-command"], [], 2),
    (["/etc"], [], 2), ([], [], 1), (["true"], ["-x"], 1), (["true"], ["-r", "15"], 1), (["true"], ["-r", "a:b"], 1),
    (["sh", "-c", "exit 4"], ["-cvr", "15:0", "--rewrite", "1:2"], 4)])
def test_dumb_init_exits_as_it_does(mode, dumb_init, command, options, status):
    assert run(mode, dumb_init, *command, options=options).status == status


def test_dumb_init_says_so_on_standard_error(dumb_init):
    version = harness.run([dumb_init, "--version"])
    assert (version.status, version.output) == (0, b"") and version.stderr.startswith("dumb-init v1.2.")
    help = harness.run([dumb_init, "-h"])
    assert (help.status, help.output) == (0, b"")
    for option in ("-c, --single-child", "-r, --rewrite s:r", "-v, --verbose", "-h, --help", "-V, --version"):
        assert option in help.stderr
    wrong = harness.run([dumb_init])
    assert wrong.stderr.replace(str(dumb_init), "dumb-init") == \
        "Usage: dumb-init [option] program [args]\nTry dumb-init --help for full usage.\n"
    assert "-r option takes <signum>:<signum>" in harness.run([dumb_init, "-r", "x", "true"]).stderr


@pytest.mark.parametrize("options,env,leads", [([], {}, True), (["-c"], {}, False),
                                               ([], {"DUMB_INIT_SETSID": "0"}, False)])
def test_dumb_init_gives_the_command_a_session(mode, dumb_init, options, env, leads):
    command = "import os; print(int(os.getsid(0) == os.getpid()))"
    assert run(mode, dumb_init, PYTHON, "-c", command, options=options, env=env).stdout == f"{int(leads)}\n"


def test_dumb_init_rewrites_and_drops(mode, dumb_init):
    with Init(mode, *probe(2), program=dumb_init, options=["-r", "15:2", "-r1:0"]) as init:
        assert init.line() == "ready"
        for number in (1, 15, 10):
            os.kill(init.pid, number)
        assert {json.loads(init.line())["signal"] for _ in range(2)} == {2, 10}


@pytest.mark.parametrize("options", [[], ["-c"]])
@pytest.mark.parametrize("number", SUSPENDING)
def test_dumb_init_stops_with_its_command_and_goes_on_with_it(dumb_init, number, options):
    def state(pid):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    # In a group of its own within a session, as a job of a shell is: no orphaned group may be stopped.
    def job():
        os.setpgid(0, 0)
    with subprocess.Popen([dumb_init, *options, "sleep", "60"], preexec_fn=job, stdin=subprocess.DEVNULL) as process:
        child = harness.until(lambda: initrun.children(process.pid), "command")[0]
        harness.until(lambda: b"sleep" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes()[:6], "execution")
        for _ in range(2):
            os.kill(process.pid, number)
            harness.until(lambda: state(process.pid) == "T", "stop")
            harness.until(lambda: state(child) == "T", "stop of the command")
            os.kill(process.pid, signal.SIGCONT)
            harness.until(lambda: state(process.pid) != "T" and state(child) != "T", "going on")
        process.terminate()
        assert process.wait(30 * harness.PATIENCE) == 143


def test_as_dumb_init_and_pid_1_the_command_is_not_stopped_for_good(ours):
    """Nobody could continue PID 1: the terminal's signals are the command's own business, and a later one arrives."""
    if not initrun.namespace():
        pytest.skip("this machine allows no PID namespaces")
    with Init("pid1", *probe(2), program=ours["dumb-init"]) as init:
        assert init.line() == "ready"
        os.kill(init.pid, signal.SIGTSTP)
        assert json.loads(init.line())["signal"] == signal.SIGTSTP
        os.kill(init.pid, signal.SIGTERM)
        assert json.loads(init.line())["signal"] == signal.SIGTERM
        assert init.end().status == 0


def test_as_dumb_init_ignored_signals_stay_ignored(mode, ours):
    result = run(mode, ours["dumb-init"], "grep", "SigIgn", "/proc/self/status",
                 preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert int(result.stdout.split()[1], 16) & 1


def test_dumb_init_hands_the_terminal_to_the_commands_session(dumb_init):
    env = {"PATH": os.environ["PATH"], "PS1": "<$?>", "LC_ALL": "C.UTF-8", "TERM": "dumb", "HISTFILE": ""}
    with Terminal([dumb_init, "bash", "--norc", "--noprofile", "--noediting", "-i"], env) as shell:
        suspend_and_resume(shell)


def test_dumb_init_leaves_the_working_directory_to_the_command(tmp_path, dumb_init):
    with Init("sub", "sh", "-c", "pwd; exec sleep 60", program=dumb_init, cwd=tmp_path) as init:
        assert init.line() == str(tmp_path)
        harness.until(lambda: os.readlink(f"/proc/{init.pid}/cwd") == "/", "leaving")


def test_any_other_name_is_berth_inits(tmp_path):
    (tmp_path / "podman-init").symlink_to(initrun.PROGRAM)
    result = harness.run([tmp_path / "podman-init", "--version"])
    assert result.stdout.startswith("berth-init ")
    assert harness.run([tmp_path / "podman-init", "--", "sh", "-c", "exit 3"]).status == 3
