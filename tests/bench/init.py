# SPDX-License-Identifier: MIT
"""berth-init against tini, dumb-init, catatonit: size, memory, start, wakeups, behaviour.

The figures are of Debian's packages, as PID 1 would run them, side by side in this run. Memory and wakeups are those of
an init whose command waits. The start is what is added to starting a static program that does nothing, and waiting for
its end: a median of many, taken in turns. `ci/bench init` ends with the table of the tests (tests/e2e/matrix.py).
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from parties import harness  # and with it the path of tests/e2e
from report import Aim, Row

import docker  # noqa: E402
import initrun  # noqa: E402
import matrix  # noqa: E402
import matrix_run  # noqa: E402
import processes  # noqa: E402

KIB = 1024


class Bench:
    def __init__(self, work: pathlib.Path, quick: bool):
        self.quick = quick
        self.probe = docker.make_probe(work, "-static")
        self.columns = [each for each in matrix_run.candidates() if each.name != "tini -g"]
        self.columns[0] = stripped(self.columns[0], work)
        static = shutil.which("tini-static")
        if static:
            self.columns.append(matrix_run.Candidate("tini-static", pathlib.Path(static), (), ("-s",)))
        self.work = work

    def peer(self, figures: dict, best=min) -> float:
        """The best of the others."""
        return best(value for name, value in figures.items() if name != self.columns[0].name)

    def ours(self, figures: dict) -> float:
        return figures[self.columns[0].name]


def stripped(ours, work: pathlib.Path):
    """The program as it is shipped."""
    path = work / "berth-init"
    harness.run(["strip", "-o", path, ours.program]).ok()
    return matrix_run.Candidate(ours.name, path, ours.options, ours.sub_options)


def sizes(bench: Bench) -> dict:
    return {each.name: each.program.stat().st_size / KIB for each in bench.columns}


def started(bench: Bench, candidate):
    """It, with a command that waits, asleep."""
    run = matrix_run.Run(candidate, "sub", *matrix_run.recorder(bench.probe))
    run.wait_for("ready")
    run.remember(run.command)
    harness.until(lambda: processes.state(run.pid) == "S", "sleep")
    return run


def memory(bench: Bench) -> tuple:
    """KiB resident, proportional and private of each."""
    resident, proportional, private = {}, {}, {}
    for each in bench.columns:
        with started(bench, each) as run:
            text = pathlib.Path(f"/proc/{run.pid}/smaps_rollup").read_text()
        fields = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
        resident[each.name], proportional[each.name] = fields["Rss"], fields["Pss"]
        private[each.name] = fields["Private_Dirty"] + fields["Private_Clean"]
    return resident, proportional, private


def spawn(argv: list) -> float:
    """Microseconds from spawning a program to having its status."""
    before = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, {})
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter_ns() - before) / 1e3
    assert status == 0, argv
    return took


def starts(bench: Bench) -> tuple:
    """Microseconds that each adds, and those of the program alone."""
    nothing = [str(bench.probe), "exit", "0"]
    argvs = {"": nothing, **{each.name: [*each.argv("sub"), "--", *nothing] for each in bench.columns}}
    times = {name: [] for name in argvs}
    for turn in range(30 if bench.quick else 1000):
        for name, argv in argvs.items():
            times[name].append(spawn(argv))
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare = medians.pop("")
    return {name: median - bare for name, median in medians.items()}, bare


def wakeups(bench: Bench) -> dict:
    """In ten seconds; all of them at once."""
    runs = {each.name: started(bench, each) for each in bench.columns}
    try:
        before = {name: matrix.switches(run.pid) for name, run in runs.items()}
        time.sleep(1 if bench.quick else 10)
        return {name: matrix.switches(run.pid) - before[name] for name, run in runs.items()}
    finally:
        for run in runs.values():
            run.__exit__()


def print_figures(title: str, unit: str, figures: dict) -> None:
    print(f"{title:22} " + " ".join(f"{value:11.0f}" for value in figures.values()) + f"  {unit}", flush=True)


def measure(bench: Bench) -> list:
    print(f"{'':22} " + " ".join(f"{each.name:>11}" for each in bench.columns))
    size = sizes(bench)
    print_figures("size of the program", "KiB", size)
    resident, proportional, private = memory(bench)
    print_figures("resident, idle", "KiB", resident)
    print_figures("  its share (PSS)", "KiB", proportional)
    print_figures("  its own", "KiB", private)
    start, bare = starts(bench)
    print_figures("added to a start", f"us (alone: {bare:.0f} us)", start)
    woken = wakeups(bench)
    print_figures("wakeups, idle 10 s", "", woken)

    def row(name, figures, unit, aim):
        ours, best = bench.ours(figures), bench.peer(figures)
        return Row(name, 1, f"{ours:.0f} {unit}", f"{best:.0f} {unit}", ours, aim)
    rows = [row("size", size, "KiB", Aim("<=", 70, "KiB")), row("resident", resident, "KiB", Aim("<=", 100, "KiB")),
            row("wakeups", woken, "", Aim("<=", 0, ""))]
    if "dumb-init" in start:
        rows.insert(2, Row("start", 1000, f"{bench.ours(start):.0f} us", f"{start['dumb-init']:.0f} us",
                           bench.ours(start) / start["dumb-init"], Aim("<=", 1.0)))
    return rows


def print_matrix(bench: Bench) -> None:
    table = matrix.Table(matrix_run.candidates())
    for row in matrix.ROWS:
        for mode in row.modes:
            if (mode == "sub" or initrun.namespace()) and (harness.IS_ROOT or not row.needs_root):
                matrix.fill(table, row, mode, bench.probe)
    print(f"\nWhat is not right has a star.\n{table.text()}", end="", flush=True)


def main(argv: list) -> int:
    parser = argparse.ArgumentParser(prog="ci/bench init", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="with few runs: does the bench itself work?")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="berth-bench.") as work:
        try:
            bench = Bench(pathlib.Path(work), args.quick)
            rows = measure(bench)
            print(f"\n{Row.HEAD}\n" + "\n".join(map(str, rows)), flush=True)
            print_matrix(bench)
        except docker.Unavailable as reason:
            print(f"bench: {reason}", file=sys.stderr)
            return 69
        except (AssertionError, subprocess.SubprocessError) as error:
            print(f"FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
