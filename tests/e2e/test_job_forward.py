# SPDX-License-Identifier: MIT
"""Into the job's own ports: -L, -D and -W with the stock client, to an HTTP server that is the job."""

import hashlib
import os
import socket
import struct
import subprocess
import urllib.request

import pytest

import harness
from ports import free_ports

CONTENT = os.urandom(8_000_000)


@pytest.fixture(scope="module")
def web(cluster, tmp_path_factory):
    """(job, port): a job whose command serves CONTENT as /file on 127.0.0.1:port."""
    workdir = tmp_path_factory.mktemp("web")
    (workdir / "file").write_bytes(CONTENT)
    port, = free_ports(1)
    return cluster.start("--", "/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", port,
                         cwd=workdir), port


@pytest.fixture
def forward(cluster, web):
    """forward("-L", ...): a client that only forwards, stopped after the test; waits for the local port."""
    clients = []

    def start(option, local_port, value):
        client = subprocess.Popen(cluster.ssh.argv("-N", "-o", "ExitOnForwardFailure=yes", option, value, web[0]),
                                  env=cluster.ssh.env(), stdin=subprocess.DEVNULL)
        clients.append(client)

        def listens():
            assert client.poll() is None, f"ssh {option} ended with {client.returncode}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", local_port)) == 0
        harness.until(listens, f"listener of ssh {option}")
    yield start
    for client in clients:
        harness.stop(client)


def fetch(port: int) -> bytes:
    def answer():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/file", timeout=30 * harness.PATIENCE) as reply:
                return reply.read()
        except ConnectionError:  # the server in the job is still starting
            return None
    return harness.until(answer, "answer of the server in the job", interval=0.2)


@pytest.mark.sanitize
def test_a_local_port_leads_to_a_server_in_the_job(web, forward):
    local, = free_ports(1)
    forward("-L", local, f"127.0.0.1:{local}:127.0.0.1:{web[1]}")
    assert hashlib.sha256(fetch(local)).digest() == hashlib.sha256(CONTENT).digest()


def test_names_are_resolved_in_the_job(web, forward):
    local, = free_ports(1)
    forward("-L", local, f"127.0.0.1:{local}:localhost:{web[1]}")
    assert fetch(local) == CONTENT


def socks_connect(proxy_port: int, port: int) -> socket.socket:
    """A SOCKS5 CONNECT (RFC 1928) to 127.0.0.1:port through the client's -D."""
    stream = socket.create_connection(("127.0.0.1", proxy_port), timeout=30 * harness.PATIENCE)
    stream.sendall(b"\5\1\0")
    assert stream.recv(2) == b"\5\0"
    stream.sendall(b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", port))
    reply = stream.recv(10)
    assert reply[:2] == b"\5\0", reply
    return stream


def test_a_socks_client_reaches_the_server(cluster, web, forward):
    fetch_by_standard_io(cluster, web)  # the server listens
    local, = free_ports(1)
    forward("-D", local, f"127.0.0.1:{local}")
    with socks_connect(local, web[1]) as stream:
        stream.sendall(b"GET /file HTTP/1.0\r\n\r\n")
        received = b"".join(iter(lambda: stream.recv(65536), b""))
    assert received.endswith(CONTENT)


def fetch_by_standard_io(cluster, web) -> bytes:
    def answer():
        result = cluster.ssh("-W", f"127.0.0.1:{web[1]}", web[0], input="GET /file HTTP/1.0\r\n\r\n")
        return result.output if result.status == 0 else None
    return harness.until(answer, "answer over standard input and output", interval=0.1)


@pytest.mark.sanitize
def test_standard_io_can_be_the_connection(cluster, web):
    assert fetch_by_standard_io(cluster, web).endswith(CONTENT)


def test_a_port_where_nobody_listens_is_refused(cluster, web):
    closed, = free_ports(1)
    result = cluster.ssh("-W", f"127.0.0.1:{closed}", web[0])
    assert result.status != 0
    assert "refused" in result.stderr, result


def test_other_hosts_are_out_of_bounds_unless_the_job_allows_them(cluster, web):
    result = cluster.ssh("-W", "192.0.2.1:80", web[0])
    assert result.status != 0
    assert "allow" in result.stderr or "prohibited" in result.stderr, result
