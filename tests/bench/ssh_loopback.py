# SPDX-License-Identifier: MIT
"""Connecting and bulk data on loopback."""

import subprocess

from report import Aim, Row, ms, rate, timed, turns

SIZE = 1 << 30


def connect(bench) -> list:
    runs = bench.runs(15)
    ours, theirs = turns(runs, *[lambda party=party: timed([*party.argv, "true"], party.env)
                                 for party in bench.pair()])
    return [Row("connect", runs, ms(ours), ms(theirs), ours / theirs, Aim("<=", 0.1))]


def move(party, size: int, up: bool) -> float:
    if not up:
        return timed([*party.argv, f"head -c {size} /dev/zero"], party.env, stdout=subprocess.DEVNULL)
    with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as source:
        return timed([*party.argv, "cat >/dev/null"], party.env, stdin=source.stdout)


def bulk(bench, up: bool) -> list:
    runs, size = bench.runs(5), bench.size(SIZE)
    ours, theirs = turns(runs, *[lambda party=party: move(party, size, up) for party in bench.pair()])
    return [Row("up" if up else "down", runs, rate(size, ours), rate(size, theirs), theirs / ours, Aim(">=", 1))]


CASES = {
    "connect": ("connect and run true, loopback", connect),
    "down": ("1 GiB from the job, loopback", lambda bench: bulk(bench, False)),
    "up": ("1 GiB to the job, loopback", lambda bench: bulk(bench, True)),
}
