# SPDX-License-Identifier: MIT
"""The job's side of relays and login nodes, on loopback: registered where it can be, and never worse off for it.

Ways through networks, and relays that are killed, are in test_paths.py.
"""

import base64
import json
import os
import pathlib
import socket
import subprocess

import pytest

import harness
from ports import free_ports
from tunnelrun import Tunnel


class Relay:
    """`berth-tunnel relay` on a port of loopback, and its token."""

    def __init__(self, dir: pathlib.Path, build: pathlib.Path):
        self.dir, self.program, self.process = dir, build / "tunnel" / "berth-tunnel", None
        dir.mkdir(mode=0o700)
        self.port, = free_ports(1)
        self.key = self._run("key", dir / "key").split()[-1]
        token, line = self._run("token", "tests").splitlines()
        self.token = token.removeprefix("token:").strip()
        (dir / "tokens").write_text(line.removeprefix("line:").strip() + "\n")
        (dir / "tokens").chmod(0o600)

    def _run(self, *words) -> str:
        return harness.run([self.program, "relay", *words]).ok().stdout

    def start(self) -> "Relay":
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "relay", "--listen", f"127.0.0.1:{self.port}", "--key", self.dir / "key", "--tokens",
                 self.dir / "tokens"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def site(self, **changes) -> dict:
        return {"url": f"https://127.0.0.1:{self.port}", "key": self.key, "token": self.token, **changes}


class Job(Tunnel):
    """With these relays and paths."""

    def __init__(self, dir, build, relays, *keygen):
        self.relays = dir / "relays.json"
        self.relays.write_text(json.dumps(relays))
        self.relays.chmod(0o600)
        self.keygen = ["--relays", self.relays, *keygen]
        super().__init__(dir, build)

    def run(self, *argv, **more):
        return super().run(*argv, *(self.keygen if argv[:2] == ("keygen", "--job-file") else ()), **more)

    def log(self) -> str:
        return (self.dir / "log").read_text()

    def told(self, *words) -> None:
        harness.until(lambda: all(word in self.log() for word in words), f"{words} in the log of {self.dir}")


@pytest.fixture
def relay(build_dir, short_dir):
    relay = Relay(short_dir / "relay", build_dir).start()
    yield relay
    harness.stop(relay.process)


@pytest.fixture
def other_relay(build_dir, short_dir):
    relay = Relay(short_dir / "other", build_dir).start()
    yield relay
    harness.stop(relay.process)


@pytest.fixture
def job(build_dir, short_dir):
    """Makes one that ends with the test."""
    made = []

    def make(*argv):
        made.append(Job(short_dir, build_dir, *argv))
        return made[-1]
    yield make
    for each in made:
        assert each.stop() == 0


def test_a_job_is_entered_by_a_relay_alone(relay, job):
    tunnel = job([relay.site()], "--paths", "relay").start()
    tunnel.told("registered over relay")
    assert tunnel.ssh("job-7", "echo here; exit 5").status == 5
    tunnel.told("open from relay")


def test_relays_that_are_of_no_use_cost_the_job_nothing(relay, other_relay, job):
    """One is silent, one has another key, one refuses the token, one has a name that nobody knows."""
    another = base64.b64encode(os.urandom(32)).decode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        sites = [relay.site(url=f"https://127.0.0.1:{silent.getsockname()[1]}"), relay.site(key=another),
                 other_relay.site(token="wrong"), relay.site(url="https://nobody.invalid")]
        tunnel = job(sites).start()
        assert tunnel.ssh("job-7", "echo here").ok().stdout == "here\n"
        tunnel.told("relay https://nobody.invalid: ", "token")
        assert "registered over" not in tunnel.log()
        assert tunnel.process.poll() is None


def test_a_job_takes_byte_streams_where_its_endpoint_says(job):
    tunnel = job([]).start()
    address = next(each for each in json.loads(tunnel.endpoint.read_text())["tcp"] if each.startswith("127."))
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as stream:
        stream.sendall(b"GET /else HTTP/1.1\r\nHost: job\r\nConnection: Upgrade\r\nUpgrade: else\r\n\r\n")
        assert stream.recv(4096).startswith(b"HTTP/1.1 404")
    with socket.create_connection((host, int(port)), timeout=10) as stream:
        stream.sendall(b"GET /datagrams HTTP/1.1\r\nHost: job\r\nConnection: Upgrade\r\nUpgrade: berth-datagrams\r\n\r\n")
        assert stream.recv(4096).startswith(b"HTTP/1.1 101")
        stream.sendall(b"\x00\x04junk")
        assert tunnel.ssh("job-7", "echo here").ok().stdout == "here\n"


def test_ways_that_are_not_allowed_are_not_opened(relay, job):
    tunnel = job([relay.site()], "--paths", "direct").start()
    assert "tcp" not in json.loads(tunnel.endpoint.read_text())
    assert tunnel.ssh("job-7", "echo here").ok().stdout == "here\n"
    assert "relay" not in tunnel.log()
