# SPDX-License-Identifier: MIT
"""What a relay itself costs: forwarding on one core, memory and time for many users who say nothing."""

import statistics
import time

from report import Aim, Row

USERS = 5000
# Longer than the time between two keep-alives of a user.
IDLE_S = 60
SEGMENT = 1200


def figures(line: str) -> dict:
    """"forward gbit_s 6.12 seconds 3.0" -> {"gbit_s": 6.12, "seconds": 3.0}"""
    words = line.split()[1:]
    return dict(zip(words[::2], map(float, words[1::2])))


def forward(bench) -> list:
    """Bits that a second of the relay's CPU time forwards, whatever share of a core it got."""
    seconds, shares, rates = round(bench.seconds(3)), [], []
    for _ in range(bench.runs(5)):
        relay = bench.relay()
        load, used = bench.load(relay, "forward", SEGMENT, seconds), relay.seconds()
        assert load.stdout.readline() == "ready 2\n"
        found = figures(load.stdout.readline())
        shares.append(found["gbit_s"] * found["seconds"] / (relay.seconds() - used))
        rates.append(found["gbit_s"])
        bench.end_case()
    figure, came = statistics.median(shares), statistics.median(rates)
    return [Row("forward", len(rates), f"{came:.1f} Gbit/s", f"{100 * came / figure:.0f} % CPU", figure,
                Aim(">=", 10, "Gbit/s a core"))]


def idle(bench) -> list:
    """Memory first, then the time that keep-alives take."""
    relay, count, seconds = bench.relay("--address-rate", "100000"), bench.count(USERS), bench.seconds(IDLE_S, 3)
    empty = relay.memory()
    load = bench.load(relay, "idle", count, round(seconds + 10))
    assert load.stdout.readline() == f"ready {count}\n"
    time.sleep(2)  # what the handshakes left
    grown = relay.memory() - empty
    used, began = relay.seconds(), time.monotonic()
    time.sleep(seconds)
    share = (relay.seconds() - used) / (time.monotonic() - began) * 100
    assert load.poll() is None
    return [Row("idle-memory", count, f"{grown / 1e6:.0f} MB", "", grown / count / 1e3, Aim("<=", 50, "KB each")),
            Row("idle-cpu", count, f"{share:.1f} %", f"{seconds:.0f} s", share, Aim("<=", 10, "% of a core"))]


CASES = {
    "forward": (f"datagrams of {SEGMENT} bytes from one user to another, no endpoint's cryptography", forward),
    "idle": (f"memory and CPU time of the relay with {USERS} jobs that only keep themselves alive", idle),
}
