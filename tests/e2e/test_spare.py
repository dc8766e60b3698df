# SPDX-License-Identifier: MIT
"""What a submission leaves for the next one, and sbatch that is started before there is a job."""

import concurrent.futures
import json
import os
import time

import pytest

import harness

WAITING = ("-b", "slurm", "--begin", "now+1hour")


@pytest.fixture
def here(fresh_home, berth, slurm):
    here = type(berth)(berth.program, fresh_home).with_env(SLURM_CONF=slurm.config)
    yield here
    here("cancel", "--all", "--yes")


def spares(here) -> list:
    return sorted((here.home.state_dir / "keys" / "spare").glob("*.job"))


def secret(path) -> str:
    return json.loads(path.read_text())["secret"]


def submit(here, *options) -> str:
    """The secret of a job: its two files hold the same."""
    name = here.submit(*WAITING, *options, "--", "sleep", "1000")
    uid = here.job(name)["uid"]
    ours = secret(here.home.state_dir / "keys" / f"{uid}.json")
    assert ours == secret(here.home.berth_home / "jobs" / uid / "tunnel.json")
    return ours


def test_each_spare_pair_of_keys_is_taken_by_one_job_of_its_kind(here):
    submit(here)
    spare, = harness.until(lambda: spares(here), "a spare pair")
    made = secret(spare)
    assert os.stat(spare).st_mode & 0o777 == 0o600 and os.stat(spare.parent).st_mode & 0o777 == 0o700
    # It is not for a job that may connect elsewhere.
    assert submit(here, "--allow", "10.0.0.1:80") != made
    assert spare.exists() and harness.until(lambda: len(spares(here)) == 2, "a spare of the other kind")
    assert submit(here) == made
    harness.until(lambda: len(spares(here)) == 2, "the next one")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len({made, *pool.map(lambda _: submit(here), range(4))}) == 5
    # There is one of a kind, and what nobody takes is collected.
    harness.until(lambda: len(spares(here)) == 2, "the one after that")
    for path in spares(here)[0].parent.iterdir():
        os.utime(path, (time.time() - 7200,) * 2)
    here("gc", "--retention", "0s").ok()
    assert not list((here.home.state_dir / "keys" / "spare").iterdir())


def test_a_spare_that_was_not_finished_keeps_nobody_from_making_another(here):
    submit(here)
    spare, = harness.until(lambda: spares(here), "a spare pair")
    spare.unlink()
    client = spare.with_suffix(".client")
    os.utime(client, (time.time() - 7200,) * 2)
    submit(here)
    harness.until(spare.exists, "another spare")
    assert secret(spare) == secret(client)


def test_a_job_without_a_name_is_called_by_its_number_whatever_the_environment_says(here, slurm):
    for env, options in ({}, ()), ({"SBATCH_JOB_NAME": "elsewhere"}, ()), ({}, ("--env", "SBATCH_JOB_NAME=elsewhere")):
        name = here.submit(*WAITING, *options, "--", "true", env=env)
        id = here.job(name)["native_id"]
        assert slurm.run("squeue", "-h", "-j", id, "-o", "%j").ok().stdout.strip() == name
        # As Slurm knows it, it was submitted by its path, and the file is what Slurm has.
        script = here.job_dir(name) / "script.sh"
        assert slurm.run("squeue", "-h", "-j", id, "-o", "%o").ok().stdout.strip() == str(script)
        assert slurm.run("scontrol", "write", "batch_script", id, "-").ok().stdout.strip() == script.read_text().strip()


def test_a_long_script_and_one_with_a_name_reach_slurm_whole(here, slurm):
    long = "x" * 5000
    name = here.submit("long", *WAITING, "--", "echo", long)
    id = here.job(name)["native_id"]
    assert f"echo {long}\n" in slurm.run("scontrol", "write", "batch_script", id, "-").ok().stdout
    assert slurm.run("squeue", "-h", "-j", id, "-o", "%j").ok().stdout.strip() == "long"


@pytest.mark.parametrize("way", ['grep -q berth-init "$script" || exit 3; exec %s "$@"', 'exec %s "$@" </dev/null'])
def test_what_stands_in_for_sbatch_gets_a_script(here, slurm, short_dir, way):
    """A site may have a script called sbatch that looks into the job's one, or hands on no standard input."""
    sbatch = slurm.run("sh", "-c", "command -v sbatch").ok().stdout.strip()
    stand_in = short_dir / "sbatch"
    stand_in.write_text(f"#!/bin/sh\nfor script; do :; done\n{way % sbatch}\n")
    stand_in.chmod(0o755)
    name = here.with_env(PATH=f"{short_dir}:{os.environ['PATH']}").submit(*WAITING, "--", "true")
    assert slurm.run("squeue", "-h", "-j", here.job(name)["native_id"], "-o", "%j").ok().stdout.strip() == name


def test_what_sbatch_refuses_leaves_nothing(here, slurm):
    result = here("run", *WAITING, "--partition", "none", "--", "true")
    assert result.status == 64 and "partition" in result.stderr
    assert not list((here.home.berth_home / "jobs").iterdir())
