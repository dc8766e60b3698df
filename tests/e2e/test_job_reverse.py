# SPDX-License-Identifier: MIT
"""From the job to the workstation: -R with ports, sockets and SOCKS, agent forwarding, and their ends."""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import socket
import stat
import struct
import subprocess
import threading

import pytest

import harness
from ports import free_ports

MIB = 1024 * 1024
PATIENCE = 30 * harness.PATIENCE


@pytest.fixture(scope="module")
def job(cluster) -> str:
    return cluster.start("--", "sleep", "1000")


@contextlib.contextmanager
def server(handle, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """On the workstation: handle(connection) in a thread for each; yields its address."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(300)

        def serve(connection):
            with connection, contextlib.suppress(OSError):
                handle(connection)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


def echo(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)


def answer_at_the_end(connection):
    """Reads all, then answers with its digest: works only if each direction has an end of its own."""
    digest = hashlib.sha256()
    while piece := connection.recv(65536):
        digest.update(piece)
    connection.sendall(digest.hexdigest().encode())


class Client:
    """A client that runs beside the test; what it says is in `log`."""

    def __init__(self, argv, env, log: pathlib.Path):
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen([*map(str, argv)], env=env, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=file, start_new_session=True)

    def said(self, pattern: str):
        return re.search(pattern, self.log.read_text(errors="replace"))

    def wait_for(self, pattern: str):
        def ready():
            match = self.said(pattern)
            assert match or self.process.poll() is None, f"ended: {self.log.read_text(errors='replace')}"
            return match
        return harness.until(ready, f"'{pattern}' from the client")


@pytest.fixture
def start(cluster, job, short_dir):
    """start("-R", ...): ssh -N with these options, until the end of the test."""
    clients = []

    def run(*options, argv=None, env=None):
        argv = argv or cluster.ssh.argv("-v", "-N", "-o", "ExitOnForwardFailure=yes", *options, job)
        clients.append(Client(argv, {**cluster.ssh.env(), **(env or {})}, short_dir / f"log{len(clients)}"))
        return clients[-1]
    yield run
    for client in clients:
        harness.stop(client.process)
        harness.kill_session(client.process)


def forwarded(client) -> Client:
    client.wait_for("remote forward success|All remote forwarding requests processed")
    return client


def allocated(client) -> int:
    return int(client.wait_for(r"Allocated port (\d+) for remote forward")[1])


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read_all(stream) -> bytes:
    return b"".join(iter(lambda: stream.recv(65536), b""))


# What runs in the job: sends what it reads to a port or path, and prints what comes back.
TALK = """python3 -c '
import socket, sys, threading
to = sys.argv[1]
s = socket.socket(socket.AF_UNIX if to[0] == "/" else socket.AF_INET)
s.connect(to if to[0] == "/" else ("127.0.0.1", int(to)))
def send():
    while piece := sys.stdin.buffer.read1(65536):
        s.sendall(piece)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
while piece := s.recv(65536):
    sys.stdout.buffer.write(piece)
'"""


def talk(cluster, job, to, data: bytes) -> bytes:
    return cluster.ssh(job, f"{TALK} {to}", input=data).ok().output


@pytest.mark.sanitize
def test_a_port_of_the_job_leads_to_the_workstation(cluster, job, start):
    data = os.urandom(MIB)
    port, = free_ports(1)
    with server(echo) as (_, here):
        forwarded(start("-R", f"{port}:127.0.0.1:{here}"))
        got = talk(cluster, job, port, data)
        assert (len(got), got == data) == (len(data), True)


def test_the_job_chooses_a_port_and_each_direction_has_an_end(cluster, job, start):
    data = os.urandom(8 * MIB)
    with server(answer_at_the_end) as (_, here):
        port = allocated(start("-R", f"0:localhost:{here}"))
        assert talk(cluster, job, port, data).decode() == hashlib.sha256(data).hexdigest()


@pytest.mark.sanitize
def test_a_socket_in_the_job_leads_to_a_socket_here(cluster, job, start, short_dir):
    there, here = short_dir / "there", short_dir / "here"
    with server(echo, socket.AF_UNIX, str(here)):
        client = forwarded(start("-R", f"{there}:{here}"))
        assert talk(cluster, job, there, b"through two sockets") == b"through two sockets"
        assert cluster.ssh(job, f"stat -c %a {there}").ok().stdout == "600\n"
        harness.stop(client.process)
        harness.until(lambda: cluster.ssh(job, f"test -e {there}").status == 1, "end of the socket", interval=0.2)


def test_a_socket_of_a_dead_tunnel_is_taken_over_and_a_live_one_is_not(cluster, job, start, short_dir):
    there = short_dir / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(there))
    with server(echo) as (_, here):
        forwarded(start("-R", f"{there}:127.0.0.1:{here}"))
        assert talk(cluster, job, there, b"taken over") == b"taken over"
        second = start("-R", f"{there}:127.0.0.1:{here}")
        second.wait_for("remote port forwarding failed|remote forward failure")
        assert second.said("remote forwarding: .*in use")
        assert talk(cluster, job, there, b"as before") == b"as before"


def test_a_job_reaches_out_through_the_client_as_a_proxy(cluster, job, start):
    with server(echo) as (_, here):
        port = allocated(start("-R", "0"))
        with connect(port) as stream:
            stream.sendall(b"\5\1\0")
            assert stream.recv(2) == b"\5\0"
            stream.sendall(b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", here))
            assert stream.recv(10)[:2] == b"\5\0"
            stream.sendall(b"socks")
            assert stream.recv(5) == b"socks"


@pytest.mark.sanitize
def test_two_hundred_connections_at_once(cluster, job, start):
    with server(answer_at_the_end) as (_, here):
        port = allocated(start("-R", f"0:127.0.0.1:{here}"))

        def one(number):
            data = bytes([number % 256]) * 20000
            with connect(port) as stream:
                stream.sendall(data)
                barrier.wait()
                stream.shutdown(socket.SHUT_WR)
                return read_all(stream).decode() == hashlib.sha256(data).hexdigest()

        count = 200
        barrier = threading.Barrier(count, timeout=PATIENCE)
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            assert all(pool.map(one, range(count)))


def test_a_peer_that_never_accepts_holds_back_nobody_else(cluster, job, start):
    with socket.socket() as deaf, server(echo) as (_, here):
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        ports = free_ports(2)
        forwarded(start("-R", f"{ports[0]}:127.0.0.1:{deaf.getsockname()[1]}", "-R", f"{ports[1]}:127.0.0.1:{here}"))
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(connect(ports[0]))
            with connect(ports[1]) as stream:
                stream.sendall(b"hello")
                assert stream.recv(5) == b"hello"


def test_nobody_at_the_far_end_is_an_end_at_once(cluster, job, start):
    closed, = free_ports(1)
    port = allocated(start("-R", f"0:127.0.0.1:{closed}"))
    with connect(port) as stream:
        assert stream.recv(1) == b""


def test_others_do_not_reach_the_port_unless_the_job_allows_it(cluster, job, start):
    client = start("-R", "0.0.0.0:0:127.0.0.1:9")
    client.wait_for("remote port forwarding failed|remote forward failure")
    assert client.said("remote forwarding: listening on .* allow list")


def test_a_forward_comes_and_goes_on_a_shared_connection(cluster, job, start, short_dir):
    control = short_dir / "c"
    port, = free_ports(1)
    start("-o", "ControlMaster=yes", "-o", f"ControlPath={control}")

    def order(*argv):
        return cluster.ssh("-o", f"ControlPath={control}", "-O", *argv, job)

    harness.until(lambda: control.exists() and order("check").status == 0, "master", interval=0.1)
    with server(echo) as (_, here):
        for _ in range(3):
            order("forward", "-R", f"{port}:127.0.0.1:{here}").ok()
            with connect(port) as stream:
                stream.sendall(b"x")
                assert stream.recv(1) == b"x"
                order("cancel", "-R", f"{port}:127.0.0.1:{here}").ok()
                harness.until(lambda: not listens(port), "end of the listener")
                # Who was connected stays so.
                stream.sendall(b"y")
                assert stream.recv(1) == b"y"
        chosen = int(order("forward", "-R", f"0:127.0.0.1:{here}").ok().stdout)
        assert listens(chosen)
        order("cancel", "-R", f"0:127.0.0.1:{here}").ok()
        harness.until(lambda: not listens(chosen), "end of the chosen port")


@pytest.fixture
def agent(short_dir):
    """The environment of an ssh-agent with one key, and the key."""
    for tool in ("ssh-agent", "ssh-add", "ssh-keygen"):
        if not shutil.which(tool):
            pytest.skip(f"no {tool}: apt-get install openssh-client")
    path = short_dir / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    env = {"SSH_AUTH_SOCK": str(path)}
    key = short_dir / "key"
    harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "berth-test", "-f", key]).ok()
    harness.until(path.exists, "agent")
    harness.run(["ssh-add", "-q", key], env={**os.environ, **env}).ok()
    yield env, key
    harness.stop(process)


@pytest.mark.sanitize
def test_the_agent_is_reached_from_the_job(cluster, job, agent, short_dir):
    env, key = agent
    (short_dir / "text").write_text("signed in the job\n")
    listed = cluster.ssh("-A", job, "ssh-add -l; echo $SSH_AUTH_SOCK; stat -c %a $SSH_AUTH_SOCK "
                         "$(dirname $SSH_AUTH_SOCK)", env=env).ok().stdout
    assert "berth-test" in listed and listed.endswith("\n600\n700\n"), listed
    # A signature by the key that never left the workstation, checked here.
    signature = cluster.ssh("-A", job, "cat > k; ssh-keygen -Y sign -f k -n file -q < /etc/hostname; rm k",
                            input=key.with_suffix(".pub").read_text(), env=env).ok().stdout
    (short_dir / "sig").write_text(signature)
    harness.run(["ssh-keygen", "-Y", "check-novalidate", "-n", "file", "-s", short_dir / "sig"],
                input=pathlib.Path("/etc/hostname").read_bytes()).ok()
    # Nothing is left of it, and who does not ask has none.
    path = listed.splitlines()[-3]
    harness.until(lambda: not os.path.exists(os.path.dirname(path)), "end of the socket's directory")
    assert cluster.ssh("-a", job, "echo $SSH_AUTH_SOCK", env=env).ok().stdout != f"{path}\n"


def test_the_agents_socket_lives_as_long_as_the_connection(cluster, job, start, agent, short_dir):
    env, _ = agent
    control = short_dir / "c"
    shared = ["-A", "-o", f"ControlPath={control}"]
    start("-A", "-o", "ControlMaster=yes", "-o", f"ControlPath={control}", env=env)
    harness.until(lambda: control.exists() and cluster.ssh(*shared, "-O", "check", job).status == 0, "master",
                  interval=0.1)
    first = cluster.ssh(*shared, job, "echo $SSH_AUTH_SOCK", env=env).ok().stdout.strip()
    # The session that asked first is gone.
    second = cluster.ssh(*shared, job, "echo $SSH_AUTH_SOCK; ssh-add -l", env=env).ok().stdout
    assert second.splitlines()[0] == first and "berth-test" in second
    assert stat.S_ISSOCK(os.stat(first).st_mode)


def proxy_of(cluster, job) -> str:
    config = cluster.ssh("-G", job).ok().stdout
    return re.search(r"^proxycommand (.*)$", config, re.M)[1].replace("%h", job).replace("%n", job)


@pytest.mark.skipif(not shutil.which("dbclient"), reason="no dbclient: apt-get install dropbear-bin")
def test_dropbears_client_forwards_too(cluster, job, start):
    port, = free_ports(1)
    with server(echo) as (_, here):
        start(argv=["dbclient", "-yy", "-N", "-J", proxy_of(cluster, job), "-R", f"{port}:127.0.0.1:{here}", job])
        harness.until(lambda: listens(port), "listener of dbclient")
        assert talk(cluster, job, port, b"dropbear") == b"dropbear"


@pytest.mark.skipif(not shutil.which("plink"), reason="no plink: apt-get install putty-tools")
def test_puttys_client_forwards_too(cluster, job, start):
    port, = free_ports(1)
    config = cluster.ssh("-G", job).ok().stdout
    pins = re.search(r"^userknownhostsfile (\S+)", config, re.M)[1]
    key = harness.run(["ssh-keygen", "-l", "-f", pins]).ok().stdout.split()[1]
    with server(echo) as (_, here):
        start(argv=["plink", "-ssh", "-batch", "-N", "-proxycmd", proxy_of(cluster, job), "-hostkey", key,
                    "-R", f"{port}:127.0.0.1:{here}", f"user@{job}"])
        harness.until(lambda: listens(port), "listener of plink")
        assert talk(cluster, job, port, b"putty") == b"putty"
