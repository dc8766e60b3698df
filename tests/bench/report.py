# SPDX-License-Identifier: MIT
"""What benches share: taking turns, medians, and a table in which each figure stands beside its aim.

    ours, theirs = turns(5, lambda: timed(a), lambda: timed(b))
    Row("connect", 5, f"{ours:.0f} ms", ..., figure=ours / theirs, aim=Aim("<=", 0.1)).print()
"""

import dataclasses
import statistics
import subprocess
import threading
import time


class Missing(Exception):
    """Why a case cannot be measured on this machine."""


@dataclasses.dataclass(frozen=True)
class Aim:
    """What a figure should be: at most or at least a limit, in its unit."""

    sign: str
    limit: float
    unit: str = "x"

    def holds(self, figure: float) -> bool:
        return figure <= self.limit if self.sign == "<=" else figure >= self.limit

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g} {self.unit}"


@dataclasses.dataclass
class Row:
    """One line of the table. ours and theirs are medians with their units; figure is what the aim is about."""

    name: str
    runs: int
    ours: str
    theirs: str
    figure: float
    aim: Aim

    HEAD = f"{'':16} runs {'ours':>14} {'theirs':>14} {'figure':>12}  {'aim':<13}"

    def holds(self) -> bool:
        return self.aim.holds(self.figure)

    def __str__(self) -> str:
        figure = f"{self.figure:.2f} {self.aim.unit}"
        return (f"{self.name:16} {self.runs:4} {self.ours:>14} {self.theirs:>14} {figure:>12}  {str(self.aim):<13} "
                f"{'held' if self.holds() else 'MISSED'}")


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def rate(size: float, seconds: float) -> str:
    return f"{size / seconds / 1e6:.0f} MB/s"


def turns(runs: int, *measures, warm=True) -> list:
    """Each measure runs once a turn, so that what else the machine does falls on all; medians in their order.

    The first turn warms caches and does not count.
    """
    results = [[] for _ in measures]
    for turn in range(runs + warm):
        for result, measure in zip(results, measures):
            value = measure()
            if turn >= warm:
                result.append(value)
    return [statistics.median(result) for result in results]


def timed(argv: list, env=None, limit=120, **more) -> float:
    """How long a program takes to its end, which must be a good one."""
    before = time.monotonic()
    with subprocess.Popen(argv, env=env, **{"stdin": subprocess.DEVNULL, **more}) as process:
        # Not wait(timeout), which looks at times that double: 31 ms and 63 ms, and nothing between.
        watchdog = threading.Timer(limit, process.kill)
        watchdog.start()
        try:
            status = process.wait()
            took = time.monotonic() - before
        finally:
            watchdog.cancel()
    if status != 0:
        raise subprocess.CalledProcessError(status, argv)
    return took
