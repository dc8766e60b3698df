# SPDX-License-Identifier: MIT
"""berth cp against scp through the same login node, and through FirecREST's store against one stream of curl.

A real sshd on loopback; a stand-in FirecREST and S3 store with a real Slurm, all on this machine, so that FirecREST's figure is
about what berth adds to the store's own speed: jobs that carry files, parts, checks. Sides take turns; figures are ratios of
medians.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

from parties import harness  # and with it the path of tests/e2e
from report import Aim, Row, rate, timed, turns

import firecrest  # noqa: E402
import firecrest_transfer  # noqa: E402
import loginnode  # noqa: E402
import s3  # noqa: E402
import slurm as slurm_module  # noqa: E402

RUNS = 3
PART = 64 << 20


class Bench:
    def __init__(self, work: pathlib.Path, size: int, runs: int):
        self.work, self.size, self.runs = work, size, runs
        self.program = pathlib.Path(os.environ["BERTH_BUILD"]) / "controller" / "berth"
        self.home = harness.Home(work / "home").enter()
        self.source, self.copies = work / "source", work / "copies"
        self.copies.mkdir()
        with open(self.source, "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        self.ends = [self.home.leave]
        self.clusters = ""

    def close(self) -> None:
        while self.ends:
            self.ends.pop()()

    def login(self) -> loginnode.LoginNode:
        (self.work / "login").mkdir(mode=0o755)
        node = loginnode.LoginNode(self.work / "login", "/nonexistent").start()
        self.ends.append(node.stop)
        self.configure(node.configuration().partition("clusters:\n")[2])
        self.berth("ls", "hpc:")  # the connection that all use
        return node

    def site(self) -> tuple:
        (self.work / "slurm").mkdir(mode=0o755)
        (self.work / "site").mkdir(mode=0o755)
        slurm = slurm_module.Slurm(self.work / "slurm").start()
        self.ends.append(slurm.stop)
        server = firecrest.Server(self.work / "site", slurm).start()
        self.ends.append(server.stop)
        store = s3.S3(self.work / "store").start()
        self.ends.append(store.stop)
        firecrest_transfer.Transfers(server, store, self.work / "transfers", part_max=PART)
        (self.work / "token").write_text(server.token)
        self.configure(f"  alps:\n    backend: firecrest\n    url: {server.url}\n    system: {server.system}\n"
                       f"    token_file: {self.work / 'token'}\n")
        return server, store

    def configure(self, text: str) -> None:
        self.clusters += text
        self.home.config_dir.mkdir(parents=True, exist_ok=True)
        (self.home.config_dir / "config.yaml").write_text(f"clusters:\n{self.clusters}")

    def env(self) -> dict:
        return self.home.env()

    def berth(self, *argv) -> None:
        harness.run([self.program, *argv], env=self.env(), timeout=600).ok()

    def timed(self, *argv) -> float:
        took = timed([str(word) for word in argv], env=self.env())
        for copy in self.copies.iterdir():
            assert copy.stat().st_size == self.size, copy
            copy.unlink()
        return took

    def row(self, name: str, ours: list, theirs: list, aim: Aim) -> Row:
        mine, other = turns(self.runs, lambda: self.timed(self.program, *ours), lambda: self.timed(*theirs))
        return Row(name, self.runs, rate(self.size, mine), rate(self.size, other), other / mine, aim)


def login_rows(bench: Bench) -> list:
    node = bench.login()
    options = [word for option in node.options() for word in ("-o", option)]
    scp = ["scp", "-q", "-F", "none", *options]
    there = bench.copies / "copy"
    return [bench.row("login up", ["cp", bench.source, f"hpc:{there}"], [*scp, bench.source, f"root@127.0.0.1:{there}"], Aim(">=", 1)),
            bench.row("login down", ["cp", f"hpc:{bench.source}", there], [*scp, f"root@127.0.0.1:{bench.source}", there], Aim(">=", 1))]


def firecrest_rows(bench: Bench) -> list:
    server, store = bench.site()
    there = bench.copies / "copy"
    store.object("b", "one").parent.mkdir(parents=True)
    shutil.copy(bench.source, store.object("b", "one"))
    curl = ["curl", "-sf", "-o", "/dev/null"]
    with server.counting() as made:
        bench.timed(bench.program, "cp", bench.source, f"alps:{there}")
    print(f"firecrest: {len(made)} requests for an upload: {', '.join(dict.fromkeys(made))}", file=sys.stderr)
    return [bench.row("firecrest up", ["cp", bench.source, f"alps:{there}"],
                      [*curl, "-T", bench.source, store.presign("PUT", "b", "two")], Aim(">=", 0.5)),
            bench.row("firecrest down", ["cp", f"alps:{bench.source}", there],
                      ["curl", "-sf", "-o", there, store.presign("GET", "b", "one")], Aim(">=", 0.5))]


CASES = {"login": login_rows, "firecrest": firecrest_rows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/bench files", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of {', '.join(CASES)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="once, with 16 MiB")
    args = parser.parse_args()
    wrong = set(args.cases) - set(CASES)
    if wrong:
        parser.error(f"no case {', '.join(sorted(wrong))}; there are {', '.join(CASES)}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench."))
    work.chmod(0o755)
    bench = None
    try:
        bench = Bench(work, 16 << 20 if args.quick else 1 << 30, 1 if args.quick else RUNS)
        print(Row.HEAD, flush=True)
        for name in args.cases or CASES:
            for row in CASES[name](bench):
                print(row, flush=True)
    except (slurm_module.Unavailable, firecrest.Unavailable, loginnode.Unavailable) as reason:
        print(f"not measured: {reason}", file=sys.stderr)
        return 69
    finally:
        if bench:
            bench.close()
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(status)
