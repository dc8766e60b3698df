# SPDX-License-Identifier: MIT
"""`berth submit`: job files, and batch scripts as they are under sbatch."""

import json

import pytest

INVALID, UNSUPPORTED = 64, 69


@pytest.fixture(scope="module")
def here(berth, slurm):
    return berth.with_env(SLURM_CONF=slurm.config)


def submit(berth, path, *options, **more) -> list:
    result = berth("submit", "-q", "-f", path, *options, **more).ok()
    return result.stdout.split()


def test_the_jobs_of_a_file_run_with_what_it_says(berth, short_dir):
    path = short_dir / "jobs.yaml"
    path.write_text("name: first\ncommand: [printf, '%s|', a b, $HOME, '*', \"x\\ny\"]\n---\n"
                    "command: echo $A; pwd\nenv: {A: b c}\nworkdir: " + str(short_dir) + "\n")
    first, second = submit(berth, path)
    assert berth.wait("first", "SUCCEEDED")["id"] == berth.job(first)["id"]
    berth.wait(second, "SUCCEEDED")
    assert berth("logs", first).ok().stdout == "a b|$HOME|*|x\ny|"
    assert berth("logs", second).ok().stdout == f"b c\n{short_dir}\n"


def test_json_from_standard_input(berth):
    name, = berth("submit", "-q", "-f", "-", input=json.dumps({"command": ["echo", "é"]}).encode()).ok().stdout.split()
    berth.wait(name, "SUCCEEDED")
    assert berth("logs", name).ok().stdout == "é\n"


def test_nothing_runs_when_one_job_of_a_file_is_wrong(berth, short_dir):
    path = short_dir / "jobs.yaml"
    before = berth("get", "jobs", "-a", "-o", "name").ok().stdout
    for text, expected in [("command: [a]\n---\ncommand: [b]\nnoeds: 2\n", f"{path}:4:1: 'noeds': no such key: did you mean"),
                           ("command: [a]\n---\ncommand: [b]\nhold: x\n", "job 2: --hold"),
                           ("command: [a\n", f"{path}:2:1: ")]:
        path.write_text(text)
        result = berth("submit", path)
        assert result.status == INVALID and expected in result.stderr and len(result.stderr.splitlines()) == 1
    assert berth("get", "jobs", "-a", "-o", "name").ok().stdout == before


SCRIPT = """#!/bin/bash
#SBATCH --job-name=train --comment "a b"   # words
#SBATCH -n 2 --cpus-per-task=3
#SBATCH --time=1:30:00 --nice=7

echo "$# $SLURM_JOB_NAME $SLURM_NTASKS $SLURM_CPUS_PER_TASK $BASH_VERSION" | cut -d' ' -f1-4
#SBATCH -n 9
srun -n 2 sh -c 'echo rank $SLURM_PROCID' | sort
exit 3
"""


def test_a_batch_script_is_the_job_that_sbatch_makes_of_it(here, slurm, short_dir, ssh):
    path = short_dir / "job.sh"
    path.write_text(SCRIPT)
    name, = submit(here, path)
    job = here.wait(name, "FAILED")
    assert job["exit_code"] == 3 and job["name"] == "train"
    assert here("logs", name).ok().stdout == "0 train 2 3\nrank 0\nrank 1\n"
    ours = slurm.job(int(job["native_id"]))
    theirs = slurm.job(int(slurm.run("sbatch", "--parsable", "--output=/dev/null", str(path)).ok().stdout))
    for field in ("JobName", "NumTasks", "CPUs/Task", "NumCPUs", "TimeLimit", "Nice", "Comment", "Requeue", "Partition"):
        assert ours[field] == theirs[field], field


def test_a_running_script_is_entered_by_ssh_and_writes_where_it_says(here, short_dir, ssh, slurm):
    path = short_dir / "job.sh"
    path.write_text(f"#!/bin/sh\n#SBATCH -D {short_dir} -o out-%j.txt\necho one; echo two >&2\nexec sleep 1000\n")
    name, = submit(here, path, "--wait")
    assert ssh.with_env(SLURM_CONF=slurm.config)(name, "pwd").ok().stdout == f"{short_dir}\n"
    written = short_dir / f"out-{here.job(name)['native_id']}.txt"
    assert written.read_text() == here("logs", name).ok().stdout == "one\ntwo\n"
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_the_users_variables_win_over_the_script_as_under_sbatch(here, slurm, short_dir):
    path = short_dir / "job.sh"
    path.write_text("#!/bin/sh\n#SBATCH --partition=nosuch --begin=now+1hour\ntrue\n")
    refused = here("submit", path)
    assert refused.status == INVALID and "partition" in refused.stderr
    name, = submit(here, path, env={"SBATCH_PARTITION": "debug"})
    assert slurm.job(int(here.job(name)["native_id"]))["Partition"] == "debug"
    here("cancel", name).ok()


def test_options_of_the_command_line_win_over_script_and_variables_as_under_sbatch(here, slurm, short_dir):
    path = short_dir / "job.sh"
    path.write_text("#!/bin/sh\n#PBS -N theirs\n#SBATCH --partition=nosuch --comment='a # b' --begin=now+1hour -t 10\n")
    options = ["-p", "debug", "--comment", 'it is "so" # yes', "-t", "90s", "-n", "2"]
    name, = submit(here, path, *options, env={"SBATCH_PARTITION": "nosuch", "SBATCH_TIMELIMIT": "7"})
    theirs = slurm.run("sbatch", "--parsable", "-p", "debug", *options[2:4], "-t", "2", "-n", "2", str(path)).ok()
    ours, theirs = slurm.job(int(here.job(name)["native_id"])), slurm.job(int(theirs.stdout))
    for field in ("JobName", "Partition", "Comment", "TimeLimit", "NumTasks"):
        assert ours[field] == theirs[field], field
    assert here.job(name)["name"] == "theirs" and here.job(name)["queue"] == "debug"
    slurm.run("scancel", "--user=root").ok()
    here.wait(name, "CANCELLED")
    refused = here("submit", path, "--partition", "a b")
    assert refused.status == INVALID and "--partition" in refused.stderr


def test_a_script_says_itself_what_sbatch_has_no_option_for(berth, short_dir):
    path = short_dir / "job.sh"
    path.write_text("#!/bin/sh\n#SBATCH -J theirs\n#BERTH --env GREETING='good day'\necho $GREETING, $NAME\n")
    name, = submit(berth, path, "-b", "local", "-e", "NAME=you", "--name", "ours")
    assert berth.wait(name, "SUCCEEDED")["name"] == "ours"
    assert berth("logs", name).ok().stdout == "good day, you\n"
    path.write_text("name: x\ncommand: echo $A $B\nenv: {A: 1, B: 2}\n")
    name, = submit(berth, path, "-e", "B=3")
    assert berth.wait(name, "SUCCEEDED")["name"] == "x"
    assert berth("logs", name).ok().stdout == "1 3\n"


def test_a_batch_script_goes_to_the_chosen_cluster(here, slurm, short_dir):
    path = short_dir / "job.sh"
    path.write_text("#!/bin/sh\ntrue\n")
    here("config", "set", "clusters.hpc.backend", "slurm").ok()
    chosen, = submit(here, path, "--cluster", "hpc")
    assert here.wait(chosen, "SUCCEEDED")["cluster"] == "hpc"
    plain, = submit(here, path)
    assert here.wait(plain, "SUCCEEDED")["cluster"] == "slurm"


@pytest.mark.parametrize("line", ["--wait", "-M other", "hetjob", "--test-only"])
def test_what_berth_could_not_follow_is_refused_with_its_line(here, short_dir, line):
    path = short_dir / "job.sh"
    path.write_text(f"#!/bin/sh\n#SBATCH {line}\ntrue\n")
    result = here("submit", path)
    assert result.status == UNSUPPORTED and f"{path}:2: --" in result.stderr


def test_a_dry_run_shows_what_slurm_would_get_and_does_nothing(here, short_dir):
    path = short_dir / "job.sh"
    path.write_text(SCRIPT)
    before = here("get", "jobs", "-a", "-o", "name").ok().stdout
    shown = here("submit", "--dry-run", path).ok().stdout
    assert '#SBATCH --job-name=train --comment "a b"   # words\n' in shown and "exec /BUNDLE/berth-init " in shown
    path.write_text("command: [echo, a b]\nbackend: slurm\nqos: high\n")
    shown = here("submit", "--dry-run", path).ok().stdout
    assert "--qos=high" in shown and "-- echo 'a b'\n" in shown
    assert here("get", "jobs", "-a", "-o", "name").ok().stdout == before
