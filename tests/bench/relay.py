# SPDX-License-Identifier: MIT
"""a job through a relay against the same job directly: throughput, latency, memory, changes of path, bad links."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import relay_change
import relay_flow
import relay_load
from parties import harness
from report import Missing, Row
from relay_parties import Bench

CASES = {**relay_flow.CASES, **relay_load.CASES, **relay_change.CASES}


def arguments(argv: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ci/bench relay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
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
    home = harness.Home(work / "home").enter()
    bench, status = Bench(work, home, pathlib.Path(os.environ["BERTH_BUILD"]), args.quick), 0
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
                bench.end_case()
    finally:
        bench.stop()
        home.leave()
        shutil.rmtree(work, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
