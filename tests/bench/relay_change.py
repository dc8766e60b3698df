# SPDX-License-Identifier: MIT
"""In networks of tests/e2e/lab.py: the first connection without UDP, from relay to direct, sleep, a killed relay, bad
links."""

import os
import signal
import statistics
import subprocess
import threading
import time

from parties import harness
from report import Aim, Row, ms, timed, turns
from ssh_links import mbit, queue
from transfers import MIB, Echo

LEG_MS = 10
SLEEP_S = 300


def spread(way, internet, delay_ms: float) -> None:
    """One way from the workstation to the relay, and from the job."""
    for link in way.home.link, way.site.link:
        link.shape(delay_ms=delay_ms, rate_mbit=0, queue=0)


def command(way, text: str) -> list:
    return way.argv("job-7", text)


def blocked(bench) -> list:
    """Where UDP vanishes, and where it does not, by the same relay."""
    internet, runs = bench.internet(), bench.runs(7)
    pair = [internet.way(name) for name in ("relay-tcp", "relay")]
    for way in pair:
        spread(way, internet, LEG_MS)
    ours, theirs = turns(runs, *[lambda way=way: timed(command(way, "true"), way.env()) for way in pair])
    return [Row("udp-blocked", runs, ms(ours), ms(theirs), ours, Aim("<=", 1.5, "s"))]


def upgrade(bench) -> list:
    """From the first byte of the job, which came by the relay, to the first that came without it."""
    internet, delay, took = bench.internet(), 25, []
    relay_leg = internet.relay.node.link
    way = internet.way("relay", "punched", paths="", nat="moderate")
    spread(way, internet, delay)
    round_trip = 4 * delay / 1e3
    for _ in range(bench.runs(5)):
        took.append(upgraded(way, relay_leg))
    figure = statistics.median(took)
    return [Row("upgrade", len(took), ms(figure), f"RTT {ms(round_trip)}", figure / round_trip, Aim("<=", 3, "RTT"))]


def upgraded(way, relay_leg) -> float:
    beat = "python3 -u -c \"import time\nwhile True: print('x' * 1000); time.sleep(0.005)\""
    with subprocess.Popen(command(way, beat), env=way.env(), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as client:
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: client.stdout.read1(65536), b"")])
        try:
            assert client.stdout.read(1) == b"x"
            begin, before = time.monotonic(), way.home.router.came_from(way.site.public)
            reader.start()
            harness.until(lambda: way.home.router.came_from(way.site.public) > before + 8000, "direct path", 10, 0.005)
            return time.monotonic() - begin
        finally:
            client.kill()
            reader.join()


def wake(bench) -> list:
    """The workstation is stopped, every mapping is forgotten, and it goes on: until the next byte of the download."""
    internet, seconds = bench.internet(), bench.seconds(SLEEP_S, 15)
    way = internet.way("relay")
    spread(way, internet, LEG_MS)
    way.home.link.shape(rate_mbit=40, queue=200_000)
    transfer = Echo(command(way, "cat"), way.env(), os.urandom(40 * MIB))
    try:
        transfer.until_received(2 * MIB)
        os.killpg(transfer.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        for uplink in way.home, way.site:
            uplink.forget()
        os.killpg(transfer.process.pid, signal.SIGCONT)
        took = transfer.until_more()
        transfer.check()
    finally:
        transfer.kill()
    return [Row("wake", 1, ms(took), f"{seconds:.0f} s asleep", took, Aim("<=", 1, "s"))]


def restarted(bench) -> list:
    """kill -9 under a transfer; from the moment at which the relay listens again to the next byte."""
    internet, took = bench.internet(), []
    way = internet.way("relay")
    spread(way, internet, LEG_MS)
    way.home.link.shape(rate_mbit=100, queue=300_000)
    for _ in range(bench.runs(5)):
        transfer = Echo(command(way, "cat"), way.env(), os.urandom(20 * MIB))
        try:
            transfer.until_received(2 * MIB)
            internet.relay.kill()
            transfer.until_silent(0.3)
            internet.relay.start()
            took.append(transfer.until_more())
            transfer.check()
        finally:
            transfer.kill()
    figure = statistics.median(took)
    return [Row("restart", len(took), ms(figure), "", figure, Aim("<=", 1 + 4 * LEG_MS / 1e3, "s"))]


def bad_link(bench, name: str, rate: float, rtt_ms: float, loss: float, aim: float) -> list:
    """From the job; the workstation's uplink is the bad one, and the rest of the way is perfect."""
    internet, runs, seconds = bench.internet(), bench.runs(3), bench.seconds(8)
    pair = [internet.way(each) for each in ("relay", "direct")]
    for way in pair:
        for link in way.home.link, way.site.link:
            link.shape(delay_ms=0, rate_mbit=0, queue=0)
        way.home.link.shape(delay_ms=rtt_ms / 2, rate_mbit=rate, queue=queue(rate, rtt_ms), loss=loss)
    ours, theirs = turns(runs, *[lambda way=way: flow(way, seconds) for way in pair], warm=False)
    return [Row(name, runs, mbit(ours), mbit(theirs), ours * 8 / 1e6, Aim(">=", aim, "Mbit/s"))]


def flow(way, seconds: float) -> float:
    """Bytes a second that arrive from the first byte on."""
    with subprocess.Popen(command(way, "cat /dev/zero"), env=way.env(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        out = client.stdout.fileno()
        count, begin = len(os.read(out, 1 << 20)), time.monotonic()
        while time.monotonic() < begin + seconds:
            got = len(os.read(out, 1 << 20))
            assert got > 0, "ended early"
            count += got
        took = time.monotonic() - begin
        client.kill()
    return count / took


CASES = {
    "udp-blocked": ("connect and run true where UDP vanishes; theirs: where it does not", blocked),
    "upgrade": ("from the first relayed byte to the first direct one", upgrade),
    "wake": (f"{SLEEP_S} seconds of sleep in a transfer by the relay", wake),
    "restart": ("the relay is killed and comes back under a transfer", restarted),
    "link-1%": ("200 Mbit/s, 50 ms, 1 % loss by the relay; theirs: direct",
                lambda bench: bad_link(bench, "link-1%", 200, 50, 0.01, 150)),
    "link-3%": ("100 Mbit/s, 10 ms, 3 % loss",
                lambda bench: bad_link(bench, "link-3%", 100, 10, 0.03, 60)),
}
