# SPDX-License-Identifier: MIT
"""Nodes, what is free on them, and namespaces with their quotas, as Kubernetes tells them."""

import json
import urllib.error

import pytest

import kube
import kube_standin
from kube_fixtures import cluster, here, stand_in_only  # noqa: F401

NODES = "/api/v1/nodes"
NOT_FOUND = 66


def make_node(cluster, name, labels, taints, ready="True", cordoned=False, **has):
    """As a kubelet and the controllers of nodes would leave it."""
    cluster.request("POST", NODES, {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": cordoned} if cordoned else {}})
    cluster.request("PATCH", f"{NODES}/{name}/status", {"status": {
        "capacity": has, "allocatable": has,
        "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletReady" if ready == "True" else "KubeletNotReady",
                        "message": "" if ready == "True" else "container runtime is down"}]}})
    # The API server itself adds a taint to every new one.
    cluster.request("PATCH", f"{NODES}/{name}", {"spec": {"taints": taints}})


@pytest.fixture(scope="module")
def nodes(cluster):
    large = {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "4", "pods": "110"}
    small = {"cpu": "3920m", "memory": "8Gi", "pods": "110"}
    make_node(cluster, "big", {"nvidia.com/gpu.product": "A100", "disk": "ssd", "kubernetes.io/hostname": "big"},
              [{"key": "gpu", "value": "true", "effect": "NoSchedule"}], **large)
    make_node(cluster, "small", {"disk": "hdd"}, [], **small)
    make_node(cluster, "broken", {}, [], ready="False", **large)
    make_node(cluster, "off", {}, [], cordoned=True, **large)
    make_node(cluster, "control", {}, [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}], **large)
    cluster.request("POST", kube.PODS, {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user"},
        "spec": {"nodeName": "big", "containers": [
            {"name": "a", "image": "i", "resources": {"requests": {"cpu": "1500m", "memory": "1Gi"},
                                                      "limits": {"nvidia.com/gpu": "1"}}},
            {"name": "b", "image": "i", "resources": {"requests": {"cpu": "250m"}}}]}})
    if cluster.name != "real":  # where limits become requests by themselves
        cluster.request("PATCH", f"{kube.PODS}/user", {"spec": {"containers": [
            {"resources": {"requests": {"cpu": "1500m", "memory": "1Gi", "nvidia.com/gpu": "1"}}},
            {"resources": {"requests": {"cpu": "250m"}}}]}})
    yield
    for name in "big", "small", "broken", "off", "control":
        cluster.request("DELETE", f"{NODES}/{name}")
    cluster.request("DELETE", f"{kube.PODS}/user?gracePeriodSeconds=0")


def table(here, *argv):
    return {row["name"]: row for row in json.loads(here("get", *argv, "-o", "json").ok().stdout)}


def test_nodes_have_what_pods_can_get_and_lack_what_they_ask_for(here, nodes):
    all_of_them = table(here, "nodes")
    big = all_of_them["big"]
    assert (big["cpus"], big["cpus_used"], big["memory_used"]) == (16, 2, 1 << 30)
    assert (big["gres"], big["gres_used"]) == ("gpu:A100:4", "gpu:A100:1")
    assert "disk=ssd" in big["features"] and big["reason"] == "taint gpu=true:NoSchedule"
    assert all_of_them["small"]["cpus"] == 3
    assert {name: node["state"] for name, node in all_of_them.items()} == {
        "big": "Ready", "small": "Ready", "broken": "NotReady", "off": "Ready+SchedulingDisabled",
        "control": "Ready+Reserved"}
    assert "KubeletNotReady: container runtime is down" in all_of_them["broken"]["reason"]
    assert "container runtime is down" in here("describe", "node", "broken").ok().stdout


def test_nodes_are_found_by_what_is_free(here, nodes):
    result = here("find", "node-with", "--cpus", "8", "--gpus", "A100:3", "-o", "name").ok()
    assert result.stdout.split()[0].endswith("big"), result
    assert here("find", "node-with", "--gpus", "A100:5").status == NOT_FOUND
    result = here("find", "node-with", "--constraint", "disk=hdd", "-o", "name").ok()
    assert result.stdout.split()[0].endswith("small"), result
    assert here("find", "largest-node", "--by", "mem", "-o", "name").ok().stdout.split()[0].endswith("big")
    whole = json.loads(here("get", "resources", "-o", "json").ok().stdout)[-1]
    assert "A100" in json.dumps(whole), whole


def test_queues_are_namespaces_with_their_quotas(here, cluster, nodes):
    quotas = "/api/v1/namespaces/default/resourcequotas"
    if cluster.name != "real":
        cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}, "status": {"phase": "Active"}})
    cluster.request("POST", quotas, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
                                     "spec": {"hard": {"requests.cpu": "10"}}})
    cluster.request("PATCH", f"{quotas}/q/status", {"status": {"hard": {"requests.cpu": "10"},
                                                               "used": {"requests.cpu": "2500m"}}})
    try:
        queue = table(here, "queues", "default")["default"]
        assert (queue["state"], queue["cpus"], queue["cpus_used"]) == ("up", 10, 3)
        assert queue["nodes"] == 2
    finally:
        cluster.request("DELETE", f"{quotas}/q")


@stand_in_only
def test_who_may_see_only_a_namespace_sees_that(here, cluster, nodes):
    forbidden = {"kind": "Status", "message": "is forbidden", "code": 403}
    for path in "/api/v1/namespaces?", "/api/v1/resourcequotas", "/api/v1/nodes":
        cluster.faults.append(kube_standin.Fault(403, forbidden, path))
    assert list(table(here, "queues")) == ["default"]
    cluster.faults.append(kube_standin.Fault(403, forbidden, "/api/v1/pods?"))
    assert table(here, "nodes")["big"]["cpus_used"] == 2
    assert not cluster.faults
    with pytest.raises(urllib.error.HTTPError):
        cluster.request("GET", f"{NODES}/none")
