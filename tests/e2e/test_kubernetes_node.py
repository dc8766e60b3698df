# SPDX-License-Identifier: MIT
"""Into pods of the real Kubernetes: its API server, its kubelet, and containerd. Not a part of ci/test; ci/kubernetes runs it."""

import os
import pathlib
import subprocess

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
  couriers:
    backend: kubernetes
    kubeconfig: {path}
    bundle_image: localhost/berth:1
  volumes:
    backend: kubernetes
    kubeconfig: {path}
    bundle_volume: localhost/berth:1
    job: {{entrypoint: "", pull: never}}
"""
TEMPLATE = "spec: {hostNetwork: true, tolerations: [{operator: Exists}]}\n"
UNSUPPORTED = 69
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def node(session_dir, build_dir):
    programs = os.environ.get("BERTH_KUBERNETES")
    if not programs:
        pytest.skip("no Kubernetes here: ci/kubernetes runs this with the real one")
    try:
        root = containers.root(session_dir / "kube-node-root")
        bare, bundle = containers.bare_root(session_dir / "kube-node-bare"), containers.bundle_root(build_dir, session_dir / "kube-node-bundle")
        it = kube_node.Node(session_dir / "kube-node", pathlib.Path(programs), {
            "localhost/pause:1": (root, ["/bin/sleep", "1000000"]), "localhost/busybox:1": (root, []),
            "localhost/scratch:1": (bare, []), "localhost/distroless:1": (bare, [], "65532:65532"),
            "localhost/berth:1": (bundle, [])})
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


@pytest.mark.parametrize("image, user", [("busybox", 0), ("busybox", 2000), ("scratch", 0), ("distroless", 65532)])
def test_ssh_leads_into_a_pod_that_was_there_before(here, ssh, node, image, user):
    """By its shell, or by a courier, which asks first who it has to be when the image's user is not the pod's to say."""
    name = f"foreign-{image}-{user}"
    container = {"name": "app", "image": f"localhost/{image}:1", "imagePullPolicy": "Never", "command": ["/bin/sleep", "1000"],
                 "env": [{"name": "OF", "value": "pod"}], "volumeMounts": [{"name": "v", "mountPath": "/opt"}]}
    if user == 2000:
        container["securityContext"] = {"runAsUser": user, "readOnlyRootFilesystem": True}
    node.request("POST", kube.PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "hostNetwork": True, "tolerations": [{"operator": "Exists"}], "containers": [container], "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "v", "emptyDir": {}}]}})

    def status():
        return node.request("GET", f"{kube.PODS}/{name}")["status"]
    try:
        harness.until(lambda: status()["phase"] == "Running", f"{name} runs", 120, 0.3)
        job = here("attach", f"couriers:default/{name}", timeout=240).ok().stdout.strip()
        result = ssh(job, "id -u; echo $OF; cat; exit 7", input="typed\n")
        assert (result.stdout, result.status) == (f"{user}\npod\ntyped\n", 7), f"{result}"
        assert here("ssh", "--path", "login", job, "--", "echo by the server").ok().stdout == "by the server\n"
        # The stream that started it has ended long ago; what it started is in a session of its own.
        assert here("attach", f"couriers:default/{name}/app", timeout=240).ok().stdout.strip() == job
        assert ssh(job, "echo again").ok().stdout == "again\n"
        here("cancel", job).ok()
        told = status()
        assert told["phase"] == "Running" and told["containerStatuses"][0]["restartCount"] == 0
        assert ssh(job, "true").status != 0
    finally:
        node.request("DELETE", f"{kube.PODS}/{name}")


def test_a_job_is_kept_after_its_command_and_let_go(here, ssh):
    name = here.submit("--image", "localhost/busybox:1", "--hold", "10m", "--", "sh", "-c", "exit 4")
    here.wait(name, "RUNNING", limit=120)
    harness.until(lambda: here("release", name).status == 0, "the hold", 60, 0.5)
    assert here.wait(name, "SUCCEEDED", "FAILED", limit=120)["exit_code"] == 4


def test_tasks_are_called_by_their_indices(here, ssh):
    """Both on one node, whose network they share: each has a port of its own."""
    name = here.submit("--image", "localhost/busybox:1", "--array", "3,7", "--", "sh", "-c", "echo $SLURM_ARRAY_TASK_ID; sleep 1000")
    here.wait(name, "RUNNING", limit=120)
    for task in "3", "7":
        assert ssh(f"{name}_{task}", "echo $BERTH_RANK").ok().stdout == f"{task}\n"
        harness.until(lambda task=task: here("logs", f"{name}_{task}").stdout == f"{task}\n", "its log", 60, 0.3)
    here("cancel", name).ok()
    here.wait(name, "CANCELLED", limit=120)


def test_ranks_of_tasks_are_entered_by_both(here, ssh):
    name = here.submit("--image", "localhost/busybox:1", "--array", "3,7", "-n", "2", "--", "sh", "-c",
                       "echo $SLURM_ARRAY_TASK_ID.$SLURM_PROCID; sleep 1000")
    for task, rank in ("3", "0"), ("7", "1"):
        harness.until(lambda task=task, rank=rank: here("logs", f"{name}_{task}.{rank}").stdout == f"{task}.{rank}\n", "its log", 120, 0.5)
        assert ssh(f"{name}_{task}.{rank}", "echo $SLURM_ARRAY_TASK_ID.$SLURM_PROCID").ok().stdout == f"{task}.{rank}\n"
    here("cancel", name).ok()
    here.wait(name, "CANCELLED", limit=120)


def test_a_server_without_volumes_that_are_images_is_told(here):
    """Not a feature that is there unless somebody asks for it, in this release."""
    result = here("run", "--cluster", "volumes", "--image", "localhost/busybox:1", "--", "true")
    assert result.status == UNSUPPORTED and "bundle_image" in result.stderr, result


def test_files_go_by_the_server(job, here, short_dir):
    content = os.urandom(3_000_000)
    (short_dir / "file").write_bytes(content)
    here("cp", short_dir / "file", f"{job}:/tmp/there").ok()
    here("cp", "--verify", f"{job}:/tmp/there", short_dir / "back").ok()
    assert (short_dir / "back").read_bytes() == content


def test_a_session_and_a_log_outlive_the_api_server(here, ssh, home, node):
    name = here.submit("--image", "localhost/busybox:1", "--", "sh", "-c", "n=0; while :; do echo line $n; n=$((n+1)); sleep 0.2; done")
    here.wait(name, "RUNNING", limit=120)
    session = subprocess.Popen([here.program, "ssh", "--path", "login", name, "--", "cat"], env=here.env(), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    log = subprocess.Popen([here.program, "logs", "-f", name], env=here.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        def echo(text):
            session.stdin.write(text)
            session.stdin.flush()
            assert session.stdout.readline() == text
        echo(b"before\n")
        assert log.stdout.readline() == b"line 0\n"
        node.restart_server()
        echo(b"after\n")
        # Not a line twice, and none left out.
        for n in range(1, 40):
            assert log.stdout.readline() == b"line %d\n" % n
        session.stdin.close()
        assert session.wait(60) == 0
        here("cancel", name).ok()
        assert here.wait(name, "CANCELLED", limit=120)
    finally:
        harness.stop(session)
        harness.stop(log)


def test_what_is_collected_leaves_nothing(job, here, node):
    here("cancel", job).ok()
    here.wait(job, "CANCELLED", limit=120)
    here("gc", "--retention", "0s").ok()
    for path in (kube.JOBS, kube.PODS, SECRETS):
        harness.until(lambda path=path: not node.request("GET", path)["items"], f"an end of {path}", 90, 0.3)
    maps = node.request("GET", "/api/v1/namespaces/default/configmaps")["items"]
    assert not [one["metadata"]["name"] for one in maps if one["metadata"]["name"].startswith("berth-")]
