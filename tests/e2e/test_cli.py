# SPDX-License-Identifier: MIT
"""What `berth` does with its command line, on the local backend: every verb, every way to name a job, every refusal."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest

import harness

pytestmark = pytest.mark.sanitize
INVALID, NOT_FOUND, UNAVAILABLE, SYSTEM = 64, 66, 69, 71


@pytest.fixture
def alone(fresh_home, berth):
    """berth as a user of their own, for one test."""
    return type(berth)(berth.program, fresh_home)


def refused(result: harness.Result, status: int) -> str:
    """The one line that a refusal is."""
    assert result.status == status and result.stdout == "", result
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("berth: "), result
    return lines[0]


def test_a_job_is_named_by_label_number_and_newest_name(alone):
    first, second = (alone.start("twice", "--", "sleep", "1000") for _ in range(2))
    assert (first, second) == ("job-1", "job-2")
    assert [alone.job(name)["id"] for name in ("1", "job-1", "2", "twice")] == [first, first, second, second]
    assert alone("get", "jobs", "-o", "name").ok().stdout.split() == [first, second]


def test_who_uses_a_name_that_several_jobs_have_is_told_which_one_is_meant(alone, ssh):
    older, newest = (alone.start("twice", "--", "sleep", "1000") for _ in range(2))
    line = f"berth: twice is {newest}, the newest: {older} is called so, too"
    enter = type(ssh)(alone.home)
    assert enter("twice.job", "echo $BERTH_JOB").stderr.splitlines() == [line]
    for argv in ("exec", "twice", "--", "true"), ("describe", "job", "twice"), ("logs", "twice"), ("stat", "twice"), \
                ("ls", "twice:/"), ("cp", "twice:/etc/hostname", "-"), ("get", "jobs", "twice", "-o", "json"):
        assert alone(*argv).ok().stderr.splitlines() == [line], argv
    third = alone.start("twice", "--", "sleep", "1000")
    assert f"{third}, the newest: {newest} and 1 more are called so, too" in alone("logs", "twice").ok().stderr
    # Who says which is meant is told nothing, nor is there anything to tell when only one goes on.
    assert alone("logs", older).ok().stderr == "" == enter(newest, "true").stderr
    alone("cancel", older, newest).ok()
    assert alone("logs", "twice").ok().stderr == ""


@pytest.mark.parametrize("argv, status", [
    (("run",), INVALID), (("run", "true"), INVALID), (("run", "--"), INVALID), (("run", "a", "b", "--", "true"), INVALID),
    (("run", "job-5", "--", "true"), INVALID), (("run", "-e", "1X=2", "--", "true"), INVALID),
    (("run", "--nodes", "x", "--", "true"), INVALID), (("run", "--allow", "x", "--", "true"), INVALID),
    (("run", "-b", "lokal", "--", "true"), NOT_FOUND), (("run", "-n", "2", "--", "true"), UNAVAILABLE),
    (("run", "-p", "debug", "--", "true"), UNAVAILABLE), (("run", "-c", "100000", "--", "true"), UNAVAILABLE),
    (("run", "-C", "/nonexistent", "--", "true"), NOT_FOUND), (("run", "--image", "/nonexistent", "--", "true"), NOT_FOUND),
    (("get", "pods"), INVALID), (("get", "queues", "-b", "local"), UNAVAILABLE), (("get", "jobs", "-o", "xml"), INVALID), (("get", "jobs", "a b"), INVALID),
    (("proxy", "host.example"), INVALID), (("proxy", "nobody.job"), NOT_FOUND), (("logs", "nobody"), NOT_FOUND),
    (("gc", "--retention", "x"), INVALID), (("frobnicate",), INVALID),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value))
def test_a_mistake_is_one_line_with_a_status_and_leaves_nothing(alone, argv, status):
    refused(alone(*argv), status)
    assert json.loads(alone("get", "jobs", "--all", "-o", "json").ok().stdout) == []
    assert not list((alone.home.berth_home / "jobs").glob("*"))
    assert not list((alone.home.ssh_dir / "berth").glob("job-*"))


def test_a_mistyped_name_cancels_nothing(alone):
    job = alone.start("--", "sleep", "1000")
    refused(alone("cancel", job, "nobody"), NOT_FOUND)
    assert alone.job(job)["state"] == "RUNNING"


def test_a_job_has_the_environment_and_directory_of_its_submission(alone, short_dir):
    name = alone.submit("-q", "-e", "ADDED=x y", "--wait", "--", "sh", "-c", "pwd; echo $ADDED-$GIVEN",
                        env={"GIVEN": "z"}, cwd=short_dir)
    alone.wait(name, "SUCCEEDED")
    assert alone("logs", name).ok().stdout.splitlines() == [str(short_dir), "x y-z"]


def test_words_reach_the_command_unchanged(alone):
    words = ["", " ", "a b", "'", '"', "$HOME", "`id`", "; exit 9", "*", "\n", "\\", "--", "-q", "é", "../x"]
    name = alone.submit("--wait", "--", "printf", "%s|", *words)
    alone.wait(name, "SUCCEEDED")
    assert alone("logs", name).ok().stdout == "".join(word + "|" for word in words)


def test_standard_output_and_error_are_kept_apart(alone):
    name = alone.submit("--", "sh", "-c", "echo out; echo err >&2")
    alone.wait(name, "SUCCEEDED")
    assert alone("logs", name).ok().stdout == "out\n"
    assert alone("logs", "--stderr", name).ok().stdout == "err\n"


def test_following_a_log_ends_with_the_job(alone, short_dir):
    gate = short_dir / "gate"
    name = alone.submit("--", "sh", "-c", f"echo one; while [ ! -e {gate} ]; do sleep 0.02; done; echo two; exit 3")
    with subprocess.Popen([alone.program, "logs", "-f", name], env=alone.env(), stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"one\n"
        gate.touch()
        assert process.stdout.read() == b"two\n"
        assert process.wait(20 * harness.PATIENCE) == 0
    assert alone.job(name)["state"] == "FAILED"


def test_the_end_of_a_job_is_told_as_it_was(alone):
    failed = alone.submit("--", "sh", "-c", "exit 3")
    killed = alone.submit("--", "sh", "-c", "kill -9 $$")
    assert alone.wait(failed, "FAILED")["exit_code"] == 3
    job = alone.wait(killed, "FAILED")
    assert (job["exit_code"], job["signal"]) == (None, 9)
    assert "ended: FAILED, exit status 3" in refused(alone("proxy", failed), UNAVAILABLE)
    assert "ended: FAILED, signal 9 (Killed)" in refused(alone("ssh", killed), UNAVAILABLE)
    assert all(job["ended"] >= job["started"] >= job["created"] for job in map(alone.job, (failed, killed)))


def test_a_command_that_is_not_there_fails_with_127(alone):
    name = alone.submit("--", "no-such-command")
    assert alone.wait(name, "FAILED")["exit_code"] == 127
    assert "no-such-command" in alone("logs", "--stderr", name).ok().stdout


def test_a_time_limit_ends_a_job(alone):
    name = alone.submit("-t", "300ms", "--", "sleep", "1000")
    job = alone.wait(name, "TIMEOUT")
    assert job["reason"] == "its time limit"


def test_a_job_inside_its_limit_is_not_touched_by_it(alone):
    name = alone.submit("-t", "1h", "--", "true")
    alone.wait(name, "SUCCEEDED")


def init_of(alone, name: str) -> int:
    return int(alone.job(name)["native_id"].split(".")[0])


def test_a_job_whose_init_is_killed_has_failed(alone):
    name = alone.start("--", "sleep", "1000")
    os.kill(init_of(alone, name), signal.SIGKILL)
    assert "killed" in alone.wait(name, "FAILED")["reason"]


def test_a_cancelled_job_is_gone_with_its_keys_and_host_block(alone):
    name = alone.start("--", "sleep", "1000")
    uid, pid = alone.job(name)["uid"], init_of(alone, name)
    key, host = alone.home.state_dir / "keys" / f"{uid}.json", alone.home.ssh_dir / "berth" / f"{name}.conf"
    assert key.exists() and host.exists()
    assert "CANCELLED" in alone("cancel", name).ok().stdout
    assert not key.exists() and not host.exists()
    assert not (alone.job_dir(name) / "tunnel.json").exists()
    harness.until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "end of berth-init")
    assert "had ended" in alone("cancel", name).ok().stdout


def test_collecting_removes_what_is_old_and_keeps_what_runs(alone):
    ended, running = alone.submit("--", "true"), alone.start("--", "sleep", "1000")
    alone.wait(ended, "SUCCEEDED")
    old, new = alone.job_dir(ended), alone.job_dir(running)
    alone("gc").ok()
    assert old.exists()
    assert "1 job directories" in alone("gc", "--retention", "0s").ok().stdout
    assert not old.exists() and (new / "tunnel.json").exists()
    assert alone.job(ended)["state"] == "SUCCEEDED"
    refused(alone("logs", ended), NOT_FOUND)


def test_a_quota_keeps_the_newest_and_a_dry_run_says_what_would_go(alone):
    names = [alone.submit("--", "true") for _ in range(3)]
    running = alone.start("--", "sleep", "1000")
    for name in names:
        alone.wait(name, "SUCCEEDED")
    paths = [alone.job_dir(name) for name in names]
    said = alone("gc", "--keep-jobs", "2", "--dry-run").ok().stdout
    assert f"would remove {names[0]}.local: " in said and str(paths[0]) in said and "would remove 0 Host blocks" in said
    assert "not known" not in said and all(path.exists() for path in paths)
    alone("config", "set", "clusters.local.keep_jobs", "1").ok()
    assert "2 job directories" in alone("gc").ok().stdout
    assert [path.exists() for path in paths] == [False, False, True]
    assert "0 job directories" in alone("gc").ok().stdout
    assert "1 job directories" in alone("gc", "--keep-size", "0").ok().stdout
    assert alone.job(running)["state"] == "RUNNING" and alone.job_dir(running).exists()
    for wrong in ("--keep-size", "much"), ("--keep-jobs", "-1"):
        refused(alone("gc", *wrong), INVALID)
    refused(alone("config", "set", "clusters.local.keep_size", "1X"), INVALID)
    alone("cancel", running).ok()


@pytest.fixture
def image(short_dir, build_dir):
    """A root directory with a shell and what that needs."""
    if "=>" in harness.run(["ldd", build_dir / "init" / "berth-init"]).stdout:
        pytest.skip("berth-init is not static in a sanitizer build, and does not run in an image")
    root = short_dir / "image"
    shell = shutil.which("sh")
    listed = harness.run(["ldd", shell]).ok().stdout.split()
    for path in {shell, shutil.which("cat"), *(word for word in listed if word.startswith("/"))}:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (root / "bin").mkdir(exist_ok=True)
    if not (root / "bin/sh").exists():
        shutil.copy(shell, root / "bin/sh")
    (root / "mark").write_text("inside\n")
    os.mkfifo(root / "pipe")
    return root


def test_a_job_in_an_image_sees_the_image_and_is_entered(alone, image, ssh):
    name = alone.start("--image", image, "--", "sh", "-c", "read x </mark; echo $x $PWD; cat /pipe")
    assert alone("logs", name).ok().stdout == "inside /\n"
    result = type(ssh)(alone.home)(name, "cat /mark; exit 5")
    assert (result.stdout, result.status) == ("inside\n", 5), result
    alone("cancel", name).ok()


def test_a_configuration_of_ssh_that_is_read_only_is_not_touched(alone):
    config = alone.home.ssh_dir / "config"
    config.write_text("Host other\n")
    config.chmod(0o400)
    result = alone("run", "--wait", "--", "sleep", "1000").ok()
    assert "Include berth/*.conf" in result.stderr and config.read_text() == "Host other\n"
    assert alone("ssh", "job-1", "echo in").ok().stdout == "in\n"


def test_submissions_at_once_lose_nothing_and_ssh_reads_its_configuration(alone):
    (alone.home.ssh_dir / "config").write_text("Host other\n")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: alone.submit("-q", "--", "sleep", "1000"), range(16)))
    assert sorted(names) == sorted(f"job-{n}" for n in range(1, 17))
    assert (alone.home.ssh_dir / "config").read_text() == "Include berth/*.conf\nHost other\n"
    for name in names:
        assert "proxy" in harness.run(["ssh", "-G", name], env=alone.env()).ok().stdout
    alone("cancel", *names).ok()
    assert not list((alone.home.ssh_dir / "berth").glob("job-*"))


def test_a_broken_status_is_told_and_the_job_goes_on(alone):
    name = alone.start("--", "sleep", "1000")
    path = alone.job_dir(name) / "status.0.json"
    before = path.read_bytes()
    for content in (b"", b"{", b"[]", b"\0" * 9, b'{"version":1,"state":"running","pid":-5}'):
        path.write_bytes(content)
        job = alone.job(name)
        assert job["state"] == "RUNNING" and "status.0.json" in job["reason"]
    path.write_bytes(before)
    assert alone.job(name)["reason"] is None
    alone("ssh", name, "true").ok()


def test_a_broken_database_is_named_and_kept(alone):
    alone.wait(alone.submit("--", "true"), "SUCCEEDED")
    database = alone.home.state_dir / "berth.db"
    broken = b"x" * 4096
    # Beside its log, which has all of a young database, SQLite does not even look at it.
    for log in database.parent.glob("berth.db-*"):
        log.unlink()
    database.write_bytes(broken)
    assert "move it away" in refused(alone("get", "jobs"), SYSTEM)
    assert database.read_bytes() == broken
    database.unlink()
    assert alone("get", "jobs").ok().stdout.startswith("JOB")


def test_an_older_berth_leaves_the_database_of_a_newer_one_alone(alone):
    alone("get", "jobs").ok()
    with sqlite3.connect(alone.home.state_dir / "berth.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert "newer berth" in refused(alone("get", "jobs"), UNAVAILABLE)


def test_without_bubblewrap_jobs_are_ended_too_and_it_is_said_once(alone, short_dir):
    for folder in ("/usr/bin", "/bin"):
        for name in os.listdir(folder):
            if name != "bwrap" and not (short_dir / name).exists():
                os.symlink(os.path.join(folder, name), short_dir / name)
    bare = alone.with_env(PATH=short_dir)
    first, second = bare("run", "--wait", "--", "sh", "-c", "sleep 1000 & sleep 1000").ok(), bare("run", "--", "true").ok()
    assert "bubblewrap" in first.stderr and len(first.stderr.splitlines()) == 1
    assert second.stderr == ""
    harness.until((bare.job_dir("job-1") / "endpoint.0.json").exists, "endpoint")
    assert bare("ssh", "job-1", "echo in").ok().stdout == "in\n"
    pid = init_of(bare, "job-1")
    assert "CANCELLED" in bare("cancel", "job-1").ok().stdout
    harness.until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "end of berth-init")
    # Where it works again, nothing is said; and then it is news once more.
    assert alone("run", "--", "true").ok().stderr == ""
    assert "bubblewrap" in bare("run", "--", "true").ok().stderr


def test_the_last_lines_of_a_log_are_shown(berth):
    name = berth.submit("--", "sh", "-c", "seq 1 100000; printf end")
    berth.wait(name, "SUCCEEDED")
    assert berth("logs", "--tail", "3", name).ok().stdout == "99999\n100000\nend"
    assert berth("logs", "-n", "1", name).ok().stdout == "end"
    assert berth("logs", "-n0", name).ok().stdout == ""
    assert berth("logs", "-n", "1000000", name).ok().stdout.startswith("1\n2\n")
    assert berth("logs", "-f", "-n", "2", name).ok().stdout == "100000\nend"
    assert berth("logs", "-n", "2", "--stderr", name).ok().stdout == ""
    assert "--tail: 'x'" in refused(berth("logs", "-n", "x", name), INVALID)
    name = berth.submit("--", "sh", "-c", "printf 'a\\n\\nb\\n'")
    berth.wait(name, "SUCCEEDED")
    assert berth("logs", "-n", "2", name).ok().stdout == "\nb\n"


def test_a_verb_or_an_option_that_is_nearly_one_is_suggested(berth):
    assert "did you mean 'cancel'?" in refused(berth("cancle", "job-1"), INVALID)
    assert "cannot get 'quues': did you mean 'queues'?" in refused(berth("get", "quues"), INVALID)
    berth.submit("training", "--", "true")
    assert "no job 'trainig': did you mean 'training'?" in refused(berth("logs", "trainig"), NOT_FOUND)
    assert "no job 'trainig': did you mean 'training'?" in refused(berth("proxy", "trainig.job"), NOT_FOUND)
    assert "--stdrr: unknown option: did you mean '--stderr'?" in refused(berth("logs", "--stdrr", "job-1"), INVALID)


# Long options that are not the same everywhere, because the programs that people know have them so.
OF_THEIR_OWN = {
    "--output",     # run: where the job's output goes, as for sbatch
    "--queue",      # find: -p, as everything of Slurm's
    "--recursive",  # ls -R, but cp -r and rm -r
    "--wait",       # run, submit: as sbatch has it, without a time
    "--workdir",    # run -C, as git and tar; exec -w, as docker
}


def test_every_verb_has_the_same_options_for_the_same(berth):
    verbs = re.findall(r"^  ([a-z][a-z-]+) +", berth("--help").ok().stdout.partition("verbs:")[2], re.M)
    assert len(verbs) > 40
    forms = {}
    for verb in verbs:
        for short, name, value in re.findall(r"^  (-\w,|   ) (--[\w-]+) ?([A-Z=]*)", berth(verb, "--help").ok().stdout, re.M):
            forms.setdefault(name, {}).setdefault((short, bool(value)), []).append(verb)
        for options, words in (("--context",), "--context: needs a value"), (("--cluster",), "--cluster: needs a value"), \
                              (("--no-such-option",), "--no-such-option: unknown option"):
            assert words in refused(berth(verb, *options), INVALID), verb
    assert {name: form for name, form in forms.items() if len(form) > 1 and name not in OF_THEIR_OWN} == {}


def test_the_version_is_a_verb_and_an_option(berth):
    assert berth("version").ok().stdout == berth("--version").ok().stdout
