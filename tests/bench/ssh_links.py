# SPDX-License-Identifier: MIT
"""Over links of a wide area: connecting at 100 ms, 1 Gbit/s at 20 ms, and 1 % loss.

Stock ssh runs on TCP with CUBIC, Debian's default. The links are those of tests/e2e/netns.py: the rate is that of IP
packets of 1500 bytes, so that QUIC or TCP with their headers carry some 95 % of it as data.
"""

import os
import subprocess
import time

from report import Aim, Row, ms, timed, turns

RTT_MS = 100


def queue(rate_mbit: float, rtt_ms: float) -> int:
    """A buffer of one product of rate and round trip."""
    return round(rate_mbit * 1e6 / 8 * rtt_ms / 1e3)


def cold(bench) -> list:
    return connect(bench, "connect-cold", 2, lambda party: party.forget())


def ticket(bench) -> list:
    return connect(bench, "connect-ticket", 1, lambda party: None)


def connect(bench, name: str, round_trips: int, prepare) -> list:
    far = bench.far()
    far.link.shape(delay_ms=RTT_MS / 2, rate_mbit=1000, queue=queue(1000, RTT_MS), loss=0)

    def measure(party) -> float:
        prepare(party)
        return timed([*party.argv, "true"], party.env)
    runs = bench.runs(7)
    ours, theirs = turns(runs, *[lambda party=party: measure(party) for party in far.pair])
    return [Row(name, runs, ms(ours), ms(theirs), ours * 1e3, Aim("<=", round_trips * RTT_MS + 30, "ms"))]


def flow_down(party, seconds: float) -> float:
    """Bytes a second that arrive from the first byte on."""
    with subprocess.Popen([*party.argv, "cat /dev/zero"], env=party.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        out = client.stdout.fileno()
        count, begin = len(os.read(out, 1 << 20)), time.monotonic()
        while time.monotonic() < begin + seconds:
            got = len(os.read(out, 1 << 20))
            assert got > 0, f"{party.argv}: ended early"
            count += got
        took = time.monotonic() - begin
        client.kill()
    return count / took


def flow_up(party, seconds: float) -> float:
    """Bytes a second that arrive in the job, counted there, from the start of the command on."""
    with open("/dev/zero", "rb") as zeros:
        output = subprocess.run([*party.argv, f"timeout {seconds} cat | wc -c"], env=party.env, stdin=zeros, check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds + 60).stdout
    return int(output) / seconds


FLOWS = {"down": flow_down, "up": flow_up}


def mbit(rate: float) -> str:
    return f"{rate * 8 / 1e6:.1f} Mbit/s"


def gigabit(bench, direction: str) -> list:
    far, runs, seconds = bench.far(), bench.runs(5), bench.seconds(5)
    far.link.shape(delay_ms=10, rate_mbit=1000, queue=queue(1000, 20), loss=0)
    ours, theirs = turns(runs, *[lambda party=party: FLOWS[direction](party, seconds) for party in far.pair], warm=False)
    return [Row(f"gigabit-{direction}", runs, mbit(ours), mbit(theirs), ours * 8 / 1e9, Aim(">=", 0.95, "link"))]


def loss(bench, direction: str) -> list:
    far, runs, seconds = bench.far(), bench.runs(5), bench.seconds(8)
    far.link.shape(delay_ms=50, rate_mbit=1000, queue=queue(1000, 100), loss=0.01)
    ours, theirs = turns(runs, *[lambda party=party: FLOWS[direction](party, seconds) for party in far.pair], warm=False)
    return [Row(f"loss-{direction}", runs, mbit(ours), mbit(theirs), ours / theirs, Aim(">=", 5))]


CASES = {
    "connect-cold": (f"connect and run true, {RTT_MS} ms, nothing remembered", cold),
    "connect-ticket": ("the same with a ticket of an earlier connection", ticket),
    "gigabit-down": ("bulk from the job, 1 Gbit/s and 20 ms", lambda bench: gigabit(bench, "down")),
    "gigabit-up": ("bulk to the job", lambda bench: gigabit(bench, "up")),
    "loss-down": ("bulk from the job, 1 Gbit/s, 100 ms, 1 % loss both ways", lambda bench: loss(bench, "down")),
    "loss-up": ("bulk to the job", lambda bench: loss(bench, "up")),
}
