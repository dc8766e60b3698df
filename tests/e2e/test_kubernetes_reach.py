# SPDX-License-Identifier: MIT
"""Into pods: `berth run` and `ssh job-N` where jobs are pods whose addresses lead nowhere, by the API server's port-forward;
what the API server itself starts there; and that nothing is left of a job, whenever berth dies."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import threading

import pytest

import containers
import harness
import kube
import kube_standin
import kubelet
from sessions import last_words

SECRETS = "/api/v1/namespaces/default/secrets"
MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
DENIED, UNSUPPORTED = 77, 69
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "UNKNOWN")

CONFIG = """\
clusters:
  kube:
    backend: kubernetes
    kubeconfig: {path}
    job: {{entrypoint: ""}}
  image:
    backend: kubernetes
    kubeconfig: {path}
    bundle_image: berth
    job: {{entrypoint: ""}}
  volume:
    backend: kubernetes
    kubeconfig: {path}
    bundle_volume: berth
    job: {{entrypoint: ""}}
"""


def bundle_image(build_dir, root):
    """What ci/image has in it: berth's programs in /berth."""
    dir = containers.root(root) / "berth"
    dir.mkdir()
    for path in "init/berth-init", "tunnel/berth-tunnel":
        (dir / path.split("/")[1]).write_bytes((build_dir / path).read_bytes())
        (dir / path.split("/")[1]).chmod(0o755)
    return kubelet.Image(root)


@pytest.fixture(scope="module")
def cluster(session_dir, build_dir):
    it = kubelet.StandIn()
    try:
        images = {"busybox": kubelet.Image(containers.root(session_dir / "kube-busybox")),
                  "berth": bundle_image(build_dir, session_dir / "kube-berth")}
        nodes = kubelet.Kubelet(it, session_dir / "kubelet", images)
    except (kube.Unavailable, containers.Unavailable) as reason:
        pytest.skip(str(reason))
    it.start()
    nodes.start()
    yield it
    nodes.stop()
    it.stop()


@pytest.fixture(scope="module")
def here(cluster, berth, home):
    path = cluster.kubeconfig(home.berth_home.parent / "kubeconfig")
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CONFIG.format(path=path))
    (home.config_dir / "config.yaml").chmod(0o600)
    return berth.with_env(BERTH_CLUSTER="kube")


def run(here, *argv):
    name = here.submit("--image", "busybox", *argv)
    here.wait(name, "RUNNING", "FAILED")
    return name


@pytest.fixture(scope="module")
def job(here):
    name = run(here, "--", "sleep", "1000")
    yield name
    here("cancel", name)


def names(cluster, path):
    return [item["metadata"]["name"] for item in cluster.request("GET", path)["items"]]


def test_ssh_leads_into_a_pod_whose_address_leads_nowhere(job, here, ssh, cluster):
    assert ssh(job, "cat /etc/inside").ok().stdout == "yes\n"
    assert ssh(job, "exit 7").status == 7
    cluster.asked.clear()
    assert ssh(job, "echo again").ok().stdout == "again\n"
    # Nobody was asked where it is: the stream into the pod is the only request.
    assert [request.split("/")[-1] for request in cluster.asked] == ["portforward"], cluster.asked
    assert here("exec", job, "--", "sh", "-c", "echo out; exit 3").status == 3


def test_files_and_ports_go_there_and_back(job, ssh, home, short_dir):
    content = os.urandom(3_000_000)
    (short_dir / "file").write_bytes(content)
    argv = ["scp", "-o", "BatchMode=yes", short_dir / "file", f"{job}:/tmp/there"]
    harness.run(argv, env=home.env()).ok()
    assert ssh(job, "sha256sum </tmp/there").ok().stdout.split()[0] == hashlib.sha256(content).hexdigest()
    harness.run(["scp", "-o", "BatchMode=yes", f"{job}:/tmp/there", short_dir / "back"], env=home.env()).ok()
    assert (short_dir / "back").read_bytes() == content
    port = kube.free_port()
    listening = subprocess.Popen(ssh.argv(job, "echo ready; nc -l -p 8000 -e cat"), env=home.env(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert listening.stdout.readline() == b"ready\n"
    forward = subprocess.Popen(ssh.argv("-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{port}:localhost:8000", job),
                               env=home.env(), stdin=subprocess.DEVNULL)
    try:
        def talk():
            result = harness.run(["socat", "-t", "10", "-", f"TCP:127.0.0.1:{port}"], input="through\n")
            return result.stdout == "through\n"
        harness.until(talk, "an echo through the pod", 30, 0.3)
    finally:
        harness.stop(forward)
        harness.stop(listening)


def test_files_are_copied_by_the_same_way(job, here, short_dir):
    content = os.urandom(1_000_000)
    (short_dir / "copied").write_bytes(content)
    here("cp", "--verify", short_dir / "copied", f"{job}:/tmp/copied").ok()
    here("cp", f"{job}:/tmp/copied", short_dir / "copied-back").ok()
    assert (short_dir / "copied-back").read_bytes() == content


def test_tasks_are_entered_by_their_indices(here, ssh):
    name = run(here, "--array", "3,7", "--", "sh", "-c", "echo task $SLURM_ARRAY_TASK_ID; sleep 1000")
    for task in "3", "7":
        assert ssh(f"{name}_{task}", "echo $SLURM_ARRAY_TASK_ID $BERTH_RANK").ok().stdout == f"{task} {task}\n"
        harness.until(lambda task=task: here("logs", f"{name}_{task}").stdout == f"task {task}\n", "the log")
    assert ssh(f"{name}_4", "true").status != 0
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_ranks_of_tasks_are_entered_by_both(here, ssh, cluster):
    name = run(here, "--array", "3,7", "-n", "2", "--", "sh", "-c",
               "echo $SLURM_ARRAY_TASK_ID.$SLURM_PROCID of $SLURM_NTASKS, $BERTH_FIRST_HOST; sleep 1000")
    uid = here.job(name)["uid"]
    for task, rank, whole, first in ("3", "0", 6, 0), ("7", "1", 15, 2):
        assert ssh(f"{name}_{task}.{rank}", "echo $SLURM_ARRAY_TASK_ID $SLURM_PROCID $BERTH_RANK").ok().stdout == f"{task} {rank} {whole}\n"
        log = harness.until(lambda task=task, rank=rank: here("logs", f"{name}_{task}.{rank}").ok().stdout, "the log")
        assert log == f"{task}.{rank} of 2, berth-{uid}-{first}.berth-{uid}\n"
    assert f"berth-{uid}" in names(cluster, SERVICES)
    assert ssh(f"{name}_7.2", "true").status != 0
    # A task is what its ranks are together, and is cancelled with all of them.
    here("cancel", f"{name}_3").ok()

    def states():
        return {run["id"].split("_")[1]: run["state"] for run in json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)}
    harness.until(lambda: states() == {"3": "CANCELLED", "7": "RUNNING"}, "an end of one task", 60, 0.2)
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_a_pod_that_shares_its_nodes_ports_is_asked_for_its_own(here, ssh, cluster):
    name = run(here, "--network", "host", "--", "sleep", "1000")
    before = [what for what, *_ in cluster.kubelet.streams].count("exec")
    assert ssh(name, "echo in").ok().stdout == "in\n"
    assert [what for what, *_ in cluster.kubelet.streams].count("exec") > before
    here("cancel", name).ok()


def test_a_job_is_kept_after_its_command_and_let_go(here, ssh):
    name = run(here, "--hold", "10m", "--", "sh", "-c", "while ! [ -e /tmp/end ]; do sleep 0.1; done; exit 4")
    refused = here("release", name)
    assert refused.status != 0 and "its command has not ended" in refused.stderr, refused
    assert ssh(name, "touch /tmp/end").ok()
    harness.until(lambda: here("release", name).status == 0, "the hold", 30, 0.2)
    assert here.wait(name, "SUCCEEDED", "FAILED")["exit_code"] == 4


def test_of_an_array_that_task_is_let_go_that_is_meant(here):
    name = run(here, "--hold", "10m", "--array", "3,7", "--", "sh", "-c", "exit $SLURM_ARRAY_TASK_ID")
    harness.until(lambda: here("release", f"{name}_7").status == 0, "the hold", 30, 0.2)

    def states():
        return {run["id"].split("_")[1]: run["state"] for run in json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)}
    harness.until(lambda: states() == {"3": "RUNNING", "7": "FAILED"}, "an end of one", 30, 0.2)
    # One that has ended is none that could be let go.
    here("release", name).ok()
    assert here.wait(name, "SUCCEEDED", "FAILED")["exit_code"] in (3, 7)


def test_a_session_outlives_the_stream_that_it_goes_by(job, here, home, ssh, cluster):
    """Which the server ends after some hours, and when the token that opened it is none any more."""
    session = subprocess.Popen(ssh.argv(job, "cat"), env=home.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    token = home.berth_home.parent / "kube-token"
    try:
        session.stdin.write(b"before\n")
        session.stdin.flush()
        assert session.stdout.readline() == b"before\n"
        cluster.token = "another"
        token.write_text("another\n")
        cluster.kubelet.drop_streams()
        session.stdin.write(b"after\n")
        session.stdin.flush()
        assert session.stdout.readline() == b"after\n"
        session.stdin.close()
        assert session.wait(30) == 0
    finally:
        cluster.token = kube.TOKEN
        token.write_text(kube.TOKEN + "\n")
        harness.stop(session)


def test_who_came_in_through_the_server_hears_how_it_ended(here, ssh, cluster):
    """Who is killed takes the way in along, and says nothing."""
    killed, removed = (run(here, "--", "sleep", "1000") for _ in range(2))
    uids = {name: here.job(name)["uid"] for name in (killed, removed)}

    def kill(name):
        pod = cluster.items(kube.PODS, uids[name])[0]["metadata"]["name"]
        os.kill(cluster.kubelet.pods[pod].pid, signal.SIGKILL)

    def remove():
        gone = threading.Event()
        cluster.before = lambda method, path: gone.wait(20)  # nobody asks in between
        kill(removed)
        cluster.request("DELETE", f"{kube.JOBS}/berth-{uids[removed]}")
        cluster.before = None
        gone.set()
    words = last_words(ssh, {killed: lambda: kill(killed), removed: remove})
    assert "it ended: FAILED, signal 9" in words[0], words
    assert "nothing is known of it any more" in words[1], words


def test_programs_come_by_an_image_too(here, ssh, cluster):
    for name in "image", "volume":
        job = run(here, "--cluster", name, "--user", "1234:5", "--", "sh", "-c", "ls -ln /berth-job/job/tunnel.json; sleep 1000")
        assert ssh(job, "id -u; tr '\\0' ' ' </proc/1/cmdline").ok().stdout.splitlines()[0] == "1234"
        pod = cluster.items(kube.PODS, here.job(job)["uid"])[0]["spec"]
        assert len(pod["initContainers"]) == (2 if name == "image" else 1)
        # The keys are the user's own, and nobody else's to read.
        log = harness.until(lambda job=job: here("logs", job).stdout, "the log")
        assert log.split()[:4] == ["-rwx------", "1", "1234", "5"], log
        here("cancel", job).ok()


def test_words_reach_the_program_as_they_are(here):
    name = here.submit("--image", "busybox", "-e", "A=$(HOSTNAME) $$", "--", "sh", "-c",
                       'printf "%s\n" "$@" "$A"; echo $(echo inner)', "sh", "$$", "$(HOME)", "two  words", "")
    assert here.wait(name, "SUCCEEDED", "FAILED")["exit_code"] == 0
    assert here("logs", name).ok().stdout == "$$\n$(HOME)\ntwo  words\n\n$(HOSTNAME) $$\ninner\n"


def test_the_end_is_the_commands_own(here):
    for command, state, field, value in (("exit 7", "FAILED", "exit_code", 7), ("kill -9 $$", "FAILED", "signal", 9)):
        name = here.submit("--image", "busybox", "--", "sh", "-c", command)
        assert here.wait(name, "SUCCEEDED", "FAILED")[field] == value


def test_without_a_tunnel_the_server_runs_programs(here, job, cluster, home):
    """Nobody has the keys any more: what is left is what the API server lets one do."""
    keys = home.state_dir / "keys"
    keys.rename(keys.with_name("keys.away"))
    try:
        result = here("exec", "-i", job, "--", "sh", "-c", "cat; echo errors >&2; exit 3", input="through\n")
        assert (result.status, result.stdout) == (3, "through\n") and "errors\n" in result.stderr, result
        result = here("exec", job, "--", "sh", "-c", "kill -9 $$")
        assert result.status == 137, result
        result = here("exec", "-e", "A=b", job, "--", "true")
        assert result.status == UNSUPPORTED and "--env" in result.stderr, result
        size = 1_000_000
        result = here("exec", job, "--", "head", "-c", size, "/dev/zero")
        assert result.output == bytes(size)
    finally:
        keys.with_name("keys.away").rename(keys)


def test_a_job_that_is_cancelled_hears_of_it(here, cluster):
    name = run(here, "--", "sh", "-c", "trap 'sleep 0.2; exit 0' TERM; while :; do sleep 0.1; done")
    uid = here.job(name)["uid"]
    assert f"berth-{uid}" in names(cluster, SECRETS)
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    harness.until(lambda: f"berth-{uid}" not in names(cluster, SECRETS), "an end of its Secret")
    harness.until(lambda: not any(uid in str(path) for path in cluster.kubelet.dir.iterdir()), "an end of its pod")


def jobs(here, *more):
    return json.loads(here("get", "jobs", *more, "-o", "json").ok().stdout)


def end_all(here, cluster):
    """Every job ends, and is collected."""
    for job in jobs(here):
        if job["state"] not in ENDED:
            here("cancel", job["id"]).ok()
    harness.until(lambda: all(job["state"] in ENDED for job in jobs(here, "-a")), "the end of all jobs", 60, 0.3)
    here("gc", "--retention", "0s").ok()


def left(cluster):
    return [name for path in (kube.JOBS, kube.PODS, SECRETS) for name in names(cluster, path)]


def make_old(here):
    """What was begun long ago is not being submitted any more; for a test it is only said to be old."""
    store = sqlite3.connect(here.home.state_dir / "berth.db", timeout=30)
    with store:
        store.execute("UPDATE jobs SET created_ns = created_ns - 7200 * 1000000000")
    store.close()


def submit_and_die(here, cluster, deadly):
    """A submission that is killed when it is about to make its request number `deadly`; whether it was."""
    ready, state = threading.Event(), {"count": 0}

    def strike(method, path):
        state["count"] += 1
        if state["count"] <= deadly:
            return True
        ready.wait(20)
        state["child"].kill()
        state["child"].wait()
        return False

    cluster.before = strike
    state["child"] = subprocess.Popen([here.program, "run", "--image", "busybox", "--", "true"], env=here.env(),
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ready.set()
    status = state["child"].wait(60)
    cluster.before = None
    return status != 0


def test_nothing_is_left_wherever_berth_dies(here, cluster):
    """What was begun comes to its end as if nothing had happened, and gc leaves nothing of it."""
    end_all(here, cluster)
    assert names(cluster, MAPS) == []
    # Before the Job, the Secret, the question for the programs, the first of their parts and the next.
    for deadly in range(5):
        assert submit_and_die(here, cluster, deadly)
    make_old(here)
    here("gc", "--retention", "0s").ok()
    ended = harness.until(lambda: all(job["state"] in ENDED for job in jobs(here, "-a")) and jobs(here, "-a"), "the end of all",
                          60, 0.3)
    assert [job["state"] for job in ended].count("SUCCEEDED") >= 4, ended
    end_all(here, cluster)
    assert harness.until(lambda: not left(cluster), "nothing is left") and names(cluster, MAPS) == []


def test_parts_of_the_programs_stay_for_who_submits_while_they_are_collected(here, cluster):
    """A first submission comes between the question which Jobs there are, and what is removed because there are none."""
    end_all(here, cluster)
    name = here.submit("--image", "busybox", "--", "true")
    here.wait(name, "SUCCEEDED")
    parts = {one for one in names(cluster, MAPS) if one.startswith("berth-")}
    for match in MAPS, f"{MAPS}/{min(parts, key=len)}-1":  # the mark, and a part, which goes after the Jobs were looked at again
        state = {"name": None}

        def strike(method, path, match=match, state=state):
            if method == "DELETE" and path.startswith(match) and not state["name"]:
                state["name"] = "begun"
                state["name"] = here.submit("--image", "busybox", "--", "true")
            return True

        for one in jobs(here, "-a"):
            cluster.request("DELETE", f"{kube.JOBS}/berth-{one['uid']}") if f"berth-{one['uid']}" in names(
                cluster, kube.JOBS) else None
        cluster.before = strike
        here("gc", "--retention", "0s").ok()
        cluster.before = None
        assert state["name"] and state["name"] != "begun"
        assert here.wait(state["name"], "SUCCEEDED", "FAILED")["exit_code"] == 0
        assert {one for one in names(cluster, MAPS) if one.startswith("berth-") and not one == min(parts, key=len)} \
            == parts - {min(parts, key=len)}


def test_other_keys_reach_a_pod_that_runs(here, cluster, ssh):
    name = run(here, "--", "sleep", "1000")
    before = cluster.request("GET", f"{SECRETS}/berth-{here.job(name)['uid']}")["data"]["tunnel.json"]
    assert ssh(name, "true").ok()
    here("keys", "rotate", name).ok()
    assert ssh(name, "echo in").ok().stdout == "in\n"
    assert cluster.request("GET", f"{SECRETS}/berth-{here.job(name)['uid']}")["data"]["tunnel.json"] != before
    assert [what for what, *_ in cluster.kubelet.streams].count("exec") >= 1


def test_a_server_without_volumes_that_are_images_is_told(here, cluster):
    """It takes the Job, and leaves the field out."""
    made = {"metadata": {"name": "job", "uid": "uid"},
            "spec": {"template": {"spec": {"volumes": [{"name": "berth-bundle", "emptyDir": {}}]}}}}
    cluster.before = lambda method, path: cluster.faults.append(kube_standin.Fault(201, made, "/jobs")) is None \
        if method == "POST" and path.endswith("/jobs") else True
    result = here("run", "--cluster", "volume", "--image", "busybox", "--", "true")
    cluster.before = None
    assert result.status == UNSUPPORTED and "bundle_image" in result.stderr, result
    assert f"DELETE {kube.JOBS}/berth-" in "".join(cluster.asked[-3:]), cluster.asked[-3:]


def test_what_the_server_refuses_is_told_and_leaves_nothing(here, cluster):
    end_all(here, cluster)
    for match, words in (("secrets", "secrets is forbidden"), ("configmaps", "bundle_image")):
        refused = {"message": f'{match} is forbidden: User "u" cannot create', "code": 403}
        cluster.before = lambda method, path: cluster.faults.append(kube_standin.Fault(403, refused, match)) is None \
            if method == "POST" and match in path else True
        result = here("run", "--image", "busybox", "--", "true")
        cluster.before = None
        assert result.status == DENIED and words in result.stderr, result
        assert harness.until(lambda: not left(cluster), "nothing is left")
