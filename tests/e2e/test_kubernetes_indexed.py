# SPDX-License-Identifier: MIT
"""Arrays and ranks on Kubernetes: Jobs with several pods, which the tests play the kubelet for."""

import json

import harness
import kube
from kube_fixtures import cluster, here, stand_in_only, started  # noqa: F401

INDEX = "batch.kubernetes.io/job-completion-index"
SERVICES = "/api/v1/namespaces/default/services"
EVENTS = "/api/v1/namespaces/default/events"
UNSUPPORTED = 69


def pods(cluster, uid, count):
    """By their index, once there are as many."""
    def find():
        found = {int(pod["metadata"]["annotations"][INDEX]): pod["metadata"]["name"]
                 for pod in cluster.items(kube.PODS, uid)}
        return found if len(found) >= count else None
    return harness.until(find, f"{count} pods", 30)


def runs(here, name):
    return {int(run["id"].split("_")[1]): run
            for run in json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)}


def begin(cluster, pod, node="node1"):
    cluster.bind(pod, node)
    cluster.say(pod, "Running", {"running": {"startedAt": kube.now()}})


def test_tasks_of_an_array_run_end_and_are_cancelled_one_by_one(here, cluster):
    name, uid, _ = started(here, cluster, "--array", "0-3%3", "-t", "10m", "--", "work")
    made = cluster.items(kube.JOBS, uid)[0]["spec"]
    assert (made["completions"], made["parallelism"], made["completionMode"]) == (4, 3, "Indexed")
    assert made["template"]["spec"]["activeDeadlineSeconds"] == 600 and "activeDeadlineSeconds" not in made
    first = pods(cluster, uid, 3)
    for index, pod in first.items():
        begin(cluster, pod, f"node{index}")
    job = here.wait(name, "RUNNING")
    assert (job["ranks"], job["reason"]) == (4, "3 RUNNING, 1 QUEUED")
    assert runs(here, name)[2]["node_list"] == "node2"
    result = here("cancel", f"{name}_3")
    assert result.status == UNSUPPORTED and "has not started" in result.stderr, result
    cluster.end(first[0], 0)
    cluster.end(first[1], 5)
    last = pods(cluster, uid, 4)[3]
    begin(cluster, last)
    here("cancel", f"{name}_2").ok()
    harness.until(lambda: runs(here, name)[2]["state"] == "CANCELLED", "a cancelled task", 30)
    assert cluster.items(kube.JOBS, uid)[0]["metadata"]["annotations"]["berth.cancelled"] == "2"
    cluster.end(last, 0)
    assert here.wait(name, "FAILED")["exit_code"] == 5
    assert {task: (run["state"], run.get("exit_code")) for task, run in runs(here, name).items()} == {
        0: ("SUCCEEDED", 0), 1: ("FAILED", 5), 2: ("CANCELLED", None), 3: ("SUCCEEDED", 0)}


def test_tasks_are_called_by_their_indices_whatever_those_are(here, cluster):
    """The n-th pod is the n-th index: to its command (berth-init), its log, and who cancels it."""
    name, uid, _ = started(here, cluster, "--array", "9,1-5:2", "--", "work")
    made = cluster.items(kube.JOBS, uid)[0]["spec"]
    main = made["template"]["spec"]["containers"][0]
    assert made["completions"] == 4 and main["command"][-3:] == ["--indices", "9,1-5:2", "--"]
    env = {item["name"]: item.get("value") for item in main["env"]}
    assert "SLURM_ARRAY_TASK_ID" not in env and (env["SLURM_ARRAY_TASK_MIN"], env["SLURM_ARRAY_TASK_MAX"]) == ("1", "9")
    for index, pod in pods(cluster, uid, 4).items():
        begin(cluster, pod)
        if cluster.name != "real":
            cluster.logs[pod] = f"pod {index}\n"
    here("cancel", f"{name}_3").ok()
    harness.until(lambda: runs(here, name)[3]["state"] == "CANCELLED", "a cancelled task", 30)
    assert cluster.items(kube.JOBS, uid)[0]["metadata"]["annotations"]["berth.cancelled"] == "1"
    for index, code in (0, 0), (2, 5), (3, 0):
        cluster.end(pods(cluster, uid, 3)[index], code)
    assert here.wait(name, "FAILED")["exit_code"] == 5
    assert {task: run["state"] for task, run in runs(here, name).items()} == {
        1: "SUCCEEDED", 3: "CANCELLED", 5: "FAILED", 9: "SUCCEEDED"}
    if cluster.name != "real":  # logs come from a kubelet
        assert here("logs", f"{name}_5").ok().stdout == "pod 2\n"


def test_a_job_that_waits_is_held_and_released(here, cluster):
    name, uid, pod = started(here, cluster, "--", "work")
    here("hold", name).ok()
    job = harness.until(lambda: here.job(name) if here.job(name)["reason"] else None, "why it waits", 30)
    assert (job["state"], job["native_state"]) == ("QUEUED", "Suspended") and "uspended" in job["reason"]
    harness.until(lambda: not [one for one in cluster.items(kube.PODS, uid) if "deletionTimestamp" not in one["metadata"]],
                  "an end of its pod", 30)
    here("release", name).ok()
    other = harness.until(lambda: [one["metadata"]["name"] for one in cluster.items(kube.PODS, uid)
                                   if one["metadata"]["name"] != pod or cluster.name != "real"], "another pod", 30)[0]
    begin(cluster, other)
    here.wait(name, "RUNNING")
    refused = here("hold", name)
    assert refused.status != 0 and "only a job that waits" in refused.stderr, refused
    cluster.end(other, 0)
    here.wait(name, "SUCCEEDED")


def test_ranks_have_names_and_end_together(here, cluster):
    name, uid, _ = started(here, cluster, "-n", "3", "--", "work")
    service = cluster.items(SERVICES, uid)[0]
    assert (service["spec"]["clusterIP"], service["metadata"]["name"]) == ("None", f"berth-{uid}")
    pod = cluster.items(kube.JOBS, uid)[0]["spec"]["template"]["spec"]
    env = {item["name"]: item.get("value") for item in pod["containers"][0]["env"]}
    assert (pod["subdomain"], env["SLURM_NTASKS"]) == (f"berth-{uid}", "3")
    assert env["BERTH_FIRST_HOST"] == f"berth-{uid}-0.berth-{uid}"
    ranks = pods(cluster, uid, 3)
    begin(cluster, ranks[0], "n0")
    begin(cluster, ranks[1], "n1")
    cluster.say(ranks[2], "Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                                                  "message": "no room"}])
    job = here.wait(name, "RUNNING")
    assert (job["node_list"], job["reason"]) == ("n0,n1", "Unschedulable: no room")
    cluster.end(ranks[1], 3)
    if cluster.name == "real":  # whose controller ends the others, and waits for the kubelet
        harness.until(lambda: all("deletionTimestamp" in one["metadata"] for one in cluster.items(kube.PODS, uid)
                                  if one["metadata"]["name"] == ranks[0]), "an end of the others", 60)
        cluster.end(ranks[0], 143)
    assert here.wait(name, "FAILED")["exit_code"] == 3
    here("gc", "--retention", "0s").ok()
    for kind in kube.JOBS, kube.PODS, SERVICES:
        harness.until(lambda kind=kind: not [one for one in cluster.items(kind, uid)
                                             if "deletionTimestamp" not in one["metadata"]], f"no {kind}", 30)


@stand_in_only
def test_logs_are_those_of_a_task_or_a_rank(here, cluster):
    name, uid, _ = started(here, cluster, "--array", "0-1", "--", "work")
    for index, pod in pods(cluster, uid, 2).items():
        cluster.logs[pod] = f"task {index}\n"
        cluster.end(pod, 0)
    here.wait(name, "SUCCEEDED")
    assert here("logs", f"{name}_1").ok().stdout == "task 1\n"
    assert here("logs", name).ok().stdout == "task 0\ntask 1\n"


def test_events_tell_what_neither_job_nor_pod_does(here, cluster):
    name, uid, pod = started(here, cluster, "--", "work")
    cluster.bind(pod)
    about = {"kind": "Pod", "namespace": "default", "name": pod}
    cluster.request("POST", EVENTS, {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{pod}.1", "namespace": "default"}, "type": "Warning",
        "involvedObject": about, "reason": "FailedMount", "message": 'persistentvolumeclaim "x" not found',
        "lastTimestamp": kube.now()})
    assert here.wait(name, "STARTING")["reason"] == 'FailedMount: persistentvolumeclaim "x" not found'
    cluster.say(pod, "Failed", reason="Evicted", message="The node was low on resource: memory.")
    job = here.wait(name, "FAILED")
    assert job["reason"] == "Evicted: The node was low on resource: memory."


def test_a_failed_try_is_followed_by_another(here, cluster):
    name, uid, pod = started(here, cluster, "--restart", "on-failure:1", "--", "work")
    begin(cluster, pod)
    cluster.end(pod, 9)
    # The controller waits ten seconds before it makes another one.
    second = harness.until(lambda: [one["metadata"]["name"] for one in cluster.items(kube.PODS, uid)
                                    if one["metadata"]["name"] != pod], "another pod", 60)[0]
    begin(cluster, second)
    cluster.end(second, 0)
    assert here.wait(name, "SUCCEEDED")["attempts"] == 2
    tries = json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)
    assert [(run["attempt"], run["state"]) for run in tries] == [(1, "FAILED"), (2, "SUCCEEDED")]
