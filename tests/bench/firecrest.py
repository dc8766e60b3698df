# SPDX-License-Identifier: MIT
"""Requests and time of submit, list, log, ssh and cp through FirecREST, beside what coman's source makes of the same.

The server is the stand-in of the tests with a real Slurm behind it; requests are counted there, and are what a site's
limit a minute is about. Those of coman are counted in its source, warm: calls of the API, and two of the issuer for the
token of each verb. Times are ours alone, against a server on this machine; that of cp, of a file of 1 GiB, is compared with
one curl that sends the same bytes to the same store, and fetches them, in turns with ours.
"""

import os
import pathlib
import subprocess

import cases
import files
from parties import harness  # and with it the path of tests/e2e
from report import Aim, Row, ms, timed, turns

import firecrest as firecrest_module  # noqa: E402
import slurm as slurm_module  # noqa: E402

RUNS = 5
COPIES = 2
A_THIRD = Aim("<=", 0.34)
TOKEN = 2  # discovery, and the token itself
CONFIG = """\
context: site
clusters:
  site: {{backend: firecrest, url: "{url}", system: cluster, token_file: {token}}}
"""
# verb -> calls of the API that coman makes for it
COMAN = {"submit": 12, "list": 1, "log": 3, "ssh": 2}


class Bench:
    def __init__(self, work: pathlib.Path, size: int, quick: bool):
        self.work, self.size = work, size
        self.runs, self.copies = (1, 1) if quick else (RUNS, COPIES)
        self.program = pathlib.Path(os.environ["BERTH_BUILD"]) / "controller" / "berth"
        self.home = harness.Home(work / "home").enter()
        (work / "slurm").mkdir(mode=0o755)
        (work / "site").mkdir()
        self.slurm = slurm_module.Slurm(work / "slurm").start()
        self.server = firecrest_module.Server(work / "site", self.slurm).start()
        self.env = self.home.env()
        token = work / "token"
        token.write_text(self.server.token)
        self.home.config_dir.mkdir(parents=True)
        (self.home.config_dir / "config.yaml").write_text(CONFIG.format(url=self.server.url, token=token))
        with self.server.counting() as self.first:
            self.job = harness.run([self.program, "run", "-q", "--", "sleep", "1000"], env=self.env).ok().stdout.strip()
        jobs = self.server.scratch / self.server.user / ".berth" / "jobs"
        harness.until(lambda: list(jobs.glob("*/endpoint.0.json")), "endpoint of a job")
        harness.run(["ssh", "-o", "BatchMode=yes", self.job, "true"], env=self.env).ok()

    def close(self) -> None:
        self.server.stop()
        self.slurm.stop()
        self.home.leave()

    def settle(self) -> None:
        """The end of each job is seen once, and what that costs is no list's."""
        def one_runs():
            listed = harness.run([self.program, "get", "jobs", "--refresh", "--state", "open", "-o", "name"], env=self.env).ok()
            return listed.stdout.split() == [self.job]
        harness.until(one_runs, "end of the short jobs", interval=0.2)

    def row(self, name: str, *argv) -> Row:
        self.settle()
        with self.server.counting() as made:
            harness.run(argv, env=self.env).ok()
        duration, = turns(self.runs, lambda: timed([str(word) for word in argv], env=self.env, stdout=subprocess.DEVNULL))
        theirs = COMAN[name] + TOKEN
        return Row(name, self.runs, f"{len(made)} / {ms(duration)}", f"{theirs}", len(made) / theirs, A_THIRD)


def copies(bench: Bench) -> list:
    (bench.work / "cp").mkdir(mode=0o755)
    inner = files.Bench(bench.work / "cp", bench.size, bench.copies, bench.home)
    try:
        return [*files.requests_rows(inner), *files.firecrest_rows(inner)]
    finally:
        inner.close()


CASES = {"submit": lambda bench: bench.row("submit", bench.program, "run", "-q", "--", "true"),
         "list": lambda bench: bench.row("list", bench.program, "get", "jobs", "--refresh"),
         "log": lambda bench: bench.row("log", bench.program, "logs", bench.job),
         "ssh": lambda bench: bench.row("ssh", "ssh", "-o", "BatchMode=yes", bench.job, "true"),
         "cp": copies}


def begin(work: pathlib.Path, size: int, quick: bool) -> Bench:
    bench = Bench(work, size, quick)
    print(f"(the first submission to a site, which brings the programs: {len(bench.first)} requests)", flush=True)
    return bench


def main() -> int:
    parser = cases.parser("firecrest", __doc__, CASES)
    parser.add_argument("--quick", action="store_true", help="once each: does the bench itself work?")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the file that is copied (1024)")
    args = parser.parse_args()
    return cases.run(parser, args, CASES, lambda work: begin(work, args.size << 20, args.quick),
                     (slurm_module.Unavailable, firecrest_module.Unavailable))


if __name__ == "__main__":
    cases.end(main)
