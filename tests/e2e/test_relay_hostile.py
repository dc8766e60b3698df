# SPDX-License-Identifier: MIT
"""A relay that means ill gets nothing but a slow link: hostile.py stands between a real one and its users."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import lab
import ways
from sessions import Session
from transfers import MIB, Echo

HOSTILE = pathlib.Path(__file__).with_name("hostile.py")
INNER_PORT = 4443
SIZE = 4 * MIB

# The share of packets that each deed is done to; all of them at once in the end.
DEEDS = {
    "drops": "drop=0.05",
    "replays": "replay=0.3",
    "reorders": "reorder=0.1",
    "corrupts": "corrupt=0.05 truncate=0.02",
    "swaps": "swap=0.3",
    "resets": "reset=0.3",
    "all": "drop=0.02 replay=0.05 reorder=0.05 corrupt=0.02 truncate=0.01 swap=0.05 reset=0.05",
}
NONE = " ".join(f"{kind}=0" for kind in ("drop", "replay", "reorder", "corrupt", "truncate", "swap", "reset"))


class HostileRelay(ways.Relay):
    """The real one listens on loopback, and what its users reach is the double."""

    def start(self) -> "HostileRelay":
        self.address, self.listen_port = "127.0.0.1", INNER_PORT
        super().start()
        self.double = subprocess.Popen([*self.node.prefix, sys.executable, HOSTILE, self.node.addresses[0],
                                        str(ways.RELAY_PORT), str(INNER_PORT), self.key], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        assert self.double.stdout.readline() == "ready\n"
        return self

    def say(self, line: str) -> str:
        self.double.stdin.write(f"{line}\n")
        self.double.stdin.flush()
        return self.double.stdout.readline()

    def stop(self) -> int:
        self.double.communicate()
        return super().stop()


@pytest.fixture(scope="module")
def internet(build_dir, session_dir, home):
    directory = session_dir / "hostile"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            node = internet.world.server("relay")
            internet.servers["relay"] = HostileRelay(directory / "server-relay", build_dir, node).start()
            yield internet
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


@pytest.fixture(scope="module")
def pair(internet) -> list:
    """Two jobs of two people, who use the same relay."""
    return [internet.way("relay", label, paths="relay") for label in ("one", "two")]


@pytest.mark.parametrize("deed", DEEDS)
def test_a_hostile_relay_is_a_slow_link(internet, pair, deed):
    before = json.loads(internet.relay.say("stats"))
    contents = [(b"MARKER%d" % number) * (SIZE // 7) + os.urandom(1000) for number in range(2)]
    with Session(pair[0]) as session:
        session.check()
        transfers = [Echo(way.argv("job-7", "cat"), way.env(), content) for way, content in zip(pair, contents)]
        try:
            for transfer in transfers:
                transfer.until_received(1)
            assert internet.relay.say(DEEDS[deed]) == "ok\n"
            session.check()
            for transfer in transfers:
                transfer.check()
            session.check()
        finally:
            internet.relay.say(NONE)
            for transfer in transfers:
                transfer.kill()
        session.end()
    after = json.loads(internet.relay.say("stats"))
    for word in DEEDS[deed].split():
        kind = word.partition("=")[0]
        assert after.get(kind, 0) - before.get(kind, 0) >= 10, f"{kind} was hardly done: {after}"
    assert "marker" not in after, "what is said in the tunnel was seen in the clear"


def test_a_relay_with_another_key_is_left_alone(internet, pair):
    """Whoever took the relay's address over is not even spoken to: what is for the true one bears its tag."""
    way = pair[0]
    client = way.tunnel.dir / "client.json"
    told = client.read_text()
    other = json.loads(told)
    other["relays"][0]["key"] = "A" * 42 + "E="  # a point of the curve like any other
    try:
        client.write_text(json.dumps(other))
        result = way.ssh("true")
    finally:
        client.write_text(told)
    assert result.status == 255 and "no answer from the relay" in result.stderr, result
    way.ssh("true").ok()


def test_a_job_that_somebody_else_claims_is_not_his(internet, pair):
    """A workstation that holds another key than the job's is refused by the job itself, whatever the relay joins."""
    one, two = pair
    client = one.tunnel.dir / "client.json"
    told = client.read_text()
    try:
        client.write_text(json.dumps({**json.loads(told), "key": json.loads((two.tunnel.dir / "client.json")
                                                                            .read_text())["key"]}))
        result = one.ssh("true", timeout=60)
    finally:
        client.write_text(told)
    assert result.status == 255 and "key" in result.stderr, result
