# SPDX-License-Identifier: MIT
"""berth against Slurm's own commands on the same Slurm: listing, submitting, arrays; and how quickly it starts.

A real Slurm of this machine is filled with held jobs (sbatch, some minutes for ten thousand), each of which has a
record of berth's. Both sides list all of them and print to a file. Figures are ratios of medians taken in turns, or
milliseconds. All files, Slurm's and ours, are in memory (/dev/shm) where there is room: what making a file costs differs
between file systems by more than all else.

A submission leaves a process that makes keys for the next one; each measurement begins when that has ended.

All of it are short programs that wait for one another: where the machine has other work, each of them queues for a core,
and whoever starts more of them loses. --realtime lets them, and Slurm, go first while something is measured.
"""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import cases
from parties import harness  # and with it the path of tests/e2e
from report import Aim, Row, ms, timed, turns

import slurm as slurm_module  # noqa: E402

RUNS = 7
SUBMISSIONS = 31
MEMORY = 1 << 30
SUBMITTERS = 4
# All that squeue has to tell for what berth shows.
FIELDS = "JobArrayID:|,State:|,exit_code:|,StartTime:|,EndTime:|,Partition:|,NodeList:|,RestartCnt:|,Reason:"


class Bench:
    def __init__(self, work: pathlib.Path, jobs: int, realtime=False):
        self.work, self.jobs, self.realtime = work, jobs, realtime
        self.program = pathlib.Path(os.environ["BERTH_BUILD"]) / "controller" / "berth"
        self.home = harness.Home(work / "home").enter()
        (work / "slurm").mkdir(mode=0o755)
        self.slurm = slurm_module.Slurm(work / "slurm").start()
        self.env = self.home.env(SLURM_CONF=self.slurm.config)
        self.filled = False

    def close(self) -> None:
        # The controller goes with its state: cancelling thousands of held jobs first is for nobody.
        self.slurm.is_up = False
        self.slurm.stop()
        self.home.leave()

    def berth(self, *argv) -> str:
        return harness.run([self.program, *argv], env=self.env, timeout=300).ok().stdout

    def timed(self, *argv) -> float:
        with open(self.work / "output", "wb") as output:
            return timed([str(word) for word in argv], env=self.env, stdout=output)

    def turns(self, runs: int, ours: list, theirs: list) -> tuple:
        """Medians of two command lines, in seconds."""
        def quietly(argv: list) -> float:
            if ours[1] == "run":
                harness.until(lambda: list((self.home.state_dir / "keys" / "spare").glob("*.job")), "spare keys")
            return self.timed(*argv)
        self.schedule(os.SCHED_FIFO, 10)
        try:
            return turns(runs, lambda: quietly(ours), lambda: quietly(theirs))
        finally:
            self.schedule(os.SCHED_OTHER, 0)

    def schedule(self, policy: int, priority: int) -> None:
        for pid in [os.getpid(), *(process.pid for process in self.slurm.processes)] if self.realtime else []:
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(ProcessLookupError):  # a thread that has ended meanwhile
                    os.sched_setscheduler(int(task), policy, os.sched_param(priority))

    def fill(self) -> None:
        """Held jobs of Slurm's, and a record for each, copied from a real one."""
        if self.filled:
            return
        self.filled = True
        self.berth("run", "-b", "slurm", "--begin", "now+1hour", "--", "true")
        print(f"{self.jobs} jobs are being submitted ...", file=sys.stderr)
        one = "exec sbatch --parsable --hold --output=/dev/null --wrap=true"
        script = f"seq {self.jobs} | xargs -P {SUBMITTERS} -I . sh -c '{one}'"
        listed = subprocess.run(["sh", "-c", script], env=self.env, check=True, stdout=subprocess.PIPE, text=True)
        store = sqlite3.connect(self.home.state_dir / "berth.db")
        with store:
            columns = [row[1] for row in store.execute("PRAGMA table_info(jobs)")]
            copied = [name for name in columns if name not in ("id", "uid", "native_id")]
            names = ", ".join(copied)
            store.executemany(f"INSERT INTO jobs (uid, native_id, {names}) SELECT ?, ?, {names} FROM jobs WHERE id = 1",
                              [(f"copy-{id}", id) for id in listed.stdout.split()])
        store.close()
        self.berth("get", "jobs")  # what is new is written once


def list_jobs(bench: Bench) -> Row:
    bench.fill()
    squeue = ["squeue", "--noheader", "--me", "--states=all", "--Format", FIELDS]
    ours, theirs = bench.turns(RUNS, [bench.program, "get", "jobs"], squeue)
    return Row(f"get {bench.jobs}", RUNS, ms(ours), ms(theirs), ours / theirs, Aim("<=", 1.3))


def submit(bench: Bench) -> Row:
    begin = "--begin=now+1hour"
    bench.berth("run", "-b", "slurm", begin, "--", "true")  # the bundle is there from now on
    ours, theirs = bench.turns(SUBMISSIONS, [bench.program, "run", "-b", "slurm", begin, "--", "true"],
                               ["sbatch", begin, "--output=/dev/null", "--wrap=true"])
    return Row("run", SUBMISSIONS, ms(ours), ms(theirs), ours / theirs, Aim("<=", 1.5))


def array(bench: Bench) -> Row:
    """A thousand tasks are one submission: beside one of a single job."""
    options = ["--begin=now+1hour", "--array=0-999"]
    bench.berth("run", "-b", "slurm", *options, "--", "true")
    ours, theirs = bench.turns(RUNS, [bench.program, "run", "-b", "slurm", *options, "--", "true"],
                               ["sbatch", *options, "--output=/dev/null", "--wrap=true"])
    return Row("array of 1000", RUNS, ms(ours), ms(theirs), ours / theirs, Aim("<=", 1.5))


def version(bench: Bench) -> Row:
    ours, theirs = bench.turns(31, [bench.program, "--version"], ["/bin/true"])
    return Row("--version", 31, ms(ours), ms(theirs), ours * 1e3, Aim("<=", 5, "ms"))


def proxy(bench: Bench) -> Row:
    """From the start of `berth proxy` until it becomes the tunnel, whose place a program takes that ends at once."""
    name = bench.berth("run", "-b", "slurm", "-q", "--", "sleep", "1000").strip()
    directory = harness.until(lambda: next(iter(bench.home.berth_home.glob("jobs/*/endpoint.0.json")), None),
                              "endpoint of a job")
    assert directory
    tunnel = bench.work / "fake" / "berth-tunnel"
    tunnel.parent.mkdir()
    shutil.copy(bench.program.parent.parent / "init" / "berth-init", tunnel.parent)
    tunnel.write_text("#!/bin/sh\n")
    tunnel.chmod(0o755)
    bench.env["BERTH_BUNDLE"] = str(tunnel.parent)
    ours, theirs = bench.turns(31, [bench.program, "proxy", name], [tunnel])
    del bench.env["BERTH_BUNDLE"]
    bench.berth("cancel", name)
    return Row("proxy", 31, ms(ours), ms(theirs), (ours - theirs) * 1e3, Aim("<=", 10, "ms"))


CASES = {"version": version, "submit": submit, "array": array, "proxy": proxy, "get": list_jobs}


def main() -> int:
    parser = cases.parser("controller", __doc__, CASES)
    parser.add_argument("--jobs", type=int, default=10000, help="how many jobs are listed")
    parser.add_argument("--realtime", action="store_true", help="measure ahead of what else the machine does (root)")
    args = parser.parse_args()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > MEMORY else None
    return cases.run(parser, args, CASES, lambda work: Bench(work, args.jobs, args.realtime), (slurm_module.Unavailable,),
                     memory)


if __name__ == "__main__":
    cases.end(main)
