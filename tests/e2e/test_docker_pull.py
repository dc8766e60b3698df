# SPDX-License-Identifier: MIT
"""Images from a registry: Debian's docker-registry, with and without a password, and what is said when it has none."""

import json
import os

import pytest

import docker as docker_module
import registry
import terminal
from engine_user import here  # noqa: F401

DENIED, NOT_FOUND, UNAVAILABLE = 77, 66, 69


@pytest.fixture(scope="module", params=["open", "guarded"])
def images(request, docker, engine, session_dir):
    """A registry with the image NAME, which the engine itself does not have; the suite's dockerd brought it there."""
    path = session_dir / f"pull-{engine.name}-{request.param}"
    path.mkdir()
    guarded = request.param == "guarded"
    try:
        server = registry.Real(path, registry.HTPASSWD if guarded else None, f"127.0.0.1:{engine.registries[guarded]}")
    except registry.Unavailable as reason:
        pytest.skip(str(reason))
    with server:
        server.name = f"{server.host}/some/where:1.0"
        docker.call("tag", docker.image("busybox"), server.name).ok()
        server.push_from(docker, server.name)
        yield server


@pytest.fixture
def absent(engine, images):
    engine.call("rmi", "--force", images.name)
    yield images
    engine.call("rmi", "--force", images.name)


def run(here, image, *options, **env):
    return here("run", "-q", "-b", "docker", "--network", "host", "--image", image, *options, "--", "true",
                env=env, timeout=120)


def check(here, result) -> None:
    name = result.ok().stdout.strip()
    assert here.wait(name, "SUCCEEDED", "FAILED")["state"] == "SUCCEEDED"


def test_an_image_is_fetched_when_it_is_not_there(here, absent, short_dir):
    env = absent.credentials(short_dir) if absent.guarded else {}
    never = run(here, absent.name, "--pull", "never", **env)
    assert never.status == NOT_FOUND and "--pull=never" in never.stderr, f"{never}"
    check(here, run(here, absent.name, **env))
    check(here, run(here, absent.name, "--pull", "never"))
    check(here, run(here, absent.name, "--pull", "always", **env))


def test_what_the_registry_does_not_have_is_told_in_a_line(here, absent, short_dir):
    env = absent.credentials(short_dir) if absent.guarded else {}
    for image in f"{absent.host}/some/where:2.0", f"{absent.host}/none/such":
        result = run(here, image, **env)
        assert result.status == NOT_FOUND and len(result.stderr.splitlines()) == 1, f"{result}"
        assert image in result.stderr, f"{result}"


def test_who_has_no_password_or_a_wrong_one_is_told_so(here, absent, short_dir):
    if not absent.guarded:
        pytest.skip("this registry is open to everybody")
    for env in {}, absent.credentials(short_dir, "wrong"):
        result = run(here, absent.name, **env)
        assert result.status == DENIED and len(result.stderr.splitlines()) == 1, f"{result}"
        assert absent.name in result.stderr, f"{result}"


def test_a_registry_that_does_not_answer_is_told(here, engine):
    result = run(here, "127.0.0.1:1/a/b:c")
    assert result.status == UNAVAILABLE and "127.0.0.1:1" in result.stderr, f"{result}"


def helper(images, short_dir) -> dict:
    """A password that a program of the user's knows (docker-credential-*)."""
    program = short_dir / "docker-credential-tests"
    answer = json.dumps({"ServerURL": images.host, "Username": registry.USER, "Secret": registry.PASSWORD})
    program.write_text(f"#!/bin/sh\nread -r server\n[ \"$1 $server\" = 'get {images.host}' ] && echo '{answer}'\n")
    program.chmod(0o755)
    (short_dir / "config.json").write_text(json.dumps({"credHelpers": {images.host: "tests"}}))
    return {"DOCKER_CONFIG": short_dir, "PATH": f"{short_dir}:{os.environ['PATH']}"}


def test_a_helper_is_asked_for_the_password(here, absent, short_dir):
    if not absent.guarded:
        pytest.skip("this registry is open to everybody")
    check(here, run(here, absent.name, **helper(absent, short_dir)))


@pytest.fixture
def large(docker, engine, images):
    """A registry that takes its time with an image of one layer of some size."""
    if images.guarded:
        pytest.skip("one of them is enough")
    with registry.Slow(engine.registries[2], images.host) as slow:
        tree = docker_module.Tree()
        tree.file("large", os.urandom(4 << 20))
        docker._busybox(tree)
        name = f"{images.host}/large:1"
        docker.call("import", "-", name, input=tree.close(), timeout=120).ok()
        images.push_from(docker, name)
        slow.name = f"{slow.host}/large:1"
        yield slow
        engine.call("rmi", "--force", slow.name)


def test_how_far_an_image_is_is_shown_on_a_terminal(here, engine, large):
    argv = [here.program, "run", "-b", "docker", "--network", "host", "--image", large.name, "--", "true"]
    with terminal.Terminal(argv, here.env(), 24, 120) as screen:
        screen.expect("[")
        screen.expect("% ")
        screen.expect(f"/s {large.name}")
        large.go.set()
        screen.expect("\x1b[K")
        assert screen.end(60) == 0
        assert large.name not in screen.screen.decode().rpartition("\x1b[K")[2]
    engine.call("rmi", "--force", large.name)
    assert "[" not in run(here, large.name).stderr
