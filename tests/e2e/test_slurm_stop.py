# SPDX-License-Identifier: MIT
"""What tests start of Slurm ends with them, also when its jobs do not."""

import os
import pathlib
import shutil
import subprocess

import pytest

import harness
import processes
from slurm import Slurm

# Another name for a program shows as its comm, which is how a slurmstepd is known.
STEP = 'sh -c "sleep 1000; true" & echo "$!"; wait'


def below(pid: int) -> list:
    children = [int(child) for child in processes.read(pid, f"task/{pid}/children").split()]
    return children + [each for child in children for each in below(child)]


def test_everything_is_ended_by_pid_when_the_queue_does_not_empty(short_dir, monkeypatch):
    slurm = Slurm(short_dir)
    step_program = short_dir / "slurmstepd"
    shutil.copy(pathlib.Path("/bin/sh").resolve(), step_program)
    # Neither is a child of what stop() waits for, as a real one is not; the other one is of somebody else's Slurm.
    steps = [subprocess.Popen([step_program, "-c", STEP], env={**os.environ, "SLURM_CONF": config}, stdout=subprocess.PIPE)
             for config in (str(slurm.config), f"{slurm.config}.else")]
    try:
        for step in steps:
            step.stdout.readline()
            harness.until(lambda step=step: len(below(step.pid)) == 2, "what the step runs")
        inner = below(steps[0].pid)
        slurm.processes = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
        daemons = list(slurm.processes)
        slurm.is_up = True
        monkeypatch.setattr(slurm, "run", lambda *argv, **_: subprocess.CompletedProcess(argv, 0, "job", ""))
        monkeypatch.setattr(harness, "PATIENCE", 0.01)
        with pytest.raises(AssertionError, match="empty queue"):
            slurm.stop()
        monkeypatch.undo()
        assert all(daemon.returncode is not None for daemon in daemons) and not slurm.processes
        assert steps[0].wait(10) == -9
        harness.until(lambda: not any(map(processes.is_alive, inner)), "the end of what the step ran")
        assert steps[1].poll() is None
    finally:
        for step in steps:
            processes.end_tree(step.pid)
            step.communicate()
