# SPDX-License-Identifier: MIT
"""`berth-tunnel relay` as a site sees it: files, signals, metrics, refusals. On loopback; relay-load is the clients."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

import harness


class Relay:
    """A relay on loopback, with its files in a directory."""

    def __init__(self, dir: pathlib.Path, build: pathlib.Path):
        self.dir, self.program = dir, build / "tunnel" / "berth-tunnel"
        self.load = build / "tests" / "sim" / "relay-load"
        self.process, self.log = None, dir / "log"
        self.key = self.run("key", dir / "key.json").ok().stdout.strip()
        self.tokens, self.lines = {}, {}
        for name in ("alice", "bob"):
            first, second = self.run("token", name).ok().stdout.splitlines()
            self.tokens[name], self.lines[name] = first.removeprefix("token: "), second
        self.admit("alice", "bob")

    def run(self, *words) -> harness.Result:
        return harness.run([self.program, "relay", *words], timeout=10)

    def admit(self, *names, more="") -> None:
        (self.dir / "tokens").write_text("# who may\n" + "".join(f"{self.lines[name]} {more}\n" for name in names))

    def options(self) -> list:
        return ["--key", self.dir / "key.json", "--tokens", self.dir / "tokens", "--listen", "127.0.0.1:0",
                "--metrics", "127.0.0.1:0", "--drain", "20s", "--address-rate", "1000"]

    def start(self, *more) -> "Relay":
        self.log.unlink(missing_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([self.program, "relay", *map(str, self.options()), *more],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.address = self.said(r"listens on (127\.0\.0\.1:\d+)")[1]
        self.metrics_at = self.said(r"metrics on (127\.0\.0\.1:\d+)")[1]
        return self

    def stop(self) -> int:
        """At once: the first signal drains, the second does not wait."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.said("draining|ending")
            # With nobody to wait for it ends by itself, and takes no second signal while it does.
            if "ending" in self.log.read_text():
                return self.process.wait(10 * harness.PATIENCE)
        return harness.stop(self.process) if self.process else 0

    def said(self, pattern: str):
        """Waits for it in the log."""
        return harness.until(lambda: re.search(pattern, self.log.read_text()), f"'{pattern}' in the log")

    def get(self, path: str) -> tuple:
        try:
            with urllib.request.urlopen(f"http://{self.metrics_at}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        status, text = self.get("/metrics")
        assert status == 200
        return float(re.search(rf"^berth_relay_{re.escape(name)} (\S+)$", text, re.M)[1])

    def client(self, user: str, *words) -> list:
        return [self.load, self.address, self.key, self.tokens.get(user, "no-such-token"), *map(str, words)]

    @contextlib.contextmanager
    def registered(self, user: str, count=3):
        """So many jobs that are registered and do nothing else."""
        process = subprocess.Popen(self.client(user, "idle", count, 600), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == f"ready {count}\n", process.stderr.read()
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def shared(build_dir, tmp_path_factory):
    relay = Relay(tmp_path_factory.mktemp("relay"), build_dir).start()
    yield relay
    assert relay.stop() == 0


@pytest.fixture
def own(build_dir, tmp_path):
    relay = Relay(tmp_path, build_dir)
    yield relay
    relay.stop()


def test_a_key_file_is_private_and_never_replaced(own):
    path = own.dir / "key.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(path.read_text())["relay"]) == 44
    before = path.read_bytes()
    again = own.run("key", path)
    assert (again.status, path.read_bytes()) == (73, before)
    path.chmod(0o640)
    refused = own.run(*own.options())
    assert refused.status == 77 and "key.json" in refused.stderr


def test_a_file_of_tokens_has_no_token_in_it(shared):
    text = (shared.dir / "tokens").read_text()
    assert "sha256:" in text
    assert not any(token in text for token in shared.tokens.values())
    assert len(set(shared.tokens.values())) == 2


@pytest.mark.sanitize
def test_packets_come_and_go_through_a_relay(shared):
    result = harness.run(shared.client("alice", "echo", 200, 300)).ok()
    assert "\necho count 300 " in result.stdout
    assert shared.metric('forwarded_packets_total{from="client"}') >= 300
    assert shared.metric('user_forwarded_bytes_total{user="alice"}') >= 2 * 300 * 200
    assert shared.metric('dropped_packets_total{reason="unpaired"}') == 0


def test_who_has_no_token_is_told_so_and_counted(shared):
    before = shared.metric('refused_total{code="token"}')
    refused = harness.run(shared.client("nobody", "idle", 1, 5))
    assert (refused.status, refused.stderr) == (1, "relay-load: the relay does not know this token\n")
    assert shared.metric('refused_total{code="token"}') == before + 1
    shared.said(r"job [0-9a-f]{8} from 127\.0\.0\.1:\d+: refused: the relay does not know this token")
    assert "no-such-token" not in shared.log.read_text()


@pytest.mark.sanitize
def test_registrations_are_counted_while_they_are_there(shared):
    with shared.registered("bob", 5):
        assert shared.metric('registrations{role="job"}') >= 5
        assert shared.metric('user_registrations{user="bob",role="job"}') == 5
        assert shared.get("/health") == (200, "ok\n")
    assert shared.get("/nothing")[0] == 404


def test_a_listener_for_metrics_is_not_held_by_those_who_say_nothing(shared):
    host, port = shared.metrics_at.split(":")
    with contextlib.ExitStack() as stack:
        for _ in range(14):
            stack.enter_context(socket.create_connection((host, int(port))))
        assert shared.get("/health")[0] == 200
        many = stack.enter_context(socket.create_connection((host, int(port))))
        many.sendall(b"GET /" + b"x" * 5000)
        assert many.recv(100).startswith(b"HTTP/1.0 431 ")


@pytest.mark.sanitize
def test_sighup_takes_a_new_file_of_tokens_and_not_a_broken_one(own):
    own.start()
    with own.registered("alice") as alice, own.registered("bob") as bob:
        (own.dir / "tokens").write_text("alice sha256:12\n")
        own.process.send_signal(signal.SIGHUP)
        own.said(r"the old tokens stay: .*tokens: line 1: ")
        own.admit("bob")
        own.process.send_signal(signal.SIGHUP)
        assert "the relay does not know this token" in alice.communicate(timeout=20)[1]
        assert bob.poll() is None
        assert own.metric('registrations{role="job"}') == 3
    own.admit("bob", more="jobs=2")
    own.process.send_signal(signal.SIGHUP)
    own.said(r"(?s)1 tokens.*1 tokens")
    refused = harness.run(own.client("bob", "idle", 3, 5))
    assert refused.stderr == "relay-load: the token's limit is reached\n"


def test_sigterm_waits_for_those_that_are_there(own):
    own.start()
    with own.registered("alice"):
        own.process.terminate()
        harness.until(lambda: own.get("/health") == (503, "draining\n"), "a relay that drains")
        late = harness.run(own.client("bob", "idle", 1, 5))
        assert late.stderr == "relay-load: the relay is shutting down\n"
        assert own.process.poll() is None
        # Those that are there are served; a second signal ends it at once.
        own.process.terminate()
        assert own.process.wait(10 * harness.PATIENCE) == 0


def test_a_relay_without_anybody_ends_at_once(own):
    own.start().process.terminate()
    assert own.process.wait(10 * harness.PATIENCE) == 0


# Of the two ports that the kernel has for it one is taken, for TCP.
CROWDED = """import socket, subprocess, sys
taken = socket.create_server(("127.0.0.1", 40000))
with subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE) as relay:
    print(relay.stderr.readline().decode())
    relay.kill()
"""


@pytest.mark.skipif(not harness.IS_ROOT, reason="only root has networks of its own")
def test_a_port_that_it_was_given_and_that_is_taken_for_tcp_is_given_back(own):
    narrow = "ip link set lo up && echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range && exec \"$@\""
    for _ in range(4):
        made = harness.run(["unshare", "--net", "sh", "-c", narrow, "sh", sys.executable, "-c", CROWDED,
                            own.program, "relay", "--key", own.dir / "key.json", "--tokens", own.dir / "tokens",
                            "--listen", "127.0.0.1:0"]).ok()
        assert "listens on 127.0.0.1:40001 " in made.stdout


def test_a_relay_that_was_killed_comes_back_as_the_same(own):
    own.start()
    own.process.kill()
    own.process.wait()
    own.start()
    assert own.said(r"with key (\S+=)")[1] == own.key
    harness.run(own.client("alice", "echo", 100, 10)).ok()


@pytest.mark.sanitize
def test_check_says_what_works(shared, build_dir):
    token = shared.dir / "token"
    token.write_text(shared.tokens["alice"] + "\n")
    token.chmod(0o600)
    url, key = f"https://{shared.address}", shared.key
    for program in (shared.program, build_dir / "controller" / "berth"):
        found = harness.run([program, "relay", "check", url, "--relay-key", key, "--token", token], timeout=20).ok()
        assert re.findall(r"^ok +(\w+)", found.stdout, re.M) == ["name", "udp", "tcp", "rtt", "seen"], found
        assert "sees us as 127.0.0.1:" in found.stdout
    relays = shared.dir / "relays.json"
    relays.write_text(json.dumps([{"url": url, "key": key, "token": shared.tokens["bob"]}]))
    relays.chmod(0o600)
    shared.run("check", url, "--relays", relays).ok()


def test_relays_of_the_configuration_are_checked_with_their_keys_and_tokens(shared, fresh_home, berth):
    token = shared.dir / "token-configured"
    token.write_text(shared.tokens["alice"] + "\n")
    token.chmod(0o600)
    here = type(berth)(berth.program, fresh_home)
    here("config", "add", "clusters.far.relays", f"https://{shared.address}", f"key={shared.key}", f"token_file={token}").ok()
    found = json.loads(here("relay", "check", "-o", "json").ok().stdout)
    assert {"udp", "tcp", "token"} <= {each["check"] for each in found} and all(each["level"] == "ok" for each in found), found


def test_check_says_what_is_wrong(shared, own):
    token = own.dir / "token"
    token.write_text("no-such-token\n")
    token.chmod(0o600)
    url = f"https://{shared.address}"
    refused = shared.run("check", url, "--relay-key", shared.key, "--token", token)
    assert refused.status == 77 and "no   udp    " in refused.stdout
    assert refused.stdout.count("does not know this token") == 2
    token.write_text(shared.tokens["alice"])
    other = shared.run("check", url, "--relay-key", own.key, "--token", token)
    assert other.status != 0 and "the relay's key is not the expected one" in other.stdout
    assert re.findall(r"^no +(\w+)", other.stdout, re.M) == ["udp", "tcp"]


def test_what_makes_no_sense_is_refused_with_what_to_do(own):
    def refused(status, *words):
        result = own.run(*words)
        assert result.status == status, result
        return result.stderr

    assert "--key and --tokens are needed" in refused(64)
    assert "none of key, token and check" in refused(64, "kee", "x")
    assert "usage: berth-tunnel relay key FILE" in refused(64, "key")
    assert "one word" in refused(64, "token", "a b")
    assert "not ADDRESS:PORT" in refused(64, *own.options(), "--listen", "nowhere")
    assert "not ADDRESS:PORT" in refused(64, *own.options(), "--listen2", "[::]:9")
    assert "no-such" in refused(66, *own.options(), "--tokens", own.dir / "no-such")
    own.start()
    assert "in use" in refused(73, *own.options(), "--listen", own.address)
    assert own.metrics_at in refused(73, *own.options(), "--metrics", own.metrics_at)
    assert os.path.exists(own.dir / "key.json")
