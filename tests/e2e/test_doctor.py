# SPDX-License-Identifier: MIT
"""`berth-tunnel doctor` in networks with something wrong: it names that, and takes less than five seconds.

The networks are those of ways.py; one job and one laptop serve all tests of a way.
"""

import json
import time

import pytest

import harness
import lab
import ways

# What waits for a host that says nothing waits for minutes.
LIMIT = 25


@pytest.fixture(scope="module")
def internet(build_dir, session_dir, home):
    directory = session_dir / "doctor"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            yield internet
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


class Findings:
    """What one run of doctor found, by check."""

    def __init__(self, result: harness.Result):
        self.status, said = result.status, json.loads(result.stdout)
        self.worst, self.all = said["worst"], said["findings"]

    def __getitem__(self, check: str) -> dict:
        found = [each for each in self.all if each["check"] == check]
        assert found, f"nothing about {check} in {self.all}"
        return found[0]

    def says(self, check: str, level: str, *words) -> None:
        found = self[check]
        assert found["level"] == level and all(word in found["text"] for word in words), found


def examine(way, *words, node=None, env=None) -> Findings:
    node, began = node or way.laptop, time.monotonic()
    words = words or ("--client-file", way.tunnel.dir / "client.json", "--endpoint", way.tunnel.endpoint)
    argv = [*node.prefix, way.tunnel.program, "doctor", "--output", "json", *words]
    result = harness.run(argv, env=way.internet.home.env(**(way.more_env if env is None else env)), timeout=30)
    assert time.monotonic() - began < LIMIT
    return Findings(result)


def relays_file(way, name: str, **changes):
    path = way.internet.dir / name
    path.write_text(json.dumps([{**way.internet.relay.site(), **changes}]))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def relayed(internet):
    """The job's NAT is symmetric, the laptop's is not; both may use the relay as they like."""
    return internet.way("relay")


@pytest.fixture(scope="module")
def blocked(internet):
    return internet.way("relay-tcp")


def test_nothing_is_wrong(relayed):
    found = examine(relayed)
    assert (found.status, found.worst in ("ok", "note")) == (0, True), found.all
    for check in "udp", "tcp", "token", "meeting", "relay", "relay-tcp", "mtu":
        assert found[check]["level"] == "ok", found[check]
    for check in "udp", "tcp", "relay", "relay-tcp":
        assert 0 < found[check]["took_ms"] < LIMIT * 1000
    found.says("direct", "note", "not allow")


def test_text_is_a_line_a_finding(relayed):
    result = harness.run([*relayed.laptop.prefix, relayed.tunnel.program, "doctor", "--relays",
                          relayed.internet.relays_file], env=relayed.env()).ok()
    assert [line.split()[:2] for line in result.stdout.splitlines()][:2] == [["ok", "udp"], ["ok", "tcp"]]


@pytest.mark.parametrize("kind", ("relay", "relay-tcp"))
def test_a_path_is_chosen(relayed, kind):
    tunnel = relayed.tunnel
    argv = [*relayed.laptop.prefix, tunnel.program, "exec", "--client-file", tunnel.dir / "client.json", "--endpoint",
            tunnel.endpoint, "--path", kind, "-v", "--", "echo", "there"]
    result = harness.run(argv, env=relayed.env()).ok()
    assert result.stdout == "there\n" and f"connected: {kind} " in result.stderr
    argv[argv.index(kind)] = "direct"
    refused = harness.run(argv, env=relayed.env())
    assert refused.status == 64 and "does not allow it" in refused.stderr


def test_udp_is_blocked(blocked):
    found = examine(blocked)
    assert found.status == 1
    found.says("udp", "warning", "this network drops UDP; berth uses TCP there, which is slower")
    found.says("relay-tcp", "ok", "proves its key")
    assert found["relay"]["level"] == "warning"


def test_a_wrong_token(relayed):
    found = examine(relayed, "--relays", relays_file(relayed, "wrong-token.json", token="wrong"))
    assert found.status == 2
    found.says("udp", "ok")
    found.says("tcp", "ok")
    found.says("token", "failure", "does not know this token", "ask whoever runs it")


def test_a_relay_that_is_down(relayed):
    relayed.internet.relay.kill()
    try:
        found = examine(relayed)
    finally:
        relayed.internet.relay.start()
    assert found.status == 2
    assert found["udp"]["level"] == found["tcp"]["level"] == found["relay"]["level"] == "failure"


def test_a_name_that_nobody_answers_for(relayed):
    found = examine(relayed, "--relays", relays_file(relayed, "no-name.json", url="https://relay.example.org"))
    assert found.status == 2
    assert found["name"]["level"] == "failure"


def test_a_proxy_that_wants_a_password(internet):
    way = internet.way("proxy")
    found = examine(way)
    found.says("proxy", "ok", "https_proxy", "works")
    found.says("relay-tcp", "ok", "proves its key")
    plain = {"https_proxy": way.more_env["https_proxy"].replace("user:p%61ssword@", "")}
    found = examine(way, env=plain)
    assert found.status == 2
    found.says("proxy", "failure", "wants a user and a password", "USER:PASSWORD")


def test_the_kind_of_nat(relayed):
    relays = ("--relays", relayed.internet.relays_file)
    examine(relayed, *relays).says("nat", "ok", "to everybody")
    found = examine(relayed, *relays, node=relayed.tunnel.job_node)
    found.says("nat", "note", "symmetric")
    assert found.status == 0


def test_a_job_that_has_ended(relayed):
    assert relayed.tunnel.stop() == 0
    try:
        found = examine(relayed)
    finally:
        relayed.tunnel.start()
    assert found.status == 2
    found.says("meeting", "warning", "not registered")
    assert found["relay"]["level"] == "failure"


def test_a_login_node(internet):
    found = examine(internet.way("login"))
    found.says("login", "ok", "proves its key")
    assert found.status == 0, found.all
