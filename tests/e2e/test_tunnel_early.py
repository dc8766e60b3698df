# SPDX-License-Identifier: MIT
"""Tickets: what is asked in the first flight is done, and done once, over real sockets."""

import os
import socket
import subprocess
import threading

import pytest

import harness
from datagrams import Between
from test_tunnel import Tunnel


@pytest.fixture(scope="module")
def shared(build_dir, tmp_path_factory):
    tunnel = Tunnel(tmp_path_factory.mktemp("early"), build_dir).start()
    yield tunnel
    assert tunnel.stop() == 0


@pytest.fixture
def tunnel(shared):
    """A tunnel that serves, seen through a thread that plays the network."""
    addresses = shared.addresses()
    shared.network = Between(int(addresses[0].rpartition(":")[2]))
    shared.set_addresses([shared.network.address])
    yield shared
    shared.network.stop()
    shared.set_addresses(addresses)


def start(argv, stdin=subprocess.DEVNULL) -> subprocess.Popen:
    return subprocess.Popen(argv, stdin=stdin, stdout=subprocess.DEVNULL, start_new_session=True)


def tickets(tunnel) -> list:
    directory = tunnel.dir / "client.json.tickets"
    return sorted(path for path in directory.glob("0.?")) if directory.exists() else []


def get_ticket(tunnel) -> None:
    """A connection to this address leaves tickets, and earlier ones are of no use."""
    for path in tickets(tunnel):
        path.unlink()
    tunnel.ssh("job-7", "true").ok()
    harness.until(lambda: tickets(tunnel), "ticket")


def test_tickets_are_kept_beside_the_client_file_for_its_owner_only(tunnel):
    get_ticket(tunnel)
    assert (tunnel.dir / "client.json.tickets").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tickets(tunnel))
    before = [path.read_text() for path in tickets(tunnel)]
    tunnel.ssh("job-7", "true").ok()

    def renewed():
        now = [path.read_text() for path in tickets(tunnel)]
        return len(now) == len(before) and now != before
    harness.until(renewed, "ticket in the place of the one that was used")


def test_a_command_runs_before_the_client_has_heard_anything(tunnel):
    mark = tunnel.dir / "mark"
    get_ticket(tunnel)
    tunnel.network.down = False
    client = start(tunnel.argv("job-7", f"echo ran >> {mark}"))
    try:
        harness.until(lambda: mark.exists() and mark.read_text() == "ran\n", "work of the command")
        tunnel.network.down = True
        assert client.wait(30 * harness.PATIENCE) == 0
    finally:
        harness.kill_session(client)
    assert mark.read_text() == "ran\n"


def test_a_recorded_flight_that_is_sent_a_thousand_times_runs_the_command_once(tunnel):
    count = tunnel.dir / "count"
    get_ticket(tunnel)
    tunnel.network.recorded.clear()
    tunnel.network.down_delay = 0.5
    client = start(tunnel.argv("job-7", f"echo ran >> {count}; cat"), stdin=subprocess.PIPE)
    try:
        harness.until(count.exists, "work of the command")
        flight = list(tunnel.network.recorded)
        tunnel.network.down_delay = 0
        for i in range(1000):
            if i == 500:  # the rest comes when the connection is gone
                client.stdin.close()
                assert client.wait(30 * harness.PATIENCE) == 0
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
                attacker.connect(tunnel.network.server)
                for datagram in flight:
                    attacker.send(datagram)
    finally:
        harness.kill_session(client)
    # What was sent is worked off in order: an answer to this comes after all of it.
    tunnel.ssh("job-7", "true").ok()
    assert count.read_text() == "ran\n"


def test_clients_that_start_together_do_not_share_a_ticket(tunnel):
    get_ticket(tunnel)
    count = tunnel.dir / "together"
    clients = [start(tunnel.argv("job-7", f"echo {i} >> {count}")) for i in range(10)]
    assert [client.wait(60 * harness.PATIENCE) for client in clients] == [0] * 10
    assert sorted(count.read_text().split()) == [str(i) for i in range(10)]


def test_tickets_of_a_tunnel_that_was_restarted_are_thrown_away(build_dir, short_dir):
    tunnel = Tunnel(short_dir, build_dir).start()
    try:
        tunnel.ssh("job-7", "true").ok()
        harness.until(lambda: tickets(tunnel), "ticket")
        old = {path.read_text() for path in tickets(tunnel)}
        tunnel.kill()
        tunnel.start()
        count = short_dir / "count"
        tunnel.ssh("job-7", f"cat >> {count}", input="once\n").ok()
        assert count.read_text() == "once\n"
        assert not old & {path.read_text() for path in tickets(tunnel)}
    finally:
        tunnel.stop()


def test_an_address_that_is_gone_costs_no_request(tunnel, build_dir):
    """The ticket's address answers no more, another one does: the request moves there."""
    get_ticket(tunnel)
    other = Between(tunnel.network.server[1])
    tunnel.network.up = tunnel.network.down = False
    tunnel.set_addresses([tunnel.network.address, other.address])
    content = os.urandom(200000)
    count = tunnel.dir / "moved"
    try:
        tunnel.ssh("job-7", f"cat >> {count}", input=content).ok()
    finally:
        other.stop()
    assert count.read_bytes() == content


@pytest.mark.parametrize("first", [lambda _: 0.15, lambda n: None if n < 2 else 0], ids=["late", "lost"])
def test_an_answer_that_is_late_or_lost_is_waited_for(tunnel, first):
    """Another connection is ready by then, and would have the same thing done once more."""
    count = tunnel.dir / "late"
    count.unlink(missing_ok=True)
    get_ticket(tunnel)
    other = Between(tunnel.network.server[1])
    tunnel.set_addresses([other.address, tunnel.network.address])
    tunnel.network.treat_next(first)
    try:
        tunnel.ssh("job-7", f"echo ran >> {count}").ok()
    finally:
        other.stop()
    assert count.read_text() == "ran\n"


def test_what_was_done_but_not_heard_is_not_done_again(tunnel):
    count = tunnel.dir / "unheard"
    get_ticket(tunnel)
    other = Between(tunnel.network.server[1])
    tunnel.network.down = False
    tunnel.set_addresses([tunnel.network.address, other.address])
    try:
        result = tunnel.ssh("job-7", f"echo ran >> {count}")
    finally:
        other.stop()
    assert result.status != 0 and "made before" in result.stderr, result
    assert count.read_text() == "ran\n"


def verb(tunnel, name, *more) -> list:
    return [tunnel.program, name, "--client-file", tunnel.dir / "client.json", "--endpoint", tunnel.endpoint,
            "--name", "job-7", *more]


def test_a_program_of_exec_runs_before_the_client_has_heard_anything(tunnel):
    mark = tunnel.dir / "executed"
    get_ticket(tunnel)
    tunnel.network.down = False
    client = start(verb(tunnel, "exec", "-i", "--", "tee", "-a", mark), stdin=subprocess.PIPE)
    try:
        client.stdin.write(b"data\n")
        client.stdin.flush()
        harness.until(lambda: mark.exists() and mark.read_text() == "data\n", "work of the program")
        assert client.poll() is None
        tunnel.network.down = True
        client.stdin.close()
        assert client.wait(30 * harness.PATIENCE) == 0
    finally:
        harness.kill_session(client)
    assert mark.read_text() == "data\n"


def test_exec_again_and_again_uses_a_ticket_each_time(tunnel):
    """A full handshake gives as many as are kept: short programs leave before the ticket of their own."""
    get_ticket(tunnel)
    harness.until(lambda: len(tickets(tunnel)) == 4, "all tickets")
    for left in 3, 2, 1, 0:
        tunnel.network.down_delay = 0.2  # so that leaving is faster than a ticket
        harness.run(verb(tunnel, "exec", "--", "true")).ok()
        assert len(tickets(tunnel)) == left
    tunnel.network.down_delay = 0
    assert harness.run(verb(tunnel, "exec", "--", "sh", "-c", "exit 4")).status == 4


@pytest.mark.sanitize
def test_exec_goes_on_where_the_ticket_does_not_lead(tunnel):
    get_ticket(tunnel)
    other = Between(tunnel.network.server[1])
    tunnel.network.up = tunnel.network.down = False
    tunnel.set_addresses([tunnel.network.address, other.address])
    content, count = os.urandom(200000), tunnel.dir / "executed-there"
    try:
        harness.run(verb(tunnel, "exec", "-i", "--", "tee", "-a", count), input=content).ok()
    finally:
        other.stop()
    assert count.read_bytes() == content


@pytest.fixture
def echo():
    """A server in the job, as it were: its port, and what was sent to it."""
    heard = []

    def serve():
        try:
            while True:
                conn, _ = server.accept()
                while data := conn.recv(65536):
                    heard.append(data)
                    conn.sendall(data.upper())
                conn.close()
        except OSError:
            pass
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def forward(tunnel, port, errors=None) -> tuple:
    """berth-tunnel forward, and a connection to its port."""
    client = subprocess.Popen(verb(tunnel, "forward", f"0:{port}"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=errors, start_new_session=True)
    line = client.stdout.readline().decode()
    assert line.startswith("Forwarding from 127.0.0.1:"), line
    return client, socket.create_connection(("127.0.0.1", int(line.split()[2].rpartition(":")[2])))


def ask(connection, question: bytes) -> bytes:
    connection.settimeout(30 * harness.PATIENCE)
    connection.sendall(question)
    connection.shutdown(socket.SHUT_WR)
    answer = b""
    while part := connection.recv(65536):
        answer += part
    return answer


def test_a_forwarded_port_is_used_before_the_client_has_heard_anything(tunnel, echo):
    port, heard = echo
    get_ticket(tunnel)
    tunnel.network.down = False
    client, connection = forward(tunnel, port)
    try:
        with connection:
            connection.sendall(b"early ")
            harness.until(lambda: heard == [b"early "], "data at the port")
            tunnel.network.down = True
            assert ask(connection, b"bird") == b"EARLY BIRD"
    finally:
        harness.kill_session(client)


@pytest.mark.sanitize
def test_a_forward_goes_on_where_the_ticket_does_not_lead(tunnel, echo):
    port, heard = echo
    get_ticket(tunnel)
    other = Between(tunnel.network.server[1])
    tunnel.network.up = tunnel.network.down = False
    tunnel.set_addresses([tunnel.network.address, other.address])
    client, first = forward(tunnel, port)
    try:
        with first, socket.create_connection(first.getpeername()) as second:
            assert ask(first, b"one") == b"ONE"
            assert ask(second, b"two") == b"TWO"
        assert sorted(heard) == [b"one", b"two"]
    finally:
        harness.kill_session(client)
        other.stop()


@pytest.mark.sanitize
def test_a_forward_to_a_job_that_is_gone_ends_although_there_is_a_ticket(tunnel, short_dir):
    get_ticket(tunnel)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone, open(short_dir / "errors", "w+b") as errors:
        gone.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % gone.getsockname()[1]
        gone.close()
        for path in tickets(tunnel):
            path.write_text(path.read_text().replace(tunnel.network.address, address))
        tunnel.set_addresses([address])
        client, connection = forward(tunnel, 1, errors)
        try:
            with connection, pytest.raises(OSError):
                ask(connection, b"anybody?")
            assert client.wait(30 * harness.PATIENCE) == 69
        finally:
            harness.kill_session(client)
        errors.seek(0)
        assert errors.read().decode().splitlines()[-1].startswith("berth-tunnel: job-7: nobody listens at ")
