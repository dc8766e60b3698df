# SPDX-License-Identifier: MIT
"""Into pods of the real Kubernetes: its API server, its kubelet, and containerd. Not a part of ci/test; ci/kubernetes runs it."""

import os
import pathlib

import pytest

import containers
import harness
import kube
import kube_node

CONFIG = """\
clusters:
  kube:
    backend: kubernetes
    kubeconfig: {path}
    template: {template}
    job: {{entrypoint: "", pull: never}}
"""
TEMPLATE = "spec: {hostNetwork: true, tolerations: [{operator: Exists}]}\n"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def node(session_dir):
    programs = os.environ.get("BERTH_KUBERNETES")
    if not programs:
        pytest.skip("no Kubernetes here: ci/kubernetes runs this with the real one")
    try:
        root = containers.root(session_dir / "kube-node-root")
        it = kube_node.Node(session_dir / "kube-node", pathlib.Path(programs), {
            "localhost/pause:1": (root, ["/bin/sleep", "1000000"]), "localhost/busybox:1": (root, [])})
    except (kube.Unavailable, containers.Unavailable) as reason:
        pytest.skip(str(reason))
    try:
        yield it.start()
    finally:
        it.stop()


@pytest.fixture(scope="module")
def here(node, berth, home):
    place = home.berth_home.parent
    (place / "pod.yaml").write_text(TEMPLATE)
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CONFIG.format(path=node.kubeconfig(place / "kubeconfig-node"),
                                                               template=place / "pod.yaml"))
    (home.config_dir / "config.yaml").chmod(0o600)
    return berth.with_env(BERTH_CLUSTER="kube")


@pytest.fixture(scope="module")
def job(here):
    name = here.submit("--image", "localhost/busybox:1", "--", "sleep", "1000")
    here.wait(name, "RUNNING", limit=120)
    return name


def test_ssh_leads_there_by_its_address_and_by_the_server(job, here, ssh):
    assert ssh(job, "cat /etc/inside; tr '\\0' ' ' </proc/1/cmdline").ok().stdout.startswith("yes\n/berth/berth-init ")
    assert here("ssh", "--path", "login", job, "--", "echo by the server").ok().stdout == "by the server\n"


def test_without_a_tunnel_the_server_runs_programs(job, here, home):
    keys = home.state_dir / "keys"
    keys.rename(keys.with_name("keys.away"))
    try:
        result = here("exec", "-i", job, "--", "sh", "-c", "cat; echo errors >&2; exit 3", input="through\n")
        assert (result.status, result.stdout) == (3, "through\n") and "errors\n" in result.stderr, result
    finally:
        keys.with_name("keys.away").rename(keys)


def test_other_keys_reach_a_pod_that_runs(job, here, ssh):
    here("keys", "rotate", job).ok()
    assert ssh(job, "echo in").ok().stdout == "in\n"


def test_words_and_ends_are_the_commands_own(here):
    name = here.submit("--image", "localhost/busybox:1", "-e", "A=$(HOSTNAME) $$", "--", "sh", "-c",
                       'printf "%s\n" "$@" "$A"; exit 7', "sh", "$$", "$(HOME)", "two  words", "")
    assert here.wait(name, "SUCCEEDED", "FAILED", limit=120)["exit_code"] == 7
    assert here("logs", name).ok().stdout == "$$\n$(HOME)\ntwo  words\n\n$(HOSTNAME) $$\n"


def test_what_is_collected_leaves_nothing(job, here, node):
    here("cancel", job).ok()
    here.wait(job, "CANCELLED", limit=120)
    here("gc", "--retention", "0s").ok()
    for path in (kube.JOBS, kube.PODS, SECRETS):
        harness.until(lambda path=path: not node.request("GET", path)["items"], f"an end of {path}", 90, 0.3)
    maps = node.request("GET", "/api/v1/namespaces/default/configmaps")["items"]
    assert not [one["metadata"]["name"] for one in maps if one["metadata"]["name"].startswith("berth-")]
