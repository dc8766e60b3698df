# SPDX-License-Identifier: MIT
"""berth exec: a program in a job, as if it ran here."""

import os
import signal
import subprocess
import termios

import pytest

import harness
import terminal


@pytest.fixture(scope="module")
def job(cluster) -> str:
    return cluster.start("--", "sleep", "1000")


def argv(cluster, *more) -> list:
    return [str(cluster.berth.program), "exec", *map(str, more)]


@pytest.mark.sanitize
def test_every_argument_arrives_as_it_is(cluster, job):
    words = ["", " two  words ", "$HOME", "`id`", "'single' \"double\"", "a\nb", "-x", "--", "\\", "*", "\xff"]
    result = cluster.berth("exec", job, "--", "printf", "%s\\0", *words).ok()
    assert result.output == "".join(word + "\0" for word in words).encode()


def test_output_error_and_status_are_those_of_the_program(cluster, job):
    result = cluster.berth("exec", job, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")


def test_a_signal_that_ends_the_program_is_in_the_status(local_job, berth):
    assert berth("exec", local_job, "--", "sh", "-c", "kill -KILL $$").status == 137


def test_a_program_that_is_not_there_is_127_and_what_is_none_126(local_job, berth):
    result = berth("exec", local_job, "--", "no-such-program")
    assert result.status == 127 and "no-such-program" in result.stderr
    result = berth("exec", local_job, "--", "/etc/passwd")
    assert result.status == 126 and "/etc/passwd" in result.stderr


def test_input_is_passed_on_only_if_asked_for(local_job, berth):
    assert berth("exec", local_job, "--", "cat", input="data").ok().stdout == ""
    assert berth("exec", "-i", local_job, "--", "cat", input="data").ok().stdout == "data"


@pytest.mark.sanitize
def test_a_hundred_megabytes_go_through_unchanged(local_job, berth, short_dir):
    file = short_dir / "file"
    file.write_bytes(os.urandom(1_000_000) * 100)
    with open(file, "rb") as stdin, open(short_dir / "copy", "wb") as stdout:
        berth("exec", "-i", local_job, "--", "cat", stdin=stdin, stdout=stdout).ok()
    harness.run(["cmp", file, short_dir / "copy"]).ok()


def test_input_that_the_program_does_not_read_holds_nothing_up(local_job, berth):
    with open("/dev/zero", "rb") as endless:
        assert berth("exec", "-i", local_job, "--", "sh", "-c", "exit 3", stdin=endless).status == 3


def test_a_reader_that_leaves_breaks_the_pipe_in_the_job(local_job, berth, short_dir):
    status = short_dir / "status"
    client = subprocess.Popen(["sh", "-c", '"$0" exec "$@"; echo $? >"$STATUS"', berth.program, local_job, "--", "yes"],
                              env=berth.env(STATUS=status), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"y\n"
    client.stdout.close()
    client.wait(30 * harness.PATIENCE)
    assert status.read_text() == f"{128 + signal.SIGPIPE}\n"


def test_variables_and_the_directory_can_be_given(local_job, berth):
    result = berth("exec", "-e", "A=1 2", "-e", "OURS", "-e", "NOT_SET", "-w", "/proc", local_job, "--",
                   "sh", "-c", 'pwd; echo "$A $OURS ${NOT_SET-unset}"', env={"OURS": "mine"}).ok()
    assert result.stdout == "/proc\n1 2 mine unset\n"
    result = berth("exec", "-w", "/nowhere", local_job, "--", "true")
    assert result.status == 126 and "/nowhere" in result.stderr


@pytest.mark.sanitize
def test_a_signal_reaches_the_program_and_its_status_comes_back(cluster, job):
    script = "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    client = subprocess.Popen(argv(cluster, job, "--", "sh", "-c", script), env=cluster.berth.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert client.stdout.readline() == b"ready\n"
        client.terminate()
        assert client.stdout.read() == b"got it\n"
        assert client.wait(30 * harness.PATIENCE) == 5
    finally:
        client.kill()
        client.communicate()


def test_who_asks_three_times_is_let_go(local_job, berth):
    script = "trap 'echo no' INT; echo ready; while :; do sleep 0.05; done"
    client = subprocess.Popen([berth.program, "exec", local_job, "--", "sh", "-c", script], env=berth.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert client.stdout.readline() == b"ready\n"
        for _ in range(2):
            client.send_signal(signal.SIGINT)
            assert client.stdout.readline() == b"no\n"
        client.send_signal(signal.SIGINT)
        assert client.wait(30 * harness.PATIENCE) == 128 + signal.SIGINT
    finally:
        client.kill()
        client.communicate()


def modes_of(fd: int) -> list:
    return termios.tcgetattr(fd)


@pytest.mark.sanitize
def test_a_terminal_has_keys_sizes_and_colours_and_is_given_back(cluster, job):
    script = ("stty -a | tr ' ' '\\n' | grep -qx isig && until [ \"$(stty size)\" = '33 101' ]; do sleep 0.05; done; "
              "trap 'stty size; exit 5' WINCH; echo \"on $TERM at $(stty size)\"; "
              "while :; do sleep 0.05; done")
    with terminal.Terminal(argv(cluster, "-it", job, "--", "sh", "-c", script),
                           cluster.berth.env(TERM="xterm-256color"), 33, 101) as screen:
        before = modes_of(screen.fd)
        screen.expect("on xterm-256color at 33 101")
        assert modes_of(screen.fd) != before
        screen.resize(50, 132)
        screen.expect("50 132")
        assert screen.end() == 5
        assert modes_of(screen.fd) == before


def test_control_c_goes_to_the_job_and_the_terminal_is_given_back(local_job, berth):
    script = "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.05; done"
    with terminal.Terminal([berth.program, "exec", "-it", local_job, "--", "sh", "-c", script], berth.env()) as screen:
        before = modes_of(screen.fd)
        screen.expect("ready")
        screen.type("\x03")
        screen.expect("interrupted")
        assert screen.end() == 6
        assert modes_of(screen.fd) == before


@pytest.mark.parametrize("leave, status", [
    (lambda screen: screen.type("\r~."), 255),
    (lambda screen: os.kill(screen.pid, signal.SIGHUP), 128 + signal.SIGHUP),
    (lambda screen: os.kill(screen.pid, signal.SIGSEGV), 128 + signal.SIGSEGV),
], ids=["keys", "hangup", "crash"])
def test_the_terminal_is_given_back_however_one_leaves(local_job, berth, leave, status):
    command = [berth.program, "exec", "-it", local_job, "--", "sh", "-c", "echo ready; exec sleep 1000"]
    with terminal.Terminal(command, berth.env()) as screen:
        before = modes_of(screen.fd)
        screen.expect("ready")
        assert modes_of(screen.fd) != before
        leave(screen)
        assert screen.end() == status
        assert modes_of(screen.fd) == before


def test_a_terminal_that_is_none_is_refused(local_job, berth):
    result = berth("exec", "-it", local_job, "--", "true")
    assert result.status == 64 and "standard input is not a terminal" in result.stderr


def test_exec_ends_when_the_job_does(cluster):
    name = cluster.start("--", "sleep", "1000")
    client = subprocess.Popen(argv(cluster, name, "--", "sh", "-c", "echo in; exec sleep 1000"), env=cluster.berth.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert client.stdout.readline() == b"in\n"
        cluster.berth("cancel", name).ok()
        _, errors = client.communicate(timeout=30 * harness.PATIENCE)
        assert client.returncode != 0
        # None when the news that a signal ended the program came first.
        assert len(errors.splitlines()) <= 1, errors
    finally:
        client.kill()
        client.communicate()


def test_exec_in_an_ended_job_says_how_it_ended(berth):
    name = berth.submit("--", "sh", "-c", "exit 3")
    berth.wait(name, "FAILED")
    result = berth("exec", name, "--", "true")
    assert result.status == 69 and "exit status 3" in result.stderr
