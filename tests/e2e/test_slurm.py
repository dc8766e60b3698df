# SPDX-License-Identifier: MIT
"""The Slurm that the other tests use behaves as Slurm does."""


def test_a_failing_batch_job_is_recorded_with_its_exit_code(slurm):
    job = slurm.wait(slurm.submit("exit 3"), "FAILED", "COMPLETED")
    assert (job["JobState"], job["ExitCode"]) == ("FAILED", "3:0")


def test_many_jobs_run_side_by_side(slurm):
    ids = [slurm.submit("sleep 60") for _ in range(4)]
    for id in ids:
        slurm.wait(id, "RUNNING")
    slurm.run("scancel", *ids).ok()
    for id in ids:
        slurm.wait(id, "CANCELLED")
