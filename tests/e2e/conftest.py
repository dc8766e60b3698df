# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests; run these by ci/e2e, which gives them a home directory of their own.

    build_dir   the build under test ($BERTH_BUILD, else build/)
    short_dir   an empty directory with a short name, for sockets; gone afterwards
    home        a user (harness.Home) for one test file: own config, state, $BERTH_HOME and ~/.ssh
    fresh_home  the same for one test only
    berth       berth("run", "--", "true") -> Result, as the user of `home`
    ssh         ssh("job-1", "exit 7") -> Result: the stock client as the user of `home`
    slurm       a real Slurm (slurm.Slurm), started once, or a skip with the reason
    slurmrest   another one, with a slurmrestd that takes tokens (rest_url, rest_socket), or a skip with the reason
    ledger      one more, of two nodes, which keeps accounts (slurmdbd, MariaDB), with a slurmrestd that reads them
    start_login_node   starts a real sshd with a home and a scratch directory of its own (loginnode.LoginNode)
    docker      a real dockerd (docker.Docker), started once, or a skip with the reason
    engine      a container engine (engines.Engine) that `berth` can have jobs on; tests run once for each
    local_job   a running job of the local backend, shared by the tests of one file
    cluster     berth, ssh and the options of `berth run` for one backend; its tests run once for each: local, slurm

The mark `sanitize` is for tests that run against the sanitizer build too: a slice that takes a minute or two. The mark
`last` is for what waits: such tests come after all others, so that their time passes while these run.
"""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import docker as docker_module  # noqa: E402
import engines  # noqa: E402
import firecrest_real  # noqa: E402
import harness  # noqa: E402
import kube  # noqa: E402
import loginnode  # noqa: E402
import shares  # noqa: E402
import slurm as slurm_module  # noqa: E402
import tables  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitize: runs against the sanitizer build too")
    config.addinivalue_line("markers", "last: comes after all others")
    if os.environ.get("BERTH_TEST_HOME") != str(harness.PASSWD_HOME):
        pytest.exit("these tests use ~/.ssh and must not use yours: run them with ci/e2e", returncode=64)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_runtestloop(session):
    share = os.environ.get("BERTH_TEST_SHARE")
    return shares.run(session, pathlib.Path(share)) if share and not session.config.option.collectonly else None


def pytest_runtest_logreport(report):
    share = os.environ.get("BERTH_TEST_SHARE")
    if share and report.failed:
        shares.note_failure(pathlib.Path(share), report.nodeid)


def pytest_terminal_summary(terminalreporter, config):
    for title, text in config.stash.get(tables.KEY, []):
        terminalreporter.section(title)
        terminalreporter.write(text)


@pytest.fixture(scope="session")
def build_dir() -> pathlib.Path:
    path = pathlib.Path(os.environ.get("BERTH_BUILD", harness.TOP / "build")).resolve()
    assert (path / "build.ninja").exists(), f"{path} is no build directory: run ci/build"
    return path


@pytest.fixture(scope="session")
def session_dir():
    path = pathlib.Path(tempfile.mkdtemp(prefix="berth-e2e."))
    path.chmod(0o755)
    yield path
    if not os.environ.get("BERTH_TEST_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


numbers = itertools.count(1)


@pytest.fixture
def short_dir(session_dir) -> pathlib.Path:
    path = session_dir / str(next(numbers))
    path.mkdir(mode=0o700)
    return path


class Berth:
    """The controller, as one user. Call it with arguments."""

    def __init__(self, program: pathlib.Path, home: harness.Home, env=None):
        self.program = program
        self.home = home
        self.extra = env or {}

    def env(self, **more) -> dict:
        return self.home.env(**{**self.extra, **more})

    def __call__(self, *argv, env=None, timeout=60, **more) -> harness.Result:
        return harness.run([self.program, *argv], env=self.env(**(env or {})), timeout=timeout, **more)

    def with_env(self, **env) -> "Berth":
        return Berth(self.program, self.home, {**self.extra, **env})

    def submit(self, *argv, **more) -> str:
        """berth run ARGV; returns the name of the job, job-N."""
        result = self("run", *argv, **more).ok()
        names = [word for word in result.stdout.replace("/", " ").split() if word.startswith("job-")]
        assert names, f"no job name in the output: {result}"
        return names[0].rstrip(".:,")

    def job(self, name: str) -> dict:
        """The job's record as `berth get jobs NAME -o json` prints it."""
        record = json.loads(self("get", "jobs", name, "-o", "json").ok().stdout)
        if isinstance(record, dict) and "jobs" in record:
            record = record["jobs"]
        return record[0] if isinstance(record, list) else record

    def wait(self, name: str, *states: str, limit=60) -> dict:
        job = {}

        def reached():
            job.update(self.job(name))
            return job if job["state"] in states else None
        return harness.until(reached, lambda: f"{name} in {' or '.join(states)}: {job}", limit, interval=0.1)

    def job_dir(self, name: str) -> pathlib.Path:
        return self.home.berth_home / "jobs" / self.job(name)["uid"]

    def start(self, *argv, **more) -> str:
        """Submits and waits until the job runs and its tunnel has said where it listens."""
        name = self.submit(*argv, **more)
        self.wait(name, "RUNNING")
        harness.until((self.job_dir(name) / "endpoint.0.json").exists, f"endpoint of {name}")
        return name

    def cancel_all(self) -> None:
        """For the end of a test: nothing of this user goes on running."""
        names = self("get", "jobs", "-o", "name")
        if names.status == 0 and names.stdout.split():
            self("cancel", *names.stdout.split())


def enter_home(session_dir):
    return harness.Home(session_dir / f"h{next(numbers)}").enter()


@pytest.fixture(scope="module")
def home(session_dir, build_dir):
    home = enter_home(session_dir)
    yield home
    leave_home(session_dir, home, build_dir)


@pytest.fixture
def fresh_home(session_dir, build_dir):
    home = enter_home(session_dir)
    yield home
    leave_home(session_dir, home, build_dir)


def leave_home(session_dir, home, build_dir):
    program = build_dir / "controller" / "berth"
    slurm_config = session_dir / "slurm" / "slurm.conf"
    env = {"SLURM_CONF": slurm_config} if slurm_config.exists() else {}
    if program.exists() and home.state_dir.exists():
        Berth(program, home, env).cancel_all()
    home.leave()


@pytest.fixture(scope="module")
def berth(build_dir, home) -> Berth:
    return Berth(build_dir / "controller" / "berth", home)


class Ssh:
    """The stock client, as one user: never asks, never waits for ever."""

    def __init__(self, home: harness.Home, env=None):
        self.home = home
        self.extra = env or {}

    def env(self, **more) -> dict:
        return self.home.env(**{**self.extra, **more})

    def with_env(self, **env) -> "Ssh":
        return Ssh(self.home, {**self.extra, **env})

    def argv(self, *argv) -> list:
        return ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", *map(str, argv)]

    def __call__(self, *argv, env=None, timeout=60, **more) -> harness.Result:
        return harness.run(self.argv(*argv), env=self.env(**(env or {})), timeout=timeout, **more)


@pytest.fixture(scope="module")
def ssh(home) -> Ssh:
    if not shutil.which("ssh"):
        pytest.skip("no ssh: apt-get install openssh-client")
    return Ssh(home)


def started(path, make, what):
    """For fixtures: what `make` makes of its own directory, started; a skip where it cannot be had."""
    path.mkdir(mode=0o755)
    try:
        server = make(path).start()
    except (slurm_module.Unavailable, docker_module.Unavailable, engines.Unavailable, loginnode.Unavailable) as reason:
        pytest.skip(f"no {what}: {reason}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def slurm(session_dir):
    with_accounting = bool(firecrest_real.place())  # which the real server asks
    yield from started(session_dir / "slurm", lambda path: slurm_module.Slurm(path, accounting=with_accounting), "Slurm")


@pytest.fixture(scope="module")
def start_login_node(session_dir):
    """start_login_node(name, config of its Slurm) -> loginnode.LoginNode"""
    with contextlib.ExitStack() as stack:
        start = contextlib.contextmanager(started)
        yield lambda name, slurm_config: stack.enter_context(
            start(session_dir / name, lambda path: loginnode.LoginNode(path, slurm_config), "login node"))


def with_rest(path, **more):
    path.mkdir(mode=0o755)
    cluster = slurm_module.Slurm(path, tokens=True, **more)
    try:
        cluster.start().start_rest()
    except slurm_module.Unavailable as reason:
        cluster.stop()
        pytest.skip(f"no slurmrestd: {reason}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def slurmrest(session_dir):
    yield from with_rest(session_dir / "slurmrest", memory=True, accounting=slurm_module.rest_needs_accounting())


@pytest.fixture(scope="session")
def ledger(session_dir):
    yield from with_rest(session_dir / "ledger", accounting=True, memory=True, second=True)


@pytest.fixture(scope="session")
def docker(session_dir):
    yield from started(session_dir / "docker", docker_module.Docker, "Docker")


@pytest.fixture(scope="session")
def podman_service(session_dir):
    yield from started(session_dir / "podman-service", engines.Podman, "Podman")


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request) -> engines.Engine:
    """A container engine; its tests run once for each."""
    if request.param == "podman":
        return request.getfixturevalue("podman_service")
    return engines.Dockerd(request.getfixturevalue("docker"))


@pytest.fixture(scope="module")
def local_job(berth) -> str:
    return berth.start("--", "sleep", "1000")


class Cluster:
    """One backend, ready for jobs."""

    def __init__(self, name: str, berth: Berth, ssh: Ssh, slurm=None):
        env = {"SLURM_CONF": slurm.config} if slurm else {}
        self.name = name
        self.options = ("--backend", name)
        self.berth = berth.with_env(**env)
        self.ssh = ssh.with_env(**env)
        self.slurm = slurm

    def start(self, *argv, **more) -> str:
        return self.berth.start(*self.options, *argv, **more)


@pytest.fixture(scope="module", params=["local", "slurm"])
def cluster(request, berth, ssh) -> Cluster:
    slurm = request.getfixturevalue("slurm") if request.param == "slurm" else None
    return Cluster(request.param, berth, ssh, slurm)


@pytest.fixture(scope="session")
def real_cluster(session_dir):
    """The API server of Kubernetes, one for all modules: it takes its time to start."""
    try:
        it = kube.real(session_dir / "kubernetes")
    except kube.Unavailable as reason:
        pytest.skip(str(reason))
    if not it:
        pytest.skip("no Kubernetes here: ci/kubernetes runs this with the real one")
    try:
        yield it.start()
    finally:
        it.stop()
