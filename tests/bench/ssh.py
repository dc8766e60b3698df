# SPDX-License-Identifier: MIT
"""ssh into a job against stock ssh: connect, bulk, keystrokes, files, links, memory."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import parties
import ssh_echo
import ssh_files
import ssh_links
import ssh_loopback
import ssh_memory
import ssh_quic
from parties import harness, netns
from report import Missing, Row

CASES = {**ssh_loopback.CASES, **ssh_echo.CASES, **ssh_links.CASES, **ssh_files.CASES, **ssh_quic.CASES,
         **ssh_memory.CASES}


class Far:
    """A job and an sshd on one side of a link, their clients on the other."""

    def __init__(self, bench):
        self.network = netns.Network(bench.build)
        try:
            self._start(bench)
        except BaseException:
            self.network.__exit__()
            raise

    def _start(self, bench) -> None:
        there, here = self.network.node("there"), self.network.node("here")
        self.link = self.network.link(here, there, "10.7.0.1/30", "10.7.0.2/30")
        for node in there, here:
            node.set_congestion("cubic")
        self.pair = []
        self.pair.append(parties.Job(bench.home, bench.build, there.prefix, here.prefix))
        self.pair.append(parties.Peer(bench.work / "far", there.address, there.prefix, here.prefix))

    def stop(self) -> None:
        for party in self.pair:
            party.stop()
        self.network.__exit__()


class Bench:
    """What cases get: the parties, started when the first of them asks, and how much to measure."""

    def __init__(self, work: pathlib.Path, home: harness.Home, quick: bool):
        self.work, self.home, self.quick = work, home, quick
        self.build = pathlib.Path(os.environ["BERTH_BUILD"])
        self.started = []
        self._pair = self._far = None

    def runs(self, count: int) -> int:
        return 1 if self.quick else count

    def size(self, size: int) -> int:
        return max(size // 64, 1) if self.quick else size

    def seconds(self, seconds: float) -> float:
        return 1 if self.quick else seconds

    def start(self, party):
        self.started.append(party)
        return party

    def pair(self) -> tuple:
        """The job and the sshd on loopback, in this order."""
        if not self._pair:
            self._pair = (self.start(parties.Job(self.home, self.build)),
                          self.start(parties.Peer(self.work / "peer")))
        return self._pair

    def far(self) -> Far:
        """The same two across a link, which the case shapes."""
        if not self._far:
            try:
                self._far = self.start(Far(self))
            except netns.Unavailable as reason:
                raise Missing(f"no network of our own: {reason}") from None
        return self._far

    def fresh_job(self) -> parties.Job:
        """A job that served nobody yet."""
        return self.start(parties.Job(self.home, self.build))

    def stop(self) -> None:
        while self.started:
            self.started.pop().stop()


def arguments(argv: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ci/bench ssh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="cases:\n" + "\n".join(f"  {name:16} {what}" for name, (what, _) in CASES.items()))
    parser.add_argument("--quick", action="store_true", help="once each with little data: does the bench itself work?")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="only these; default: all")
    args = parser.parse_args(argv)
    unknown = [name for name in args.cases if name not in CASES]
    if unknown:
        parser.error(f"no case '{unknown[0]}'; there are: {' '.join(CASES)}")
    return args


def main(argv: list) -> int:
    args = arguments(argv)
    # Who ends us ends all that we started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench."))
    work.chmod(0o755)
    home = harness.Home(work / "home").enter()
    bench, status = Bench(work, home, args.quick), 0
    try:
        print(Row.HEAD, flush=True)
        for name in args.cases or CASES:
            try:
                for row in CASES[name][1](bench):
                    print(row, flush=True)
            except Missing as reason:
                print(f"{name:16} skipped: {reason}", flush=True)
            except (AssertionError, subprocess.SubprocessError) as error:
                print(f"{name:16} FAILED: {error}", flush=True)
                status = 1
    finally:
        bench.stop()
        home.leave()
        shutil.rmtree(work, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
