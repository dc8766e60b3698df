# SPDX-License-Identifier: MIT
"""The network of lab.py is what it says: else a test of ours might pass for the wrong reason."""

import contextlib
import json
import pathlib
import subprocess
import sys
import threading
import time

import pytest

import harness
import lab

PROBE = pathlib.Path(__file__).with_name("natprobe.py")

# (mapping, filtering) by RFC 5780
BEHAVIOUR = {"none": ("none", "independent"), "easy": ("independent", "independent"),
             "moderate": ("independent", "port"), "strict": ("dependent", "port")}


@pytest.fixture(scope="module")
def world(build_dir):
    try:
        with lab.World(build_dir) as world:
            world.stun = world.server("stun", addresses=2)
            process = start(world.stun, "server", *world.stun.addresses[:2])
            wide = start(world.stun, "server", *world.stun.addresses[2:])
            world.homes = {}
            yield world
            for each in process, wide:
                each.kill()
                each.communicate()
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


def start(node, *argv) -> subprocess.Popen:
    process = subprocess.Popen([*node.prefix, sys.executable, PROBE, *argv], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    if argv[0] == "server":
        assert process.stdout.readline() == "ready\n"
    return process


def home(world, nat, **more) -> tuple:
    """One uplink of each kind serves all tests: its host and itself."""
    key = (nat, *more)
    if key not in world.homes:
        uplink = world.uplink("-".join(map(str, key)), nat, **more)
        world.homes[key] = world.host(f"host-{key}", uplink), uplink
    return world.homes[key]


def probe(world, host, wide=False) -> dict:
    addresses = world.stun.addresses[2:] if wide else world.stun.addresses[:2]
    return json.loads(host.run(sys.executable, PROBE, "client", *addresses).ok().stdout)


@contextlib.contextmanager
def mapped(world, host):
    """A socket of the host: where the Internet sees it (None: not at all), and its process."""
    process = start(host, "behind", *world.stun.addresses[:2])
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.communicate()


def again(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


# Asks a socket `behind` an answer of it, from a port of its own.
KNOCK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.4)
try:
    for _ in range(2):
        s.sendto(b"knock", (sys.argv[1], int(sys.argv[2])))
    print(s.recv(100).decode())
except OSError as error:
    print("nothing")
"""


def knock(host, address: str, port: int) -> str:
    return host.run(sys.executable, "-c", KNOCK, address, port).ok().stdout.strip()


def gets_in(host, address: str, port: int) -> bool:
    """A busy machine may take longer than one knock waits."""
    return harness.until(lambda: knock(host, address, port) == "knock", f"answer of {address}:{port}")


@pytest.mark.parametrize("nat", lab.KINDS)
def test_each_kind_maps_and_filters_as_its_name_says(world, nat):
    host, uplink = home(world, nat)
    found = probe(world, host)
    assert (found["mapping"], found["filtering"]) == BEHAVIOUR[nat], found
    assert found["seen"][0][0] == (found["own"][0] if nat == "none" else uplink.routers[0].wan_address)


@pytest.mark.parametrize("nat, behaviour", [(("moderate", "moderate"), "moderate"), (("easy", "strict"), "strict"),
                                            (("strict", "easy"), "strict")])
def test_two_in_a_row_are_as_narrow_as_the_narrower_one(world, nat, behaviour):
    host, _ = home(world, nat)
    found = probe(world, host)
    assert (found["mapping"], found["filtering"]) == BEHAVIOUR[behaviour], found


@pytest.mark.parametrize("nat, filtering", [("none", "independent"), ("moderate", "port")])
def test_ipv6_is_filtered_and_not_mapped(world, nat, filtering):
    host, _ = home(world, nat, ipv6=True)
    found = probe(world, host, wide=True)
    assert (found["mapping"], found["filtering"]) == ("none", filtering), found


def test_networks_behind_a_router_are_unknown_to_the_internet(world):
    (inner, _), (other, _) = home(world, "easy"), home(world, "moderate")
    with mapped(world, inner) as (_, process):
        assert process.poll() is None
        assert knock(other, inner.address, 3478) == knock(world.stun, inner.address, 3478) == "nothing"


def test_a_stranger_gets_in_only_where_the_kind_lets_him(world):
    for nat, is_let_in in ("none", True), ("easy", True), ("moderate", False), ("strict", False):
        stranger, _ = home(world, "none", ipv6=True)
        with mapped(world, home(world, nat)[0]) as (seen, _):
            assert gets_in(stranger, *seen) if is_let_in else knock(stranger, *seen) == "nothing", nat


def test_rebinding_changes_the_mapping_and_what_came_back_to_the_old_one_is_lost(world):
    for nat in "moderate", "strict":
        host, uplink = home(world, nat)
        with mapped(world, host) as (seen, process):
            if nat == "moderate":
                assert again(process) == seen
            uplink.rebind()
            assert again(process) != seen
        found = probe(world, host)
        assert (found["mapping"], found["filtering"]) == BEHAVIOUR[nat], found


def test_short_timers_forget_a_mapping(world):
    host, uplink = home(world, "strict", hairpin=False)
    with mapped(world, host) as (seen, process):
        uplink.timers(1, 1)
        assert again(process) == seen
        later = time.monotonic() + 3
        harness.until(lambda: time.monotonic() > later, "end of the timers")
        assert again(process) != seen


def test_hairpin_leads_back_inside(world):
    uplink = world.uplink("hairpin", "easy", hairpin=True)
    one, two = world.host("one", uplink), world.host("two", uplink)
    with mapped(world, one) as (seen, _), mapped(world, two):
        assert gets_in(two, *seen)
    none = world.uplink("no-hairpin", "easy")
    one, two = world.host("three", none), world.host("four", none)
    with mapped(world, one) as (seen, _), mapped(world, two):
        assert knock(two, *seen) == "nothing"


# A server that answers one line, and a client of it: prints the answer or the word of the error.
SERVE = """
import socket, sys
s = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b"hello")
    c.close()
"""
DIAL = """
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.4).recv(10).decode())
except OSError as error:
    print(type(error).__name__)
"""


def test_udp_is_blocked_and_only_what_is_allowed_passes(world):
    host, uplink = home(world, "moderate")
    servers = [subprocess.Popen([*world.stun.prefix, sys.executable, "-c", SERVE, str(port)], stdout=subprocess.PIPE)
               for port in (80, 81)]
    address = world.stun.addresses[0]

    def dial(port: int) -> str:
        return host.run(sys.executable, "-c", DIAL, address, port).ok().stdout.strip()

    def is_served(port: int) -> bool:
        return harness.until(lambda: dial(port) == "hello", f"answer of port {port}")
    try:
        for each in servers:
            assert each.stdout.readline() == b"ready\n"
        uplink.block_udp()
        assert probe(world, host)["mapping"] == "lost"
        assert is_served(80) and is_served(81)
        uplink.allow_only(address, 80)
        assert is_served(80)
        assert (dial(81), probe(world, host)["mapping"]) == ("TimeoutError", "lost")
        uplink.seal()
        assert dial(80) == "TimeoutError"
        uplink.open()
        assert is_served(81)
        assert probe(world, host)["mapping"] == "independent"
    finally:
        uplink.open()
        for each in servers:
            each.kill()
            each.communicate()


# Sends one datagram of LEN bytes, never in pieces: "sent", or "too long" once the path's MTU is known. 10: MTU_DISCOVER
BIG = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.connect((sys.argv[1], 3478))
end = time.monotonic() + 0.5
while time.monotonic() < end:
    try:
        s.send(b"0".ljust(int(sys.argv[2])))
        print(int(s.recv(100)[1:2]))
        break
    except (BlockingIOError, ConnectionError):
        pass
    except OSError:
        print("too long")
        break
"""


def big(world, host, length: int) -> str:
    return host.run(sys.executable, "-c", f"import signal; signal.alarm(1)\n{BIG}", world.stun.addresses[0],
                    length).stdout.strip()


def test_a_small_mtu_is_told_and_a_black_hole_is_not(world):
    host, uplink = home(world, "moderate")
    try:
        uplink.mtu(1280)
        assert big(world, host, 1400) in ("too long", "")
        harness.until(lambda: big(world, host, 1400) == "too long", "word of the MTU")
        host.run("ip", "route", "flush", "cache").ok()
        uplink.mtu(1500)
        uplink.link.shape(largest=1228)  # 1200 bytes of UDP
        harness.until(lambda: big(world, host, 1200) == "0", "answer to what is short enough")
        assert big(world, host, 1300) == ""
    finally:
        uplink.link.shape(largest=0)
        uplink.mtu(1500)


def test_a_host_moves_to_another_uplink(world):
    old, new = world.uplink("old", ipv6=True), world.uplink("new", "strict", ipv6=True)
    host = world.host("roaming", old)

    def way() -> str:
        found = [probe(world, host, wide)["seen"][0][0] for wide in (False, True)]
        return "old" if found[0] == old.routers[0].wan_address and ":1:" in found[1] else found[0]
    assert way() == "old"
    host.move(old, new)
    assert way() == new.routers[0].wan_address
    host.move(new, old)
    assert way() == "old"


def test_worlds_are_made_at_once(build_dir, world):
    """Two at a time, as two runs on one machine have them: names are of namespaces alone."""
    def make():
        with lab.World(build_dir) as other:
            found.append(other.host("host", other.uplink("home")).run("true").status)
    found = []
    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0, 0]
