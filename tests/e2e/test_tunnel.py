# SPDX-License-Identifier: MIT
"""berth-tunnel by itself: keygen, serve and ssh with the stock client, without berth and without a job.

What only the network side can show is here: keys, endpoints, restarts, unreachable addresses. What a user does inside
a job is in test_job*.py.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import harness
import processes
import terminal
from ports import free_ports
from tunnelrun import Tunnel


@pytest.fixture(scope="module")
def module_tunnel(build_dir, tmp_path_factory):
    tunnel = Tunnel(tmp_path_factory.mktemp("tunnel"), build_dir).start()
    yield tunnel
    assert tunnel.stop() == 0
    assert not tunnel.endpoint.exists()


@pytest.fixture
def tunnel(module_tunnel):
    """A tunnel that serves; shared, so that tests leave it as it is."""
    return module_tunnel


@pytest.fixture
def own(build_dir, short_dir):
    """A tunnel for one test, not started."""
    tunnel = Tunnel(short_dir, build_dir)
    yield tunnel
    tunnel.stop()


@pytest.mark.sanitize
def test_a_command_runs_and_its_status_comes_back(tunnel):
    result = tunnel.ssh("job-7", "cat; echo apart >&2; exit 7", input="data\n")
    assert (result.status, result.stdout, result.stderr) == (7, "data\n", "apart\n")


@pytest.mark.sanitize
def test_bulk_data_arrives_unchanged_both_ways(tunnel):
    content = os.urandom(1 << 20) * 256
    result = tunnel.ssh("job-7", "bash -c 'tee >(sha256sum >&2)'", input=content, timeout=300).ok()
    expected = hashlib.sha256(content).hexdigest()
    assert hashlib.sha256(result.output).hexdigest() == expected
    assert expected in result.stderr


def test_a_terminal_learns_its_size(tunnel):
    wait = 'stty size; while [ "$(stty size)" = "30 90" ]; do sleep 0.05; done; stty size; exit 3'
    with terminal.Terminal(tunnel.argv("-tt", "job-7", wait), os.environ, rows=30, columns=90) as screen:
        screen.expect("30 90")
        screen.resize(41, 123)
        screen.expect("41 123")
        assert screen.end() == 3


@pytest.mark.sanitize
def test_twenty_clients_at_once(tunnel):
    clients = [subprocess.Popen(tunnel.argv("job-7", f"echo {i}; exit {i}"), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE) for i in range(20)]
    for i, client in enumerate(clients):
        output, _ = client.communicate(timeout=60 * harness.PATIENCE)
        assert (client.returncode, output) == (i, f"{i}\n".encode())


@pytest.mark.sanitize
def test_fifty_channels_over_one_connection(tunnel, short_dir):
    control = short_dir / "c"
    master = subprocess.Popen(tunnel.argv("-M", "-N", "-S", control, "job-7"), stdin=subprocess.DEVNULL)
    try:
        harness.until(control.exists, "control socket")
        gate = short_dir / "gate"
        clients = [subprocess.Popen(tunnel.argv("-S", control, "job-7",
                                                f"while [ ! -e {gate} ]; do sleep 0.1; done; cat; echo {i}"),
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE) for i in range(50)]
        gate.touch()
        for i, client in enumerate(clients):
            output, _ = client.communicate(b"x" * i, timeout=60 * harness.PATIENCE)
            assert (client.returncode, output) == (0, b"x" * i + f"{i}\n".encode())
    finally:
        harness.stop(master)


@pytest.fixture
def web(short_dir):
    """A port with an HTTP server that serves `page`."""
    (short_dir / "page").write_bytes(os.urandom(3_000_000))
    port, = free_ports(1)
    server = subprocess.Popen(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(port)],
                              cwd=short_dir, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    harness.until(answers, "HTTP server")
    yield port, (short_dir / "page").read_bytes()
    harness.stop(server)


def test_a_port_is_reached_with_W(tunnel, web):
    port, page = web
    reply = tunnel.ssh("-W", f"127.0.0.1:{port}", "job-7", input=b"GET /page HTTP/1.0\r\n\r\n").output
    assert reply.partition(b"\r\n\r\n")[2] == page


def test_a_port_is_forwarded_with_L(tunnel, web):
    port, page = web
    local, = free_ports(1)
    client = subprocess.Popen(tunnel.argv("-N", "-L", f"{local}:127.0.0.1:{port}", "job-7"),
                              stdin=subprocess.DEVNULL)
    try:
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", local)) == 0
        harness.until(listens, "forwarded port")
        fetch = ["/usr/bin/python3", "-c", "import sys, urllib.request as u; "
                 f"sys.stdout.buffer.write(u.urlopen('http://127.0.0.1:{local}/page').read())"]
        clients = [subprocess.Popen(fetch, stdout=subprocess.PIPE) for _ in range(5)]
        assert all(client.communicate()[0] == page for client in clients)
    finally:
        harness.stop(client)


def test_a_refused_port_is_told_in_the_words_of_the_job(tunnel):
    port, = free_ports(1)
    result = tunnel.ssh("-W", f"127.0.0.1:{port}", "job-7")
    assert result.status != 0
    assert "refused" in result.stderr.lower()


def test_a_target_outside_the_job_is_not_allowed(tunnel):
    result = tunnel.ssh("-W", "192.0.2.1:80", "job-7")
    assert result.status != 0
    assert "allow" in result.stderr


def test_ssh_port_is_a_plain_pipe_to_a_port_in_the_job(own, web):
    port, page = web
    own.start()
    reply = own.run("ssh", "--client-file", own.dir / "client.json", "--endpoint", own.endpoint,
                    "--ssh-port", port, input=b"GET /page HTTP/1.0\r\n\r\n")
    assert reply.output.partition(b"\r\n\r\n")[2] == page or reply.output == b""  # input that ends, ends all
    with subprocess.Popen([own.program, "ssh", "--client-file", own.dir / "client.json", "--endpoint", own.endpoint,
                           "--ssh-port", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(b"GET /page HTTP/1.0\r\n\r\n")
        client.stdin.flush()
        reply = client.stdout.read()
        assert client.wait() == 0
    assert reply.partition(b"\r\n\r\n")[2] == page


@pytest.mark.sanitize
def test_a_client_with_a_foreign_key_is_refused(own, tunnel):
    own.start()
    shutil.copy(tunnel.dir / "client.json", own.dir / "client.json")
    result = own.ssh("job-7", "true")
    assert result.status == 255
    lines = [line for line in result.stderr.splitlines() if line.startswith("berth-tunnel:")]
    assert len(lines) == 1 and "job-7" in lines[0] and "key" in lines[0], result


@pytest.mark.sanitize
def test_a_client_whose_key_the_job_does_not_know_is_refused(own, tunnel):
    """The job's secret fits, so that the client accepts the job; but the job pins another key."""
    own.start()
    mine = json.loads((own.dir / "client.json").read_text())
    mine["key"] = json.loads((tunnel.dir / "client.json").read_text())["key"]
    (own.dir / "client.json").write_text(json.dumps(mine))
    result = own.ssh("job-7", "true")
    assert result.status == 255
    lines = [line for line in result.stderr.splitlines() if line.startswith("berth-tunnel:")]
    assert len(lines) == 1 and "does not accept" in lines[0], result


@pytest.mark.sanitize
def test_a_killed_tunnel_ends_the_session_and_the_next_one_works(own):
    own.start()
    addresses = own.addresses()
    client = subprocess.Popen(own.argv("job-7", "echo here; cat"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdout.readline() == b"here\n"
    own.kill()
    own.start()
    assert own.addresses() == addresses  # the same port again
    with contextlib.suppress(BrokenPipeError):  # it may have noticed by itself
        client.stdin.write(b"are you there?\n")
        client.stdin.flush()
    _, errors = client.communicate(timeout=30 * harness.PATIENCE)
    assert client.returncode == 255
    assert b"job-7" in errors
    assert own.ssh("job-7", "echo again").ok().stdout == "again\n"


def test_a_tunnel_that_is_just_being_restarted_is_waited_for(own):
    own.start()
    own.kill()
    timer = threading.Timer(1, own.start)
    timer.start()
    try:
        assert own.ssh("job-7", "echo again").ok().stdout == "again\n"
    finally:
        timer.join()


def test_the_end_of_the_job_ends_the_session_at_once_and_says_so(own):
    own.start()
    client = subprocess.Popen(own.argv("job-7", "echo here; sleep 1000"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdout.readline() == b"here\n"
    assert own.stop() == 0
    _, errors = client.communicate(timeout=10 * harness.PATIENCE)
    assert client.returncode == 255
    assert b"the job has ended" in errors


def test_a_job_that_is_gone_gives_one_line(own):
    result = own.ssh("job-7", "true", timeout=30)
    assert result.status == 255
    assert "job-7: its tunnel has not started, or has ended" in result.stderr


def test_an_address_that_does_not_answer_delays_nothing(own):
    """192.0.2.0/24 is nobody's (RFC 5737); a socket that nobody reads is as silent as a dropped packet."""
    own.start()
    good = next(address for address in own.addresses() if address.startswith("127.0.0.1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        own.set_addresses([f"127.0.0.1:{silent.getsockname()[1]}", "192.0.2.1:9", good])
        assert own.ssh("job-7", "echo through").ok().stdout == "through\n"


def test_addresses_that_all_keep_silent_are_named(own):
    own.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        own.set_addresses([address])
        result = own.ssh("job-7", "true", timeout=60)
    assert result.status == 255
    assert f"job-7: no answer from {address}" in result.stderr


@pytest.fixture
def network():
    """A network namespace of its own with two addresses: the words that run a program in it."""
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && ip address add 10.9.0.1/32 dev lo && "
                               "ip address add 10.9.0.2/32 dev lo && echo ready && exec sleep 600"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if holder.stdout.readline() != b"ready\n":
            pytest.skip(f"no network namespace: {holder.stderr.read().decode().strip()}")
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    finally:
        holder.kill()
        holder.communicate()


def test_a_session_moves_at_once_when_the_address_changes(own, network):
    own.prefix = network
    own.start()
    own.set_addresses([own.addresses()[-1].replace("127.0.0.1", "10.9.0.1").replace("[::1]", "10.9.0.1")])
    own.configure("-v")
    client = subprocess.Popen(own.argv("job-7", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    for source, line in ("10.9.0.1", b"before\n"), ("10.9.0.2", b"after\n"), ("10.9.0.1", b"back\n"):
        harness.run([*network, "ip", "route", "replace", "local", "10.9.0.1", "dev", "lo", "src", source,
                     "table", "local"]).ok()
        client.stdin.write(line)
        client.stdin.flush()
        assert client.stdout.readline() == line
    _, errors = client.communicate(timeout=30 * harness.PATIENCE)
    assert client.returncode == 0
    assert errors.count(b"the address changed: moving to a fresh path") == 2, errors


def test_no_secret_is_in_a_command_line_environment_or_log(own):
    own.start()
    secrets = []
    for name in "client.json", "job/tunnel.json", "host_key.json":
        path = own.dir / name
        assert path.stat().st_mode & 0o777 == 0o600
        record = json.loads(path.read_text())
        secrets += [record[key] for key in ("secret", "key") if key in record]
    client = subprocess.Popen(own.argv("job-7", "echo here; env; cat"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        assert client.stdout.readline() == b"here\n"
        seen = b"".join(processes.read(pid, name) for pid in processes.all_pids() for name in ("cmdline", "environ"))
    finally:
        output = client.communicate()[0]
    seen += output + (own.dir / "log").read_bytes()
    assert str(own.job).encode() in seen
    for secret in secrets:
        assert secret.encode() not in seen


@pytest.mark.parametrize("text, words", [
    ("", "not valid JSON"),
    ('{"version": 1, "secret": "', "not valid JSON"),
    ('{"version": 3}', '"version" is 3'),
    ('{"version": 1}', '"secret"'),
])
def test_a_broken_tunnel_json_gives_one_line(own, text, words):
    (own.job / "tunnel.json").write_text(text)
    result = own.run("serve", "--dir", own.job)
    assert result.status in (64, 69)
    assert len(result.stderr.splitlines()) == 1
    assert "tunnel.json" in result.stderr and words in result.stderr


def test_keys_that_others_may_read_are_refused(own):
    (own.dir / "client.json").chmod(0o644)
    result = own.run("ssh", "--client-file", own.dir / "client.json", "--endpoint", own.endpoint,
                     "--host-key", own.dir / "host_key.json", input=b"")
    (own.job / "tunnel.json").chmod(0o640)
    assert "chmod 600" in own.run("serve", "--dir", own.job).stderr
    assert result.status == 77 and "chmod 600" in result.stderr


def test_keygen_never_replaces_a_key(own):
    before = (own.job / "tunnel.json").read_bytes(), (own.dir / "host_key.json").read_bytes()
    again = own.run("keygen", "--job-file", own.job / "tunnel.json", "--client-file", own.dir / "other.json")
    assert again.status == 73 and "exists" in again.stderr
    assert not (own.dir / "other.json").exists()
    own.run("keygen", "--host-key", own.dir / "host_key.json", "--known-hosts", own.dir / "known_hosts").ok()
    assert before == ((own.job / "tunnel.json").read_bytes(), (own.dir / "host_key.json").read_bytes())


def test_many_programs_that_make_the_host_key_at_once_agree(own, short_dir):
    """Each writes a known_hosts file of its own: all must pin the one key that was kept."""
    argv = [own.program, "keygen", "--host-key", short_dir / "shared.json", "--known-hosts"]
    makers = [subprocess.Popen([*argv, short_dir / f"known.{i}"]) for i in range(8)]
    assert [maker.wait() for maker in makers] == [0] * 8
    assert len({(short_dir / f"known.{i}").read_text() for i in range(8)}) == 1


def test_the_terminating_signal_is_seen_by_the_client(tunnel):
    result = tunnel.ssh("job-7", "kill -KILL $$")
    assert result.status == 255


def test_a_client_that_is_killed_leaves_no_connection_behind(own):
    own.start()
    client = subprocess.Popen(own.argv("-tt", "job-7", "echo here; sleep 1000"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, start_new_session=True)
    assert b"here" in client.stdout.readline()
    os.kill(client.pid, signal.SIGKILL)
    client.communicate()
    harness.until(lambda: b"closed: done" in (own.dir / "log").read_bytes(), "end of the connection")


def test_programs_at_once_write_whole_lines_with_their_prefix(tunnel):
    """Two on one pipe, each of whose lines comes in two pieces."""
    words = "for i in 1 2 3 4 5 6 7 8; do printf 'begin '; sleep 0.01; echo $i; done; printf 'no end'; exit 3"
    read, write = os.pipe()
    programs = [subprocess.Popen([tunnel.program, "exec", "--client-file", tunnel.dir / "client.json", "--endpoint",
                                  tunnel.endpoint, "--prefix", f"{rank}: ", "--", "sh", "-c", words],
                                 stdin=subprocess.DEVNULL, stdout=write) for rank in range(2)]
    os.close(write)
    with open(read) as output:
        lines = output.read().splitlines()
    assert [program.wait(30 * harness.PATIENCE) for program in programs] == [3, 3]
    for rank in range(2):
        own = [line for line in lines if line.startswith(f"{rank}: ")]
        assert own == [*(f"{rank}: begin {i}" for i in range(1, 9)), f"{rank}: no end"]
    assert len(lines) == 18
