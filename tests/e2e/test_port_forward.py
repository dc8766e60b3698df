# SPDX-License-Identifier: MIT
"""berth port-forward: ports and Unix sockets of this machine that lead into a job."""

import os
import re
import signal
import socket
import socketserver
import subprocess
import threading

import pytest

import harness
from ports import free_ports

# What listens in the job: says "hi" at once, then sends back what comes, in capitals, until the input ends.
SERVER = r"""
import socket, sys, threading
def serve(conn):
    conn.sendall(b"hi\n")
    while True:
        data = conn.recv(65536)
        if not data:
            break
        conn.sendall(data.upper())
    conn.sendall(b"end\n")
    conn.close()
def listen(sock):
    sock.listen(2048)
    while True:
        threading.Thread(target=serve, args=(sock.accept()[0],), daemon=True).start()
threading.stack_size(65536)
port, path = int(sys.argv[1]), sys.argv[2]
tcp = socket.create_server(("127.0.0.1", port))
unix = socket.socket(socket.AF_UNIX); unix.bind(path)
threading.Thread(target=listen, args=(unix,)).start()
listen(tcp)
"""


@pytest.fixture(scope="module")
def server(cluster, tmp_path_factory):
    """(job, port, path): a job that serves on 127.0.0.1:port and on a Unix socket."""
    path = tmp_path_factory.mktemp("s") / "sock"
    port, = free_ports(1)
    job = cluster.start("--", "/usr/bin/python3", "-c", SERVER, port, path)
    harness.until(path.exists, "the server in the job")
    return job, port, path


class Forward:
    """A running `berth port-forward`; lines are what it printed, errors goes to a file."""

    def __init__(self, cluster, errors, *argv, count=1):
        self.errors_path = errors
        with open(errors, "wb") as stderr:
            self.process = subprocess.Popen([str(cluster.berth.program), "port-forward", *map(str, argv)],
                                            env=cluster.berth.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=stderr)
        self.lines = [self.process.stdout.readline().decode() for _ in range(count)]
        assert all(self.lines), f"{self.lines}: {self.errors}"
        self.ports = [int(match.group(1)) for match in (re.search(r":(\d+) ->", line) for line in self.lines) if match]

    @property
    def errors(self) -> str:
        return self.errors_path.read_text()

    def close(self) -> None:
        harness.stop(self.process)
        self.process.stdout.close()


@pytest.fixture
def forward(cluster, short_dir):
    running = []

    def start(*argv, count=1) -> Forward:
        running.append(Forward(cluster, short_dir / f"errors{len(running)}", *argv, count=count))
        return running[-1]
    yield start
    for one in running:
        one.close()


def connect(where) -> socket.socket:
    if isinstance(where, int):
        sock = socket.create_connection(("127.0.0.1", where), timeout=30 * harness.PATIENCE)
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30 * harness.PATIENCE)
        sock.connect(str(where))
    return sock


def read_all(sock) -> bytes:
    data = b""
    while True:
        more = sock.recv(65536)
        if not more:
            return data
        data += more


def talk(where, text=b"text") -> bytes:
    """The answer to the whole of a conversation, ended from our side."""
    with connect(where) as sock:
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


@pytest.mark.sanitize
def test_a_free_port_leads_to_the_port_in_the_job(server, forward):
    job, port, _ = server
    one = forward(job, f":{port}")
    assert one.lines == [f"Forwarding from 127.0.0.1:{one.ports[0]} -> {port}\n"]
    assert talk(one.ports[0]) == b"hi\nTEXTend\n"


@pytest.mark.sanitize
def test_many_ports_and_sockets_at_once(server, forward, short_dir):
    job, port, path = server
    mine, own, = short_dir / "mine", free_ports(1)[0]
    one = forward(job, f"{own}:{port}", f":localhost:{port}", f"{mine}:{path}", f"0:{path}", f"127.0.0.2:0:{port}", count=5)
    assert one.lines[0] == f"Forwarding from 127.0.0.1:{own} -> {port}\n"
    assert one.lines[2] == f"Forwarding from {mine} -> {path}\n"
    assert one.lines[4].startswith("Forwarding from 127.0.0.2:")
    assert mine.stat().st_mode & 0o777 == 0o600
    for where in [own, one.ports[1], mine, one.ports[2]]:
        assert talk(where, b"a") == b"hi\nAend\n"
    one.close()
    assert not mine.exists()


def test_localhost_is_both_loopback_addresses(server, forward):
    job, port, _ = server
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6").read():
        pytest.skip("no IPv6 on this machine")
    one = forward("--address", "localhost", job, f":{port}", count=2)
    assert one.ports[0] == one.ports[1] and one.lines[1].startswith("Forwarding from [::1]:")
    with socket.create_connection(("::1", one.ports[1])) as sock:
        assert sock.recv(3) == b"hi\n"


@pytest.mark.sanitize
def test_each_direction_ends_by_itself(server, forward):
    job, port, _ = server
    one = forward(job, f":{port}")
    with connect(one.ports[0]) as sock:
        sock.sendall(b"a")
        sock.shutdown(socket.SHUT_WR)
        # The server answers after our end; its own end comes last.
        assert read_all(sock) == b"hi\nAend\n"


def test_a_refused_connection_ends_alone(server, forward):
    job, port, _ = server
    closed, = free_ports(1)
    one = forward(job, f":{port}", f":{closed}", ":/no/such/socket", count=3)
    with connect(one.ports[0]) as stays:
        assert stays.recv(3) == b"hi\n"
        for refused in one.ports[1:] * 10:
            try:
                with connect(refused) as sock:
                    assert sock.recv(1) == b""
            except ConnectionResetError:
                pass
        stays.sendall(b"still")
        assert stays.recv(5) == b"STILL"
    assert talk(one.ports[0]) == b"hi\nTEXTend\n"
    lines = one.errors.splitlines()
    assert len(lines) == 20 and f" {closed}: connect to" in lines[0] and " /no/such/socket: " in lines[1], lines


def test_a_reset_goes_through(server, forward):
    job, port, _ = server
    one = forward(job, f":{port}")
    sock = connect(one.ports[0])
    assert sock.recv(3) == b"hi\n"
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    assert talk(one.ports[0]) == b"hi\nTEXTend\n"


def test_a_reader_that_stops_holds_up_only_itself(server, forward):
    job, port, _ = server
    one = forward(job, f":{port}")
    data = os.urandom(1 << 20).upper() * 32
    with connect(one.ports[0]) as stalled:
        sender = threading.Thread(target=lambda: (stalled.sendall(data), stalled.shutdown(socket.SHUT_WR)))
        sender.start()
        for _ in range(5):
            assert talk(one.ports[0]) == b"hi\nTEXTend\n"
        memory = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{one.process.pid}/status").read()).group(1))
        assert memory < 100_000, f"{memory} KB"
        assert len(read_all(stalled)) == len(data) + 7
        sender.join()


def test_a_thousand_connections_at_once(local_job, berth, build_dir, forward_local):
    one, _ = forward_local
    socks = [connect(one.ports[0]) for _ in range(1000)]
    try:
        for sock in socks:
            assert sock.recv(3) == b"hi\n"
        for index, sock in enumerate(socks):
            sock.sendall(b"n%d" % index)
        for index, sock in enumerate(socks):
            assert sock.recv(16) == b"N%d" % index
    finally:
        for sock in socks:
            sock.close()


@pytest.fixture
def forward_local(berth, short_dir, home, ssh):
    """A forward to a job of its own on the local backend: (Forward, name of the job)."""
    import conftest
    cluster = conftest.Cluster("local", berth, ssh)
    path, (port,) = short_dir / "sock", free_ports(1)
    job = cluster.start("--", "/usr/bin/python3", "-c", SERVER, port, path)
    harness.until(path.exists, "the server in the job")
    one = Forward(cluster, short_dir / "errors", job, f":{port}")
    yield one, job
    one.close()
    berth("cancel", job)


def tunnel_pid(berth, job: str) -> int:
    """The berth-tunnel serve of the job, found by its job directory."""
    mark = str(berth.job_dir(job)).encode()
    for entry in os.listdir("/proc"):
        try:
            argv = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0") if entry.isdigit() else []
        except OSError:
            continue
        if b"serve" in argv and mark in argv and argv[0].endswith(b"berth-tunnel"):
            return int(entry)
    raise AssertionError("no tunnel")


@pytest.mark.sanitize
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_restarted_tunnel_is_connected_to_again(berth, forward_local, how):
    one, job = forward_local
    with connect(one.ports[0]) as broken:
        assert broken.recv(3) == b"hi\n"
        os.kill(tunnel_pid(berth, job), how)
        with pytest.raises((ConnectionResetError, AssertionError)):
            assert broken.recv(1)
    harness.until(lambda: "connected again" in one.errors, "the second connection", limit=60)
    assert talk(one.ports[0]) == b"hi\nTEXTend\n"
    assert one.errors.count("\n") <= 2, one.errors


def test_it_ends_with_one_line_when_the_job_does(berth, forward_local):
    one, job = forward_local
    berth("cancel", job).ok()
    assert one.process.wait(30 * harness.PATIENCE) == 69
    assert one.errors.count("\n") == 1 and job in one.errors, one.errors


def test_what_cannot_be_listened_on_is_told(local_job, berth):
    with socketserver.TCPServer(("127.0.0.1", 0), None) as taken:
        port = taken.server_address[1]
        result = berth("port-forward", local_job, f"{port}:80")
        assert result.status == 73 and f"127.0.0.1:{port}" in result.stderr
    assert berth("port-forward", local_job, "80:").status == 64
    assert berth("port-forward", "--address", "nowhere", local_job, ":80").status == 64
