# SPDX-License-Identifier: MIT
"""berth-init, as PID 1 and as subreaper: the job is as if nobody was there.

Standalone: BERTH_BUILD=build /usr/bin/python3 -m pytest --noconftest tests/e2e/test_init.py
"""

import json
import os
import pathlib
import resource
import signal
import subprocess
import textwrap

import pytest

import harness
import initrun
from initrun import CATCHABLE, PYTHON, ROOT, Init, mode, run, script  # noqa: F401

pytestmark = pytest.mark.sanitize


def probe(count):
    return PYTHON, initrun.PROBE, count


# ---- how it ends


@pytest.mark.parametrize("status", [0, 1, 2, 7, 125, 126, 127, 128, 143, 255])
def test_exit_status_is_the_commands(mode, status):
    result = run(mode, "sh", "-c", f"exit {status}")
    assert (result.status, result.output, result.errors) == (status, b"", b"")


@pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 15, 31, 34, 64])
def test_a_signal_is_128_plus_its_number(mode, number):
    result = run(mode, PYTHON, "-c", f"import os; os.kill(os.getpid(), {number})",
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
    assert result.status == 128 + number


def test_what_cannot_be_executed_is_127_or_126_as_in_a_shell(mode, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no program")
    missing = script(tmp_path / "missing", "#!/nonexistent/interpreter\n")
    for command, status in (("no-such-command", 127), (tmp_path / "no", 127), (missing, 127), ("", 127),
                            (plain, 126), (tmp_path, 126), (f"{plain}/x", 126)):
        result = run(mode, command)
        assert result.status == status, result
        assert result.output == b"" and result.stderr.count("\n") == 1, result
        assert result.stderr.startswith("berth-init: cannot run "), result


def test_a_script_without_an_interpreter_line_is_the_shells(mode, tmp_path):
    path = script(tmp_path / "plain", "echo $0 $#-$1; exit 3\n")
    result = run(mode, path, "a b", "c")
    assert (result.status, result.stdout) == (3, f"{path} 2-a b\n")
    result = run(mode, "plain", env={"PATH": f"/nonexistent:{tmp_path}:/usr/bin:/bin"})
    assert result.status == 3


def test_no_environment_is_needed(mode):
    with Init(mode, "true", prefix=["/usr/bin/env", "-i"]) as init:
        assert init.end().status == 0
    result = run(mode, "/usr/bin/env", prefix=["/usr/bin/env", "-i", "A=1", "/usr/bin/env"])
    assert result.stdout == "A=1\n"


def test_wrong_options_are_refused_before_anything_starts():
    for argv, what in ((["--grace", "soon"], "--grace: 'soon'"), (["--what"], "--what"),
                       (["--dir", "x" * 5000, "true"], "longer than a path"), ([], "which command")):
        result = harness.run([initrun.PROGRAM, *argv])
        assert result.status == 64 and result.output == b"", result
        assert what in result.stderr and result.stderr.count("\n") == 1, result


# ---- signals


def test_each_signal_arrives_once_with_its_number(mode):
    with Init(mode, *probe(2 * len(CATCHABLE))) as init:
        assert init.line() == "ready"
        for number in CATCHABLE:
            os.kill(init.pid, number)
            got = json.loads(init.line())
            assert (got["signal"], got["code"]) == (number, 0)
        for number in CATCHABLE:
            value = 2**63 + number
            initrun.queue(init.pid, number, value)
            got = json.loads(init.line())
            assert (got["signal"], got["code"], got["value"]) == (number, initrun.SI_QUEUE, value)
            if mode == "sub":
                assert got["pid"] == os.getpid()
        # One more of any would have come before the end.
        result = init.end()
        assert (result.status, result.output, result.errors) == (0, b"", b"")


def test_real_time_signals_keep_their_order_and_values(mode):
    with Init(mode, *probe(300)) as init:
        assert init.line() == "ready"
        for value in range(100):
            for number in (34, 50, 64):
                initrun.queue(init.pid, number, value)
        seen = [json.loads(init.line()) for _ in range(300)]
        for number in (34, 50, 64):
            assert [got["value"] for got in seen if got["signal"] == number] == list(range(100))


def test_a_signal_reaches_the_whole_process_group_and_no_other(mode):
    command = f"""
        import os, signal, subprocess
        signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"leader\\n"))
        probe = {[str(word) for word in probe(1)]}
        members = [subprocess.Popen(probe) for _ in range(2)]
        other = subprocess.Popen(probe, start_new_session=True)
        for member in members:
            member.wait()
        print("other", other.poll(), flush=True)
        other.kill()
        """
    with Init(mode, PYTHON, "-c", textwrap.dedent(command)) as init:
        assert [init.line() for _ in range(3)] == ["ready"] * 3
        os.kill(init.pid, signal.SIGTERM)
        lines = init.end().stdout.splitlines()
        assert sorted(line[:7] for line in lines) == ['leader', 'other N', '{"signa', '{"signa'], lines


def test_mask_and_ignored_signals_are_the_commands_as_inherited(mode):
    def inherit():
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, 35):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR2, signal.SIGTSTP, 64])

    command = ["grep", "-E", "^(Sig|Shd)(Pnd|Blk|Ign|Cgt)", "/proc/self/status"]
    bare = subprocess.run(command, preexec_fn=inherit, restore_signals=False, capture_output=True).stdout
    assert run(mode, *command, preexec_fn=inherit, restore_signals=False).output == bare


def after(python: str) -> list:
    """A command that runs a line of Python and then becomes the command that follows."""
    return [PYTHON, "-c", f"import os, signal, sys; {python}; os.execvp(sys.argv[1], sys.argv[1:])"]


def test_sigchld_ignored_at_the_start_loses_no_status(mode):
    inner = after("signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    ignored = run(mode, "grep", "SigIgn", "/proc/self/status", inner=inner).stdout.split()[1]
    assert int(ignored, 16) & 1 << 16
    assert run(mode, "sh", "-c", "exit 3", inner=inner).status == 3


@pytest.mark.skipif(not ROOT, reason="needs root, to run the command as another user")
def test_a_signal_that_may_not_be_sent_ends_nothing(mode):
    prefix = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill"]
    with Init(mode, "setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", "echo ready; read line; exit 5",
              prefix=prefix, stdin=subprocess.PIPE, options=["-v"]) as init:
        assert init.line() == "ready"
        os.kill(init.pid, signal.SIGTERM)
        initrun.queue(init.pid, signal.SIGUSR1, 1)
        while b"signal 10: cannot be passed on: Operation not permitted" not in init.process.stderr.readline():
            assert init.process.poll() is None
        init.process.stdin.write(b"\n")
        assert init.end().status == 5


def test_an_alarm_that_was_set_is_the_commands(mode):
    result = run(mode, "sleep", "60", inner=after("signal.setitimer(signal.ITIMER_REAL, 0.3)"))
    assert result.status == 128 + signal.SIGALRM


# ---- what the command is given


@pytest.mark.parametrize("mode", ["sub"])  # as PID 1 the kernel ends the whole namespace
def test_the_command_has_a_group_of_its_own_and_gets_sigterm_when_init_is_killed(mode, tmp_path):
    with Init(mode, "sh", "-c", f"trap 'echo told >{tmp_path}/told; exit' TERM; echo ready; while :; do sleep 0.05; done"
              ) as init:
        assert init.line() == "ready"
        assert os.getpgid(init.command) == init.command != os.getpgid(init.pid)
        os.kill(init.pid, signal.SIGKILL)
        harness.until((tmp_path / "told").exists, "signal at the command")


def test_descriptors_are_the_commands_alone(mode):
    reader, writer = os.pipe()
    with Init(mode, "bash", "-c", f"echo ready; exec <&- >&- 2>&- {writer}>&-; exec sleep 60", pass_fds=[writer],
              stdin=subprocess.PIPE) as init:
        os.close(writer)
        assert init.line() == "ready"
        fds = pathlib.Path(f"/proc/{init.pid}/fd")
        # By number: in a chroot, what another mount namespace has open goes by another path.
        null = os.stat("/dev/null").st_rdev
        harness.until(lambda: [fd.stat().st_rdev for fd in fds.iterdir()] == [null] * 3, "letting go")
        # unshare(1), which runs above PID 1, keeps copies.
        if mode == "sub":
            assert os.read(reader, 1) == b""
            assert init.process.stdout.read() == b"" and init.process.stderr.read() == b""
            with pytest.raises(BrokenPipeError):
                while True:
                    os.write(init.process.stdin.fileno(), b"x" * 4096)
        assert init.process.poll() is None
    os.close(reader)


def test_closed_descriptors_stay_closed(mode):
    command = ["sh", "-c", "ls /proc/$$/fd"]
    with Init(mode, *command, prefix=["bash", "-c", "exec \"$@\" <&- 2>&-", "x"]) as init:
        assert init.end().stdout.split() == ["1"]


# ---- children


def test_a_thousand_orphans_are_reaped(mode):
    command = """
        import os, pathlib, time
        ready, held = os.pipe()
        for _ in range(1000):
            if os.fork() == 0:
                if os.fork() == 0:
                    os.close(held)
                    os.read(ready, 1)
                os._exit(0)
            os.wait()
        init = os.getppid()
        children = pathlib.Path(f"/proc/{init}/task/{init}/children")
        print(len(children.read_text().split()), flush=True)
        os.close(held)
        end = time.monotonic() + 30
        while len(children.read_text().split()) > 1 and time.monotonic() < end:
            time.sleep(0.01)
        print(len(children.read_text().split()))
        """
    result = run(mode, PYTHON, "-c", textwrap.dedent(command))
    assert (result.status, result.stdout.split()) == (0, ["1001", "1"])


def leave_behind(mode, tmp_path, what, **more) -> harness.Result:
    """Runs a command that starts `what` in a session of its own, waits until that has made `ready`, and exits 4.

    The result comes when nobody holds standard output any more, that is: when everybody has gone.
    """
    left = script(tmp_path / "left", f"#!/bin/bash\n{what}\n")
    return run(mode, "bash", "-c", f"setsid {left} & until [ -e ready ]; do sleep 0.02; done; exit 4",
               cwd=tmp_path, **more)


def test_what_is_left_is_told_to_end_and_waited_for(mode, tmp_path):
    result = leave_behind(mode, tmp_path, "trap 'sleep 0.3; echo told; exit' TERM; touch ready\n"
                                          "while :; do sleep 0.05; done", options=["--grace", "20s"])
    assert (result.status, result.stdout) == (4, "told\n")


def test_what_does_not_end_is_killed_after_the_grace(mode, tmp_path):
    result = leave_behind(mode, tmp_path, "trap '' TERM; touch ready; exec sleep 60", options=["--grace", "200ms"])
    assert (result.status, result.output, result.errors) == (4, b"", b"")


def test_a_stopped_process_is_ended_too(mode, tmp_path):
    result = leave_behind(mode, tmp_path, "trap 'echo told; exit' TERM; touch ready; kill -STOP $$; sleep 1",
                          options=["--grace", "20s"])
    assert (result.status, result.stdout) == (4, "told\n")


def test_nothing_of_a_crowd_is_left(mode, tmp_path):
    crowd = script(tmp_path / "crowd", """
        #!/usr/bin/python3
        import os, signal, pathlib
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _ in range(6):
            if os.fork() == 0:
                os.setsid()
        pathlib.Path("ready").touch()
        while True:
            signal.pause()
        """)
    result = leave_behind(mode, tmp_path, f"exec {crowd}", options=["--grace", "0"])
    assert (result.status, result.errors) == (4, b"")


def test_nothing_wakes_it_up_while_nothing_happens(mode):
    def switches():
        status = pathlib.Path(f"/proc/{init.pid}/status").read_text()
        return [line for line in status.splitlines() if "ctxt_switches" in line]

    with Init(mode, "sh", "-c", "echo ready; exec sleep 60") as init:
        assert init.line() == "ready"
        harness.until(lambda: pathlib.Path(f"/proc/{init.pid}/stat").read_text().split()[2] == "S", "sleep")
        before = switches()
        with pytest.raises(subprocess.TimeoutExpired):
            init.process.wait(1)
        assert switches() == before


def test_nobody_reading_its_words_holds_it_up(mode):
    with Init(mode, "bash", "-c", "trap '' 40; echo ready; read line; exit 3", options=["-v"],
              stdin=subprocess.PIPE) as init:
        assert init.line() == "ready"
        # Standard error is a pipe that nobody empties, and each of these is a line.
        for value in range(2000):
            initrun.queue(init.pid, 40, value)
        harness.until(lambda: "ShdPnd:\t0000000000000000" in pathlib.Path(f"/proc/{init.pid}/status").read_text(),
                      "end of the signals")
        init.process.stdin.write(b"\n")
        init.process.stdin.flush()
        init.process.wait(30 * harness.PATIENCE)
        assert init.process.returncode == 3
