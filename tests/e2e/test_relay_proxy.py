# SPDX-License-Identifier: MIT
"""A relay behind a web server that ends TLS (nginx): what the web server lets through reaches the relay as it is.

The web server has three ports: one that passes an Upgrade on, one that knows WebSockets alone, one that knows neither.
"""

import base64
import hashlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess

import pytest

import harness
import tunnelrun
from ports import free_ports

NGINX = """\
daemon off;
master_process off;
pid {dir}/pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
	access_log off;
	client_body_temp_path {dir};
	proxy_temp_path {dir};
	fastcgi_temp_path {dir};
	uwsgi_temp_path {dir};
	scgi_temp_path {dir};
	ssl_certificate {dir}/cert.pem;
	ssl_certificate_key {dir}/cert.key;
	proxy_http_version 1.1;
	map $http_upgrade $only_websocket {{ default ""; websocket websocket; }}
	map $only_websocket $hop {{ default upgrade; "" close; }}
	server {{
		listen 127.0.0.1:{ports[0]} ssl;
		location / {{
			proxy_pass http://127.0.0.1:{plain};
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
		}}
	}}
	server {{
		listen 127.0.0.1:{ports[1]} ssl;
		location / {{
			proxy_pass http://127.0.0.1:{plain};
			proxy_set_header Upgrade $only_websocket;
			proxy_set_header Connection $hop;
		}}
	}}
	server {{
		listen 127.0.0.1:{ports[2]} ssl;
		location / {{ proxy_pass http://127.0.0.1:{plain}; }}
	}}
}}
"""

HELLO, PING, WELCOME, REFUSED, PONG, CHALLENGE = 0x2b30, 0x2b31, 0x2b38, 0x2b3b, 0x2b3d, 0x2b3e
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def varint(number: int) -> bytes:
    return bytes([number]) if number < 64 else struct.pack(">H", number | 0x4000)


def capsule(kind: int, value: bytes) -> bytes:
    return varint(kind) + varint(len(value)) + value


def hello(token: str) -> bytes:
    """A workstation's, which asks for a job that is not there."""
    return capsule(HELLO, b"\x01" + os.urandom(8) + bytes(32) + varint(len(token)) + token.encode())


class Caller:
    """One connection to the web server."""

    def __init__(self, port: int):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20))
        self.bytes, self.is_websocket = b"", False

    def ask(self, path: str, **fields) -> str:
        lines = [f"GET {path} HTTP/1.1", "Host: relay", *(f"{name.replace('_', '-')}: {value}"
                                                        for name, value in fields.items())]
        self.stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.bytes:
            more = self.stream.recv(4096)
            assert more, f"closed after {self.bytes!r}"
            self.bytes += more
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        return head.decode()

    def upgrade(self) -> str:
        return self.ask("/relay", Connection="Upgrade", Upgrade="berth-relay")

    def websocket(self) -> str:
        key = base64.b64encode(os.urandom(16))
        self.accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        self.is_websocket = True
        return self.ask("/relay", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version=13,
                        Sec_WebSocket_Key=key.decode(), Sec_WebSocket_Protocol="berth-relay")

    def take(self, count: int) -> bytes:
        while len(self.bytes) < count:
            more = self.stream.recv(4096)
            assert more, f"closed, with {self.bytes!r} left"
            self.bytes += more
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def capsule(self) -> tuple:
        """The next one; here each is a frame of its own, and all are short."""
        if self.is_websocket:
            head = self.take(2)
            assert head[0] == 0x82 and head[1] < 126
        kind = struct.unpack(">H", self.take(2))[0] & 0x3fff
        size = self.take(1)[0]
        if size & 0x40:
            size = (size & 0x3f) << 8 | self.take(1)[0]
        return kind, self.take(size)

    def say(self, message: bytes) -> None:
        if self.is_websocket:
            mask = os.urandom(4)
            masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
            size = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + struct.pack(">H", len(message))
            message = b"\x82" + size + mask + masked
        self.stream.sendall(message)


@pytest.fixture(scope="module")
def relay(build_dir, session_dir):
    """A relay and a web server before it: the three ports, and a token."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        pytest.skip("no nginx: apt-get install nginx")
    directory, program = session_dir / "relay-proxy", build_dir / "tunnel" / "berth-tunnel"
    directory.mkdir(mode=0o700)
    plain, *ports = free_ports(4)
    harness.run([program, "relay", "key", directory / "key"]).ok()
    said = harness.run([program, "relay", "token", "x"]).ok().stdout.splitlines()
    token = said[0].split()[-1]
    (directory / "tokens").write_text(said[-1] + "\n")
    harness.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=relay", "-days", "2",
                 "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "cert.key",
                 "-out", directory / "cert.pem"]).ok()
    (directory / "nginx.conf").write_text(NGINX.format(dir=directory, ports=ports, plain=plain))
    argvs = ([program, "relay", "--listen", "127.0.0.1:0", "--behind-proxy", f"127.0.0.1:{plain}",
              "--key", directory / "key", "--tokens", directory / "tokens"],
             [nginx, "-p", directory, "-c", directory / "nginx.conf"])
    with open(directory / "log", "ab") as log:
        processes = [subprocess.Popen([*map(str, argv)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                     for argv in argvs]

    def answers():
        for each in processes:
            assert each.poll() is None, (directory / "log").read_text()
        try:
            return "200 OK" in Caller(ports[0]).ask("/health")
        except OSError:
            return False
    try:
        harness.until(answers, "health through nginx")
        yield ports, token
    finally:
        for each in processes:
            harness.stop(each)


class Tunnel(tunnelrun.Tunnel):
    """A job and a workstation that meet at a relay behind a web server, and nowhere else."""

    def __init__(self, dir, build, url: str, ca, token: str):
        self.relays = dir.with_suffix(".json")
        self.relays.write_text(json.dumps([{"url": url, "ca": str(ca), "token": token}]))
        self.relays.chmod(0o600)
        dir.mkdir(mode=0o700)
        super().__init__(dir, build)

    def configure(self, more="") -> None:
        super().configure(more)
        path = self.dir / "config"
        path.write_text(path.read_text().replace(str(self.endpoint), f"{self.dir}/nowhere.json"))

    def run(self, *argv, **more) -> harness.Result:
        if argv[:2] == ("keygen", "--job-file"):
            argv = (*argv, "--relays", self.relays, "--paths", "relay-tcp")
        return super().run(*argv, **more)


@pytest.mark.parametrize("port", [0, 1])
def test_a_job_is_reached_through_a_web_server_by_upgrade_and_by_websocket(relay, build_dir, session_dir, home, port):
    ports, token = relay
    ca = session_dir / "relay-proxy" / "cert.pem"
    tunnel = Tunnel(session_dir / f"web-{port}", build_dir, f"https://127.0.0.1:{ports[port]}", ca, token).start()
    try:
        content = os.urandom(1 << 20)
        echo = tunnel.ssh("job-7", "cat", input=content, env=home.env()).ok()
        assert echo.output == content
    finally:
        tunnel.stop()


def test_a_certificate_of_somebody_else_is_told(relay, build_dir, session_dir, home):
    ports, token = relay
    tunnel = Tunnel(session_dir / "web-system", build_dir, f"https://127.0.0.1:{ports[0]}", "system", token)
    tunnel.configure("--verbose")
    said = session_dir / "web-system" / "said"
    # It goes on trying, for a while: what it says meanwhile is enough.
    with open(said, "wb") as log:
        client = subprocess.Popen(tunnel.argv("job-7", "true"), stdin=subprocess.DEVNULL, stderr=log, env=home.env(),
                                  start_new_session=True)
    try:
        harness.until(lambda: "its certificate is not accepted: self" in said.read_text(), "the reason")
    finally:
        harness.kill_session(client)


def greet(caller: Caller, token: str) -> tuple:
    """What is answered to a HELLO, after the challenge that no TLS of the relay's own has to make."""
    kind, challenge = caller.capsule()
    assert kind == CHALLENGE and len(challenge) == 32 and challenge != bytes(32)
    caller.say(hello(token))
    return caller.capsule()


@pytest.mark.parametrize("way", [(0, "upgrade"), (0, "websocket"), (1, "websocket")])
def test_a_web_server_before_the_relay_lets_capsules_through(relay, way):
    (ports, token), (port, how) = relay, way
    caller = Caller(ports[port])
    head = getattr(caller, how)()
    assert head.startswith("HTTP/1.1 101 "), head
    assert how == "upgrade" or f"Sec-WebSocket-Accept: {caller.accept}\r\n" in head
    assert greet(caller, token)[0] == WELCOME
    peer, _ = caller.capsule()  # its job is not there
    assert peer == 0x2b3a
    for number in range(3):
        opaque = struct.pack(">Q", number)
        caller.say(capsule(PING, opaque))
        assert caller.capsule() == (PONG, opaque)


def test_challenges_differ_and_a_wrong_token_is_refused(relay):
    (ports, _), challenges = relay, set()
    for _ in range(2):
        caller = Caller(ports[0])
        caller.upgrade()
        kind, challenge = caller.capsule()
        challenges.add(challenge)
        caller.say(hello("a token that nobody has"))
        kind, value = caller.capsule()
        assert kind == REFUSED and b"does not know this token" in value
        assert caller.stream.recv(1) == b"", "the stream goes on"
    assert len(challenges) == 2


@pytest.mark.parametrize("port", [1, 2])
def test_an_upgrade_that_is_stripped_is_answered_so_that_the_client_can_tell(relay, port):
    ports, _ = relay
    assert Caller(ports[port]).upgrade().startswith("HTTP/1.1 426 ")
    assert Caller(ports[port]).ask("/other").startswith("HTTP/1.1 404 ")
