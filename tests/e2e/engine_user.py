# SPDX-License-Identifier: MIT
"""A user whose cluster is a container engine, for tests that run once for each engine.

    from engine_user import here, ssh  # noqa: F401

    here        berth with DOCKER_HOST; here.run("musl", "--", "true") -> job-1, here.start() waits until it runs
    ssh         the stock client of the same user
"""

import pytest

from conftest import Berth, Ssh, enter_home, leave_home


class Here(Berth):
    """berth as a user whose cluster is this engine."""

    def __init__(self, program, home, engine):
        super().__init__(program, home, {"DOCKER_HOST": engine.url})
        self.engine = engine

    def run(self, image, *argv, **more) -> str:
        return self.submit("-b", "docker", "--network", "host", "--image", self.engine.image(image), *argv, **more)

    def start(self, image, *argv, **more) -> str:
        name = self.run(image, *argv, **more)
        self.wait(name, "RUNNING")
        return name

    def container(self, name: str) -> dict:
        return self.engine.container(self.job(name))


@pytest.fixture(scope="module")
def here(build_dir, session_dir, engine):
    home = enter_home(session_dir)
    berth = Here(build_dir / "controller" / "berth", home, engine)
    yield berth
    berth.cancel_all()
    leave_home(session_dir, home, build_dir)


@pytest.fixture(scope="module")
def ssh(here):
    return Ssh(here.home, here.extra)
