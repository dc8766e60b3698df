# SPDX-License-Identifier: MIT
"""berth-init on a terminal: job control is as if the command ran alone."""

import os
import pathlib
import signal

import pytest

import harness
import initrun
from initrun import PROGRAM, script
from terminal import Terminal, suspend_and_resume

ENV = {"PATH": os.environ["PATH"], "PS1": "<$?>", "LC_ALL": "C.UTF-8", "TERM": "dumb", "HISTFILE": ""}


@pytest.fixture
def shell():
    """An interactive shell; its prompt shows the last exit status."""
    with Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], ENV) as terminal:
        terminal.expect("<0>")
        yield terminal


def test_ctrl_c_reaches_the_command_once(shell):
    # After the first one it counts for a while what else comes.
    shell.type(f"{PROGRAM} -- bash -c 'n=0; trap \"n=\\$((n+1))\" INT; echo rea\"\"dy; while [ $n = 0 ]; do sleep 0.02; "
               "done; for i in {1..10}; do sleep 0.02; done; exit $n'\n")
    shell.expect("ready")
    shell.type("\x03")
    shell.expect("<1>")
    shell.type(f"{PROGRAM} -- sh -c 'echo rea\"\"dy; exec sleep 60'\n")
    shell.expect("ready")
    shell.type("\x03")
    shell.expect("<130>")


def test_the_command_reads_the_terminal(shell):
    shell.type(f"{PROGRAM} -- cat\n")
    shell.type("some words\n")
    shell.expect("some words\r\nsome words\r\n")
    shell.type("\x04")
    shell.expect("<0>")
    shell.type("echo bac\"\"k\n")
    shell.expect("back")


def test_ctrl_z_stops_and_fg_continues(shell):
    shell.type(f"{PROGRAM} -- cat\n")
    shell.type("one\n")
    shell.expect("one\r\none\r\n")
    for _ in range(2):
        shell.type("\x1a")
        shell.expect("Stopped")
        shell.expect(f"<{128 + signal.SIGTSTP}>")
        shell.type("fg\n")
        shell.expect("cat\r\n")
        shell.type("two\n")
        shell.expect("two\r\ntwo\r\n")
    shell.type("\x04")
    shell.expect("<0>")


def test_bg_continues_without_the_terminal(shell):
    shell.type(f"{PROGRAM} -- bash -c 'echo rea\"\"dy; read -t 60 <<<x; sleep 1; sleep 1; echo en\"\"ded'\n")
    shell.expect("ready")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(f"<{128 + signal.SIGTSTP}>")
    shell.type("bg\n")
    shell.expect("&")
    # The shell has the terminal all the while.
    shell.type("echo he\"\"re\n")
    shell.expect("here")
    shell.expect("ended")
    shell.type("wait\n")
    shell.expect("<0>")


def test_a_command_in_the_background_takes_nothing_until_fg(shell):
    shell.type(f"{PROGRAM} -- cat & echo pid=$!=\n")
    shell.expect("\r\npid=")
    while b"=" not in shell.screen:
        shell.expect("")
    pid = shell.screen.partition(b"=")[0].decode()
    shell.expect("<0>")
    # It reads in the background: stopped, and we with it, as the shell shows.
    harness.until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] == "T", "stop")
    shell.type("jobs\n")
    shell.expect("Stopped")
    shell.expect("<0>")
    shell.type("fg\n")
    shell.expect("cat\r\n")
    shell.type("words\n")
    shell.expect("words\r\nwords\r\n")
    shell.type("\x04")
    shell.expect("<0>")


def test_the_terminal_comes_back_to_a_script_that_ran_it(shell, tmp_path):
    path = script(tmp_path / "outer", f"""
        #!/bin/bash
        {PROGRAM} -- sh -c 'exit 3'
        echo "status $?"
        read line
        echo "read $line"
        """)
    shell.type(f"{path}\n")
    shell.expect("status 3")
    shell.type("input\n")
    shell.expect("read input")
    shell.expect("<0>")


def prefix(mode):
    if mode == "pid1" and not initrun.namespace():
        pytest.skip("this machine allows no PID namespaces")
    return initrun.namespace() if mode == "pid1" else []


@pytest.mark.parametrize("mode", ["pid1", "sub"])
def test_without_a_shell_above_ctrl_z_stops_nobody_for_good(mode):
    argv = [*prefix(mode), str(PROGRAM), "--", "sh", "-c", "echo ready; exec cat"]
    with Terminal(argv, ENV) as terminal:
        terminal.expect("ready")
        terminal.type("\x1a")
        terminal.expect("^Z")
        terminal.type("words\n")
        terminal.expect("words\r\nwords\r\n")
        terminal.type("\x03")
        assert terminal.end() == 130


@pytest.mark.parametrize("mode", ["pid1", "sub"])
def test_ctrl_c_and_job_control_of_a_shell_inside(mode):
    with Terminal([*prefix(mode), str(PROGRAM), "--", "bash", "--norc", "--noprofile", "--noediting", "-i"],
                  ENV) as shell:
        suspend_and_resume(shell)


def test_a_terminal_that_hangs_up_is_told_to_the_command(tmp_path):
    command = f"trap 'echo told >{tmp_path}/told; exit' HUP; echo ready; while :; do sleep 0.05; done"
    with Terminal([str(PROGRAM), "--", "bash", "-c", command], ENV) as terminal:
        terminal.expect("ready")
        os.close(terminal.fd)
        terminal.fd = os.open("/dev/null", os.O_RDWR)
        harness.until((tmp_path / "told").exists, "SIGHUP at the command")
        harness.until(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0], "end")
        terminal.pid = 0
