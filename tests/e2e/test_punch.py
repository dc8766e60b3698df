# SPDX-License-Identifier: MIT
"""What becomes of a way through NATs: the network dies on it, the workstation moves, the relay goes.

That it is found at all, and between which NATs, is test_nat.py's.
"""

import os
import subprocess

import pytest

import harness
import lab
import ways


class Talk:
    """A session that echoes lines, and what its client says of paths."""

    def __init__(self, tunnel, env, log):
        self.log, self.count = log, 0
        with open(log, "wb") as said:
            self.process = subprocess.Popen([*tunnel.argv("job-7", "cat")], env=env, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def echo(self) -> None:
        """A line there and back; what the network lost meanwhile is noticed in seconds, here with those of a busy machine."""
        self.count += 1
        line, got = f"line {self.count}\n".encode(), bytearray()
        self.process.stdin.write(line)
        self.process.stdin.flush()
        os.set_blocking(self.process.stdout.fileno(), False)

        def came():
            more = self.process.stdout.read(len(line) - len(got))
            assert more != b"", self.log.read_text()
            got.extend(more or b"")
            return len(got) == len(line)
        harness.until(came, f"echo: {self.log}", limit=20, interval=0.005)
        assert got == line, self.log.read_text()

    def moves(self, where: str) -> int:
        """How often the connection has moved there."""
        return self.log.read_text().count(f"moved to {where}") + self.log.read_text().count(f" to {where} ")

    def until_punched(self, times: int) -> None:
        harness.until(lambda: self.moves("punched") >= times, "way through the NATs", limit=10)

    def end(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(20 * harness.PATIENCE) == 0


class Place:
    """A job that nobody reaches from outside, and a workstation behind two networks."""

    def __init__(self, internet, dir, job_nat, home_nat):
        world, self.env, self.dir, self.talks = internet.world, internet.home.env(), dir, 0
        self.site, self.home = world.uplink(f"{dir.name}-site", job_nat), world.uplink(f"{dir.name}-home", home_nat)
        self.hotel = world.uplink(f"{dir.name}-hotel", home_nat)
        self.laptop = world.host(f"{dir.name}-laptop", self.home)
        self.tunnel = ways.Tunnel(dir, internet.build, world.host(f"{dir.name}-job", self.site), self.laptop,
                                  "--relays", internet.relays_file).start()
        for uplink in self.site, self.home, self.hotel:
            uplink.link.shape(delay_ms=5)

    def talk(self) -> Talk:
        self.talks += 1
        return Talk(self.tunnel, self.env, self.dir / f"said-{self.talks}")

    def part(self, is_parted: bool) -> None:
        """Nothing passes between the two networks directly; each reaches the relay."""
        public = self.site.routers[0].wan_address
        rules = [f"ip daddr {public} drop", f"ip saddr {public} drop"] if is_parted else []
        self.home.routers[0].limit(*rules)


@pytest.fixture(scope="module")
def internet(build_dir, session_dir, home):
    directory = session_dir / "punch"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as made:
            yield made
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


@pytest.fixture(scope="module")
def place(internet):
    made = Place(internet, internet.dir / "moderate", "moderate", "moderate")
    yield made
    made.tunnel.stop()


def test_a_session_is_direct_soon_after_it_began(place):
    with place.talk() as talk:
        talk.echo()
        talk.until_punched(1)
        talk.echo()
        talk.end()


def test_a_way_that_dies_is_left_for_the_relay(place):
    with place.talk() as talk:
        talk.echo()
        talk.until_punched(1)
        place.part(True)
        try:
            talk.echo()
            assert talk.moves("relay") == 1, talk.log.read_text()
            talk.echo()
        finally:
            place.part(False)
        talk.echo()
        talk.end()


def test_a_workstation_that_moves_finds_another_way(place):
    with place.talk() as talk:
        talk.echo()
        talk.until_punched(1)
        place.laptop.move(place.home, place.hotel)
        try:
            talk.echo()
            talk.until_punched(2)
            talk.echo()
        finally:
            place.laptop.move(place.hotel, place.home)
        talk.until_punched(3)
        talk.echo()
        talk.end()


def test_a_direct_way_needs_no_relay(internet, place):
    with place.talk() as talk:
        talk.echo()
        talk.until_punched(1)
        internet.relay.kill()
        try:
            for _ in range(20):
                talk.echo()
            assert talk.moves("relay") == 0, talk.log.read_text()
        finally:
            internet.relay.start()
        talk.echo()
        talk.end()


def test_a_job_behind_a_symmetric_nat_is_reached(internet):
    made = Place(internet, internet.dir / "strict", "strict", "easy")
    try:
        with made.talk() as talk:
            talk.echo()
            talk.until_punched(1)
            assert "(peer-reflexive)" in talk.log.read_text()
            made.part(True)
            talk.echo()
            made.part(False)
            talk.end()
    finally:
        made.tunnel.stop()
