# SPDX-License-Identifier: MIT
"""The frame of a bench whose cases share what they are measured on: operands, a directory for it, the table, its end.

    def main() -> int:
        parser = cases.parser("files", __doc__, CASES)
        args = parser.parse_args()
        return cases.run(parser, args, CASES, lambda work: Bench(work), (slurm.Unavailable,))

    cases.end(main)

A case is called with what was begun, which has close(), and returns a row or some.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import time

from report import Row


def parser(name: str, doc: str, cases: dict) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"ci/bench {name}", description=doc.split("\n", maxsplit=1)[0])
    made.add_argument("cases", nargs="*", metavar="CASE", help=f"one of {', '.join(cases)}; all of them by default")
    return made


def run(parser: argparse.ArgumentParser, args, cases: dict, begin, unavailable: tuple, directory=None) -> int:
    wrong = set(args.cases) - set(cases)
    if wrong:
        parser.error(f"no case {', '.join(sorted(wrong))}; there are {', '.join(cases)}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench.", dir=directory))
    work.chmod(0o755)
    bench = None
    try:
        bench = begin(work)
        print(Row.HEAD, flush=True)
        for name in args.cases or cases:
            rows = cases[name](bench)
            for row in rows if isinstance(rows, list) else [rows]:
                print(row, flush=True)
    except unavailable as reason:
        print(f"not measured: {reason}", file=sys.stderr)
        return 69
    finally:
        if bench:
            bench.close()
        shutil.rmtree(work, ignore_errors=True)
    return 0


def end(main) -> None:
    """Runs it, and tells how long that took."""
    started = time.monotonic()
    status = main()
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(status)
