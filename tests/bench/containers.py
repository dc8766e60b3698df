# SPDX-License-Identifier: MIT
"""berth against Docker's own client on the same dockerd: a container until one is in it, and listing five hundred.

A dockerd of its own (tests/e2e/docker.py) with images made here. Both sides take turns; figures are ratios of medians.
"""

import os
import pathlib
import sqlite3
import subprocess
import sys
import time

import cases
from parties import harness  # and with it the path of tests/e2e
from report import Aim, Row, ms, timed, turns

import docker as docker_module  # noqa: E402

IMAGE = "busybox"
RUNS = 11


class Bench:
    def __init__(self, work: pathlib.Path, containers: int):
        self.work, self.containers = work, containers
        self.program = pathlib.Path(os.environ["BERTH_BUILD"]) / "controller" / "berth"
        (work / "docker").mkdir(mode=0o755)
        self.docker = docker_module.Docker(work / "docker").start()
        self.image = self.docker.image(IMAGE)
        self.home = harness.Home(work / "home").enter()
        self.env = self.home.env(DOCKER_HOST=f"unix:{self.docker.dir}/socket")
        self.trash = []

    def close(self) -> None:
        self.docker.stop()
        self.home.leave()

    def berth(self, *argv) -> str:
        return harness.run([self.program, *argv], env=self.env, timeout=300).ok().stdout

    def timed(self, argv, env=None) -> float:
        with open(self.work / "output", "wb") as output:
            return timed([str(word) for word in argv], env=env or self.env, stdout=output)

    def clear(self) -> None:
        """What was measured goes, so that the next turn finds what this one found."""
        if self.trash:
            self.docker.call("rm", "--force", *self.trash).ok()
        self.trash = []


def enter(bench: Bench) -> Row:
    """From the command to the end of the first command in the container: ours with keys and a tunnel, by stock ssh."""
    options = ["--network=host", "--pull=never"]

    def ours() -> float:
        before = time.monotonic()
        name = bench.berth("run", "-q", "-b", "docker", "--network=host", "--pull=never", "--image", bench.image, "--",
                           "sleep", "1000").strip()
        bench.timed(["ssh", "-o", "BatchMode=yes", name, "true"])
        spent = time.monotonic() - before
        bench.trash = bench.docker.call("ps", "--quiet", "--latest").ok().stdout.split()
        bench.clear()
        return spent

    def theirs() -> float:
        before = time.monotonic()
        id = bench.docker.call("run", "--detach", *options, bench.image, "sleep", "1000").ok().stdout.strip()
        bench.timed(bench.docker.argv("exec", id, "true"), bench.docker.env())
        spent = time.monotonic() - before
        bench.trash = [id]
        bench.clear()
        return spent
    mine, other = turns(RUNS, ours, theirs)
    return Row("run, enter", RUNS, ms(mine), ms(other), mine / other, Aim("<=", 1.3))


def run(bench: Bench) -> Row:
    """The same without entering: submission alone, beside docker run --detach."""
    def ours() -> float:
        before = time.monotonic()
        bench.berth("run", "-q", "-b", "docker", "--network=host", "--pull=never", "--image", bench.image, "--", "sleep", "1000")
        spent = time.monotonic() - before
        bench.trash = bench.docker.call("ps", "--quiet", "--latest").ok().stdout.split()
        bench.clear()
        return spent

    def theirs() -> float:
        before = time.monotonic()
        bench.trash = [bench.docker.call("run", "--detach", "--network=host", "--pull=never", bench.image, "sleep",
                                         "1000").ok().stdout.strip()]
        spent = time.monotonic() - before
        bench.clear()
        return spent
    mine, other = turns(RUNS, ours, theirs)
    return Row("run", RUNS, ms(mine), ms(other), mine / other, Aim("<=", 1.3))


def list_jobs(bench: Bench) -> Row:
    """Containers that were created and wait: each is one more line for both, and costs the machine nothing."""
    print(f"{bench.containers} containers are being made ...", file=sys.stderr)
    name = bench.berth("run", "-q", "-b", "docker", "--network=host", "--pull=never", "--image", bench.image, "--", "sleep",
                       "1000").strip()
    assert name
    store = sqlite3.connect(bench.home.state_dir / "berth.db")
    columns = [row[1] for row in store.execute("PRAGMA table_info(jobs)")]
    copied = ", ".join(each for each in columns if each not in ("id", "uid", "native_id"))
    script = (f'seq {bench.containers} | xargs -P 4 -I % {" ".join(bench.docker.argv())} create --network=host --pull=never '
              f'--label berth.uid=copy-% {bench.image} sleep 1000')
    made = subprocess.run(["sh", "-c", script], env=bench.docker.env(), check=True, stdout=subprocess.PIPE, text=True)
    with store:
        store.executemany(f"INSERT INTO jobs (uid, native_id, {copied}) SELECT ?, ?, {copied} FROM jobs WHERE id = 1",
                          [(f"copy-{id}", id) for id in made.stdout.split()])
    store.close()
    bench.berth("get", "jobs")  # what is new is written once
    mine, other = turns(RUNS, lambda: bench.timed([bench.program, "get", "jobs"]),
                        lambda: bench.timed(bench.docker.argv("ps", "--all"), bench.docker.env()))
    return Row(f"get {bench.containers}", RUNS, ms(mine), ms(other), mine / other, Aim("<=", 1.0))


CASES = {"run": run, "enter": enter, "get": list_jobs}


def main() -> int:
    parser = cases.parser("containers", __doc__, CASES)
    parser.add_argument("--containers", type=int, default=500, help="how many are listed")
    args = parser.parse_args()
    return cases.run(parser, args, CASES, lambda work: Bench(work, args.containers), (docker_module.Unavailable,))


if __name__ == "__main__":
    cases.end(main)
