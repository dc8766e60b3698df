# SPDX-License-Identifier: MIT
"""Jobs of an ordinary user: with an engine of his own, rootless Podman or Docker, which berth finds by itself, and with
root's."""

import os

import pytest

import engine_rootless
from conftest import Berth, Ssh


@pytest.fixture(scope="module", params=["podman", "docker", "rootful"])
def engine(request, session_dir):
    path = session_dir / f"rootless-{request.param}"
    path.mkdir(mode=0o755)
    user = None
    try:
        user = engine_rootless.User(path)
        if request.param == "rootful":
            made = engine_rootless.Borrowed(user, request.getfixturevalue("docker"))
        else:
            made = {"podman": engine_rootless.Podman, "docker": engine_rootless.Dockerd}[request.param](user)
        made.start()
        made.before = set(made.left())
    except engine_rootless.Unavailable as reason:
        if user:
            user.close()
        pytest.skip(f"no rootless engine: {reason}")
    yield made
    made.stop()
    user.close()


@pytest.fixture(scope="module")
def here(build_dir, engine):
    extra = {"DOCKER_HOST": engine.url} if engine.name == "root's Docker" else {}
    return Berth(engine.user.program(build_dir / "controller" / "berth"), engine_rootless.Home(engine.user), extra)


@pytest.fixture(scope="module")
def ssh(here, engine):
    class AsUser(Ssh):
        def argv(self, *argv) -> list:
            return [*engine.user.prefix, *super().argv(*argv)]
    return AsUser(here.home, here.extra)


# Root in a rootless engine is the user, everybody else one of his subordinate users; in root's they are who they are.
@pytest.mark.parametrize("who", ["0", "2000:3000", str(engine_rootless.UID)])
def test_ssh_leads_into_a_container_of_an_ordinary_user(here, engine, ssh, who):
    network = "none" if engine.name == "rootless Docker" else "host"
    script = "id -u; while ! [ -e /tmp/end ]; do sleep 0.1; done; exit 6"
    name = here.submit("-b", "docker", "--image", engine.image("busybox"), "--network", network, "--user", who, "--", "sh",
                       "-c", script)
    here.wait(name, "RUNNING")
    result = ssh(name, "id -u; cat", input="typed\n")
    assert result.ok().stdout == f"{who.split(':')[0]}\ntyped\n"
    # Not by ssh, and however it ends: with the container goes what its last command would still say.
    engine.call("exec", f"berth-{here.job(name)['uid']}", "touch", "/tmp/end")
    assert here.wait(name, "FAILED")["exit_code"] == 6
    assert here("logs", name).stdout == f"{who.split(':')[0]}\n"
    # Bound where the files can be ours.
    bound = {"rootless Podman": (), "rootless Docker": ("0",), "root's Docker": ("0", str(engine_rootless.UID))}
    assert (here.job_dir(name) / "container").exists() == (who in bound[engine.name])


def test_what_it_has_made_goes(here, engine):
    here("gc", "--retention", "0s", timeout=90).ok()
    assert set(engine.left()) == engine.before
    assert os.listdir(here.home.berth_home / "jobs") == []
