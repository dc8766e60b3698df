# SPDX-License-Identifier: MIT
"""On loopback, through a relay and directly: bulk both ways, and what the relay adds to a round trip."""

import statistics
import subprocess
import time

from report import Aim, Row, rate, timed, turns

SIZE = 256 << 20
ROUNDS = 400


def bulk(bench, direction: str) -> list:
    near, size, runs = bench.near(), bench.count(SIZE), bench.runs(5)

    def measure(kind: str) -> float:
        if direction == "down":
            return timed(near.exec(kind, f"head -c {size} /dev/zero"), stdout=subprocess.DEVNULL)
        with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as source:
            return timed(near.exec(kind, "--stdin", "cat >/dev/null"), stdin=source.stdout)
    relayed, direct = turns(runs, lambda: measure("relay"), lambda: measure("direct"))
    return [Row(f"bulk-{direction}", runs, rate(size, relayed), rate(size, direct), direct / relayed,
                Aim(">=", 0.7))]


class Echo:
    """`cat` in the job, a line at a time."""

    def __init__(self, argv: list):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.once()

    def once(self) -> float:
        before = time.perf_counter()
        self.process.stdin.write(b"x\n")
        assert self.process.stdout.read(2) == b"x\n"
        return time.perf_counter() - before

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def latency(bench) -> list:
    near, rounds = bench.near(), bench.count(ROUNDS)
    echoes = [Echo(near.exec(kind, "--stdin", "cat")) for kind in ("relay", "direct")]
    samples = [[], []]
    try:
        for _ in range(rounds):
            for each, echo in zip(samples, echoes):
                each.append(echo.once())
    finally:
        for echo in echoes:
            echo.stop()
    relayed, direct = map(statistics.median, samples)
    return [Row("latency", rounds, f"{relayed * 1e3:.3f} ms", f"{direct * 1e3:.3f} ms", (relayed - direct) * 1e3,
                Aim("<=", 0.3, "ms"))]


CASES = {
    "bulk-down": ("256 MiB from the job; ours: relayed, theirs: direct", lambda bench: bulk(bench, "down")),
    "bulk-up": ("256 MiB to the job", lambda bench: bulk(bench, "up")),
    "latency": ("a line and its echo; what the relay adds to the median", latency),
}
