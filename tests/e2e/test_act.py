# SPDX-License-Identifier: MIT
"""Acting on jobs that have not ended: berth signal, hold, release, requeue, update."""

import json

import pytest

import harness
import terminal

INVALID, NOT_FOUND, UNAVAILABLE = 64, 66, 69
# Stays one process: a child with the default of TSTP would be stopped by it.
LISTENS = """
import os, signal
for number in signal.SIGUSR1, signal.SIGTSTP, signal.SIGWINCH, 40:
    signal.signal(number, lambda number, frame: os.write(1, f"got {number}\\n".encode()))
os.write(1, b"ready\\n")
while True:
    signal.pause()
"""


@pytest.fixture
def here(fresh_home, berth, slurm):
    """berth as a user of their own on a cluster; run() adds the backend."""
    alone = type(berth)(berth.program, fresh_home).with_env(SLURM_CONF=slurm.config)
    alone.run = lambda *argv: alone.submit("-b", "slurm", *argv)
    return alone


@pytest.fixture
def waiting(here, slurm):
    """A job that waits until there is room, which there is not; the job that takes it all is cancelled last."""
    full = here.run("-n", "32", "--", "sleep", "1000")
    here.wait(full, "RUNNING")
    name = here.run("--", "sleep", "1000")
    assert here.job(name)["state"] == "QUEUED"
    yield name
    here("cancel", full, name).ok()


def refused(result: harness.Result, status: int) -> str:
    assert result.status == status and result.stdout == "", result
    (line,) = result.stderr.splitlines()
    return line


def printed(cluster, name: str) -> list:
    return cluster.berth("logs", name).ok().stdout.split("\n")[:-1]


def native(here, slurm, name: str) -> dict:
    return slurm.job(int(here.job(name)["native_id"]))


def test_a_signal_reaches_the_command_and_nothing_else_happens(cluster):
    name = cluster.berth.submit(*cluster.options, "--", "python3", "-c", LISTENS)
    harness.until(lambda: "ready" in printed(cluster, name), "ready")
    for count, (word, number) in enumerate((("USR1", 10), ("sigtstp", 20), ("WINCH", 28), ("40", 40)), 2):
        assert cluster.berth("signal", word, name).ok().stdout == f"{name} has got the signal\n"
        harness.until(lambda: len(printed(cluster, name)) >= count, f"{word} in the job")
        assert printed(cluster, name)[-1] == f"got {number}"
    assert cluster.berth.job(name)["state"] == "RUNNING"
    cluster.berth("signal", "KILL", name).ok()
    cluster.berth.wait(name, "FAILED")


def test_every_rank_gets_the_signal(here):
    name = here.run("-n", "3", "--", "python3", "-c", LISTENS)
    harness.until(lambda: here("logs", name).stdout.count("ready") == 3, "three ranks")
    here("signal", "USR1", name).ok()
    harness.until(lambda: here("logs", name).stdout.count("got 10") == 3, "three signals")
    here("cancel", name).ok()


@pytest.mark.parametrize("argv, status, words", [
    (("signal", "NOSUCH", "JOB"), INVALID, "is no signal: write USR1"),
    (("signal", "0", "JOB"), INVALID, "is no signal"),
    (("signal", "STOP", "JOB"), INVALID, "send TSTP"),
    (("signal", "USR1", "job-99"), NOT_FOUND, "job-99"),
    (("update", "JOB"), INVALID, "nothing to change"),
    (("update", "--nice", "x", "JOB"), INVALID, "--nice: 'x' is not a number"),
    (("update", "--partition", "a b", "JOB"), INVALID, "--partition: 'a b'"),
    (("reprioritize", "9"), INVALID, "reprioritize which jobs?"),
    (("hold", "JOB"), UNAVAILABLE, "local: starts jobs at once: 'berth signal TSTP'"),
    (("requeue", "JOB"), UNAVAILABLE, "'berth run' it again"),
    (("update", "--time", "2h", "JOB"), UNAVAILABLE, "'berth run' it again"),
    (("release", "JOB"), UNAVAILABLE, "is not held"),
])
def test_what_cannot_be_done_is_one_line_with_what_can(berth, local_job, argv, status, words):
    assert words in refused(berth(*(local_job if word == "JOB" else word for word in argv)), status)
    assert berth.job(local_job)["state"] == "RUNNING"


def test_a_job_that_waits_is_held_and_let_go(here, slurm, waiting):
    assert here("hold", waiting).ok().stdout == f"{waiting} is held\n"
    assert native(here, slurm, waiting)["Reason"].startswith("JobHeld")
    assert here.job(waiting)["reason"].startswith("JobHeld")
    assert "'berth release' it first" in refused(here("update", "--priority", "5", waiting), UNAVAILABLE)
    assert here("release", waiting).ok().stdout == f"{waiting} is released\n"
    assert native(here, slurm, waiting)["Priority"] != "0"
    assert "only a job that has started" in refused(here("requeue", waiting), UNAVAILABLE)
    assert "only a job that runs" in refused(here("signal", "USR1", waiting), UNAVAILABLE)


def test_a_job_that_waits_is_changed(here, slurm, waiting):
    assert here("update", waiting, "--time", "90m", "--nice=-5").ok().stdout == f"{waiting} is updated\n"
    job = native(here, slurm, waiting)
    assert (job["TimeLimit"], job["Nice"]) == ("01:30:00", "-5")
    here("update", waiting, "--priority", "77").ok()
    assert native(here, slurm, waiting)["Priority"] == "77"
    here("update", waiting, "--begin", "2h").ok()
    assert native(here, slurm, waiting)["StartTime"] != "Unknown"
    line = refused(here("update", waiting, "--partition", "nosuch"), INVALID)
    assert line == (f"berth: cannot update {waiting}: slurm: {waiting}: Invalid partition name specified: "
                    "'sinfo' lists those that there are")


def test_a_job_that_runs_is_not_held_and_not_moved(here):
    name = here.run("--", "sleep", "1000")
    here.wait(name, "RUNNING")
    assert "only a job that waits can be held" in refused(here("hold", name), UNAVAILABLE)
    assert "is not held: its command has not ended" in refused(here("release", name), UNAVAILABLE)
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    assert "ended: CANCELLED" in refused(here("signal", "USR1", name), UNAVAILABLE)


def test_a_requeued_job_runs_again_and_can_be_entered(here, ssh, slurm):
    name = here.start("-b", "slurm", "--", "sh", "-c", "echo attempt $SLURM_RESTART_COUNT; exec sleep 1000")
    assert here("requeue", name).ok().stdout == f"{name} is queued again\n"
    harness.until(lambda: native(here, slurm, name)["JobState"] == "PENDING", "end of the first attempt")
    job = here.job(name)
    assert (job["state"], job["started"]) == ("QUEUED", None)

    def runs():
        """Slurm puts a requeued job off, and once more when the last of its first attempt has ended."""
        here("update", "--begin", "now", name)
        return here.job(name)["state"] == "RUNNING"
    harness.until(runs, "another start", interval=0.5)
    harness.until(lambda: here("logs", name).stdout == "attempt 1\n", "second attempt")
    enter = type(ssh)(here.home).with_env(SLURM_CONF=slurm.config)
    assert enter(name, "echo $SLURM_RESTART_COUNT").ok().stdout == "1\n"
    here("cancel", name).ok()


def test_many_jobs_are_acted_on_in_one_command(here, slurm, waiting, short_dir):
    names = [waiting, *(here.run("--", "sleep", "1000") for _ in range(4))]
    for program in "scontrol", "scancel":
        wrapper = short_dir / program
        wrapper.write_text(f'#!/bin/sh\necho "$@" >>{short_dir}/{program}.log\nPATH="${{PATH#*:}}" exec {program} "$@"\n')
        wrapper.chmod(0o755)
    counted = here.with_env(PATH=f"{short_dir}:{here.env()['PATH']}")
    counted("hold", *names).ok()
    counted("cancel", *names).ok()
    for program in "scontrol", "scancel":
        assert len((short_dir / f"{program}.log").read_text().splitlines()) == 1
    assert all(here.job(name)["state"] == "CANCELLED" for name in names)


@pytest.fixture
def crowd(here, waiting):
    """Five jobs that wait, beside `waiting`: three called train-N, two called other-N."""
    yield [here.run(name, "--", "sleep", "1000") for name in ("train-1", "train-2", "train-3", "other-1", "other-2")]
    here("cancel", "--all", "--yes").ok()


def states(here) -> list:
    return [job["state"] for job in json.loads(here("get", "jobs", "-o", "json").ok().stdout)]


def test_jobs_are_cancelled_by_what_they_have_in_common(here, crowd, waiting):
    dry = here("cancel", "jobs", "--name", "train-*", "--state", "queued", "--dry-run").ok()
    assert dry.stdout == "".join(f"{name} (QUEUED): cancel\n" for name in crowd[:3])
    line = refused(here("cancel", "jobs", "--name", "train-*"), INVALID)
    assert line == "berth: this would cancel 3 jobs: --dry-run lists them, --yes does it"
    assert states(here).count("QUEUED") == 6
    assert here("cancel", "--name", "train-*", "--state", "running", "--yes").ok().stderr == (
        "berth: there is no such job to cancel\n")
    assert here("cancel", "--name", "train-*", "--yes").ok().stdout.count("\n") == 3
    assert [here.wait(name, "CANCELLED")["state"] for name in crowd[:3]]
    assert states(here).count("QUEUED") == 3
    here("cancel", "--older-than", "1h", "--yes").ok()
    assert states(here).count("QUEUED") == 3
    here("cancel", "--name", "other-1").ok()  # one job is not many
    here.wait(crowd[3], "CANCELLED")
    here("cancel", "--node", "node1", "--yes").ok()
    assert here.wait(crowd[4], "QUEUED", "RUNNING")


@pytest.mark.parametrize("argv, words", [
    (("cancel",), "cancel which jobs? name them"), (("cancel", "jobs"), "cancel which jobs?"),
    (("cancel", "--state", "lost"), "lost"), (("cancel", "--all", "job-1"), "exclude each other"),
    (("reprioritize", "jobs"), "which priority?"), (("reprioritize", "0", "--all"), "'0' is not a priority"),
    (("hold",), "hold which jobs?"), (("signal", "USR1"), "signal which jobs?"),
])
def test_which_jobs_has_to_be_said(berth, local_job, argv, words):
    assert words in refused(berth(*argv), INVALID)
    assert berth.job(local_job)["state"] == "RUNNING"


def test_priorities_are_given_by_filter_and_what_does_not_fit_is_left_out(here, crowd, slurm):
    assert here("reprioritize", "jobs", "55", "--name", "train-*", "-y").ok().stdout.count("another priority") == 3
    assert [native(here, slurm, name)["Priority"] for name in crowd[:3]] == ["55"] * 3
    assert native(here, slurm, crowd[3])["Priority"] != "55"
    # The job that runs is not held, and that is no mistake when it was not named.
    assert here("hold", "--all", "--yes").ok().stdout.count("is held") == 6
    assert here("release", "--state", "queued", "--name", "train-1").ok().stdout == f"{crowd[0]} is released\n"


def test_somebody_at_a_terminal_is_asked(here, crowd):
    def answer(text):
        with terminal.Terminal([here.program, "cancel", "--name", "train-*"], here.env()) as session:
            session.expect("cancel 3 jobs? [y/N] ")
            session.type(text + "\n")
            return session.end()
    assert answer("") == 0 and states(here).count("QUEUED") == 6
    assert answer("y") == 0
    here.wait(crowd[2], "CANCELLED")
    assert states(here).count("QUEUED") == 3
