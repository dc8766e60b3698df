# SPDX-License-Identifier: MIT
"""Jobs that are services of a Docker Swarm: the backend `swarm` with real dockerds, first one of them, then two."""

import os
import shutil
import subprocess

import pytest

import harness
import netns
import registry
import swarm as swarm_module
import test_crash
from conftest import Berth, Ssh, enter_home, leave_home
from sessions import last_words

INVALID, UNSUPPORTED, DENIED = 64, 69, 77
CONFIG = """context: site
clusters:
  site:
    backend: swarm
    url: {url}
    job: {{image: berth-busybox}}
  alone: {{backend: swarm, url: "unix:{alone}"}}
"""
SPIN = "while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def swarm(session_dir):
    path = session_dir / "swarm"
    path.mkdir(mode=0o755)
    try:
        it = swarm_module.Swarm(path).start()
    except (swarm_module.Unavailable, netns.Unavailable) as reason:
        pytest.skip(f"no Swarm: {reason}")
    it.manager.image("busybox")
    yield it
    it.stop()


class Here(Berth):
    def run(self, *argv, **more) -> str:
        return self.submit(*argv, **more)

    def start(self, *argv, **more) -> str:
        name = self.run(*argv, **more)
        self.wait(name, "RUNNING")
        return name


def configure(home, swarm, alone) -> None:
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CONFIG.format(url=swarm.url, alone=alone))
    (home.config_dir / "config.yaml").chmod(0o600)


@pytest.fixture(scope="module")
def here(build_dir, session_dir, swarm, docker):
    home = enter_home(session_dir)
    configure(home, swarm, f"{docker.dir}/socket")
    berth = Here(build_dir / "controller" / "berth", home)
    yield berth
    berth.cancel_all()
    leave_home(session_dir, home, build_dir)


@pytest.fixture(scope="module")
def ssh(here, swarm):
    """The stock client where the nodes' addresses lead somewhere."""
    if not shutil.which("ssh"):
        pytest.skip("no ssh: apt-get install openssh-client")
    client = Ssh(here.home, here.extra)

    def run(*argv):
        return swarm.run(*client.argv(*argv), env=client.env(), timeout=60)
    return run


def service_of(here, swarm, name: str) -> dict:
    return swarm.inspect("service", f"berth-{here.job(name)['uid']}")


# ---- inside


def test_ssh_leads_into_a_task_whoever_it_runs_as_and_whatever_network_it_has(here, ssh, swarm):
    command = ["--", "sh", "-c", SPIN]
    names = [here.run(*options, *command) for options in ([], ["--user", "1000:2000"], ["--network", "host"])]
    for name, user in zip(names, ("0 0", "1000 2000", "0 0")):
        here.wait(name, "RUNNING")
        result = ssh(name, 'echo "$(id -u) $(id -g)"; ls -l /berth-secret | tail -n 1 | cut -c 1-10; exit 7')
        assert (result.stdout, result.status) == (f"{user}\n-r--------\n", 7), f"{result}"
    # Where no address leads to the task, the engine does.
    assert here("exec", names[1], "--", "id", "-u").ok().stdout == "1000\n"
    assert here("exec", names[2], "--", "id", "-u").ok().stdout == "0\n"
    here("cancel", *names).ok()
    for name in names:
        here.wait(name, "CANCELLED")


def test_who_came_in_through_the_engine_hears_how_it_ended(here, ssh, swarm):
    """Here no address leads to a task; who is killed takes the way in along, and says nothing."""
    killed, removed = (here.start("--", "sh", "-c", "trap '' TERM; exec sleep 1000") for _ in range(2))
    services = {name: f"berth-{here.job(name)['uid']}" for name in (killed, removed)}
    chosen = "--filter=label=com.docker.swarm.service.name="
    tasks = {name: swarm.call("ps", "--quiet", chosen + service).ok().stdout.strip() for name, service in services.items()}

    def remove():
        swarm.call("service", "rm", services[removed]).ok()
        swarm.call("kill", tasks[removed]).ok()
    words = last_words(Ssh(here.home, here.extra), {killed: lambda: swarm.call("kill", tasks[killed]).ok(), removed: remove})
    assert "it ended: FAILED, signal 9" in words[0], words
    assert "nothing is known of it any more" in words[1], words


def test_every_option_reaches_the_task(here, swarm, short_dir):
    given, taken = short_dir / "in", short_dir / "out"
    for path in given, taken:
        path.mkdir()
        path.chmod(0o777)
    short_dir.chmod(0o755)
    (given / "x").write_text("given\n")
    script = ('id -u; pwd; echo "$A"; cat /share/incoming/x; touch /share/incoming/y 2>/dev/null || echo read-only; '
              "echo made >/share/outgoing/z; df -k /dev/shm | tail -n 1 | awk '{print $2}'; [ -d /v ] && echo volume; "
              'printf "%s\\n" "$@"')
    name = here.run("--user", "2000-2000:3000", "-e", "A={{.Task.Slot}} {{", "-C", "/tmp", "--cpu-limit", "0.5", "--mem",
                    "64M", "--shm-size", "8M", "--label", "who=me", "--mount", f"berth-test-{os.getpid()}:/v",
                    "--input-dir", given, "--output-dir", taken, "--constraint", "node.role==manager", "-x", "none,other",
                    "--time", "1h", "fields", "--", "sh", "-c", script, "sh", "a b", "{{x}}", "$HOME")
    job = here.wait(name, "SUCCEEDED", "FAILED")
    assert here("logs", name).stdout.splitlines() == [
        "2000", "/tmp", "{{.Task.Slot}} {{", "given", "read-only", "8192", "volume", "a b", "{{x}}", "$HOME"], \
        here("logs", "--stderr", name)
    assert (taken / "z").read_text() == "made\n"
    spec = service_of(here, swarm, name)["Spec"]
    assert spec["Labels"].items() >= {"who": "me", "berth.uid": job["uid"], "berth.name": "fields"}.items()
    task = spec["TaskTemplate"]
    for share in "Limits", "Reservations":
        assert task["Resources"][share] == {"NanoCPUs": 500000000, "MemoryBytes": 64 << 20}
    assert task["Placement"]["Constraints"] == ["node.role==manager", "node.hostname!=none", "node.hostname!=other"]
    # Nothing secret is where others look.
    assert not [text for text in task["ContainerSpec"]["Env"] if "key" in text.lower()]
    assert job["node_list"] == "first"


def test_a_script_runs_as_whoever_it_is_to(here, short_dir):
    script = short_dir / "job"
    script.write_text("#!/bin/sh\nid -u\n")
    said = here("submit", "--image", "berth-busybox", "--user", "1000", script).ok().stdout
    name = next(word for word in said.split() if word.startswith("job-"))
    here.wait(name, "SUCCEEDED")
    assert here("logs", name).stdout == "1000\n"


# ---- how it ends


def test_ends_are_told_apart(here):
    spin = ["sh", "-c", SPIN]
    names = {what: here.run(*options, "--", *command) for what, options, command in [
        ("status", [], ["sh", "-c", "exit 3"]), ("signal", [], ["sh", "-c", "kill -KILL $$"]),
        ("missing", [], ["/none/such"]), ("limit", ["--time", "1s"], spin),
        ("limit of another", ["--time", "1s", "--user", "1000"], spin),
        ("again", ["--restart", "on-failure:1"], ["sh", "-c", "echo run; exit 1"]),
        ("bound", ["--mount", "/none/such:/x"], ["true"])]}
    nowhere = here.run("--nodelist", "nonesuch", "--", "true")
    harness.until(lambda: "no suitable node" in (here.job(nowhere)["reason"] or ""), "the reason why it waits")
    assert here.job(nowhere)["state"] == "QUEUED" and here.job(nowhere)["native_state"] == "pending"
    here("cancel", nowhere).ok()
    here.wait(nowhere, "CANCELLED")
    end = {what: here.wait(name, "SUCCEEDED", "FAILED", "TIMEOUT") for what, name in names.items()}
    assert (end["status"]["state"], end["status"]["exit_code"], end["status"]["reason"]) == ("FAILED", 3, None)
    assert (end["signal"]["state"], end["signal"]["signal"]) == ("FAILED", 9)
    assert (end["missing"]["state"], end["missing"]["exit_code"]) == ("FAILED", 127)
    assert end["limit"]["state"] == end["limit of another"]["state"] == "TIMEOUT", end
    assert (end["again"]["state"], end["again"]["attempts"]) == ("FAILED", 2), end["again"]
    assert end["bound"]["native_state"] == "rejected" and "/none/such" in end["bound"]["reason"], end["bound"]
    for what, job in end.items():
        assert what == "bound" or (job["started"] and job["started"] <= job["ended"]), job


def test_who_is_cancelled_is_told_and_what_he_said_stays(here):
    patient = here.start("--", "sh", "-c", f"trap 'echo told; exit 5' TERM; echo up; {SPIN}")
    usr = here.start("--", "sh", "-c", f"trap 'echo usr1; exit 0' USR1; echo up; {SPIN}")
    for name in patient, usr:
        harness.until(lambda name=name: here("logs", name).stdout == "up\n", "output")
    here("signal", "USR1", usr).ok()
    here("cancel", patient).ok()
    assert here.wait(patient, "CANCELLED")["exit_code"] == 5
    here.wait(usr, "SUCCEEDED")
    assert here("logs", patient).stdout == "up\ntold\n" and here("logs", usr).stdout == "up\nusr1\n"


def test_logs_are_told_apart_and_followed(here):
    name = here.start("--", "sh", "-c", "echo out; echo err >&2; while ! [ -e /tmp/go ]; do sleep 0.1; done; "
                      "seq 20000; echo last >&2; printf 'no newline'")
    harness.until(lambda: here("logs", name).stdout == "out\n", "output")
    assert here("logs", "--stderr", name).stdout == "err\n"
    with subprocess.Popen([here.program, "logs", "-f", name], env=here.env(), stdout=subprocess.PIPE) as following:
        assert following.stdout.readline() == b"out\n"
        here("exec", name, "--", "touch", "/tmp/go").ok()
        rest = following.stdout.read().decode()
        assert following.wait(60) == 0
    expected = "".join(f"{i}\n" for i in range(1, 20001)) + "no newline"
    assert rest == expected
    assert here("logs", "--tail", "2", name).stdout == "20000\nno newline"
    assert here("logs", "--stderr", "--since", "1h", name).stdout == "err\nlast\n"


def test_a_key_is_changed_while_it_runs_and_a_hold_ends(here, ssh):
    name = here.start("--hold", "10m", "--", "sh", "-c", "while ! [ -e /tmp/end ]; do sleep 0.1; done; exit 4")
    here("keys", "rotate", name, timeout=90).ok()
    assert ssh(name, "touch /tmp/end").ok()
    harness.until(lambda: "held" in ssh(name, "cat /berth-job/job/status.0.json").stdout, "the hold")
    here("release", name).ok()
    assert here.wait(name, "FAILED")["exit_code"] == 4


# ---- several tasks


def test_ranks_and_tasks_of_arrays_know_which_they_are(here, ssh, swarm):
    say = "echo $SLURM_PROCID of $SLURM_NTASKS; while ! [ -e /tmp/go ]; do sleep 0.1; done; exit $SLURM_PROCID"
    swarm.call("network", "create", "--driver=overlay", "--attachable", "among-ranks").ok()
    ranks = here.start("-n", "3", "--network", "among-ranks", "--", "sh", "-c", say)
    array = here.run("--array", "3-9:3,20", "--", "sh", "-c",
                     "echo $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_MAX; exit $((SLURM_ARRAY_TASK_ID == 6))")
    found = f"nslookup tasks.berth-{here.job(ranks)['uid']} 127.0.0.11 | grep -c '^Address.*: 10\\.'"
    harness.until(lambda: ssh(f"{ranks}.1", found).stdout == "3\n", "the addresses of all ranks")
    for rank in range(3):
        harness.until(lambda rank=rank: here("logs", f"{ranks}.{rank}").stdout == f"{rank} of 3\n", f"rank {rank}")
        assert ssh(f"{ranks}.{rank}", "echo $SLURM_PROCID").stdout == f"{rank}\n"
        ssh(f"{ranks}.{rank}", "touch /tmp/go")  # which may end before it says so
    end = here.wait(ranks, "FAILED")
    assert end["exit_code"] == 1 and end["ranks"] == 3, end
    end = here.wait(array, "FAILED")
    assert end["exit_code"] == 1 and "1 FAILED, 3 SUCCEEDED" in end["reason"], end
    for index in 3, 6, 9, 20:
        assert here("logs", f"{array}.{index}").stdout == f"{index} 20\n"


@pytest.mark.parametrize("options, said, status", [
    (["--array", "0-9%2"], "%", UNSUPPORTED), (["--array", "0-999"], "256", 69), (["--qos", "x"], "--qos", UNSUPPORTED),
    (["-n", "2", "--gpus", "2"], "--gpus-per-task", UNSUPPORTED), (["--nodelist", "a,b"], "--nodelist", UNSUPPORTED),
    (["--constraint", "a|b"], "--constraint", UNSUPPORTED), (["--network", "none"], "--network", UNSUPPORTED),
    (["--gres", "x"], "--gres", INVALID), (["-N", "2", "-n", "3"], "--nodes", UNSUPPORTED)])
def test_what_a_swarm_cannot_do_is_refused_in_a_line(here, options, said, status):
    result = here("run", *options, "--", "true")
    assert result.status == status and said in result.stderr and len(result.stderr.splitlines()) == 1, f"{result}"


def test_an_engine_that_is_no_manager_says_what_to_do(here):
    result = here("run", "--cluster", "alone", "--image", "x", "--", "true")
    assert result.status == UNSUPPORTED and "docker swarm init" in result.stderr, f"{result}"


# ---- what is left


def test_after_collecting_nothing_is_left(here, swarm):
    """And what others have is there."""
    swarm.call("secret", "create", "--label", "mine=1", "others", "-", input=b"x")
    here.cancel_all()
    harness.until(lambda: not here("get", "jobs", "--state", "open", "-o", "name").ok().stdout, "the end of all jobs", 90)
    here("gc", "--retention", "0s", timeout=180).ok()
    # The Swarm removes containers after their service.

    def empty():
        here("gc", "--retention", "0s", timeout=180).ok()
        for node in swarm.nodes[1:]:  # where only its own engine can take away what a Swarm makes
            names = node.call("volume", "ls", "--quiet", "--filter=label=berth.uid").ok().stdout.split()
            assert all(name.startswith("berth-") for name in names)
            if names:
                node.call("volume", "rm", *names)
        return swarm.left() == [] and not swarm.unnamed_volumes()
    harness.until(empty, "nothing", 60)
    assert swarm.inspect("secret", "others")
    assert not list((here.home.berth_home / "jobs").iterdir())


# ---- two nodes


def test_programs_come_by_configs_where_nodes_share_nothing(here, ssh, swarm, short_dir):
    swarm.join()
    harness.until(lambda: [line for line in here("get", "nodes", "-o", "csv").stdout.splitlines()
                           if line.startswith("second,up")], "the second node")
    near = here.run("--nodelist", "first", "--", "sh", "-c", SPIN)
    # Each node fetches the image itself, with the password that whoever submits has.
    with swarm_module.Registry(swarm.manager, short_dir, registry.HTPASSWD) as images:
        image = f"{images.host}/some/where:1.0"
        swarm.call("tag", swarm.manager.image("busybox"), image).ok()
        images.push_from(swarm.manager, image)
        command = "--nodelist", "second", "--user", "1000", "--image", image, "--"
        denied = here("run", *command, "true")
        assert denied.status == DENIED and image in denied.stderr, f"{denied}"
        far = here.run(*command, "sh", "-c", f"trap 'echo told; exit 0' TERM; {SPIN}", env=images.credentials(short_dir))
        for name in far, near:
            here.wait(name, "RUNNING")
    assert ssh(far, "hostname >/tmp/x; id -u; /berth/busybox echo there").stdout == "1000\nthere\n"
    assert ssh(near, "id -u").stdout == "0\n"
    assert here.job(far)["node_list"] == "second"
    refused = here("signal", "USR1", far)
    assert refused.status == UNSUPPORTED and "second" in refused.stderr, f"{refused}"
    here("cancel", far, near).ok()
    for name in far, near:
        here.wait(name, "CANCELLED")
    assert here("logs", far).stdout == "told\n"
    configs = swarm.call("config", "ls", "--filter=label=berth.bundle", "--format={{.Name}}").ok().stdout.split()
    assert [name for name in configs if ".part" in name], configs
    test_after_collecting_nothing_is_left(here, swarm)


# ---- killed


class Waiting:
    """What test_crash.traced() wants to know. No node is as it is asked for: nothing starts."""
    waiting = ("--constraint", "none=such", "--", "true")


def test_a_run_killed_at_any_step_leaves_a_job_that_works_or_nothing(here, swarm, docker, fresh_home, short_dir):
    if not shutil.which("strace"):
        pytest.skip("needs strace, to kill at a system call")
    configure(fresh_home, swarm, f"{docker.dir}/socket")
    alone = Berth(here.program, fresh_home)
    before = set(swarm.left())  # of other tests' jobs
    alone("run", "-q", *Waiting.waiting, timeout=120).ok()
    table = list(test_crash.points(test_crash.count_steps(alone, Waiting, short_dir / "trace")))
    assert {"mkdir", "sendto", "recvfrom"} <= {step for step, _ in table}, table
    for step, n in table[::2]:  # each takes the engine its time
        result = test_crash.traced(alone, Waiting, "/dev/null", "-e", f"trace={step}", "-e",
                                   f"inject={step}:signal=KILL:when={n}")
        assert result.status in (-9, test_crash.KILLED, 0), f"{step} {n}: {result}"
    unrecorded = {job["uid"] for job in test_crash.records(alone) if job["state"] == "DEFINED"}
    for _ in range(2):
        test_crash.make_old(alone)
        alone("gc", "--retention", "0s", timeout=120).ok()
    jobs = test_crash.open_jobs(alone)
    assert unrecorded & set(jobs) and unrecorded - set(jobs), "nothing was handed over and not recorded"
    names = {f"berth-{uid}" for uid in jobs}
    left = set(swarm.left()) - before
    assert {name for name in left if name in names or len(name) == len(next(iter(names)))} == names, left
    assert {name.rpartition("-")[0] for name in left if name.endswith(".json")} == names, left
    assert {path.name for path in (fresh_home.berth_home / "jobs").iterdir()} == set(jobs)
    alone("cancel", "--all", "--yes", timeout=120).ok()

    def empty():
        alone("gc", "--retention", "0s", timeout=180).ok()
        return set(swarm.left()) <= before
    harness.until(empty, "nothing", 60)
