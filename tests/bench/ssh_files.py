# SPDX-License-Identifier: MIT
"""Files: one large one by sftp both ways, and ten thousand small ones by scp -r both ways, on loopback."""

import os
import shutil
import subprocess

from report import Aim, Row, rate, timed, turns

LARGE = 200_000_000
SMALL = 10_000


def sftp(bench, direction: str) -> list:
    runs, size = bench.runs(5), bench.size(LARGE)
    source, target = bench.work / "large", bench.work / "copy"
    with open(source, "wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(os.urandom(1 << 20))

    def measure(party) -> float:
        target.unlink(missing_ok=True)
        batch = bench.work / "batch"
        batch.write_text(f"{direction} {source} {target}\n")
        took = timed([*party.client("sftp"), "-q", "-b", str(batch), party.name], party.env,
                     stdout=subprocess.DEVNULL)
        assert target.stat().st_size == source.stat().st_size
        return took
    ours, theirs = turns(runs, *[lambda party=party: measure(party) for party in bench.pair()])
    return [Row(f"sftp-{direction}", runs, rate(size, ours), rate(size, theirs), theirs / ours, Aim(">=", 1))]


def scp(bench, direction: str) -> list:
    runs, count = bench.runs(5), bench.size(SMALL)
    source, target = bench.work / "small", bench.work / "small.copy"
    if not source.exists():
        for i in range(count):
            file = source / f"{i // 100}" / f"{i}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(i % 4096))

    def measure(party) -> float:
        shutil.rmtree(target, ignore_errors=True)
        there = [str(source), f"{party.name}:{target}"] if direction == "put" else [f"{party.name}:{source}", str(target)]
        took = timed([*party.client("scp"), "-q", "-r", *there], party.env)
        assert sum(len(files) for _, _, files in os.walk(target)) == count
        return took
    ours, theirs = turns(runs, *[lambda party=party: measure(party) for party in bench.pair()], warm=False)
    return [Row(f"scp-{direction}", runs, f"{count / ours:.0f} files/s", f"{count / theirs:.0f} files/s", theirs / ours,
                Aim(">=", 1))]


CASES = {
    "sftp-put": ("200 MB to the job by sftp", lambda bench: sftp(bench, "put")),
    "sftp-get": ("200 MB from the job by sftp", lambda bench: sftp(bench, "get")),
    "scp-put": ("10,000 small files to the job by scp -r", lambda bench: scp(bench, "put")),
    "scp-get": ("10,000 small files from the job by scp -r", lambda bench: scp(bench, "get")),
}
