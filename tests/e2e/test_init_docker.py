# SPDX-License-Identifier: MIT
"""berth-init in containers of a real dockerd: what a person does to a container does to the job what it should."""

import json
import os
import pathlib
import signal

import pytest

import docker as docker_module
import harness
from terminal import Terminal
from tunnelrun import Tunnel

IMAGES = ["glibc", "musl", "busybox", "scratch"]


def probe(image: str, *argv) -> list:
    return ["/probe" if image == "scratch" else "/bin/probe", *map(str, argv)]


@pytest.fixture(autouse=True, scope="module")
def bundle(docker):
    try:
        return docker.bundle, docker.probe("-static")
    except docker_module.Unavailable as reason:
        pytest.skip(str(reason))


def records(container) -> list:
    """The signals that probe has recorded so far."""
    return [json.loads(line)["signal"] for line in container.logs().splitlines() if line.startswith("{")]


# ---- any image, any user


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("user", [None, "54321:12345"])
def test_a_container_that_may_do_nothing_runs_the_command(docker, image, user):
    """Read-only root, no /dev/pts, no privileges, a user that nobody knows: the status is the command's."""
    hard = dict(user=user, read_only=True, pts=False, more=["--cap-drop=ALL", "--security-opt=no-new-privileges"])
    result = docker.run(image, *probe(image, "exit", 5), **hard)
    assert (result.status, result.output, result.errors) == (5, b"", b"")


def test_an_image_may_have_nothing_in_it_but_the_program(docker):
    result = docker.run("scratch", "/berth/berth-init", "--version", read_only=True, user="54321")
    assert result.status == 0 and result.stdout.startswith("berth-init ")


def test_what_cannot_be_run_is_127_or_126(docker):
    for command, status in (("no-such-command", 127), ("/no/such/command", 127), ("/dev/null", 126), ("/berth", 126)):
        result = docker.run("scratch", command)
        assert result.status == status and "berth-init: cannot run" in result.stderr, result


@pytest.mark.parametrize("number", [1, 6, 9, 11, 15, 40])
def test_a_signal_that_ends_the_command_is_128_plus_its_number(docker, number):
    result = docker.run("scratch", *probe("scratch", "raise", number), more=["--ulimit=core=0"])
    assert result.status == 128 + number


@pytest.mark.parametrize("image", ["glibc", "musl"])
def test_ssh_reaches_a_job_in_a_container_as_any_user(docker, build_dir, short_dir, image):
    tunnel = Tunnel(short_dir, build_dir)
    short_dir.chmod(0o755)
    with docker.serve(tunnel, image, "sleep", "60", user="54321:12345", read_only=True, pts=False):
        result = tunnel.ssh("job-7", "id -u; cat; exit 7", input="data\n")
        assert (result.status, result.stdout) == (7, "54321\ndata\n"), result
