# SPDX-License-Identifier: MIT
"""The benches themselves work; what they measure is no test's business."""

import os
import re
import sys

import pytest

import harness
import slurm


def test_the_bench_of_ssh_fills_its_table(build_dir):
    if not slurm.find("sshd"):
        pytest.skip("no sshd: apt-get install openssh-server")
    cases = ["connect", "down", "up", "echo", "echo-up", "connect-cold", "gigabit-up", "sftp-get", "scp-put", "memory"]
    output = harness.run([sys.executable, harness.TOP / "tests" / "bench" / "ssh.py", "--quick", *cases],
                         env={**os.environ, "BERTH_BUILD": str(build_dir)}, timeout=300).ok().stdout
    for case in cases:
        assert re.search(rf"^{case} .*(held|MISSED|skipped: no network)", output, re.MULTILINE), output


def test_the_bench_of_relays_fills_its_table(build_dir):
    cases = ["forward", "idle"]
    output = harness.run([sys.executable, harness.TOP / "tests" / "bench" / "relay.py", "--quick", *cases],
                         env={**os.environ, "BERTH_BUILD": str(build_dir)}, timeout=300).ok().stdout
    for case in "forward", "idle-memory", "idle-cpu":
        assert re.search(rf"^{case} .*(held|MISSED)", output, re.MULTILINE), output


def test_the_bench_of_the_controller_fills_its_table(build_dir):
    if [program for program in slurm.PROGRAMS if not slurm.find(program)] or not harness.IS_ROOT:
        pytest.skip(f"no Slurm: apt-get install {' '.join(slurm.PACKAGES)}")
    output = harness.run([sys.executable, harness.TOP / "tests" / "bench" / "controller.py", "--jobs", "50"],
                         env={**os.environ, "BERTH_BUILD": str(build_dir)}, timeout=300).ok().stdout
    for case in "--version", "run", "array of 1000", "proxy", "get 50":
        assert re.search(rf"^{case} .*(held|MISSED)", output, re.MULTILINE), output


def test_the_bench_of_files_fills_its_table(build_dir):
    output = harness.run([sys.executable, harness.TOP / "tests" / "bench" / "files.py", "--quick", "login"],
                         env={**os.environ, "BERTH_BUILD": str(build_dir)}, timeout=300)
    if output.status == 69:
        pytest.skip(output.stderr)
    assert output.ok().stdout.count(" MB/s") == 4 and "login down" in output.stdout


def test_the_bench_of_firecrest_fills_its_table(build_dir):
    result = harness.run([sys.executable, harness.TOP / "tests" / "bench" / "firecrest.py", "--quick", "--size", "16"],
                         env={**os.environ, "BERTH_BUILD": str(build_dir)}, timeout=300)
    if result.status == 69:
        pytest.skip(result.stderr.strip())
    for case in "submit", "list", "log", "ssh", "firecrest up", "firecrest down":
        assert re.search(rf"^{case} .*(held|MISSED)", result.ok().stdout, re.MULTILINE), result


def test_a_case_that_there_is_not_is_refused_by_name():
    result = harness.run([sys.executable, harness.TOP / "tests" / "bench" / "ssh.py", "warp"])
    assert result.status == 2 and "no case 'warp'; there are: connect" in result.stderr
