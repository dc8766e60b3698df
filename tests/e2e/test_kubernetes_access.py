# SPDX-License-Identifier: MIT
"""How an API server is reached, and as whom, in the ways that a kubeconfig can say it."""

import http.server
import json
import threading
import urllib.request

import pytest

import harness
import kube
from kube_fixtures import cluster, here, real_only, stand_in_only, started  # noqa: F401

DENIED, INVALID = 77, 64


class Proxy(http.server.BaseHTTPRequestHandler):
    """Hands requests on, and notes for whom."""

    def do_GET(self):
        self.server.asked.append(self.path)
        request = urllib.request.Request(self.path, headers={"Authorization": self.headers["Authorization"]})
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.asked = []
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(here, cluster):
    """Changes the kubeconfig for a while: {"cluster": {...}, "user": {...}}."""
    path = here.home.berth_home.parent / f"kubeconfig-{cluster.name}"
    kept = path.read_text()

    def change(**more):
        content = json.loads(kept)
        content["clusters"][0]["cluster"].update(more.get("cluster", {}))
        content["users"][0]["user"].update(more.get("user", {}))
        path.write_text(json.dumps(content))
        return path
    yield change
    path.write_text(kept)


@stand_in_only
def test_a_proxy_of_the_cluster_is_used(here, cluster, config, proxy):
    config(cluster={"proxy-url": f"http://127.0.0.1:{proxy.server_address[1]}"})
    here("get", "queues", env={"no_proxy": "*"}).ok()
    assert proxy.asked and all(path.startswith(cluster.url) for path in proxy.asked)
    config(cluster={"proxy-url": "gopher://x"})
    assert here("get", "queues").status == INVALID


@stand_in_only
def test_a_plugin_is_asked_again_when_what_it_gave_has_expired(here, cluster, config, tmp_path):
    """Before the server is asked, which would refuse it."""
    plugin, asked = tmp_path / "plugin", tmp_path / "asked"
    given = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
             "status": {"token": kube.TOKEN, "expirationTimestamp": "2020-01-01T00:00:00Z"}}
    plugin.write_text(f"#!/bin/sh\necho >>{asked}\necho '{json.dumps(given)}'\n")
    plugin.chmod(0o755)
    path = config()
    kept = path.read_text()
    kube.write_kubeconfig(path, cluster.url, None, {"exec": {
        "apiVersion": given["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}})
    cluster.seen.clear()
    try:
        here("get", "queues").ok()
    finally:
        path.write_text(kept)
    assert asked.stat().st_size == len(cluster.seen) >= 2, cluster.seen


def test_one_may_act_as_somebody_else(here, cluster, config):
    config(user={"as": "nobody-at-all", "as-groups": ["a group"], "as-uid": "7"})
    result = here("get", "queues")
    if cluster.name == "real":
        assert result.status == DENIED and "nobody-at-all" in result.stderr, result
    else:
        headers = cluster.headers
        assert (headers["Impersonate-User"], headers["Impersonate-Group"], headers["Impersonate-Uid"]) == (
            "nobody-at-all", "a group", "7")
    config(user={"as-groups": ["a group"]})
    assert here("get", "queues").status == INVALID


def test_of_several_files_each_says_a_part(here, cluster, config):
    whole = json.loads(config().read_text())
    place = here.home.berth_home.parent
    for name in "clusters", "users", "contexts":
        (place / f"part-{name}").write_text(json.dumps({name: whole[name]}))
    (place / "part-current").write_text("current-context: tests\n")
    settings = here.home.config_dir / "config.yaml"
    kept = settings.read_text()
    settings.write_text("clusters: {kube: {backend: kubernetes}}\n")
    try:
        parts = ":".join(str(place / f"part-{name}") for name in ("current", "none", "users", "clusters", "contexts"))
        here("get", "queues", env={"KUBECONFIG": parts}).ok()
        result = here("get", "queues", env={"KUBECONFIG": str(place / "part-users")})
        assert result.status == INVALID and "current context" in result.stderr, result
    finally:
        settings.write_text(kept)
    assert kube.TOKEN not in result.stderr


@real_only
def test_the_name_in_the_certificate_may_be_another(here, cluster, config):
    config(cluster={"tls-server-name": "api.tests"})
    here("get", "queues").ok()
    config(cluster={"tls-server-name": "other.tests"})
    result = here("get", "queues")
    assert result.status == DENIED, result
    config(cluster={"tls-server-name": "other.tests", "insecure-skip-tls-verify": True})
    assert here("get", "queues").status == INVALID


# What berth-backends(7) says that one has to be allowed.
RULES = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "delete", "patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get", "list", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods/portforward", "pods/exec"], "verbs": ["get", "create"]}]
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "user"}, "rules": RULES}


@pytest.fixture
def somebody(cluster, config):
    """Who may do what RULES say, in one namespace."""
    cluster.request("POST", f"{RBAC}/roles", ROLE)
    cluster.request("POST", f"{RBAC}/rolebindings", {
        "apiVersion": ROLE["apiVersion"], "kind": "RoleBinding", "metadata": {"name": "user"},
        "subjects": [{"kind": "User", "name": "somebody"}], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                                                                       "name": "user"}})
    config(user={"as": "somebody"})
    yield cluster
    for kind in "rolebindings", "roles":
        cluster.request("DELETE", f"{RBAC}/{kind}/user")


def without(cluster, resource):
    rules = [{**rule, "resources": [one for one in rule["resources"] if one != resource]} for rule in RULES]
    cluster.request("PUT", f"{RBAC}/roles/user", {**ROLE, "rules": [rule for rule in rules if rule["resources"]]})


def objects(cluster):
    return [f"{kind}/{item['metadata']['name']}" for kind in ("secrets", "services", "pods")
            for item in cluster.request("GET", f"/api/v1/namespaces/default/{kind}")["items"]
            if "berth.uid" in item["metadata"].get("labels", {}) and "deletionTimestamp" not in item["metadata"]]


@real_only
def test_what_the_manual_says_that_one_may_do_is_enough(here, somebody):
    name, uid, pod = started(here, somebody, "--", "work")
    assert here.job(name)["state"] == "QUEUED"
    here("hold", name).ok()
    here("release", name).ok()
    pod = harness.until(lambda: [one["metadata"]["name"] for one in somebody.items(kube.PODS, uid)
                                 if "deletionTimestamp" not in one["metadata"]], "a pod", 30)[0]
    somebody.bind(pod)
    somebody.say(pod, "Running", {"running": {"startedAt": kube.now()}})
    assert here.wait(name, "RUNNING")["node_list"] == "node1"
    here("wait", "--for", "RUNNING", name).ok()
    # No kubelet ends it, so that it is ended by force, after its time to end.
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    here("gc", "--retention", "0s").ok()
    harness.until(lambda: not objects(somebody), "an end of all", 60)
    # What was not granted is said to be so, by its name, and as whom.
    refused = here("get", "nodes")
    assert refused.status == DENIED and 'User "somebody" cannot list resource "nodes"' in refused.stderr, refused


@real_only
@pytest.mark.parametrize("missing, says", [("jobs", "cannot create resource"), ("secrets", 'resource "secrets"'),
                                           ("configmaps", "bundle_image")])
def test_what_one_may_not_do_is_told_and_leaves_nothing(here, somebody, missing, says):
    for one in somebody.request("GET", "/api/v1/namespaces/default/configmaps")["items"]:
        if one["metadata"]["name"].startswith("berth-"):
            somebody.request("DELETE", f"/api/v1/namespaces/default/configmaps/{one['metadata']['name']}")
    without(somebody, missing)
    result = here("run", "--image", "busybox", "--", "work")
    assert result.status == DENIED and says in result.stderr and "somebody" in result.stderr, result
    assert len(result.stderr.splitlines()) == 1, result
    harness.until(lambda: not objects(somebody), "nothing is left", 60)


@real_only
def test_a_full_quota_is_why_a_job_waits(here, cluster):
    quotas = "/api/v1/namespaces/default/resourcequotas"
    cluster.request("POST", quotas, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
                                     "spec": {"hard": {"pods": "0"}}})
    cluster.request("PATCH", f"{quotas}/full/status", {"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}})
    try:
        name = here.submit("--image", "busybox", "--", "work")
        job = harness.until(lambda: here.job(name) if here.job(name)["reason"] else None, "a reason", 60)
        assert job["state"] == "QUEUED" and "FailedCreate" in job["reason"] and "exceeded quota: full" in job["reason"], job
        assert "exceeded quota" in here("describe", "job", name).ok().stdout
    finally:
        cluster.request("DELETE", f"{quotas}/full")
    here("cancel", name).ok()
