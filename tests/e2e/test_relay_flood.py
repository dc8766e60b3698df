# SPDX-License-Identifier: MIT
"""Strangers flood what listens in public: sessions go on, memory stays bounded, and nobody is flooded by our answers."""

import base64
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

import harness
import lab
import ways
from sessions import Session
from transfers import MIB, Echo

FLOOD = pathlib.Path(__file__).with_name("flood.py")

# Datagrams, or connections; each is done in a second or two.
FLOODS = {"garbage": 20_000, "short": 20_000, "versions": 10_000, "initials": 6_000}

# What a flood may add to the memory of a program, in MiB. Half-open connections of a hundred kilobytes each are limited
# by Retry; what is queued by a quota.
GROWTH = 48

# Bytes that come back for each byte of a stranger's: RFC 9000 8.1.
AMPLIFICATION = 3


class Target:
    """What is flooded: where it listens, its process, and a way into a job past it."""

    tag = ""  # what ids of its connections begin with, in hex

    def __init__(self, way, address: str, port: int, process):
        self.way, self.address, self.port, self.process = way, address, port, process

    def memory(self) -> float:
        """Resident, in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


@pytest.fixture(scope="module")
def internet(build_dir, session_dir, home):
    pytest.importorskip("cryptography", reason="no python3-cryptography: apt-get install python3-paramiko")
    directory = session_dir / "flood"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            internet.stranger = internet.world.server("stranger")
            yield internet
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


def target_job(internet) -> Target:
    way = internet.way("direct")
    address, _, port = way.tunnel.addresses()[0].rpartition(":")
    return Target(way, address, int(port), way.tunnel.process)


def target_relay(internet) -> Target:
    relay = internet.relay
    target = Target(internet.way("relay"), relay.address, ways.RELAY_PORT, relay.process)
    target.tag = hashlib.sha256(b"berth tag" + base64.b64decode(relay.key)).hexdigest()[:16]
    return target


TARGETS = {"job": target_job, "relay": target_relay}


@pytest.fixture(scope="module", params=TARGETS)
def target(internet, request) -> Target:
    return TARGETS[request.param](internet)


@pytest.fixture(scope="module")
def recorded(internet, tmp_path_factory) -> pathlib.Path:
    """The first flight of a client of ours, whoever it is for: a hello is the same for all but its connection id."""
    way = internet.way("direct")
    directory = tmp_path_factory.mktemp("recorded")
    endpoint, file = directory / "endpoint.0.json", directory / "flight.json"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trap:
        trap.bind(("127.0.0.1", 0))
        trap.settimeout(10 * harness.PATIENCE)
        told = {**json.loads(way.tunnel.endpoint.read_text()), "addresses": ["127.0.0.1:%d" % trap.getsockname()[1]]}
        endpoint.write_text(json.dumps(told))
        client = subprocess.Popen([way.tunnel.program, "knock", "--client-file", way.tunnel.dir / "client.json",
                                   "--endpoint", endpoint], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            flight = [trap.recv(2000) for _ in range(2)]
        finally:
            client.kill()
            client.communicate()
    file.write_text(json.dumps([datagram.hex() for datagram in flight]))
    return file


def flooded(internet, target, kind: str, recorded) -> float:
    """Bytes that the stranger got for each that arrived from him."""
    before = internet.stranger.link.stats()
    count = int(internet.stranger.run(sys.executable, FLOOD, kind, target.address, target.port, FLOODS[kind],
                                      recorded, target.tag).ok().stdout)
    assert count >= FLOODS[kind]
    after = internet.stranger.link.stats()
    sent, came = [after[way]["bytes"] - before[way]["bytes"] for way in ("ab", "ba")]
    assert sent > 100_000, "the flood did not get out"
    return came / sent


@pytest.mark.parametrize("kind", FLOODS)
def test_strangers_hurt_nobody(internet, target, recorded, kind):
    with Session(target.way) as session:
        session.check()
        before = target.memory()
        transfer = Echo(target.way.argv("job-7", "cat"), target.way.env(), os.urandom(8 * MIB))
        try:
            transfer.until_received(1)
            factor = flooded(internet, target, kind, recorded)
            session.check()
            transfer.check()
        finally:
            transfer.kill()
        session.check()
        session.end()
    assert factor <= AMPLIFICATION, f"{factor:.2f} bytes for one"
    assert target.memory() - before <= GROWTH
