# SPDX-License-Identifier: MIT
"""Jobs that are Jobs of Kubernetes: against a stand-in for the API server, and, where ci/kubernetes runs them, against
the real one with its controllers. No kubelet runs: the tests say what it would."""

import json
import subprocess
import time

import harness
import kube
from kube_fixtures import cluster, here, stand_in_only, started  # noqa: F401

DENIED, UNSUPPORTED = 77, 69


def test_a_job_waits_starts_runs_and_succeeds(here, cluster):
    name, uid, pod = started(here, cluster, "-t", "10m", "--", "echo", "two words")
    job = here.job(name)
    assert job["queue"] == "default"
    assert (job["state"], job["native_state"], job["native_id"]) == ("QUEUED", "Pending", f"default/berth-{uid}")
    cluster.say(pod, "Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                                             "message": "0/0 nodes are available"}])
    assert here.wait(name, "QUEUED")["reason"] == "Unschedulable: 0/0 nodes are available"
    cluster.bind(pod)
    cluster.say(pod, "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off\x1b[31m pulling"}})
    job = here.wait(name, "STARTING")
    assert (job["reason"], job["node_list"]) == ("ImagePullBackOff: Back-off?[31m pulling", "node1")
    cluster.say(pod, "Running", {"running": {"startedAt": kube.now()}})
    assert here.wait(name, "RUNNING")["native_state"] == "Running"
    cluster.end(pod, 0)
    job = here.wait(name, "SUCCEEDED")
    assert (job["exit_code"], job["native_state"]) == (0, "Complete")
    made = cluster.items(kube.JOBS, uid)[0]["spec"]
    assert (made["backoffLimit"], made["activeDeadlineSeconds"]) == (0, 600)
    assert made["template"]["spec"]["containers"][0]["args"] == ["echo", "two words"]


def test_ends_are_told_as_they_were(here, cluster):
    for code, more, expected in ((7, {}, (7, 0, None)), (137, {"reason": "OOMKilled"},
                                 (None, 9, "killed by the kernel: out of memory"))):
        name, _, pod = started(here, cluster, "--", "false")
        cluster.bind(pod)
        cluster.end(pod, code, **more)
        job = here.wait(name, "FAILED")
        assert (job.get("exit_code"), job.get("signal") or 0, job["reason"]) == expected


def test_a_cancelled_job_and_its_pod_are_gone(here, cluster):
    name, uid, _ = started(here, cluster, "--", "sleep", "1000")
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    assert cluster.items(kube.JOBS, uid) == [] == cluster.items(kube.PODS, uid)
    here("cancel", name)


def test_what_is_collected_leaves_nothing(here, cluster):
    name, uid, pod = started(here, cluster, "--", "true")
    cluster.bind(pod)
    cluster.end(pod, 0)
    here.wait(name, "SUCCEEDED")
    here("gc", "--retention", "0s").ok()
    assert harness.until(lambda: not cluster.items(kube.JOBS, uid) and not cluster.items(kube.PODS, uid), "nothing", 30)


def test_fields_reach_the_pod_and_the_template_stays(here, cluster):
    name = here.submit("--cluster", "template", "--image", "i", "--entrypoint", "/bin/sh", "-e", "A=b c", "-c", "2",
                       "--mem", "64M", "--cpu-limit", "2500m", "-G", "1", "--user", "1000:100", "--mount",
                       "tmpfs:/cache:1M", "--mount", "claim:/work", "--mount", "/data:/in:ro", "--pull", "never",
                       "--label", "color=blue", "--shm-size", "2M", "--comment", "a remark", "--", "-c", "true")
    made = cluster.items(kube.JOBS, here.job(name)["uid"])[0]
    pod, main = made["spec"]["template"]["spec"], made["spec"]["template"]["spec"]["containers"][0]
    assert (made["metadata"]["labels"]["color"], made["metadata"]["annotations"]["berth.comment"]) == ("blue", "a remark")
    assert made["spec"]["template"]["metadata"]["labels"]["team"] == "physics"
    assert (pod["nodeSelector"], pod["tolerations"][0]["key"]) == ({"disk": "ssd"}, "gpu")
    assert [c["name"] for c in pod["containers"]] == ["main", "side"]
    assert main["command"] == ["/berth/berth-init", "--dir", "/berth-job/job", "--rank", "0", "--"]
    assert (main["args"], main["env"]) == (["/bin/sh", "-c", "true"], [{"name": "A", "value": "b c"}])
    assert {k: str(v) for k, v in main["resources"]["limits"].items()} in (
        {"cpu": "2500m", "memory": "67108864", "nvidia.com/gpu": "1"}, {"cpu": "2500m", "memory": "64Mi", "nvidia.com/gpu": "1"})
    assert main["securityContext"] == {"runAsUser": 1000, "runAsGroup": 100}
    assert main["imagePullPolicy"] == "Never"
    assert [m["mountPath"] for m in main["volumeMounts"]] == ["/cache", "/work", "/in", "/dev/shm", "/berth", "/berth-job"]
    assert [sorted(set(v) - {"name"}) for v in pod["volumes"]] == [["emptyDir"], ["persistentVolumeClaim"], ["hostPath"],
                                                                   ["emptyDir"], ["emptyDir"], ["projected"],
                                                                   ["emptyDir"], ["secret"]]
    init = pod["initContainers"][0]
    assert (init["image"], init["securityContext"]) == ("i", main["securityContext"])
    assert init["resources"]["limits"].keys() == {"cpu", "memory"}
    here("cancel", name).ok()


def test_the_manifest_is_shown_and_valid(here, cluster):
    path = here.home.berth_home.parent / "job.yaml"
    path.write_text("command: [echo, hello]\nimage: busybox\nnetwork: host\n")
    manifest = json.loads(here("submit", "--dry-run", "-f", path).ok().stdout)
    assert (manifest["kind"], manifest["spec"]["template"]["spec"]["restartPolicy"]) == ("Job", "Never")
    if cluster.name == "real":
        assert cluster.request("POST", f"{kube.JOBS}?dryRun=All&fieldValidation=Strict", manifest)["metadata"]["uid"]


def test_what_a_pod_cannot_do_is_refused_in_words(here):
    for argv, word in ((["-N", "2", "-n", "4"], "--nodes"), (["--restart", "always"], "--restart"), (["--network", "none"], "--network"),
                       (["--user", "ann"], "numbers"), (["-G", "a100:2"], "--constraint")):
        result = here("run", "--image", "i", *argv, "--", "true")
        assert result.status == UNSUPPORTED and word in result.stderr, result


@stand_in_only
def test_a_log_is_read_and_is_empty_before_the_start(here, cluster):
    name, _, pod = started(here, cluster, "--", "seq", "3")
    assert here("logs", name).ok().stdout == ""
    cluster.logs[pod] = "1\n2\n3\n"
    cluster.bind(pod)
    cluster.end(pod, 0)
    here.wait(name, "SUCCEEDED")
    assert here("logs", name).ok().stdout == "1\n2\n3\n"
    assert here("logs", "--tail", "1", name).ok().stdout == "3\n"


@stand_in_only
def test_a_log_begins_at_a_moment(here, cluster):
    name, _, pod = started(here, cluster, "--", "sleep", "1000")
    now = int(time.time())

    def ago(seconds: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - seconds))
    cluster.bind(pod)
    cluster.say(pod, "Running", {"running": {"startedAt": ago(90)}})
    here.wait(name, "RUNNING")
    cluster.logs[pod] = [(ago(60), "early\n"), (ago(30), "then\n"), (ago(10), "late\n")]
    since = "--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now - 30))
    assert here("logs", *since, name).ok().stdout == "then\nlate\n"
    assert here("logs", *since, "--tail", "1", name).ok().stdout == "late\n"
    assert here("logs", "--since", "1h", name).ok().stdout == "early\nthen\nlate\n"
    with subprocess.Popen([here.program, "logs", "-f", *since, name], env=here.env(), stdout=subprocess.PIPE) as log:
        assert log.stdout.readline() + log.stdout.readline() == b"then\nlate\n"
        cluster.logs[pod] = [*cluster.logs[pod], (ago(0), "more\n")]
        assert log.stdout.readline() == b"more\n"
        cluster.end(pod, 0)
        assert log.wait(60) == 0


@stand_in_only
def test_a_server_that_is_not_well(here, cluster):
    refused = {"kind": "Status", "message": "Unauthorized", "code": 401}
    cluster.faults = [(401, refused)]
    name, _, pod = started(here, cluster, "--", "true")
    assert cluster.seen[-1][2] == f"Bearer {kube.TOKEN}"
    cluster.faults = [(403, {"message": 'jobs.batch is forbidden: User "u"\x1b[2J', "code": 403})]
    result = here("run", "--image", "i", "--", "true")
    assert result.status == DENIED and 'forbidden: User "u"?[2J' in result.stderr, result
    cluster.faults = [(409, {"message": "already exists", "code": 409})]
    assert "already exists" in here("run", "--image", "i", "--", "true").stderr
    cluster.faults = [(200, {"metadata": {"continue": "x"}, "items": []}), (410, {"message": "too old", "code": 410})]
    assert here.job(name)["state"] == "QUEUED" and not cluster.faults
    cluster.token = "another"
    result = here("run", "--image", "i", "--", "true")
    assert result.status == DENIED and "log in again" in result.stderr and kube.TOKEN not in result.stderr, result
    cluster.token = kube.TOKEN
    cluster.end(pod, 0)
    here.wait(name, "SUCCEEDED")
