# SPDX-License-Identifier: MIT
"""A cluster behind a login node: a real sshd whose sessions share no home and no state with the workstation, and a real
Slurm that only they can reach. Round trips are counted by a wrapper around ssh."""

import json
import os
import shutil
import signal
import socket
import time

import pytest

import harness
import loginnode
from terminal import Terminal


@pytest.fixture(scope="module")
def node(start_login_node, slurm):
    return start_login_node("login", slurm.config)


@pytest.fixture(scope="module")
def remote(berth, node):
    """berth of a user whose cluster is behind the login node; jobs that ran on it before are none of theirs."""
    here = berth.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    path = berth.home.root / "config" / "berth" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(node.configuration())
    yield here
    here.cancel_all()
    loginnode.close_masters(berth.home)


@pytest.fixture(scope="module")
def job(remote):
    name = remote.submit("here", "-e", "MINE=a b'c", "--", "sh", "-c", "echo out $MINE; echo err >&2; pwd; sleep 1000")
    remote.wait(name, "RUNNING")
    return name


def test_a_job_costs_one_round_trip_when_the_bundle_is_there(remote, node, job):
    uid = remote.job(job)["uid"]
    assert (node.scratch / "berth" / "jobs" / uid / "tunnel.json").exists()
    assert not (remote.home.berth_home / "jobs").exists() and not (remote.home.berth_home / "images").exists()
    node.calls()
    name = remote.submit("--", "sleep", "1000")
    assert node.calls() == 1
    remote("cancel", name).ok()
    assert "hpc" in remote("get", "clusters").ok().stdout


def test_the_programs_are_copied_once_with_a_bar_on_a_terminal(fresh_home, remote, node, job):
    """Of a user whose cluster has none of them; quiet ones see no bar."""
    here = type(remote)(remote.program, fresh_home, remote.extra)
    fresh_home.config_dir.mkdir(parents=True, exist_ok=True)
    (fresh_home.config_dir / "config.yaml").write_text(node.configuration())
    images = node.scratch / "berth" / "images"
    try:
        images.rename(images.with_name("away"))
        for quiet in (), ("-q",):
            shutil.rmtree(images, ignore_errors=True)
            (fresh_home.state_dir / "berth.db").unlink(missing_ok=True)
            with Terminal([here.program, "run", *quiet, "--begin", "now+1hour", "--", "true"], here.env()) as terminal:
                if not quiet:
                    terminal.expect("% ")
                    terminal.expect("berth's programs")
                assert terminal.end() == 0
                assert b"job-" in terminal.screen and (not quiet or b"% " not in terminal.screen)
            assert list(images.glob("*/berth-init"))
    finally:
        shutil.rmtree(images, ignore_errors=True)
        images.with_name("away").rename(images)
        here.cancel_all()
        loginnode.close_masters(fresh_home)


def test_the_scheduler_is_asked_there(remote, node, job):
    assert remote("get", "nodes", "-o", "name").ok().stdout.strip() == "node1"
    node.calls()
    assert job in remote("get", "jobs", "--cluster", "hpc", "-o", "name").ok().stdout
    assert node.calls() <= 3
    assert remote("get", "jobs", "--cluster", "local", "-o", "name").ok().stdout == ""


def test_what_a_job_prints_is_read_there(remote, node, job):
    def printed():
        text = remote("logs", job).ok().stdout
        return text if text.count("\n") == 2 else None
    assert harness.until(printed, "output") == f"out a b'c\n{node.home}\n"
    assert remote("logs", "--stderr", job).ok().stdout == "err\n"
    assert remote("logs", "--tail", "1", job).ok().stdout == f"{node.home}\n"


def test_logs_are_followed_to_the_end(remote):
    name = remote.submit("--", "sh", "-c", "echo one; sleep 2; echo two; exit 3")
    assert remote("logs", "-f", name).ok().stdout == "one\ntwo\n"
    assert remote.wait(name, "FAILED")["exit_code"] == 3


def test_the_last_lines_come_from_the_end_in_one_round_trip(remote, node):
    """But where lines are longer than usual; their number is right then, too."""
    name = remote.submit("--", "sh", "-c", "seq 30000; head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2")
    remote.wait(name, "SUCCEEDED")
    for lines, first in ("2", 29999), ("20000", 10001), ("40000", 1):
        node.calls()
        said = remote("logs", "-n", lines, name).ok().stdout
        assert said == "".join(f"{n}\n" for n in range(first, 30001)) and node.calls() == 1, lines
    assert remote("logs", "-n0", name).ok().stdout == ""
    assert remote("logs", "-n1", "--stderr", name).ok().stdout == "end\n"
    assert remote("logs", "-n2", "--stderr", name).ok().stdout == "x" * 100000 + "\nend\n"


def test_logs_of_many_tasks_and_since_a_moment_are_one_round_trip(remote, node):
    """Of an array, whose tasks print into files of their own."""
    go = node.dir / "go"
    name = remote.submit("--array", "0-2", "--", "sh", "-c", 'echo early; until [ -e "$0" ]; do sleep 0.1; done; '
                         'echo late; until [ -e "$0.end" ]; do sleep 0.1; done', str(go))
    directory = node.scratch / "berth" / "jobs" / remote.job(name)["uid"]

    def sizes() -> list:
        return [path.read_text().split()[1::2] for path in directory.glob("stdout.?.times")]
    harness.until(lambda: sizes() == [["6"]] * 3, "notes of what was printed early", limit=60)
    noted = time.time()
    harness.until(lambda: time.time() > noted + 3, "later seconds", interval=0.2)
    since = "--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(noted + 2))
    remote.wait(name, "RUNNING")
    go.touch()
    harness.until(lambda: sizes() == [["6", "11"]] * 3, "notes of what was printed late", limit=60)
    for options, expected in ((), "early\nlate\n" * 3), (since, "late\n" * 3), (("--since", "1h"), "early\nlate\n" * 3), \
            (("--tail", "1"), "late\n" * 3), (("--tail", "9"), "early\nlate\n" * 3):
        node.calls()
        assert remote("logs", *options, name).ok().stdout == expected and node.calls() == 1, options
    node.calls()
    assert remote("logs", *since, f"{name}_1").ok().stdout == "late\n" and node.calls() == 1
    assert remote("logs", *since, "-n0", name).ok().stdout == ""
    (node.dir / "go.end").touch()
    assert sorted(remote("logs", "-f", *since, name).ok().stdout.split()) == ["late"] * 3
    assert remote.wait(name, "SUCCEEDED")["state"] == "SUCCEEDED"
    for path in go, node.dir / "go.end":
        path.unlink()


def test_ssh_goes_into_the_job(remote, ssh, node, job):
    here = ssh.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    words = harness.until(lambda: (found := here(job, "echo $MINE; pwd")).status == 0 and found, "ssh into the job").stdout
    assert words == f"a b'c\n{node.home}\n"
    assert here(f"{job}.hpc", "exit 7").status == 7
    assert here("here.job", "cat", input="data").ok().stdout == "data"
    node.calls()
    here(job, "true").ok()
    assert remote("exec", job, "--", "echo", "in").ok().stdout == "in\n"
    assert node.calls() == 0, "where it listens is known"


def test_ranks_of_an_array_are_told_and_entered_there(remote, ssh, node):
    name = remote.submit("--array", "1-3%2", "-n", "2", "--", "sh", "-c",
                         'echo "$SLURM_ARRAY_TASK_ID.$SLURM_PROCID"; [ $SLURM_ARRAY_TASK_ID = 1 ] || exit $SLURM_PROCID; exec sleep 1000')
    here = ssh.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    assert here(f"{name}_1.1", "echo $SLURM_ARRAY_TASK_ID.$SLURM_PROCID").ok().stdout == "1.1\n"

    def states():
        runs = json.loads(remote("get", "job-runs", "--refresh", name, "-o", "json").ok().stdout)
        return [(run["state"], run["exit_code"], run["signal"]) for run in runs]
    harness.until(lambda: states() == [("RUNNING", None, None), ("FAILED", 1, None), ("FAILED", 1, None)], "ends of two tasks", limit=60)
    assert remote("logs", f"{name}_2").ok().stdout == "2.0\n2.1\n" and remote("logs", f"{name}_3.1").ok().stdout == "3.1\n"
    remote("signal", "USR1", name).ok()
    harness.until(lambda: states()[0] == ("FAILED", None, 10), "the end by a signal", limit=60)


def test_a_job_that_is_elsewhere_is_asked_for_when_it_does_not_answer(remote, ssh, node, job):
    here = ssh.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    known = remote.home.state_dir / "endpoints" / f"{remote.job(job)['uid']}.0.json"
    before = json.loads(known.read_text())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        for port in 9, silent.getsockname()[1]:
            old = {**before, "addresses": [f"127.0.0.1:{port}"], "started": before["started"] - 1}
            old.pop("tcp", None)
            known.write_text(json.dumps(old))
            node.calls()
            assert here(job, "echo in").ok().stdout == "in\n"
            assert node.calls() >= 1 and json.loads(known.read_text())["started"] == before["started"]


def test_a_job_that_ended_unnoticed_says_how_in_one_line(remote, ssh, node):
    here = ssh.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    name = remote.submit("--", "sleep", "1000")
    remote.wait(name, "RUNNING")
    harness.until(lambda: here(name, "true").status == 0, "a way in")
    native_id = remote.job(name)["native_id"]
    slurm = {**os.environ, "SLURM_CONF": str(node.slurm_config)}
    harness.run(["scancel", native_id], env=slurm).ok()
    harness.until(lambda: "CANCELLED" in harness.run(["squeue", "-h", "-t", "all", "-j", native_id, "-o", "%T"], env=slurm).stdout,
                  "its end")
    said = here(name, "true")
    assert said.status == 255 and "ended: " in said.stderr, said
    assert len([line for line in said.stderr.splitlines() if line.startswith("berth")]) == 1, said


def test_a_key_is_rotated_in_the_job_directory_there(remote, ssh, node, job):
    here = ssh.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    path = node.scratch / "berth" / "jobs" / remote.job(job)["uid"] / "tunnel.json"
    before = path.read_bytes()
    remote("keys", "rotate", job).ok()
    assert path.read_bytes() != before and path.stat().st_mode & 0o777 == 0o600
    here(job, "true").ok()


@pytest.mark.parametrize("word", ["a b", "it's", '"q"', "$HOME `id` $(id)", "a;b|c&d", "*", "new\nline", "\\n\\", "!x", "\x01\x7f",
                                  "\u00fc", "-n", "~", "#c", "%s", ""])
def test_a_word_reaches_the_job_unchanged(remote, node, word, hostile):
    name, out = hostile
    assert out[word] == word, name


@pytest.fixture(scope="module")
def hostile(remote):
    """One job that prints all of its words, each ended by NUL, which no word has."""
    mark = test_a_word_reaches_the_job_unchanged.pytestmark[0]
    words = mark.args[1]
    name = remote.submit("--", "sh", "-c", 'printf "%s\\0" "$@"', "sh", *words)
    remote.wait(name, "SUCCEEDED")
    printed = remote("logs", name).ok().output.decode(errors="surrogateescape").split("\0")
    return name, dict(zip(words, printed))


def test_a_connection_that_is_gone_is_made_again(remote, node, job):
    pids = {int(line.split()[0]) for line in harness.run(["ps", "-eo", "pid,args"]).ok().stdout.splitlines()
            if "ssh" in line and "[mux]" in line and str(remote.home.state_dir) in line}
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert remote.job(job)["state"] == "RUNNING"


def test_cancel_and_gc_leave_nothing_there(remote, node):
    name = remote.submit("--", "sleep", "1000")
    path = node.scratch / "berth" / "jobs" / remote.job(name)["uid"]
    assert path.exists() and remote.job(name)["cluster"] == "hpc"
    images = node.scratch / "berth" / "images"
    old, linked, young, foreign = (images / name for name in ("a" * 64, "b" * 64, "c" * 64, "mine"))
    for each in old, linked, young, foreign:
        each.mkdir()
    other = node.scratch / "berth" / "jobs" / "of-another-workstation"
    other.mkdir()
    (other / "bundle").symlink_to(linked)
    for each in old, linked, foreign:
        os.utime(each, (0, 0))
    remote("cancel", name).ok()
    remote.wait(name, "CANCELLED")
    assert path.exists() and not (path / "tunnel.json").exists()
    remote("gc", "--retention", "0s").ok()
    assert not path.exists()
    assert [each.exists() for each in (old, linked, young, foreign)] == [False, True, True, True]
    missing = remote("logs", name)
    assert missing.status == 66 and "collected" in missing.stderr


def test_a_quota_is_kept_with_one_question_about_sizes(remote, node):
    remote("gc", "--retention", "0s").ok()
    running = remote.submit("--", "sleep", "1000")
    ended = [remote.submit("--", "true") for _ in range(3)]
    for name in ended:
        remote.wait(name, "SUCCEEDED")
    there = [node.scratch / "berth" / "jobs" / remote.job(name)["uid"] for name in [running, *ended]]
    foreign = there[0].with_name("6b019f50-8eef54953ad43042")
    foreign.mkdir()
    (foreign / "large").write_bytes(bytes(3 << 20))
    for path in there[1:]:
        (path / "result").write_bytes(bytes(400000))
    remote.wait(running, "RUNNING")
    remote("gc").ok()
    node.calls()
    remote("gc").ok()
    without = node.calls()
    remote("config", "set", "clusters.hpc.keep_size", "1000K").ok()
    try:
        # Here and there nothing changes, and what would go is told with its size.
        said = remote("gc", "--dry-run").ok().stdout.splitlines()
        assert len(said) == 2 and "over the quota" in said[0] and str(there[1]) in said[0], said
        assert "1 job directories of " in said[1] and all(path.exists() for path in there)
        assert node.calls() <= without + 1
        assert "1 job directories" in remote("gc").ok().stdout
        assert node.calls() <= without + 2
        assert [path.exists() for path in there] == [True, False, True, True]
        # Nobody answers: nothing goes.
        with node.unreachable():
            refused = remote("gc", "--keep-jobs", "0")
            assert refused.status == 69 and "0 job directories" in refused.stdout
        assert all(path.exists() for path in there[2:])
        assert "2 job directories" in remote("gc", "--keep-jobs", "0").ok().stdout
        assert [path.exists() for path in there] == [True, False, False, False] and foreign.exists()
    finally:
        remote("config", "set", "clusters.hpc.keep_size", "1T").ok()
        remote("cancel", running).ok()


def alone(berth, node, fresh_home, **more):
    user = type(berth)(berth.program, fresh_home, {"PATH": f"{node.dir / 'bin'}:{os.environ['PATH']}"})
    path = fresh_home.root / "config" / "berth" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(node.configuration(**more))
    return user


def test_a_wrong_host_and_a_home_that_cannot_be_written_are_explained(berth, node, fresh_home):
    user = alone(berth, node, fresh_home, login="root@no-such-host.invalid")
    refused = user("run", "--", "true")
    assert refused.status == 69 and "login node root@no-such-host.invalid cannot be reached" in refused.stderr
    alone(berth, node, fresh_home, home="/proc/berth")
    refused = user("run", "--", "true")
    assert refused.status != 0 and "/proc/berth" in refused.stderr and refused.stderr.count("\n") == 1
    alone(berth, node, fresh_home, home="$NOWHERE/berth")
    refused = user("run", "--", "true")
    assert refused.status != 0 and "NOWHERE" in refused.stderr
    assert user("get", "jobs", "-a", "-o", "name").ok().stdout == ""


def test_a_full_disk_is_told_and_leaves_nothing(berth, node, fresh_home, short_dir):
    if harness.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", short_dir]).status != 0:
        pytest.skip("no right to mount a tmpfs")
    try:
        user = alone(berth, node, fresh_home, home=f"{short_dir}/berth")
        refused = user("run", "--", "true")
        assert refused.status == 69 and ("No space left" in refused.stderr or "disk full" in refused.stderr), refused
        assert user("get", "jobs", "-a", "-o", "name").ok().stdout == ""
    finally:
        harness.run(["umount", short_dir]).ok()


def test_settings_for_paths_reach_the_job(berth, node, fresh_home):
    token = fresh_home.root / "token"
    token.write_text("secret-token\n")
    more = ("    paths: [direct, login]\n    detach_timeout: 2h\n    relays:\n      - url: https://relay.example.org:8443\n"
            f"        key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n        token_file: {token}\n"
            "      - url: https://other.example.org\n        key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
            "        token_command: [echo, from a command]\n")
    user = alone(berth, node, fresh_home, more=more)
    refused = user("run", "--", "true")
    assert refused.status == 64 and "other.example.org" in refused.stderr
    user = alone(berth, node, fresh_home, more=more.replace("from a command", "command-token"))
    name = user.submit("--", "sleep", "1000")
    uid = user.job(name)["uid"]
    for path in node.scratch / "berth" / "jobs" / uid / "tunnel.json", fresh_home.state_dir / "keys" / f"{uid}.json":
        text = path.read_text()
        assert "relay.example.org:8443" in text and "secret-token" in text and "command-token" in text, path
    assert json.loads((node.scratch / "berth" / "jobs" / uid / "tunnel.json").read_text())["idle_timeout_s"] == 7200
    assert not list((fresh_home.state_dir / "keys").glob("*.part"))
    assert shutil.which("squeue") and "secret-token" not in (node.dir / "calls").read_text()
    user("cancel", name).ok()
