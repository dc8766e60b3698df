# SPDX-License-Identifier: MIT
"""Images from a registry: Debian's docker-registry, with and without a password, and what is said when it has none."""

import base64
import json

import pytest

import engines
import registry
from conftest import Berth, enter_home, leave_home

DENIED, NOT_FOUND, UNAVAILABLE = 77, 66, 69
USER, PASSWORD = "berth", "se-cret"
# htpasswd -Bbn -C 4 berth se-cret
HTPASSWD = "berth:$2y$04$DbvGMabzA9DAoaF0LvHUgeWDP9ZPMFlg0OJMDxaUlkcfjiepJFKGK\n"


@pytest.fixture(scope="module")
def engine(docker):
    return engines.Dockerd(docker)


@pytest.fixture(scope="module")
def here(build_dir, session_dir, engine):
    home = enter_home(session_dir)
    berth = Berth(build_dir / "controller" / "berth", home, {"DOCKER_HOST": engine.url})
    yield berth
    berth.cancel_all()
    leave_home(session_dir, home, build_dir)


def auths(images, password: str) -> str:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    return json.dumps({"auths": {images.host: {"auth": auth}}})


@pytest.fixture(scope="module", params=["open", "guarded"])
def images(request, engine, session_dir):
    """A registry with the image NAME, which the engine itself does not have."""
    path = session_dir / f"pull-{request.param}"
    path.mkdir()
    try:
        server = registry.Real(path, HTPASSWD if request.param == "guarded" else None)
    except registry.Unavailable as reason:
        pytest.skip(str(reason))
    with server:
        server.name = f"{server.host}/some/where:1.0"
        engine.call("tag", engine.image("busybox"), server.name).ok()
        client = engine.dir / "client" / "config.json"
        client.parent.mkdir(exist_ok=True)
        client.write_text(auths(server, PASSWORD) if server.guarded else "{}")
        engine.call("push", "--quiet", server.name, timeout=120).ok()
        client.unlink()
        yield server


@pytest.fixture
def absent(engine, images):
    engine.call("rmi", "--no-prune", images.name)
    yield images
    engine.call("rmi", "--no-prune", images.name)


def credentials(images, short_dir, password: str) -> dict:
    path = short_dir / "auth.json"
    path.write_text(auths(images, password))
    path.chmod(0o600)
    return {"REGISTRY_AUTH_FILE": path}


def run(here, image, *options, **env):
    return here.with_env(**env)("run", "-q", "-b", "docker", "--network", "host", "--image", image, *options, "--", "true",
                                timeout=120)


def check(here, result) -> None:
    name = result.ok().stdout.strip()
    assert here.wait(name, "SUCCEEDED", "FAILED")["state"] == "SUCCEEDED"


def test_an_image_is_fetched_when_it_is_not_there(here, absent, short_dir):
    env = credentials(absent, short_dir, PASSWORD) if absent.guarded else {}
    never = run(here, absent.name, "--pull", "never", **env)
    assert never.status == NOT_FOUND and "--pull=never" in never.stderr, f"{never}"
    check(here, run(here, absent.name, **env))
    check(here, run(here, absent.name, "--pull", "never"))
    check(here, run(here, absent.name, "--pull", "always", **env))


def test_what_the_registry_does_not_have_is_told_in_a_line(here, absent, short_dir):
    env = credentials(absent, short_dir, PASSWORD) if absent.guarded else {}
    for image in f"{absent.host}/some/where:2.0", f"{absent.host}/none/such":
        result = run(here, image, **env)
        assert result.status == NOT_FOUND and len(result.stderr.splitlines()) == 1, f"{result}"
        assert image in result.stderr, f"{result}"


def test_who_has_no_password_or_a_wrong_one_is_told_so(here, absent, short_dir):
    if not absent.guarded:
        pytest.skip("this registry is open to everybody")
    for env in {}, credentials(absent, short_dir, "wrong"):
        result = run(here, absent.name, **env)
        assert result.status == DENIED and len(result.stderr.splitlines()) == 1, f"{result}"
        assert absent.name in result.stderr, f"{result}"


def test_a_registry_that_does_not_answer_is_told(here, engine):
    result = run(here, "127.0.0.1:1/a/b:c")
    assert result.status == UNAVAILABLE and "127.0.0.1:1" in result.stderr, f"{result}"
