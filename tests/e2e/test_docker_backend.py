# SPDX-License-Identifier: MIT
"""Jobs that are containers: the backend `docker` with a real dockerd and a real Podman service."""

import concurrent.futures
import json
import os
import subprocess
import time

import pytest

import harness
from engine_user import here, ssh  # noqa: F401

INVALID, NOT_FOUND, UNSUPPORTED, UNAVAILABLE = 64, 66, 69, 69


@pytest.mark.parametrize("image, command", [
    ("glibc", ["sleep", "1000"]), ("musl", ["sleep", "1000"]), ("busybox", ["sleep", "1000"]),
    ("scratch", ["/probe", "sleep", "1000"])])
def test_ssh_leads_into_a_container_of_any_image(here, ssh, image, command):
    name = here.start(image, "-e", "MINE=kept", "--", *(command if image != "scratch" else ["/berth/bin/sleep", "1000"]))
    result = ssh(name, "echo $MINE; exit 7")
    assert (result.stdout, result.status) == ("kept\n", 7), f"{result}"
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


# ---- what a container is made of


def test_every_option_reaches_the_container(here, short_dir):
    """With what it says in the engine, and with what the command sees."""
    given, taken, odd = short_dir / "in a:b", short_dir / "out", short_dir / "a,b\"c'$x\\ü; d"
    for path in given, taken, odd:
        path.mkdir()
        path.chmod(0o777)
    short_dir.chmod(0o755)
    (given / "x").write_text("given\n")
    (odd / "x").write_text("odd\n")
    script = ("id -u; id -g; pwd; echo $A; cat /share/incoming/x; touch /share/incoming/y 2>/dev/null || echo read-only; "
              "echo made >/share/outgoing/z; df -k /dev/shm | tail -n 1 | awk '{print $2}'; [ -d /v ] && echo volume; "
              "df -k /t | tail -n 1 | awk '{print $2}'; cat /mine/x /odd/x; touch /odd/y 2>/dev/null || echo read-only")
    name = here.run("busybox", "--user", "2000-2000:3000", "-e", "A=b c", "-C", "/tmp", "--cpu-limit", "0.5", "--mem", "64M",
                    "--shm-size", "8M", "--label", "who=me", "--label", "x.y/z=a=b", "--mount", "tmpfs:/t:4M",
                    "--mount", f"{given}:/mine:ro", "--mount", f"{odd}:/odd:ro", "--mount", f"berth-test-{os.getpid()}:/v", "--input-dir", f"{given}",
                    "--output-dir", taken, "fields", "--", "sh", "-c", script)
    job = here.wait(name, "SUCCEEDED", "FAILED")
    lines = here("logs", name).stdout.splitlines()
    seen = here.container(name)
    here.engine.remove(f"berth-{job['uid']}")
    here.engine.call("volume", "rm", f"berth-test-{os.getpid()}").ok()
    assert lines[:7] == ["2000", "3000", "/tmp", "b c", "given", "read-only", "8192"], here("logs", "--stderr", name)
    assert lines[-5:] == ["volume", "4096", "given", "odd", "read-only"] and (taken / "z").read_text() == "made\n"
    host = seen["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["NetworkMode"]) == (500000000, 64 << 20, "host")
    labels = seen["Config"]["Labels"]
    assert labels.items() >= {"who": "me", "x.y/z": "a=b", "berth.uid": job["uid"], "berth.name": "fields"}.items()
    # Nothing secret is where others look.
    assert not [text for text in seen["Config"]["Env"] if "key" in text.lower()]


def test_a_command_is_composed_as_docker_run_does(here, engine):
    here.engine.image("busybox")
    engine.derive("berth-entry", "busybox", 'ENTRYPOINT ["/bin/echo", "from", "image"]', 'WORKDIR /tmp', 'ENV OF=image',
                  "USER 77:88")

    def output(*argv):
        name = here.submit("-b", "docker", "--network", "host", "--image", "berth-entry", *argv)
        here.wait(name, "SUCCEEDED")
        return here("logs", name).stdout
    assert output("--", "a  b", "$x") == "from image a  b $x\n"
    assert output("--entrypoint", "/bin/sh", "--", "-c", "pwd; id -u; id -g; echo $OF") == "/tmp\n77\n88\nimage\n"
    assert output("--entrypoint", "", "--", "echo", "alone") == "alone\n"


def test_words_and_values_reach_the_command_as_they_are(here):
    words = ["", " ", "a\nb", "\r\n", "$HOME", "*", "\\", "'", '"', "{{x}}", "ü", "--", "-x", "a" * 4000]
    name = here.run("busybox", "-e", "V=\n'\"$x ", "--", "sh", "-c", r'printf "%s\0" "$V" "$@"', "sh", *words)
    here.wait(name, "SUCCEEDED")
    assert here("logs", name).output.decode().split("\0")[:-1] == ["\n'\"$x ", *words]


@pytest.mark.parametrize("options, said, status", [
    (["--image", "../../containers/json"], "", None), (["--image", "a b"], "", None), (["--image", "x\ny"], "", None),
    (["--image", "none-such", "--pull", "never"], "--pull=never", NOT_FOUND), ([], "--image", INVALID),
    (["--image", "x", "--partition", "p"], "--partition", UNSUPPORTED), (["--image", "x", "-n", "2"], "--tasks", UNSUPPORTED),
    (["--image", "x", "--array", "0-3"], "--array", UNSUPPORTED), (["--image", "x", "--gpus", "a100:1"], "--gpus", None),
    (["--image", "x", "--mount", "a/b:/c"], "--mount", INVALID), (["--image", "x", "--mount", "/tmp://."], "--mount", INVALID),
    (["--image", "x", "--mount", "/tmp:/x/../berth/"], "berth's own", INVALID),
    (["--image", "x", "--input-dir", "/tmp:/berth-job"], "berth's own", INVALID),
    (["--image", "x", "--user", "me too"], "--user", INVALID)])
def test_what_cannot_be_run_is_refused_in_a_line(here, options, said, status):
    result = here("run", "-b", "docker", *options, "--", "true")
    assert result.status in ((status,) if status else (INVALID, NOT_FOUND, UNSUPPORTED, 71, 77)), f"{result}"
    assert said in result.stderr and len(result.stderr.splitlines()) == 1, f"{result}"


def test_a_container_that_cannot_start_says_why_and_leaves_nothing(here):
    before = here.engine.left()
    for options, said, status in [(["--network", "none-such"], "none-such", None), (["--gpus", "1"], "--gpus: ", UNSUPPORTED),
                                  (["--mount", "/none/such:/x"], "/none/such", INVALID)]:
        result = here("run", "-b", "docker", *options, "--image", here.engine.image("busybox"), "--", "true")
        assert result.status == (status or result.status) != 0 and said in result.stderr, f"{result}"
        assert len(result.stderr.splitlines()) == 1, f"{result}"
    assert here.engine.left() == before and not os.path.exists("/none")


def test_containers_are_not_for_other_backends(here):
    for backend in "local", "slurm":
        result = here("run", "-b", backend, "--shm-size", "1M", "--", "true")
        assert result.status == UNSUPPORTED and "--shm-size" in result.stderr, f"{result}"


def test_without_an_engine_it_says_what_to_start(here, short_dir):
    gone = here("get", "jobs", "--all", env={"DOCKER_HOST": f"unix://{short_dir}/none"})
    assert gone.status in (0, UNAVAILABLE)
    result = here("run", "-b", "docker", "--image", "x", "--", "true", env={"DOCKER_HOST": f"unix://{short_dir}/none"})
    assert result.status == UNAVAILABLE and "does the server run" in result.stderr, f"{result}"
    assert "not cleared away" not in result.stderr


# ---- how it ends


def test_ends_are_told_apart(here):
    names = {what: here.run("glibc", *options, "--", *command) for what, options, command in [
        ("status", [], ["sh", "-c", "exit 3"]), ("signal", [], ["sh", "-c", "kill -KILL $$"]),
        ("missing", [], ["/none/such"]), ("limit", ["--time", "1s"], ["sleep", "1000"]),
        ("stubborn", ["--time", "1s"], ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]),
        ("memory", ["--mem", "64M"], ["python3", "-c", "import os; b = bytearray(os.urandom(1 << 20) * 300)"])]}
    end = {what: here.wait(name, "SUCCEEDED", "FAILED", "TIMEOUT", "CANCELLED") for what, name in names.items()}
    assert (end["status"]["state"], end["status"]["exit_code"]) == ("FAILED", 3)
    assert (end["signal"]["state"], end["signal"]["signal"]) == ("FAILED", 9)
    assert (end["missing"]["state"], end["missing"]["exit_code"]) == ("FAILED", 127)
    assert end["limit"]["state"] == end["stubborn"]["state"] == "TIMEOUT" and "limit" in end["limit"]["reason"]
    assert end["memory"]["state"] == "FAILED" and "out of memory" in end["memory"]["reason"], end["memory"]
    for job in end.values():
        assert job["started"] and job["ended"] and job["started"] <= job["ended"]


def test_who_stops_the_container_is_obeyed(here):
    name = here.start("busybox", "--", "sh", "-c", "trap 'echo told; exit 5' TERM; while :; do sleep 0.1; done")
    here.engine.call("stop", f"berth-{here.job(name)['uid']}").ok()
    job = here.wait(name, "FAILED")
    if here.engine.name == "docker":  # `podman stop` beside its service leaves no exit status there
        assert job["exit_code"] == 5
        assert here("logs", name).stdout == "told\n"


def test_a_cancelled_job_is_told_and_then_killed(here):
    patient = here.start("busybox", "--", "sh", "-c", "trap 'echo told; exit 0' TERM; while :; do sleep 0.1; done")
    deaf = here.start("busybox", "--restart", "always", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    usr = here.start("busybox", "--", "sh", "-c", "trap 'echo usr1; exit 0' USR1; echo up; while :; do sleep 0.1; done")
    harness.until(lambda: here("logs", usr).stdout == "up\n", "output")
    here("signal", "USR1", usr).ok()
    here("cancel", patient, deaf, timeout=120).ok()
    here.wait(patient, "CANCELLED")
    here.wait(deaf, "CANCELLED")
    here.wait(usr, "SUCCEEDED")
    assert here("logs", patient).stdout == "told\n" and here("logs", usr).stdout == "up\nusr1\n"


def test_it_is_started_again_as_it_was_asked(here):
    name = here.run("busybox", "--restart", "on-failure:2", "--", "sh", "-c", "echo run; exit 1")
    job = here.wait(name, "FAILED", limit=90)
    assert here("logs", name).stdout == "run\n" * 3, job


def test_a_container_that_somebody_removed_is_not_known_any_more(here):
    name = here.start("busybox", "--", "sleep", "1000")
    here.engine.remove(f"berth-{here.job(name)['uid']}")
    assert "removed" in here.wait(name, "UNKNOWN")["reason"]
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


# ---- what it prints


def test_logs_are_told_apart_and_followed(here):
    name = here.start("busybox", "--", "sh", "-c", "echo out; echo err >&2; while ! [ -e /tmp/go ]; do sleep 0.1; done; "
                      "seq 60000; echo last >&2; printf 'no newline'")
    harness.until(lambda: here("logs", name).stdout == "out\n", "output")
    assert here("logs", "--stderr", name).stdout == "err\n"
    with subprocess.Popen([here.program, "logs", "-f", name], env=here.env(), stdout=subprocess.PIPE) as following:
        assert following.stdout.readline() == b"out\n"
        here("exec", name, "--", "touch", "/tmp/go").ok()
        rest = following.stdout.read().decode()
        assert following.wait(60) == 0
    expected = "".join(f"{i}\n" for i in range(1, 60001)) + "no newline"
    assert rest == expected
    assert here("logs", name).stdout == "out\n" + expected
    assert here("logs", "--tail", "2", name).stdout == "60000\nno newline"
    assert here("logs", "--stderr", name).stdout == "err\nlast\n"


def test_logs_begin_at_a_moment(here):
    name = here.start("busybox", "--", "sh", "-c", "echo early; echo e1 >&2; "
                      "while ! [ -e /tmp/go ]; do sleep 0.1; done; echo late; echo e2 >&2; "
                      "while ! [ -e /tmp/end ]; do sleep 0.1; done")
    harness.until(lambda: here("logs", name).stdout == "early\n" and here("logs", "--stderr", name).stdout == "e1\n",
                  "early output")
    printed = time.time()
    harness.until(lambda: time.time() > printed + 2, "a later second", interval=0.2)
    since = "--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(printed + 1))
    assert here("logs", *since, name).ok().stdout == ""
    here("exec", name, "--", "touch", "/tmp/go").ok()
    harness.until(lambda: here("logs", *since, name).ok().stdout == "late\n", "late output")
    with subprocess.Popen([here.program, "logs", "-f", *since, name], env=here.env(), stdout=subprocess.PIPE) as log:
        assert log.stdout.readline() == b"late\n"
        here("exec", name, "--", "touch", "/tmp/end")  # however it ends: the container goes
        assert log.communicate(timeout=60)[0] == b"" and log.returncode == 0
    here.wait(name, "SUCCEEDED")
    assert here("logs", *since, "--stderr", name).ok().stdout == "e2\n"
    assert here("logs", "--since", "1h", "--stderr", name).ok().stdout == "e1\ne2\n"


# ---- keys, holds


def test_a_key_is_changed_while_it_runs_and_a_hold_ends(here, ssh):
    name = here.start("busybox", "--hold", "10m", "--", "sh", "-c", "while ! [ -e /tmp/end ]; do sleep 0.1; done; exit 4")
    here("keys", "rotate", name, timeout=90).ok()
    assert ssh(name, "touch /tmp/end").ok()
    harness.until(lambda: ssh(name, "true").status == 0 and "held" in here.engine.call(
        "exec", f"berth-{here.job(name)['uid']}", "cat", "/berth-job/status.0.json").stdout, "the hold")
    here("cancel", name).ok()
    assert here.wait(name, "CANCELLED", "FAILED")["exit_code"] == 4


# ---- many, and what is left


def test_fifty_at_once_are_listed_in_one_request(here, engine):
    engine.image("scratch")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda i: here.run("scratch", "--", "/berth/bin/sh", "-c", f"exit {i}"), range(50)))
    jobs = {}

    def ended():
        records = json.loads(here("get", "jobs", "--all", "-o", "json").ok().stdout)
        jobs.update({job["id"]: job for job in records})
        return all(jobs.get(name, {"state": ""})["state"] in ("SUCCEEDED", "FAILED") for name in names)
    harness.until(ended, "end of all", limit=120, interval=0.5)
    assert [jobs[name]["exit_code"] for name in names] == list(range(50))


def test_after_collecting_nothing_is_left(here):
    here.cancel_all()
    harness.until(lambda: not here("get", "jobs", "--state", "open", "-o", "name").ok().stdout, "the end of all jobs", 90)
    here("gc", "--retention", "0s", timeout=180).ok()
    assert here.engine.left() == []
    assert not list((here.home.berth_home / "jobs").iterdir())
