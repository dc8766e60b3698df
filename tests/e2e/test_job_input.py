# SPDX-License-Identifier: MIT
"""Bad input, and machines without what a job needs: one line that says what to do, a status by kind, nothing lost."""

import os
import shutil
import subprocess

import pytest

import harness

NOT_FOUND, UNAVAILABLE, LIMIT, TIMEOUT = 66, 69, 69, 75


def one_line(result: harness.Result, status=None) -> str:
    assert result.status != 0 and (status is None or result.status == status), result
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and result.stdout == "", result
    assert lines[0].startswith("berth: "), result
    return lines[0]


@pytest.mark.parametrize("argv", [("ssh", "job-999", "true"), ("logs", "job-999"), ("cancel", "job-999"),
                                  ("get", "jobs", "job-999"), ("proxy", "job-999")], ids=" ".join)
def test_an_unknown_job_is_named(berth, argv):
    assert "job-999" in one_line(berth(*argv), NOT_FOUND)


def test_an_ended_job_says_how_it_ended(cluster):
    name = cluster.berth.submit(*cluster.options, "--", "sh", "-c", "exit 3")
    cluster.berth.wait(name, "FAILED")
    line = one_line(cluster.berth("ssh", name, "true"))
    assert name in line and "FAILED" in line.upper() or "ended" in line, line


@pytest.fixture
def closed_partition(slurm):
    """What is submitted waits; open() lets it run."""
    def set_state(state):
        slurm.run("scontrol", "update", "PartitionName=debug", f"State={state}").ok()
    set_state("DOWN")
    yield lambda: set_state("UP")
    set_state("UP")


def test_a_pending_job_says_that_it_waits_and_is_entered_when_it_runs(berth, ssh, slurm, closed_partition):
    berth, ssh = berth.with_env(SLURM_CONF=slurm.config), ssh.with_env(SLURM_CONF=slurm.config)
    name = berth.submit("--backend", "slurm", "--", "sleep", "1000")
    berth.wait(name, "QUEUED")
    result = berth("proxy", "--wait", "1s", name)
    assert result.status == TIMEOUT and name in result.stderr and "QUEUED" in result.stderr, result
    client = subprocess.Popen(ssh.argv(name, "echo in"), env=ssh.env(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert b"QUEUED" in client.stderr.readline()
        closed_partition()
        assert client.communicate(timeout=60 * harness.PATIENCE)[0] == b"in\n"
    finally:
        client.kill()
        client.communicate()
    berth("cancel", name).ok()


def test_without_slurm_the_job_is_not_lost_in_silence(fresh_home, build_dir, berth, tmp_path):
    config = tmp_path / "slurm.conf"
    config.write_text("ClusterName=none\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nSlurmctldTimeout=1\n"
                      "MessageTimeout=2\nNodeName=none\nPartitionName=none Nodes=none Default=YES\n")
    if not shutil.which("sbatch"):
        pytest.skip("no sbatch: apt-get install slurm-client")
    alone = type(berth)(berth.program, fresh_home).with_env(SLURM_CONF=config)
    result = alone("run", "--backend", "slurm", "--", "true", timeout=120)
    one_line(result, UNAVAILABLE)


def test_a_machine_of_no_cluster_says_so(fresh_home, berth):
    if not shutil.which("sbatch"):
        pytest.skip("no sbatch: apt-get install slurm-client")
    if os.path.exists("/etc/slurm/slurm.conf"):
        pytest.skip("this machine is part of a cluster: /etc/slurm/slurm.conf is there")
    alone = type(berth)(berth.program, fresh_home)
    result = alone("run", "--backend", "slurm", "--", "true", timeout=120)
    one_line(result, UNAVAILABLE)
    assert "part of the cluster" in result.stderr, result


def test_without_bubblewrap_the_job_runs_and_the_user_is_told(fresh_home, berth, short_dir):
    """A PATH that has everything but bwrap."""
    for folder in ("/usr/bin", "/bin"):
        for name in os.listdir(folder):
            if name != "bwrap" and not (short_dir / name).exists():
                os.symlink(os.path.join(folder, name), short_dir / name)
    alone = type(berth)(berth.program, fresh_home).with_env(PATH=short_dir)
    result = alone("run", "--", "sh", "-c", "exit 0").ok()
    assert "bwrap" in result.stderr or "bubblewrap" in result.stderr, result
    alone.wait(alone.job("job-1")["label"] if "label" in alone.job("job-1") else "job-1", "SUCCEEDED")


def test_a_full_disk_is_said_and_loses_nothing(fresh_home, berth):
    alone = type(berth)(berth.program, fresh_home)
    fresh_home.berth_home.mkdir(parents=True)
    harness.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", fresh_home.berth_home]).ok()
    try:
        assert "space" in one_line(alone("run", "--", "true"), LIMIT)
    finally:
        harness.run(["umount", fresh_home.berth_home]).ok()
    name = alone.submit("--", "true")
    alone.wait(name, "SUCCEEDED")


def test_an_ssh_config_of_the_user_is_kept_byte_for_byte(fresh_home, berth):
    alone = type(berth)(berth.program, fresh_home)
    before = b"Host elsewhere\n\tUser me # no newline at the end"
    config = fresh_home.ssh_dir / "config"
    target = fresh_home.ssh_dir / "config.real"
    target.write_bytes(before)
    target.chmod(0o644)
    config.symlink_to("config.real")
    alone.submit("--", "true")
    alone.submit("--", "true")
    assert config.is_symlink()
    after = target.read_bytes()
    assert after.endswith(before) and after.count(b"Include berth/*.conf") == 1
    assert after.startswith(b"Include berth/*.conf\n") or after.splitlines()[0].startswith(b"#")


def test_the_client_never_asks(cluster):
    """Without BatchMode and without a terminal, and with a known_hosts of the user that lies about berth."""
    name = cluster.start("--", "sleep", "1000")
    (cluster.berth.home.ssh_dir / "known_hosts").write_text("berth ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAA"
                                                            "AAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
    process = subprocess.run(["ssh", name, "echo in"], env=cluster.ssh.env(), stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=60 * harness.PATIENCE, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"in\n", b"")
