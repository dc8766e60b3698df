# SPDX-License-Identifier: MIT
"""The SSH engine with the real ssh client, without a tunnel: ssh_loopback serves it as the ProxyCommand."""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import pty
import random
import re
import select
import shutil
import socket
import struct
import subprocess
import termios
import threading

import harness
import pytest
from ports import free_ports

SEED = "07" * 32
CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"]
MIB = 1024 * 1024
BULK = 256 * MIB


class Loopback:
    """ssh with a configuration of its own, whose only host is the engine."""

    def __init__(self, program: pathlib.Path, directory: pathlib.Path, *arguments):
        self.program = program
        self.directory = directory
        self.config = directory / "config"
        public = harness.run([program, "--public", SEED]).ok().stdout
        (directory / "known_hosts").write_text(f"loop {public}")
        self.proxy = " ".join([str(program), SEED, *arguments])
        self.config.write_text(f"""
Host loop
    ProxyCommand {self.proxy}
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    IdentityFile none
    BatchMode yes
""")

    def argv(self, *argv) -> list:
        return ["ssh", "-F", str(self.config), *map(str, argv)]

    def __call__(self, *argv, **more) -> harness.Result:
        return harness.run(self.argv(*argv), **more)


@pytest.fixture
def loop(build_dir, short_dir) -> Loopback:
    return Loopback(build_dir / "tests" / "e2e" / "ssh_loopback", short_dir)


@pytest.fixture(scope="session")
def bulk(session_dir) -> pathlib.Path:
    path = session_dir / "bulk"
    source = random.Random(1)
    with open(path, "wb") as file:
        for _ in range(BULK // MIB):
            file.write(source.randbytes(MIB))
    return path


def sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def started(argv, **more):
    process = subprocess.Popen(argv, start_new_session=True, **more)
    try:
        yield process
    finally:
        harness.kill_session(process)


@contextlib.contextmanager
def echo_server(family=socket.AF_INET, address=("127.0.0.1", 0)):
    """Sends back what comes, as long as it comes; yields its address."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(128)

        def serve(connection):
            with connection:
                while piece := connection.recv(65536):
                    connection.sendall(piece)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.sanitize
@pytest.mark.parametrize("status", [0, 7, 255])
def test_the_exit_status_is_that_of_the_command(loop, status):
    assert loop("loop", f"exit {status}").status == status


@pytest.mark.sanitize
def test_stdout_and_stderr_stay_apart(loop):
    result = loop("loop", "echo to stdout; echo to stderr >&2").ok()
    assert (result.stdout, result.stderr) == ("to stdout\n", "to stderr\n")


def test_death_by_a_signal_is_told(loop):
    result = loop("-v", "loop", "kill -TERM $$")
    assert result.status == 255
    assert "exit-signal" in result.stderr


def test_the_client_chooses_the_newest_of_everything(loop):
    told = loop("-v", "loop", "true").ok().stderr
    assert re.search(r"kex: algorithm: (mlkem768x25519-sha256|curve25519-sha256)\r?\n", told)
    assert "kex: host key algorithm: ssh-ed25519" in told
    assert "resetting send seqnr" in told, "strict key exchange is not in force"
    assert "server-sig-algs" in told
    assert 'using "none"' in told


def test_another_host_key_is_refused(loop):
    loop.config.write_text(loop.config.read_text().replace(SEED, "08" * 32))
    result = loop("loop", "true")
    assert result.status == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in result.stderr


@pytest.mark.parametrize("cipher", CIPHERS)
def test_bulk_comes_down_unchanged(loop, bulk, short_dir, cipher):
    with open(short_dir / "copy", "wb") as copy:
        loop("-c", cipher, "loop", f"cat {bulk}", stdout=copy).ok()
    assert sha256(short_dir / "copy") == sha256(bulk)
    (short_dir / "copy").unlink()


@pytest.mark.parametrize("cipher", CIPHERS)
def test_bulk_goes_up_unchanged(loop, bulk, cipher):
    with open(bulk, "rb") as file:
        result = loop("-c", cipher, "loop", "sha256sum", stdin=file).ok()
    assert result.stdout.split()[0] == sha256(bulk)


@pytest.mark.sanitize
@pytest.mark.parametrize("cipher", CIPHERS)
def test_keys_change_many_times_while_data_goes_both_ways(loop, bulk, short_dir, cipher):
    with open(bulk, "rb") as file, open(short_dir / "copy", "wb") as copy:
        result = loop("-v", "-c", cipher, "-o", "RekeyLimit=1M", "loop", f"head -c {64 * MIB}",
                      stdin=file, stdout=copy).ok()
    with open(bulk, "rb") as file:
        assert sha256(short_dir / "copy") == hashlib.sha256(file.read(64 * MIB)).hexdigest()
    assert result.stderr.count("SSH2_MSG_NEWKEYS received") > 20


def test_the_server_asks_for_new_keys_itself(build_dir, short_dir, bulk):
    loop = Loopback(build_dir / "tests" / "e2e" / "ssh_loopback", short_dir, "1M")
    with open(bulk, "rb") as file, open(short_dir / "copy", "wb") as copy:
        result = loop("-v", "loop", f"head -c {64 * MIB}", stdin=file, stdout=copy).ok()
    with open(bulk, "rb") as file:
        assert sha256(short_dir / "copy") == hashlib.sha256(file.read(64 * MIB)).hexdigest()
    assert result.stderr.count("SSH2_MSG_NEWKEYS received") > 20


@pytest.mark.sanitize
def test_standard_input_may_end_first(loop):
    assert loop("loop", "cat; echo done", input=b"data\n").ok().stdout == "data\ndone\n"


def test_a_process_that_reads_no_more_stops_the_sender(loop):
    with open("/dev/zero", "rb") as endless:
        assert loop("loop", "head -c 3", stdin=endless, timeout=20).ok().output == b"\0\0\0"


def test_a_reader_that_goes_away_stops_the_process(loop, short_dir):
    status = short_dir / "status"
    with started(loop.argv("loop", f"yes; echo $? >{status}"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ssh:
        assert ssh.stdout.readline() == b"y\n"
        ssh.stdout.close()
        ssh.wait(20 * harness.PATIENCE)
    assert harness.until(lambda: status.exists() and status.read_text(), "the end of the process") != "0\n"


def test_environment_is_passed_on(loop):
    result = loop("-o", "SetEnv=BERTH_A=1 BERTH_B='two words'", "loop", 'echo "$BERTH_A $BERTH_B"').ok()
    assert result.stdout == "1 two words\n"


def test_a_long_command_is_taken(loop):
    assert loop("loop", "echo " + "x" * 100000).ok().stdout == "x" * 100000 + "\n"


@pytest.mark.sanitize
def test_a_terminal_has_the_size_it_was_given_and_follows_changes(loop):
    parent, child = pty.openpty()
    set_size(parent, 40, 100)
    with started(loop.argv("-tt", "loop", "trap 'stty size' WINCH; stty size; while :; do read x; done"),
                 stdin=child, stdout=child, stderr=child, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY)):
        os.close(child)
        read_until(parent, b"40 100")
        set_size(parent, 25, 77)
        read_until(parent, b"25 77")
    os.close(parent)


def set_size(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_until(fd: int, wanted: bytes, limit=20) -> bytes:
    seen = b""
    while wanted not in seen:
        ready = select.select([fd], [], [], limit * harness.PATIENCE)[0]
        assert ready, f"no {wanted} in {seen}"
        seen += os.read(fd, 65536)
    return seen


def test_a_subsystem_is_refused_cleanly(loop):
    result = loop("-s", "loop", "sftp")
    assert result.status == 255
    assert "subsystem request failed" in result.stderr


def test_keepalives_are_answered(loop):
    loop("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", "loop", "sleep 4").ok()


@pytest.fixture
def master(loop, short_dir):
    """One connection for many: yields what precedes the arguments of those."""
    path = short_dir / "m"
    with started(loop.argv("-M", "-S", path, "-N", "loop")):
        harness.until(path.exists, "control socket")
        yield ["-S", path]


@pytest.mark.sanitize
def test_a_hundred_sessions_run_at_once_over_one_connection(loop, master):
    def session(number):
        process = subprocess.Popen(loop.argv(*master, "loop", f"echo {number}; cat; exit {number}"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"%d\n" % number
        return process

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        sessions = list(pool.map(session, range(100)))
    # All run; each now gets an end of its own.
    for number, process in enumerate(sessions):
        output, _ = process.communicate(b"input %d" % number, timeout=30 * harness.PATIENCE)
        assert (output, process.returncode) == (b"input %d" % number, number)


@pytest.mark.sanitize
def test_w_connects_standard_input_and_output_to_a_port(loop):
    with echo_server() as (host, port):
        assert loop("-W", f"{host}:{port}", "loop", input=b"x" * MIB).ok().output == b"x" * MIB


def test_w_to_a_port_nobody_listens_on_says_so(loop):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = loop("-W", "127.0.0.1:%d" % unused.getsockname()[1], "loop")
    assert result.status == 255
    assert "open failed: connect failed: connect: Connection refused" in result.stderr
    result = loop("-W", "192.0.2.1:80", "loop")
    assert "open failed: administratively prohibited: only 127.0.0.1 is allowed here" in result.stderr


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_l_forwards_many_connections(loop, short_dir, kind):
    there = str(short_dir / "there")
    server = echo_server() if kind == "tcp" else echo_server(socket.AF_UNIX, there)
    with server as address:
        target = "%s:%d" % address if kind == "tcp" else there
        with started(loop.argv("-N", "-L", f"{short_dir}/here:{target}", "loop")):
            harness.until((short_dir / "here").exists, "forwarding socket")

            def talk(number):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(short_dir / "here"))
                    client.settimeout(20 * harness.PATIENCE)
                    sent, got = random.Random(number).randbytes(200000), b""
                    threading.Thread(target=client.sendall, args=[sent]).start()
                    while len(got) < len(sent):
                        got += client.recv(65536)
                    return got == sent

            with concurrent.futures.ThreadPoolExecutor(25) as pool:
                assert all(pool.map(talk, range(50)))


def test_d_is_a_socks_proxy(loop):
    here, = free_ports(1)
    with echo_server() as (_, port), started(loop.argv("-N", "-D", f"127.0.0.1:{here}", "loop")):
        with harness.until(lambda: connect(here), "SOCKS port") as client:
            client.sendall(b"\5\1\0")
            assert client.recv(2) == b"\5\0"
            client.sendall(b"\5\1\0\1\x7f\0\0\1" + struct.pack(">H", port))
            assert client.recv(10)[1] == 0
            client.sendall(b"through")
            assert client.recv(7) == b"through"


def connect(port: int):
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=20 * harness.PATIENCE)
    except OSError:
        return None


def test_r_is_refused(loop):
    result = loop("-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:22", "loop")
    assert result.status == 255
    assert "remote port forwarding failed" in result.stderr


@pytest.mark.skipif(not shutil.which("dbclient"), reason="no dbclient: apt-get install dropbear-bin")
def test_dropbears_client_works_too(loop):
    result = harness.run(["dbclient", "-yy", "-J", loop.proxy, "loop", "cat; exit 3"], input=b"x" * MIB,
                         env={**os.environ, "HOME": str(loop.directory)})
    assert (result.status, result.output) == (3, b"x" * MIB)


@pytest.mark.skipif(not shutil.which("plink"), reason="no plink: apt-get install putty-tools")
def test_puttys_client_works_too(loop):
    key = harness.run(["ssh-keygen", "-l", "-f", loop.directory / "known_hosts"]).ok().stdout.split()[1]
    result = harness.run(["plink", "-ssh", "-batch", "-proxycmd", loop.proxy, "-hostkey", key, "user@loop",
                          "cat; exit 3"], input=b"x" * MIB, env={**os.environ, "HOME": str(loop.directory)})
    assert (result.status, result.output) == (3, b"x" * MIB)


def test_compression_is_asked_for_in_vain(loop):
    assert loop("-C", "loop", "echo anyway").ok().stdout == "anyway\n"
