# SPDX-License-Identifier: MIT
"""Entering one job from several workstations: two users' homes on this machine, with the same login on a cluster behind a
login node, and a third one that has nothing but a file."""

import os
import stat

import pytest

import conftest
import harness
import loginnode


@pytest.fixture(scope="module")
def node(session_dir, slurm):
    path = session_dir / "login-attach"
    path.mkdir(mode=0o755)
    login = loginnode.LoginNode(path, slurm.config)
    try:
        login.start()
    except loginnode.Unavailable as reason:
        pytest.skip(f"no login node: {reason}")
    yield login
    login.stop()


class Workstation:
    """A home with a configuration, berth and ssh in it. ssh looks for ~/.ssh in the passwd entry's home, whatever $HOME
    says: that is a link, which leads to the one of whoever acts."""

    def __init__(self, root, node, build_dir, configuration):
        env = {"PATH": f"{node.dir / 'bin'}:{os.environ['PATH']}"}
        self.home = harness.Home(root)
        self.run_berth = conftest.Berth(build_dir / "controller" / "berth", self.home, env)
        self.run_ssh = conftest.Ssh(self.home, env)
        (root / "ssh").mkdir(parents=True, mode=0o700)
        path = root / "config" / "berth" / "config.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(configuration)

    def act(self):
        link = harness.PASSWD_HOME / ".ssh"
        link.unlink(missing_ok=True)
        link.symlink_to(self.home.root / "ssh")

    @property
    def berth(self):
        self.act()
        return self.run_berth

    @property
    def ssh(self):
        self.act()
        return self.run_ssh

    def end(self):
        for control in (self.home.state_dir / "ssh").glob("ssh-*"):
            harness.run(["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", "x"])

    def keys(self) -> list:
        return [path for path in (self.home.state_dir / "keys").glob("*") if path.is_file()]


@pytest.fixture(scope="module")
def workstations(session_dir, build_dir, node):
    """All on one host: they have one name, and get a number behind it."""
    made, link, aside = [], harness.PASSWD_HOME / ".ssh", harness.PASSWD_HOME / ".ssh.before.attach"
    if link.exists():
        link.rename(aside)

    def make(configuration=None) -> Workstation:
        root = session_dir / f"w{len(made)}"
        made.append(Workstation(root, node, build_dir, configuration or node.configuration()))
        return made[-1]
    yield make
    for each in made:
        each.berth.cancel_all()
        each.end()
    link.unlink(missing_ok=True)
    if aside.exists():
        aside.rename(link)


@pytest.fixture(scope="module")
def first(workstations):
    return workstations()


@pytest.fixture(scope="module")
def second(workstations):
    return workstations()


@pytest.fixture(scope="module")
def job(first):
    name = first.berth.submit("train", "-n", "2", "-e", "MINE=a b", "--", "sh", "-c", "echo out; sleep 1000")
    first.berth.wait(name, "RUNNING")
    harness.until(lambda: first.ssh(name, "true").status == 0, "the first workstation in the job")
    return name


def native_id(workstation, job) -> str:
    return workstation.berth.job(job)["native_id"]


def attach(workstation, what) -> str:
    return workstation.berth("attach", what).ok().stdout.strip()


@pytest.fixture(scope="module")
def attached(first, second, job):
    """What the job is called on the second workstation, which has submitted another one before."""
    second.berth.submit("other", "--", "sleep", "1000")
    return attach(second, native_id(first, job))


def test_a_job_is_entered_from_a_second_workstation(first, second, job, attached):
    assert attached != job
    assert second.ssh(attached, "echo $MINE").ok().stdout == "a b\n"
    assert second.ssh(f"{attached}.1", "exit 7").status == 7
    assert second.ssh("train.job", "cat", input="data").ok().stdout == "data"
    # The first one goes on.
    assert first.ssh(job, "echo $MINE").ok().stdout == "a b\n"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in second.keys())


def test_the_record_says_what_the_job_is(first, second, job, attached):
    there, here = first.berth.job(job), second.berth.job(attached)
    for member in "uid", "name", "native_id", "cluster", "backend", "command", "ranks", "nodes", "state", "directory":
        assert there[member] == here[member], member
    assert "attached" in second.berth("describe", "job", attached).ok().stdout
    assert second.berth("logs", attached).ok().stdout == first.berth("logs", job).ok().stdout


def test_a_job_is_found_with_two_questions_and_given_a_key_with_one(first, job, workstations, node):
    third = workstations()
    third.berth("get", "queues").ok()
    node.calls()
    for_name = attach(third, "train")
    assert node.calls() <= 3
    third.ssh(for_name, "true").ok()
    assert third.berth("keys", "list", for_name).ok().stdout.count("\n") >= 2
    third.berth("keys", "revoke", for_name, "--workstation", here(third, for_name)).ok()
    assert not third.keys()
    refused = third.ssh(for_name, "true")
    assert refused.status != 0
    # It may let itself in again.
    assert attach(third, f"hpc:{third.berth.job(for_name)['uid']}") == for_name
    third.ssh(for_name, "true").ok()
    first.ssh(job, "true").ok()


def here(workstation, job) -> str:
    """What this workstation is called in the job."""
    line, = [line for line in workstation.berth("keys", "list", job).ok().stdout.splitlines() if line.endswith(" here")]
    return line.removesuffix(" here")


def test_each_has_a_key_of_its_own_that_is_replaced_and_revoked_alone(first, second, job, attached):
    names = first.berth("keys", "list", job).ok().stdout.split("\n")
    assert len({here(first, job), here(second, attached)}) == 2, names
    first.berth("keys", "rotate", job).ok()
    second.ssh(attached, "true").ok()
    first.ssh(job, "true").ok()
    wrong = first.berth("keys", "revoke", job, "-w", "nobody")
    assert wrong.status == 66 and here(second, attached) in wrong.stderr
    first.berth("keys", "revoke", job, "-w", here(second, attached)).ok()
    refused = second.ssh(attached, "true")
    assert refused.status != 0 and "does not accept this key" in refused.stderr
    first.ssh(job, "true").ok()
    assert attach(second, attached) == attached
    second.ssh(attached, "true").ok()


def test_what_is_not_there_or_has_ended_is_one_line(first, second):
    missing = second.berth("attach", "no-such-job")
    assert missing.status == 66 and missing.stderr.count("\n") == 1 and "no-such-job" in missing.stderr
    name = first.berth.submit("brief", "--", "true")
    first.berth.wait(name, "SUCCEEDED")
    ended = second.berth("attach", f"hpc:{native_id(first, name)}")
    assert ended.status == 69 and "SUCCEEDED" in ended.stderr and ended.stderr.count("\n") == 1
    assert second.berth("attach", "nowhere:7").status != 0
    assert second.berth("attach", "local:7").status == 69
    assert second.berth("attach", "").status == 64


def test_collecting_on_the_second_leaves_the_job_to_the_first(first, second, node):
    name = first.berth.submit("brief2", "--", "sleep", "1000")
    first.berth.wait(name, "RUNNING")
    there = attach(second, "brief2")
    uid = first.berth.job(name)["uid"]
    path = node.scratch / "berth" / "jobs" / uid
    second.berth("cancel", there).ok()
    second.berth.wait(there, "CANCELLED")
    assert not [key for key in second.keys() if uid in key.name]
    second.berth("gc", "--retention", "0s").ok()
    assert path.exists() and first.berth("logs", name).ok()
    first.berth.wait(name, "CANCELLED")
    first.berth("gc", "--retention", "0s").ok()
    assert not path.exists()
