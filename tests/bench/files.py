# SPDX-License-Identifier: MIT
"""berth cp against scp through a login node and into a job, and through FirecREST's store against one stream of curl.

A real sshd on loopback; a stand-in FirecREST and S3 store with a real Slurm, all on this machine, so that FirecREST's figure is
about what berth adds to the store's own speed: jobs that carry files, parts, checks. What of it is the server's is told apart. Sides
take turns; figures are ratios of medians.
"""

import functools
import os
import pathlib
import re
import shlex
import shutil
import statistics
import sys

import cases
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
    def __init__(self, work: pathlib.Path, size: int, runs: int, home=None):
        """home: of a bench that this is a part of, and whose configuration it takes the place of meanwhile."""
        self.work, self.size, self.runs = work, size, runs
        self.program = pathlib.Path(os.environ["BERTH_BUILD"]) / "controller" / "berth"
        self.home = home or harness.Home(work / "home").enter()
        self.source, self.copies = work / "source", work / "copies"
        self.copies.mkdir()
        self.targets = [self.copies]
        with open(self.source, "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        self.config = self.home.config_dir / "config.yaml"
        before = self.config.read_bytes() if home else b""
        self.ends = [(lambda: self.config.write_bytes(before)) if home else self.home.leave]
        self.clusters = ""

    def close(self) -> None:
        while self.ends:
            self.ends.pop()()

    @functools.lru_cache(maxsize=1)
    def login(self) -> loginnode.LoginNode:
        (self.work / "login").mkdir(mode=0o755)
        node = loginnode.LoginNode(self.work / "login", "/nonexistent").start()
        self.ends.append(node.stop)
        self.configure(node.configuration().partition("clusters:\n")[2])
        self.berth("ls", "hpc:")  # the connection that all use
        return node

    @functools.lru_cache(maxsize=1)
    def site(self) -> tuple:
        (self.work / "slurm").mkdir(mode=0o755)
        (self.work / "site").mkdir(mode=0o755)
        slurm = slurm_module.Slurm(self.work / "slurm").start()
        self.ends.append(slurm.stop)
        server = firecrest.Server(self.work / "site", slurm).start()
        self.ends.append(server.stop)
        store = s3.S3(self.work / "store").start()
        self.ends.append(store.stop)
        firecrest_transfer.Transfers(server, store, server.scratch / "transfers", part_max=PART)
        self.remote = server.scratch / server.user
        self.remote.mkdir(exist_ok=True)
        os.link(self.source, self.remote / "source")
        self.targets.append(self.remote / "copies")
        self.targets[-1].mkdir()
        (self.work / "token").write_text(server.token)
        self.configure(f"  alps:\n    backend: firecrest\n    url: {server.url}\n    system: {server.system}\n"
                       f"    token_file: {self.work / 'token'}\n")
        return server, store

    def configure(self, text: str) -> None:
        self.clusters += text
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(f"clusters:\n{self.clusters}")

    def env(self) -> dict:
        return self.home.env()

    def berth(self, *argv) -> None:
        harness.run([self.program, *argv], env=self.env(), timeout=600).ok()

    def timed(self, *argv, **more) -> float:
        took = timed([str(word) for word in argv], env=self.env(), limit=600, **more)
        for copy in [copy for target in self.targets for copy in target.iterdir()]:
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


def job_rows(bench: Bench) -> list:
    """Into a job on this machine and out of it, by cp and by rsync through its ssh, beside scp and rsync to a sshd on this machine."""
    options = ["-F", "none", *(word for option in bench.login().options() for word in ("-o", option))]
    job = harness.run([bench.program, "run", "-q", "--cluster", "local", "--", "sleep", "10000"], env=bench.env()).ok().stdout.strip()
    bench.ends.append(lambda: harness.run([bench.program, "cancel", job], env=bench.env()))
    harness.run(["ssh", "-o", "BatchMode=yes", job, "true"], env=bench.env()).ok()
    there, host = bench.copies / "copy", "root@127.0.0.1"

    def rsync(*words) -> list:
        return ["rsync", "-W", "--inplace", "-e", shlex.join(["ssh", *words])]
    rows = []
    for way, operands in ("up", (bench.source, f"{{}}:{there}")), ("down", (f"{{}}:{bench.source}", there)):
        def words(place, operands=operands):
            return [str(operand).format(place) for operand in operands]
        commands = ([bench.program, "cp", *words(job)], ["scp", "-q", *options, *words(host)],
                    [*rsync("-o", "BatchMode=yes"), *words(job)], [*rsync(*options), *words(host)])
        took = turns(bench.runs, *(functools.partial(bench.timed, *command) for command in commands))
        rows += [Row(f"job {name} {way}", bench.runs, rate(bench.size, ours), rate(bench.size, theirs), theirs / ours, Aim(">=", 1))
                 for name, ours, theirs in (("cp", *took[:2]), ("rsync", *took[2:]))]
    return rows


class Phases:
    """How long what took, from what `berth cp -v` tells."""

    WORDS = {"begun": r"has begun after (\d+) ms", "staged": r"into the store after (\d+) ms", "sent": r"store has it after (\d+) ms",
             "came": r"came here after (\d+) ms", "job": r"after another (\d+) ms"}

    def __init__(self, bench: Bench):
        self.bench, self.seen = bench, {word: [] for word in self.WORDS}

    def timed(self, *argv) -> float:
        log = self.bench.work / "log"
        with open(log, "wb") as errors:
            took = self.bench.timed(self.bench.program, "cp", "-v", *argv, stderr=errors)
        for word, pattern in self.WORDS.items():
            if found := re.search(pattern, log.read_text()):
                self.seen[word].append(int(found.group(1)) / 1000)
        return took

    def median(self, word: str) -> float:
        # Without the first turn, as turns() has it.
        return statistics.median(self.seen[word][1:])

    def __str__(self) -> str:
        return ", ".join(f"{word} {self.median(word):.2f} s" for word in self.WORDS if self.seen[word])


def parallel_curl(bench: Bench, *transfers) -> list:
    """One curl that makes all of these transfers at the same time."""
    words = ["curl", "-sfZ", "--no-progress-meter", "--parallel-max", "8"]
    for number, transfer in enumerate(transfers):
        words += [*(["--next", "-sf"] if number else []), *transfer]
    return words


def firecrest_rows(bench: Bench) -> list:
    """Whole copies against one stream; and the bytes alone, without the server's share, against curl with the same parts."""
    server, store = bench.site()
    there, whole = bench.copies / "copy", str(bench.source)
    store.object("b", "one").parent.mkdir(parents=True)
    shutil.copy(bench.source, store.object("b", "one"))
    parts = range(0, bench.size, PART)
    for begin in parts:
        with open(bench.source, "rb") as file, open(bench.work / f"part{begin}", "wb") as part:
            os.sendfile(part.fileno(), file.fileno(), begin, min(PART, bench.size - begin))
    upload = store.initiate("b", "two")
    one = {"up": ["curl", "-sf", "-o", "/dev/null", "-T", whole, store.presign("PUT", "b", "three")],
           "down": ["curl", "-sf", "-o", there, store.presign("GET", "b", "one")]}
    many = {"up": parallel_curl(bench, *(
                ["-o", "/dev/null", "-T", bench.work / f"part{begin}",
                 store.presign("PUT", "b", "two", {"uploadId": upload, "partNumber": begin // PART + 1})] for begin in parts)),
            "down": parallel_curl(bench, *(
                ["-o", bench.work / f"part{begin}", "-r", f"{begin}-{min(begin + PART, bench.size) - 1}", store.presign("GET", "b", "one")]
                for begin in parts))}
    rows = []
    for way, operands, data in ("up", [bench.source, f"alps:{bench.remote}/copies/copy"], "sent"), (
            "down", [f"alps:{bench.remote}/source", there], "came"):
        phases = Phases(bench)
        mine, stream, streams = turns(bench.runs, lambda: phases.timed(*operands), lambda: bench.timed(*one[way]),
                                      lambda: bench.timed(*many[way]))
        rows += [Row(f"firecrest {way}", bench.runs, rate(bench.size, mine), rate(bench.size, stream), stream / mine, Aim(">=", 0.5)),
                 Row(f"its bytes {way}", bench.runs, rate(bench.size, phases.median(data)), rate(bench.size, streams),
                     streams / phases.median(data), Aim(">=", 0.5))]
        print(f"firecrest {way}: {mine:.2f} s, of which {phases}", file=sys.stderr)
    return rows


def requests_rows(bench: Bench) -> list:
    """Against coman's, as its source makes them: a list and the transfer, then, twice a second for what it sends and every two
    seconds for what it fetches, job and metadata; each call has a token of its own, which is two requests more."""
    server, _ = bench.site()
    there = server.scratch / server.user / "large"
    rows = []
    for way, pause, operands in ("up", 0.5, [bench.source, f"alps:{there}"]), ("down", 2, [f"alps:{there}", bench.copies / "copy"]):
        phases = Phases(bench)
        with server.counting() as made:
            took = phases.timed(*operands)
        waited, = phases.seen["job"] or phases.seen["staged"]
        theirs = 2 * 3 + (1 + int(waited / pause)) * 4
        rows.append(Row(f"requests {way}", 1, f"{len(made)} / {took:.1f} s", f"{theirs}", len(made) / theirs, Aim("<=", 0.34)))
    return rows


CASES = {"requests": requests_rows, "login": login_rows, "job": job_rows, "firecrest": firecrest_rows}


def main() -> int:
    parser = cases.parser("files", __doc__, CASES)
    parser.add_argument("--quick", action="store_true", help="once, with 16 MiB")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the file (1024)")
    args = parser.parse_args()
    size, runs = (16 << 20, 1) if args.quick else (args.size << 20, RUNS)
    return cases.run(parser, args, CASES, lambda work: Bench(work, size, runs),
                     (slurm_module.Unavailable, firecrest.Unavailable, loginnode.Unavailable))


if __name__ == "__main__":
    cases.end(main)
