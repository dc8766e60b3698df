# SPDX-License-Identifier: MIT
"""berth-init with a job directory: the tunnel beside the command, and the status file.

The tunnel is a script here: what is tested is what berth-init does with any program in its place.
"""

import json
import os
import pathlib
import signal
import time

import pytest

import harness
import initrun
from initrun import ROOT, Init, mode, script  # noqa: F401

pytestmark = pytest.mark.sanitize

SERVING = """
    #!/bin/bash
    trap 'echo stopped; exit 0' TERM
    echo "$$ $@" >>"$3/starts"
    while :; do sleep 0.02; done
    """


class Job:
    """A job directory with a tunnel that is a script."""

    def __init__(self, path, mode, tunnel=SERVING):
        self.path, self.mode = path / "job", mode
        self.path.mkdir(mode=0o700)
        self.tunnel = script(path / "tunnel", tunnel)

    def start(self, *command, options=(), **more) -> Init:
        return Init(self.mode, *command, options=["--dir", self.path, "--tunnel", self.tunnel, *options], **more)

    def run(self, *command, **more) -> harness.Result:
        with self.start(*command, **more) as init:
            return init.end()

    def starts(self) -> list:
        file = self.path / "starts"
        return file.read_text().splitlines() if file.exists() else []

    def status(self, rank=0) -> dict:
        file = self.path / f"status.{rank}.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def log(self, rank=0) -> str:
        return (self.path / f"tunnel.{rank}.log").read_text()


@pytest.fixture
def job(tmp_path, mode):  # noqa: F811
    return Job(tmp_path, mode)


UNTIL_STARTED = "until [ -s starts ]; do sleep 0.02; done; "


def test_the_tunnel_is_told_where_it_is_and_ends_with_the_command(job):
    result = job.run("sh", "-c", f"echo $$ >me; {UNTIL_STARTED} exit 3", cwd=job.path, options=["--rank", "2"])
    assert (result.status, result.output, result.errors) == (3, b"", b"")
    command = (job.path / "me").read_text().strip()
    assert [line.split(" ", 1)[1] for line in job.starts()] == [f"serve --dir {job.path} --rank 2 --pid {command}"]
    assert "stopped\n" in job.log(2)
    assert os.stat(job.path / "tunnel.2.log").st_mode & 0o777 == 0o600


def test_the_rank_is_slurms(job):
    env = {**os.environ, "SLURM_PROCID": "5"}
    assert job.run("sh", "-c", UNTIL_STARTED, cwd=job.path, env=env).status == 0
    assert job.status(5)["rank"] == 5 and "--rank 5" in job.starts()[0]


def test_a_killed_tunnel_is_started_again_and_the_command_sees_nothing(job):
    with job.start("sh", "-c", "read line; echo $line; exit 7", stdin=-1) as init:
        for count in (1, 2, 3):
            harness.until(lambda: len(job.starts()) == count, f"start {count}")
            pids = [int(line.split()[0]) for line in job.starts()]
            if job.mode == "pid1":
                pids[-1] = harness.until(lambda: [pid for pid in initrun.descendants(init.pid) if is_serving(pid)],
                                         "tunnel")[0]
            os.kill(pids[-1], signal.SIGKILL)
        harness.until(lambda: len(job.starts()) == 4, "start 4")
        result = init.process.communicate(b"done\n", timeout=30 * harness.PATIENCE)
        assert (init.process.returncode, result) == (7, (b"done\n", b""))
    assert job.status()["tunnel_restarts"] == 3


def is_serving(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return "serve" in file.read().split("\0")
    except OSError:
        return False


def test_a_tunnel_that_ends_at_once_is_tried_ever_more_rarely(tmp_path, mode):  # noqa: F811
    job = Job(tmp_path, mode, '#!/bin/bash\necho "$EPOCHREALTIME" >>"$3/starts"; exit 1\n')
    assert job.run("bash", "-c", "until [ `wc -l <starts` -ge 5 ]; do sleep 0.02; done 2>&-", cwd=job.path).status == 0
    times = [float(line) for line in job.starts()]
    waits = [later - earlier for earlier, later in zip(times, times[1:])]
    assert all(wait >= at_least for wait, at_least in zip(waits, (0.1, 0.2, 0.4, 0.8))), waits
    assert job.status()["tunnel_restarts"] >= 4


@pytest.mark.parametrize("tunnel", ["/nonexistent/berth-tunnel", "/etc", "/etc/passwd"])
def test_a_job_whose_tunnel_cannot_start_runs_to_its_end(job, tunnel):
    command = "until [ `wc -l <tunnel.0.log` -ge 2 ]; do sleep 0.02; done 2>&-; echo out; exit 9"
    result = job.run("bash", "-c", command, cwd=job.path, options=["--tunnel", tunnel])
    assert (result.status, result.output, result.errors) == (9, b"out\n", b"")
    assert job.log().startswith(f"berth-init: cannot run '{tunnel}': ")


def test_the_tunnel_has_nothing_of_the_commands(tmp_path, mode):  # noqa: F811
    job = Job(tmp_path, mode, """
        #!/usr/bin/python3
        import json, os, pathlib, signal, sys
        proc, dir = pathlib.Path("/proc/self"), pathlib.Path(sys.argv[3])
        descriptors = {int(path.name): os.readlink(path) for path in list((proc / "fd").iterdir())
                       if os.path.lexists(path)}
        state = dict(descriptors=descriptors, blocked=list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
                     leader=os.getpid() == os.getpgid(0) == os.getsid(0), cwd=os.getcwd(), env=dict(os.environ),
                     score=(proc / "oom_score_adj").read_text(), terminal=(proc / "stat").read_text().split()[6])
        (dir / "new").write_text(json.dumps(state))
        (dir / "new").rename(dir / "seen")
        signal.pause()
        """)
    reader, writer = os.pipe()
    result = job.run("bash", "-c", "until [ -e seen ]; do sleep 0.02; done", cwd=job.path, pass_fds=[writer], stdin=-1,
                     env={**os.environ, "OF_THE_JOB": "yes"},
                     preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGTERM]))
    os.close(reader)
    os.close(writer)
    assert result.status == 0
    seen = json.loads((job.path / "seen").read_text())
    log = str(job.path / "tunnel.0.log")
    assert seen["descriptors"] == {"0": "/dev/null", "1": log, "2": log}
    assert seen["leader"] and seen["terminal"] == "0" and seen["blocked"] == []
    assert seen["cwd"] == str(job.path) and seen["env"]["OF_THE_JOB"] == "yes"
    assert seen["score"] == "500\n"


def test_a_tunnel_that_will_not_end_is_killed_after_the_grace(tmp_path, mode):  # noqa: F811
    job = Job(tmp_path, mode, "#!/bin/bash\ntrap '' TERM; echo >>\"$3/starts\"; while :; do sleep 1; done\n")
    assert job.run("sh", "-c", UNTIL_STARTED + "exit 4", cwd=job.path, options=["--grace", "200ms"]).status == 4


def test_no_tunnel_is_started_without_a_directory_or_when_told(job):
    assert job.run("sh", "-c", "sleep 0.3", options=["--no-tunnel"]).status == 0
    assert sorted(path.name for path in job.path.iterdir()) == ["status.0.json"]


def test_a_run_again_begins_as_if_nothing_had_been(job):
    """As a requeued job does: in the directory lie the status and the endpoint of a run before."""
    # Each time the tunnel starts it tells whether there is an endpoint, makes one, and dies at once.
    tunnel = script(job.path.parent / "again", """
        #!/bin/bash
        [ -e "$3/endpoint.0.json" ]; echo $? >>"$3/seen"
        echo new >"$3/endpoint.0.json"
        """)
    (job.path / "endpoint.0.json").write_text("of another node")
    (job.path / "status.0.json").write_text('{"version":1,"state":"exited","exit_code":9}')
    command = "until [ `wc -l <seen` -ge 3 ]; do sleep 0.02; done 2>&-; cat status.0.json; exit 2"
    result = job.run("bash", "-c", command, cwd=job.path, options=["--tunnel", tunnel])
    assert result.status == 2 and json.loads(result.stdout)["state"] == "running"
    # Only before its first start: later ones take the port of the one before.
    assert (job.path / "seen").read_text().split()[:3] == ["1", "0", "0"]
    assert job.status()["exit_code"] == 2


# ---- the status


def test_the_status_tells_of_the_start_and_of_the_end(job):
    before = time.time()
    with job.start("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; read line; exit 3", stdin=-1) as init:
        status = harness.until(job.status, "status")
        assert status["state"] == "running" and status["ended"] is None and status["exit_code"] is None
        assert (status["version"], status["rank"], status["signal"]) == (1, 0, None)
        if job.mode == "sub":
            assert status["init_pid"] == init.pid and os.getpgid(status["pid"]) == status["pid"]
        else:
            assert status["init_pid"] == 1
        init.process.stdin.write(b"\n")
        assert init.end().status == 3
    status = job.status()
    assert (status["state"], status["exit_code"], status["signal"]) == ("exited", 3, None)
    assert before - 1 < status["started"] <= status["ended"] < time.time() + 1
    assert status["peak_rss_kib"] > 100 and status["user_s"] + status["system_s"] > 0
    assert os.stat(job.path / "status.0.json").st_mode & 0o777 == 0o600
    assert not [path for path in job.path.iterdir() if "part" in path.name]


def test_the_status_tells_of_a_signal(job):
    job.run("sh", "-c", "kill -KILL $$")
    status = job.status()
    assert (status["exit_code"], status["signal"], status["core_dumped"]) == (None, 9, False)


def test_the_status_is_written_also_where_no_grace_is_given(job):
    for code in range(5):
        assert job.run("sh", "-c", f"exit {code}", options=["--grace", "0"]).status == code
        assert job.status()["exit_code"] == code


@pytest.fixture
def memory_group():
    """A control group that may use 48 MiB, of version 1 or 2."""
    for top in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        group = pathlib.Path(top) / f"berth-test-{os.getpid()}"
        try:
            group.mkdir()
            break
        except OSError:
            continue
    else:
        pytest.skip("needs to make a control group")
    try:
        limits = [name for name in ("memory.limit_in_bytes", "memory.max") if (group / name).exists()]
        if not limits:
            pytest.skip("needs the memory controller")
        (group / limits[0]).write_text(str(48 << 20))
        yield group
    finally:
        harness.until(lambda: not (group / "cgroup.procs").read_text(), "end of the processes")
        group.rmdir()


HUNGRY = "x = []\nwhile True: x.append(bytearray(1 << 20))"


def test_a_kill_for_want_of_memory_is_told(job, memory_group):
    enter = ["sh", "-c", f"echo $$ >{memory_group}/cgroup.procs; exec \"$@\"", "sh"]
    assert job.run(initrun.PYTHON, "-c", HUNGRY, prefix=enter).status == 137
    assert job.status()["oom_killed"] is True and job.status()["signal"] == 9
    # Also one that the command lives longer than; and the next run starts to count anew.
    assert job.run("sh", "-c", f"{initrun.PYTHON} -c '{HUNGRY}' 2>&-; exit 3", prefix=enter).status == 3
    assert job.status()["oom_killed"] is True and job.status()["exit_code"] == 3
    assert job.run("sh", "-c", "kill -KILL $$", prefix=enter).status == 137
    assert job.status()["oom_killed"] is False


@pytest.mark.skipif(not ROOT, reason="needs root, to mount another control group file system")
def test_both_versions_of_control_groups_are_read_where_they_are_mounted(job):
    """The files are made here: the kernel that runs the test has one of the two versions."""
    for file, text in (("memory.events", "low 0\noom_kill %d\n"), ("memory/memory.oom_control", "oom_kill %d\n")):
        make = f"mount -t tmpfs none /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/memory && " \
               f"printf '{text % 5}' >/sys/fs/cgroup/{file}; exec \"$@\""
        for kills in (5, 6):
            # The count is for the writer of the first status to see before it rises.
            command = "until [ -s status.0.json ]; do sleep 0.02; done; " \
                      f"printf '{text % kills}' >/sys/fs/cgroup/{file}; exit 1"
            job.run("sh", "-c", command, cwd=job.path, prefix=["unshare", "--mount", "sh", "-c", make, "sh"])
            assert job.status()["oom_killed"] is (kills == 6), file
            (job.path / "status.0.json").unlink()


@pytest.mark.skipif(not ROOT, reason="needs root, to mount a small file system")
def test_a_full_disk_is_not_the_jobs_trouble(job):
    mount = f"mount -t tmpfs -o size=8k,mode=700 none {job.path}; cat /dev/zero >{job.path}/full 2>&-; exec \"$@\""
    result = job.run("sh", "-c", "echo out; exit 6", prefix=["unshare", "--mount", "sh", "-c", mount, "sh"])
    assert (result.status, result.output, result.errors) == (6, b"out\n", b"")


def test_a_directory_that_is_removed_or_never_was_is_not_either(job):
    result = job.run("sh", "-c", f"until rm -rf {job.path} 2>&-; do :; done; echo out; exit 6")
    assert (result.status, result.output, result.errors) == (6, b"out\n", b"")
    job.path = job.path / "never" / "was"
    assert job.run("sh", "-c", "exit 8").status == 8


def test_a_relative_directory_is_of_where_it_was_started(job):
    result = job.run("sh", "-c", "cd /; exit 2", options=["--dir", "job"], cwd=job.path.parent)
    assert result.status == 2 and job.status()["exit_code"] == 2


def test_no_word_on_the_jobs_output_unless_asked(job):
    quiet = job.run("sh", "-c", "exit 1")
    assert (quiet.output, quiet.errors) == (b"", b"")
    told = job.run("sh", "-c", "exit 1", options=["-v"])
    assert told.output == b"" and "command: ended by status 1" in told.stderr
