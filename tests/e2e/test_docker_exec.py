# SPDX-License-Identifier: MIT
"""berth exec where a container has no tunnel: the engine itself runs the program."""

import os

import pytest

import terminal
from engine_user import here, ssh  # noqa: F401
from sessions import last_words


@pytest.fixture(scope="module")
def job(here) -> str:
    """A container that runs, and does not say where its tunnel listens."""
    name = here.start("glibc", "-e", "OF=container", "--", "sleep", "1000")
    here("exec", name, "--", "true").ok()
    here.engine.call("exec", here.container(name)["Id"], "rm", "/berth-job/endpoint.0.json").ok()
    return name


def test_output_error_and_status_are_those_of_the_program(here, job):
    script = 'echo out; echo err >&2; pwd; echo "$A $OURS ${NOT_SET-unset} $OF"; exit 7'
    result = here("exec", "-e", "A=1 2", "-e", "OURS", "-e", "NOT_SET", "-w", "/proc", job, "--", "sh", "-c", script,
                  env={"OURS": "mine"})
    assert (result.status, result.stdout) == (7, "out\n/proc\n1 2 mine unset container\n"), f"{result}"
    told, rest = result.stderr.split("\n", 1)
    assert "docker runs it without the tunnel" in told and rest == "err\n"


def test_input_reaches_its_end(here, job):
    data = os.urandom(1 << 20)
    assert here("exec", "-i", job, "--", "cat", input=data).ok().output == data
    assert here("exec", job, "--", "cat", input=b"data").ok().output == b""
    with open("/dev/zero", "rb") as endless:
        assert here("exec", "-i", job, "--", "sh", "-c", "exit 3", stdin=endless).status == 3


def test_words_arrive_as_they_are_and_what_is_missing_is_told(here, job):
    words = ["", " two  words ", "$HOME", "a\nb", "-x", "--", "*", "ü"]
    result = here("exec", job, "--", "printf", "%s\\0", *words).ok()
    assert result.output.decode() == "".join(word + "\0" for word in words)
    missing = here("exec", job, "--", "no-such-program")
    assert missing.status != 0 and "no-such-program" in missing.stdout + missing.stderr, f"{missing}"


def test_a_terminal_has_keys_and_sizes_and_is_given_back(here, job):
    script = ("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.05; done; trap 'stty size' WINCH; "
              "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.05; done")
    with terminal.Terminal([here.program, "exec", "-it", job, "--", "bash", "-c", script], here.env(), 33, 101) as screen:
        screen.expect("ready")
        assert screen.is_raw()
        screen.resize(50, 132)
        screen.expect("50 132")
        screen.type("\x03")
        screen.expect("interrupted")
        assert screen.end() == 6
        assert not screen.is_raw()
    refused = here("exec", "-it", job, "--", "true")
    assert refused.status == 64 and "standard input is not a terminal" in refused.stderr


def test_who_came_in_through_the_engine_hears_how_it_ended(here, ssh):
    """Who is killed takes the way in along, and says nothing."""
    options = "-b", "docker", "--network", "none", "--image", here.engine.image("busybox"), "--", "sleep", "1000"
    killed, removed = (here.submit(*options) for _ in range(2))
    words = last_words(ssh, {killed: lambda: here.engine.call("kill", here.container(killed)["Id"]).ok(),
                             removed: lambda: here.engine.remove(here.container(removed)["Id"])})
    assert "it ended: FAILED, signal 9" in words[0], words
    assert "nothing is known of it any more: the engine has" in words[1], words
