# SPDX-License-Identifier: MIT
"""A job on one side of a bad network, its user on the other; and that the network is as bad as it says."""

import os
import re
import subprocess
import sys

import pytest

import harness
import netns
from transfers import MIB, Echo


@pytest.fixture(scope="module")
def network(build_dir):
    try:
        with netns.Network(build_dir) as network:
            yield network
    except netns.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


@pytest.fixture(scope="module")
def sides(network):
    """The job's node, the laptop's, and the link from the laptop to the job."""
    try:
        job, laptop = network.node("job"), network.node("laptop")
        return job, laptop, network.link(laptop, job, "10.7.0.1/24", "10.7.0.2/24")
    except netns.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


@pytest.fixture
def link(sides):
    _, _, link = sides
    yield link
    link.shape(delay_ms=0, rate_mbit=0, queue=0, largest=0, loss=0, duplicate=0, corrupt=0, reorder=0,
               burst_begin=0, burst_end=0, cut=0)


# Echoes datagrams on port 7; and sends COUNT of LEN bytes there, says which came back in which order, and when the
# first did. The port is open before the first word is printed. 33 is SO_RCVBUFFORCE.
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
s.bind(("10.7.0.2", 7))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(2000))
"""
SEND = """
import socket, sys, time
count, length = map(int, sys.argv[1:])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
s.connect(("10.7.0.2", 7))
s.settimeout(0.5)
before = time.monotonic()
for i in range(count):
    s.send(str(i).encode().ljust(length))
try:
    while True:
        print(s.recv(2000).decode().strip(), time.monotonic() - before)
except OSError:
    pass
"""


@pytest.fixture(scope="module")
def echo(sides):
    """echo(count, length) -> what came back: [(number, seconds after the first was sent)...]"""
    job, laptop, _ = sides
    server = subprocess.Popen([*job.prefix, sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"

    def send(count: int, length=100) -> list:
        lines = laptop.run(sys.executable, "-c", SEND, count, length).ok().stdout.splitlines()
        return [(int(number), float(at)) for number, at in map(str.split, lines)]
    yield send
    server.kill()
    server.communicate()


def test_packets_pass_in_order_and_late(echo, link):
    link.shape(delay_ms=60)
    came = echo(50)
    assert [number for number, _ in came] == list(range(50))
    assert came[0][1] >= 0.12


def test_the_rate_holds_packets_back_and_the_queue_is_limited(echo, link):
    link.shape("ab", rate_mbit=1)
    *_, (_, last) = echo(50, 972)  # 1000 bytes with IP and UDP, so 8 ms each
    assert last >= 0.39
    link.shape("ab", queue=10_000)
    assert 9 <= len(echo(50, 972)) <= 20


def test_packets_are_lost_doubled_and_late_as_often_as_asked(echo, link):
    before = link.stats()["ab"]
    link.shape("ab", loss=0.2)
    assert 650 <= len({number for number, _ in echo(1000)}) <= 950
    assert link.stats()["ab"]["lost"] - before["lost"] >= 50
    link.shape("ab", loss=0, duplicate=0.2)
    assert 1050 <= len(echo(1000)) <= 1350
    link.shape("ab", duplicate=0, reorder=0.2, reorder_delay_ms=20)
    order = [number for number, _ in echo(1000)]
    assert sorted(order) == list(range(1000)) and order != sorted(order)


def test_losses_come_in_bursts(echo, link):
    link.shape("ba", burst_begin=0.01, burst_end=0.1)
    there = {number for number, _ in echo(2000)}
    lost = "".join("." if number in there else "x" for number in range(2000))
    assert max(len(burst) for burst in re.findall("x+", lost)) >= 5
    assert len(there) >= 1400


def test_one_direction_is_cut_or_too_narrow(echo, link):
    link.shape("ba", largest=500)
    assert (len(echo(5, 400)), len(echo(5, 600))) == (5, 0)
    link.cut("ab")
    assert len(echo(5)) == 0
    link.mend("ab")
    assert len(echo(5)) == 5


def test_a_word_that_is_none_changes_nothing(link):
    for line in "both loss=2", "ab delay", "both delay=5 colour=red", "sideways cut=1", "":
        with pytest.raises(AssertionError, match="error: "):
            link._say(line)
    assert link._say("both cut=0") == "ok"


@pytest.fixture
def far_job(berth, sides, ssh):
    """A job on the other side: the words of an ssh to it, and their environment."""
    job, laptop, _ = sides
    output = job.run(berth.program, "run", "--", "sleep", "1000", env=berth.env()).ok().stdout
    name = next(word for word in output.split() if word.startswith("job-"))
    harness.until((berth.job_dir(name) / "endpoint.0.json").exists, f"endpoint of {name}")
    yield [*laptop.prefix, *ssh.argv(name)], ssh.env()
    job.run(berth.program, "cancel", name, env=berth.env()).ok()


def test_a_transfer_survives_all_that_a_network_does(far_job, sides, link):
    """Loss, bursts, doubles, disorder, noise, a black hole and another address; and not one byte is lost or repeated."""
    argv, env = far_job
    _, laptop, _ = sides
    content = os.urandom(8 * MIB)
    link.shape(delay_ms=10, rate_mbit=50, queue=200_000, loss=0.005, duplicate=0.02, reorder=0.02, reorder_delay_ms=5,
               corrupt=0.002, burst_begin=0.0005, burst_end=0.1)
    transfer = Echo([*argv, "cat"], env, content)
    try:
        transfer.until_received(MIB)
        link.cut()
        transfer.until_silent(2)
        link.mend()
        transfer.until_received(3 * MIB)
        laptop.ip("address", "delete", "10.7.0.1/24", "dev", link.names[0])
        transfer.until_silent(1)
        laptop.ip("address", "add", "10.7.0.9/24", "dev", link.names[0])
        transfer.check()
    finally:
        transfer.kill()
        laptop.ip("address", "replace", "10.7.0.1/24", "dev", link.names[0])


def test_a_command_is_echoed_across_a_slow_network(far_job, link):
    argv, env = far_job
    link.shape(delay_ms=100, loss=0.05)
    assert harness.run([*argv, "echo there; exit 3"], env=env).status == 3
