# SPDX-License-Identifier: MIT
"""Sessions look like the job: environment, directory, shell, greeting; in any image, as any uid."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import harness
import terminal

GREETING = re.compile(r"job-\d+ \S+, (?:Slurm \d+, )?rank 0 on \S+")


@pytest.fixture(scope="module")
def job(cluster, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("here")
    return cluster.start("me", "-e", "JOB_VARIABLE=it is", "-t", "1h", "--", "sleep", "1000", cwd=workdir)


def environment(ssh, job, *options) -> dict:
    """What `env -0` says in a session."""
    text = ssh(*options, job, "env -0").ok().output.decode()
    return dict(item.split("=", 1) for item in text.split("\0") if "=" in item)


def shown(screen) -> str:
    return screen.screen.decode(errors="replace")


def test_a_session_has_the_environment_and_the_directory_of_the_job(cluster, job):
    found = environment(cluster.ssh, job)
    assert found["JOB_VARIABLE"] == "it is"
    assert found["SSH_CONNECTION"].split()[3] == "22"
    assert "SSH_CLIENT" not in found and "SSH_TTY" not in found
    assert os.access(found["SHELL"], os.X_OK)
    assert found["USER"] == found["LOGNAME"] and found["HOME"]
    there = cluster.ssh(job, "pwd -P; readlink /proc/self/cwd").ok().stdout.split()
    assert there[0] == there[1] and there[0].startswith(os.path.realpath("/tmp")), there


def test_programs_of_the_image_come_before_those_of_the_bundle(cluster, job):
    path = environment(cluster.ssh, job)["PATH"].split(":")
    assert path[-1].endswith("/bin") and "images" in path[-1]
    assert (pathlib.Path(path[-1]) / "sh").exists()
    assert cluster.ssh(job, "command -v tar").ok().stdout.strip() == shutil.which("tar")


def test_editors_get_a_directory_of_the_job_that_goes_with_it(cluster, tmp_path):
    job = cluster.start("-e", f"TMPDIR={tmp_path}", "--", "sleep", "1000")
    folder = pathlib.Path(environment(cluster.ssh, job)["VSCODE_AGENT_FOLDER"])
    assert folder.parent.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.parent.stat().st_mode & 0o777 == 0o700
    cluster.ssh(job, "mkdir $VSCODE_AGENT_FOLDER/bin; cp /bin/true $VSCODE_AGENT_FOLDER/bin").ok()
    cluster.berth("cancel", job).ok()
    harness.until(lambda: not folder.parent.exists(), "end of the job's directory on the node")
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_killed_leaves_its_directory_to_who_sees_its_end(berth, ssh):
    job = berth.start("--", "sleep", "1000")
    folder = pathlib.Path(environment(ssh, job)["VSCODE_AGENT_FOLDER"])
    assert folder.parent.parent == pathlib.Path("/tmp") and folder.exists()
    native = berth.job(job)["native_id"]
    os.kill(int(re.match(r"\d+", native).group()), 9)
    berth.wait(job, "FAILED")
    assert not folder.parent.exists()


def test_what_was_turned_off_is_off(cluster):
    job = cluster.start("--no-vscode-folder", "--no-motd", "--plain-shell", "-e", "PATH=/usr/bin:/bin:/mine",
                        "--", "sleep", "1000")
    assert "VSCODE_AGENT_FOLDER" not in environment(cluster.ssh, job)
    with terminal.Terminal(cluster.ssh.argv("-tt", job), cluster.ssh.env()) as screen:
        screen.type("echo path=$PATH name=$0.; exit 5\n")
        assert screen.end() == 5
        assert re.search(r"path=/usr/bin:/bin:/mine:\S+ name=[a-z]+\.", shown(screen)), screen.screen
        assert not GREETING.search(shown(screen))


def test_a_login_on_a_terminal_is_greeted_and_nothing_else_is(cluster, job):
    with terminal.Terminal(cluster.ssh.argv("-tt", job), cluster.ssh.env()) as screen:
        screen.type("exit 4\n")
        assert screen.end() == 4
        assert re.search(GREETING.pattern + r": \d+m\d\ds left\r\n", shown(screen)), screen.screen
    with terminal.Terminal(cluster.ssh.argv("-tt", job, "echo only; exit 3"), cluster.ssh.env()) as screen:
        assert screen.end() == 3
        assert shown(screen).split("\r\n")[0] == "only"
    assert cluster.ssh("-T", job, input="echo first; exit 6").output == b"first\n"
    assert cluster.ssh(job, "true").ok().output == b""


def test_who_has_a_hushlogin_is_not_greeted(cluster, short_dir):
    (short_dir / ".hushlogin").touch()
    job = cluster.start("-e", f"HOME={short_dir}", "--", "sleep", "1000")
    with terminal.Terminal(cluster.ssh.argv("-tt", job), cluster.ssh.env()) as screen:
        screen.type("echo here; exit 2\n")
        assert screen.end() == 2
        assert not GREETING.search(shown(screen))


def test_a_shell_that_is_not_posix_can_be_replaced(cluster, short_dir):
    """Somebody's login shell prints at start and knows no -c; --shell names another."""
    odd = short_dir / "odd"
    odd.write_text("#!/bin/sh\necho 'odd: welcome'\nexit 9\n")
    odd.chmod(0o755)
    job = cluster.start("-e", f"SHELL={odd}", "--shell", "/bin/sh", "--", "sleep", "1000")
    assert cluster.ssh(job, "echo $SHELL").ok().output == b"/bin/sh\n"
    plain = cluster.start("-e", f"SHELL={odd}", "--shell", "/nonexistent", "--", "sleep", "1000")
    result = cluster.ssh(plain, "echo $SHELL")
    assert (result.status, result.output) == (9, b"odd: welcome\n")


def test_what_a_job_uses_is_shown(cluster):
    job = cluster.start("busy", "--", "sh", "-c", "while :; do :; done & while :; do sleep 1; done")
    line = json.loads(cluster.berth("stat", job, "-o", "json").ok().stdout)
    tree = line["tree"]
    assert tree["processes"] >= 4 and tree["threads"] >= tree["processes"] and tree["running"] >= 1, line
    assert tree["cpu_percent"] > 0 and tree["cpu_s"] > 0 and tree["rss"] > 1_000_000, line
    head, row = cluster.berth("stat", "busy").ok().stdout.splitlines()
    assert head.split()[:3] == ["TIME", "CPU", "CORES"] and row.split()[1].endswith("%")
    with subprocess.Popen([cluster.berth.program, "stat", "-i", "100ms", "-o", "json", job], env=cluster.berth.env(),
                          stdout=subprocess.PIPE) as watcher:
        times = [json.loads(watcher.stdout.readline())["time"] for _ in range(4)]
        assert times == sorted(set(times)), times
        cluster.berth("cancel", job).ok()
        watcher.stdout.read()
        assert watcher.wait(30 * harness.PATIENCE) != 0


def test_an_interval_or_a_format_that_makes_no_sense_is_refused(cluster, job):
    assert "100ms" in cluster.berth("stat", job, "-i", "1ms").stderr
    result = cluster.berth("stat", job, "-o", "yaml")
    assert result.status == 64 and "yaml" in result.stderr
