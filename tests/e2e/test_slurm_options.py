# SPDX-License-Identifier: MIT
"""What `berth run` asks Slurm for, as Slurm understood it; and words, which arrive as they are or are refused."""

import os
import random
import re

import pytest

import harness

INVALID, NOT_FOUND, UNSUPPORTED = 64, 66, 69
WAITING = ("--begin", "now+1hour")


@pytest.fixture(scope="module", params=["slurm", "slurmrest"])
def here(request, berth):
    """By Slurm's commands, and by slurmrestd."""
    cluster = request.getfixturevalue(request.param)
    name = "slurm"
    if request.param == "slurmrest":
        name = "rest"
        cluster.configure(berth.home, name)
    here = berth.with_env(SLURM_CONF=cluster.config)
    here.name, here.cluster = name, cluster
    here.run = lambda *argv, **more: here.submit("-b", name, *argv, **more)
    return here


def asked(here, *options) -> dict:
    """The fields of `scontrol show job` for a job with these options, which never runs."""
    name = here.run(*WAITING, *options, "--", "true")
    fields = here.cluster.job(int(here.job(name)["native_id"]))
    here("cancel", name).ok()
    return fields


def test_what_is_asked_for_is_what_slurm_understood(here):
    job = asked(here, "train", "-N", "1", "--ntasks-per-node", "4", "-c", "2", "--mem", "512M", "-t", "90m",
                "--constraint", "rack1&fast", "-w", here.cluster.node, "--exclusive", "-L", "matlab:2", "-p", "debug",
                "--nice=5", "--mail-type=END,FAIL", "--mail-user=root", "--requeue", "--comment", "a'b")
    assert job["JobName"] == "train" and job["Partition"] == "debug"
    assert (job["NumTasks"], job["CPUs/Task"], job["NumCPUs"]) == ("4", "2", "8")
    assert (job["MinMemoryNode"], job["TimeLimit"]) == ("512M", "01:30:00")
    assert (job["Features"], job["ReqNodeList"], job["OverSubscribe"]) == ("rack1&fast", here.cluster.node, "NO")
    assert (job["Licenses"], job["Nice"], job["Requeue"]) == ("matlab:2", "5", "1")
    assert (job["MailType"], job["MailUser"], job["Comment"]) == ("END,FAIL", "root", "a'b")
    assert job["Reason"] == "BeginTime"
    job = asked(here, "--no-requeue", "--mem-per-cpu=16M", "--ntasks=2", "--cpus-per-task=3", "--queue=debug")
    assert (job["Requeue"], job["MinMemoryCPU"], job["NumTasks"], job["CPUs/Task"]) == ("0", "16M", "2", "3")


def test_a_job_waits_for_the_one_that_it_depends_on(here):
    first = here.run("--", "sleep", "1000")
    here.wait(first, "RUNNING")
    id = here.job(first)["native_id"]
    second = here.run("-d", f"afterok:{id}", "--", "true")
    assert here.cluster.job(int(here.job(second)["native_id"]))["Dependency"].startswith(f"afterok:{id}")
    here("cancel", first, second).ok()
    here.wait(second, "CANCELLED")


def test_jobs_to_wait_for_are_named_as_everywhere(here, short_dir):
    """By number, by name, a task of an array; in a file with several jobs, and in the lines of a script."""
    first = here.run("prepare", *WAITING, "--", "true")
    many = here.run("many", *WAITING, "--array", "0-3", "--", "true")
    ids = [here.job(name)["native_id"] for name in (first, many)]

    def dependency(name):
        return re.sub(r"\(\w+\)|\+0|_\*", "", here.cluster.job(int(here.job(name)["native_id"]))["Dependency"])
    later = here.run("-d", f"afterok:{first}:{many}_3,afterany:prepare", "--", "true")
    assert dependency(later) == f"afterok:{ids[0]},afterok:{ids[1]}_3,afterany:{ids[0]}"
    (short_dir / "two.yaml").write_text("""\
name: head
command: [sleep, "1"]
begin: now+1hour
---
name: tail
command: ["true"]
dependency: afternotok:head
""")
    head, tail = here("submit", "-b", here.name, "-q", "-f", short_dir / "two.yaml").ok().stdout.split()
    assert dependency(tail) == f"afternotok:{here.job(head)['native_id']}"
    (short_dir / "job.sh").write_text(f"#!/bin/sh\n#SBATCH -d after:{many}:{ids[0]}\ntrue\n")
    script = here("submit", "-b", here.name, "-q", "-f", short_dir / "job.sh").ok().stdout.strip()
    assert dependency(script) == f"after:{ids[1]},after:{ids[0]}"
    here("cancel", first, many, later, head, tail, script).ok()


@pytest.mark.parametrize("list, said", [("afterok:prepaer", "no job 'prepaer'"), ("afterok:job-999999", "job-999999"),
                                        ("afterok:{local}", "on 'local'"), ("afterok:{first}.0", "ranks"),
                                        ("afterok:{many}_7", "its array is 0-3"), ("afterok:{many}_3.1", "rank")])
def test_jobs_that_cannot_be_waited_for_are_told(here, list, said):
    if not hasattr(here, "known"):
        here.known = {"local": here("run", "-q", "-b", "local", "--", "true").ok().stdout.strip(),
                      "first": here.run("prepare", *WAITING, "--", "true"), "many": here.run(*WAITING, "--array", "0-3", "--", "true")}
    refused = here("run", "-b", here.name, "-d", list.format(**here.known), "--", "true")
    assert refused.status in (INVALID, NOT_FOUND) and "--dependency: " in refused.stderr and said in refused.stderr, refused


def test_reservations_and_quality_of_service_reach_slurm(here):
    here.cluster.run("scontrol", "create", "reservation", "ReservationName=r1", "StartTime=now", "Duration=60",
                     "Users=root", f"Nodes={here.cluster.node}", "Flags=maint,ignore_jobs").ok()
    try:
        assert asked(here, "--reservation", "r1")["Reservation"] == "r1"
    finally:
        harness.until(lambda: here.cluster.run("scontrol", "delete", "ReservationName=r1").status == 0, "reservation gone")
    assert here("run", "-b", here.name, "--reservation", "nosuch", "--", "true").status == INVALID
    assert asked(here, "--qos", "normal", "--account", "p1")["Account"] == "p1"


def test_output_goes_where_it_was_asked_for_and_logs_find_it(here, short_dir):
    name = here.run("train", "-C", short_dir, "--output", "%x-%j.out", "--", "sh", "-c", "echo out; echo err >&2")
    here.wait(name, "SUCCEEDED")
    path = short_dir / f"train-{here.job(name)['native_id']}.out"
    assert path.read_text() == "out\nerr\n" == here("logs", name).ok().stdout
    name = here.run("-C", short_dir, "--output", "o", "--error", "e", "--", "sh", "-c", "echo out; echo err >&2")
    here.wait(name, "SUCCEEDED")
    assert ((short_dir / "o").read_text(), (short_dir / "e").read_text()) == ("out\n", "err\n")
    assert here("logs", "--stderr", name).ok().stdout == "err\n"


def test_only_the_variables_that_are_exported_arrive(here):
    name = here.run("--export", "ONE", "-e", "TWO=2 2,x", "--", "sh", "-c", 'echo "$ONE|$TWO|$THREE"',
                    env={"ONE": "1", "THREE": "3"})
    here.wait(name, "SUCCEEDED")
    assert here("logs", name).ok().stdout == "1|2 2,x|\n"


@pytest.mark.parametrize("option", ["--partition=a\nb", "--comment=\x1b[2J", "-d-x", "--qos=", "--nice=1.5",
                                    "--constraint=a b", "--signal=B:USR1", "--begin=now\n+1"])
def test_what_slurm_could_misread_is_refused_before_anybody_is_asked(here, option):
    result = here("run", "-b", here.name, option, "--", "true", env={"SLURM_CONF": "/nonexistent"})
    assert result.status == INVALID and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("options, alternative", [
    (["-N", "2"], "--backend slurm"), (["-n", "2"], "--backend slurm"), (["--gpus", "1"], "leave it out"),
    (["--begin", "now"], "leave it out"), (["--output", "x"], "berth logs"), (["--mem-per-cpu", "1G"], "--mem")])
def test_a_machine_without_a_scheduler_names_the_alternative(berth, options, alternative):
    result = berth("run", *options, "--", "true")
    assert result.status == UNSUPPORTED and alternative in result.stderr and len(result.stderr.splitlines()) == 1


# What shells, sbatch's file names, srun's lists and terminals could take for their own.
PIECES = [" ", "  ", "'", '"', "$HOME", "${x}", "$(id)", "`id`", ";", "&", "|", ">", "*", "?", "[a]", "~", "#", "%j", "%",
          "\\", "\\n", "\n", "\t", "\r", "=", ",", ":", "!", "{", "}", "(", ")", "-", "--", "-x", "é", "\u2028", "\x1b[0m",
          "\x01", "a", "../", "/", "#SBATCH -N 9", ""]


def test_every_word_and_value_reaches_the_command_as_it_is(here):
    """Random words, in argv and in the environment, with a seed that a failure names."""
    seed = int.from_bytes(os.urandom(4), "little")
    draw = random.Random(seed)

    def word():
        return "".join(draw.choices(PIECES, k=draw.randrange(8)))
    # An array takes another way: each of its tasks prints them; and ranks another one: srun has a use for a colon.
    for way, file in ((), "stdout"), (("--array", "3"), "stdout.3"), (("-n", "2"), "stdout.1"):
        words, values = ["\r\n", ":", *(word() for _ in range(40))], [word() for _ in range(20)]
        assignments = [f"V{i}={value}" for i, value in enumerate(values)]
        script = r'printf "%s\0" "$@"; ' + " ".join(rf'printf "%s\0" "$V{i}";' for i in range(len(values)))
        name = here.run(*way, *(part for each in assignments for part in ("-e", each)),
                        "--", "sh", "-c", script, "sh", *words)
        here.wait(name, "SUCCEEDED")
        assert (here.job_dir(name) / file).read_bytes().decode().split("\0")[:-1] == words + values, f"seed {seed}"


@pytest.mark.parametrize("name", ["a b", "a'b", "a;b", "$x", "*", "../x", "a\nb", "-x", "a/b", "é", "%j", "7", "x" * 64])
def test_names_that_are_more_than_a_name_are_refused(here, name):
    result = here("run", "-b", here.name, name, "--", "true")
    assert result.status == INVALID and len(result.stderr.splitlines()) == 1


def test_a_directory_with_any_name_is_one_to_run_in(here, short_dir):
    path = short_dir / "a b'c;$x %j*\n"
    path.mkdir()
    name = here.run("-C", path, "--", "sh", "-c", "pwd")
    here.wait(name, "SUCCEEDED")
    assert here("logs", name).ok().stdout == f"{path}\n"
