# SPDX-License-Identifier: MIT
"""What can become of a job on a real Slurm: each is told the same by Slurm's commands and by slurmrestd, with accounts
and without. Everything is begun at once, because Slurm looks for jobs whose time is over only every half minute."""

import dataclasses
import typing

import pytest

import harness

UNSUPPORTED = 69
SLEEP = ("--", "sleep", "1000")
WAITING = ("--begin", "now+1hour", "--", "true")
# Clusters here give no job less than 200 MB.
HUNGRY = ("--mem", "250M", "--", "python3", "-c", "bytearray(400 << 20)")
KILLED = "killed by the kernel: out of memory"


def update(what: str):
    return lambda cluster, id: cluster.run("scontrol", "update", f"JobId={id}", what).ok()


def scontrol(word: str):
    return lambda cluster, id: cluster.run("scontrol", word, id).ok()


def scancel(cluster, id):
    cluster.run("scancel", id).ok()


@dataclasses.dataclass
class Case:
    """A job, what is done to it behind berth's back (once it runs, if it does), and what is told then."""
    job: tuple
    state: str
    native: str
    reason: str = ""
    exit_code: typing.Optional[int] = None
    signal: int = 0
    action: typing.Callable = None
    runs: bool = False


CASES = {
    "its limit": Case(("-t", "1m", *SLEEP), "TIMEOUT", "TIMEOUT", "TimeLimit", exit_code=143,
                      action=update("EndTime=now+1"), runs=True),
    # It could only begin when it is too late: the licences are gone. Slurm has an exit status for it, 0:1.
    "its deadline": Case(("-t", "1m", "-L", "matlab:1", *SLEEP), "TIMEOUT", "DEADLINE", "DeadLine", signal=1,
                         action=update("Deadline=now+1")),
    "scancel": Case(SLEEP, "CANCELLED", "CANCELLED", exit_code=143, action=scancel, runs=True),
    "scancel before it ran": Case(WAITING, "CANCELLED", "CANCELLED", action=scancel),
    "its command": Case(("--", "sh", "-c", "exit 7"), "FAILED", "FAILED", "NonZeroExitCode", exit_code=7),
    "its end": Case(("--", "true"), "SUCCEEDED", "COMPLETED", exit_code=0),
    "a signal": Case(("--", "sh", "-c", "kill -KILL $$"), "FAILED", "FAILED", signal=9),
    "its memory": Case(HUNGRY, "FAILED", "OUT_OF_MEMORY", KILLED, signal=9),
    "the memory of a rank": Case(("-n", "2", *HUNGRY), "FAILED", "FAILED", KILLED, signal=9),
    "its beginning": Case(WAITING, "QUEUED", "PENDING", "BeginTime"),
    "its licences": Case(("-L", "matlab:1", *SLEEP), "QUEUED", "PENDING", "Licenses"),
    "a dependency": Case(("-d", "afterok:{failed}", "--", "true"), "QUEUED", "PENDING", "DependencyNeverSatisfied"),
    "a hold": Case(WAITING, "QUEUED", "PENDING", "JobHeldAdmin", action=scontrol("hold")),
    "a user's hold": Case(WAITING, "QUEUED", "PENDING", "JobHeldUser", action=scontrol("uhold")),
    "requeue": Case(("--requeue", *SLEEP), "QUEUED", "PENDING", "BeginTime", action=scontrol("requeue"), runs=True),
    "requeue and hold": Case(("--requeue", *SLEEP), "QUEUED", "PENDING", action=scontrol("requeuehold"), runs=True),
    "suspension": Case(SLEEP, "RUNNING", "SUSPENDED", action=scontrol("suspend"), runs=True),
}
WITH_SIGNAL = ("-t", "1m", "--signal", "USR1@59", "--", "sh", "-c",
               "trap 'echo told; exit 7' USR1; while :; do sleep 0.1; done")
CLUSTERS, BACKENDS = ("slurmrest", "ledger"), ("slurm", "rest")


class World:
    """One cluster, its jobs by each backend, and a user of their own."""

    def __init__(self, berth, root, cluster):
        self.cluster = cluster
        home = harness.Home(root)
        cluster.configure(home, "rest")
        self.berth = type(berth)(berth.program, home).with_env(SLURM_CONF=cluster.config)
        self.names = {}

    def begin(self) -> None:
        self.failed = self.cluster.submit("exit 1")
        self.licences = self.cluster.submit("sleep 1000", "--licenses=matlab:4")
        self.cluster.wait(self.licences, "RUNNING")
        self.cluster.wait(self.failed, "FAILED")
        self.signalled = {backend: self.berth("run", "-b", backend, *WITH_SIGNAL) for backend in BACKENDS}
        for what, case in CASES.items():
            for backend in BACKENDS:
                self.names[what, backend] = self.submit(backend, case.job)
        for (what, _), name in self.names.items():
            self.act(CASES[what], self.native(name))

    def submit(self, backend: str, words: tuple) -> str:
        return self.berth.submit("-b", backend, *(word.format(failed=self.failed) for word in words))

    def act(self, case: Case, id: str) -> None:
        if case.runs:
            self.cluster.wait(int(id), "RUNNING")
        if case.action:
            case.action(self.cluster, id)

    def native(self, name: str) -> str:
        return self.berth.job(name)["native_id"]

    def reached(self, name: str, case: Case) -> typing.Optional[dict]:
        job = self.berth.job(name)
        is_it = job["state"] == case.state and job["native_state"].startswith(case.native) and \
            (job["reason"] or "").startswith(case.reason)
        return job if is_it else None

    def running(self, *words: str) -> list:
        """Jobs that run on the first node, one of each backend."""
        names = [self.submit(backend, (*words, "--nodelist", self.cluster.node, *SLEEP)) for backend in BACKENDS]
        for name in names:
            self.berth.wait(name, "RUNNING")
        return names

    def end(self) -> None:
        self.berth("cancel", "--all", "--yes")
        self.cluster.run("scancel", "--user=root").ok()


@pytest.fixture(scope="module")
def worlds(request, berth, session_dir):
    worlds = {name: World(berth, session_dir / f"states-{name}", request.getfixturevalue(name)) for name in CLUSTERS}
    for world in worlds.values():
        world.begin()
    yield worlds
    for world in worlds.values():
        world.end()


@pytest.fixture(params=CLUSTERS)
def world(request, worlds):
    return worlds[request.param]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("what", CASES)
def test_what_became_of_a_job_is_told_as_it_was(world, what, backend):
    case, name = CASES[what], world.names[what, backend]
    if case.reason == KILLED and not world.cluster.memory:
        pytest.skip(world.cluster.why_no_memory)
    try:
        job = harness.until(lambda: world.reached(name, case), what, limit=60, interval=0.2)
    except AssertionError as error:
        raise AssertionError(f"{what}: {world.berth.job(name)}") from error
    assert (job["exit_code"], job["signal"] or 0) == (case.exit_code, case.signal)
    assert (job["ended"] is not None) == (job["state"] not in ("QUEUED", "RUNNING"))
    text = world.berth("describe", "job", name).ok().stdout
    assert case.state in text and case.native in text and case.reason in text
    if case.reason == KILLED:
        assert "ask for more with --mem" in world.berth("get", "error", name).ok().stdout


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signal_before_the_limit_reaches_the_command(world, backend):
    submitted = world.signalled[backend]
    if backend == "rest" and world.cluster.version < (23, 11):
        assert submitted.status == UNSUPPORTED and "--signal: v0.0.38" in submitted.stderr
        return
    name = "job-1" if backend == "slurm" else "job-2"
    assert world.berth.wait(name, "FAILED", limit=100)["exit_code"] == 7
    assert world.berth("logs", name).ok().stdout == "told\n"


def test_a_more_important_job_takes_the_place_of_others(world):
    victims = world.running("--no-requeue")
    node = f"Nodes={world.cluster.node}"
    world.cluster.run("scontrol", "create", "PartitionName=urgent", node, "PriorityTier=9").ok()
    urgent = world.cluster.submit("sleep 1000", "--partition=urgent", "--exclusive")
    for name in victims:
        job = world.berth.wait(name, "PREEMPTED")
        assert job["native_state"].startswith("PREEMPTED") and job["ended"] is not None
        assert "more important" in world.berth("get", "error", name).ok().stdout
    world.cluster.run("scancel", str(urgent)).ok()
    harness.until(lambda: world.cluster.run("scontrol", "delete", "PartitionName=urgent").status == 0, "partition gone")


def test_a_node_that_goes_down_takes_its_jobs_with_it(world):
    lost, again = world.running("--no-requeue"), world.running("--requeue")
    world.cluster.node_down()
    try:
        for name in lost:
            job = world.berth.wait(name, "FAILED")
            assert job["native_state"].startswith("NODE_FAIL") and job["exit_code"] is None
        for name in again:
            assert world.berth.wait(name, "QUEUED")["native_state"].startswith("PENDING")
    finally:
        world.cluster.node_up()
