# SPDX-License-Identifier: MIT
"""Tickets: what is asked in the first flight is done, and done once, over real sockets."""

import os
import socket
import subprocess

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
