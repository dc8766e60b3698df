# SPDX-License-Identifier: MIT
"""ssh into a job against stock ssh: connect, bulk, keystrokes, files, links, memory."""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile

import parties
import ssh_loopback
from parties import harness
from report import Row

CASES = {**ssh_loopback.CASES}


class Bench:
    """What cases get: the parties, started when the first of them asks, and how much to measure."""

    def __init__(self, work: pathlib.Path, home: harness.Home, quick: bool):
        self.work, self.home, self.quick = work, home, quick
        self.build = pathlib.Path(os.environ["BERTH_BUILD"])
        self.started = []
        self._pair = None

    def runs(self, count: int) -> int:
        return 1 if self.quick else count

    def size(self, size: int) -> int:
        return max(size // 64, 1) if self.quick else size

    def start(self, party):
        self.started.append(party)
        return party

    def pair(self) -> tuple:
        """The job and the sshd on loopback, in this order."""
        if not self._pair:
            self._pair = (self.start(parties.Job(self.home, self.build)),
                          self.start(parties.Peer(self.work / "peer")))
        return self._pair

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
    work = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench."))
    work.chmod(0o755)
    home = harness.Home(work / "home").enter()
    bench = Bench(work, home, args.quick)
    try:
        print(Row.HEAD, flush=True)
        for name in args.cases or CASES:
            for row in CASES[name][1](bench):
                print(row, flush=True)
    finally:
        bench.stop()
        home.leave()
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
