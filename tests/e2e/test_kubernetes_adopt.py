# SPDX-License-Identifier: MIT
"""berth attach k8s:NAMESPACE/POD: the tunnel in pods that berth did not start, and out of them again."""

import itertools
import json
import os
import pathlib
import subprocess
import threading

import pytest

import containers
import harness
import kube
import kubelet
import vscode
from test_kubernetes_reach import make_old
from vscode import server  # noqa: F401

UNAVAILABLE, NOT_FOUND, UNSUPPORTED = 69, 66, 69

CONFIG = """\
clusters:
  kube:
    backend: kubernetes
    kubeconfig: {path}
  couriers:
    backend: kubernetes
    kubeconfig: {path}
    bundle_image: berth
"""

numbers = itertools.count(1)


def machine_root(dir: pathlib.Path) -> pathlib.Path:
    """With the machine's /usr, which a volume is to bring, it has bash and node."""
    containers.root(dir)
    for name in "lib", "lib64":
        (dir / name).symlink_to(f"usr/{name}")
    return dir


@pytest.fixture(scope="module")
def cluster(session_dir, build_dir):
    it = kubelet.StandIn()
    try:
        images = {"machine": kubelet.Image(machine_root(session_dir / "adopt-machine")),
                  "busybox": kubelet.Image(containers.root(session_dir / "adopt-busybox")),
                  "berth": kubelet.Image(containers.bundle_root(build_dir, session_dir / "adopt-berth")),
                  "scratch": kubelet.Image(containers.bare_root(session_dir / "adopt-scratch"))}
        nodes = kubelet.Kubelet(it, session_dir / "adopt-kubelet", images)
    except (kube.Unavailable, containers.Unavailable) as reason:
        pytest.skip(str(reason))
    it.start()
    nodes.start()
    yield it
    nodes.stop()
    it.stop()


@pytest.fixture(scope="module")
def here(cluster, berth, home):
    path = cluster.kubeconfig(home.berth_home.parent / "kubeconfig-adopt")
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CONFIG.format(path=path))
    (home.config_dir / "config.yaml").chmod(0o600)
    return berth.with_env(BERTH_CLUSTER="kube")


@pytest.fixture
def pod(cluster):
    """pod("busybox", "sleep", "1000", security={}, mounts={"/tmp": {}}) -> its name; removed at the end."""
    made = []

    def start(image, *command, security=None, mounts=(), shared=(), **spec):
        name = f"foreign-{next(numbers)}"
        made.append(name)
        container = {"name": "app", "image": image, "command": list(command), "env": [{"name": "OF", "value": "pod"}],
                     "volumeMounts": [{"name": f"v{i}", "mountPath": path} for i, path in enumerate(mounts)]}
        volumes = [{"name": f"v{i}", "emptyDir": {}} for i, _ in enumerate(mounts)]
        for i, path in enumerate(shared):  # the machine's own, at the same place
            container["volumeMounts"].append({"name": f"s{i}", "mountPath": str(path), "readOnly": True})
            volumes.append({"name": f"s{i}", "hostPath": {"path": str(path)}})
        if security:
            container["securityContext"] = security
        cluster.request("POST", kube.PODS, {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [container], "volumes": volumes, **spec}})
        harness.until(lambda: phase(cluster, name) == "Running", f"{name} runs", 30)
        return name
    yield start
    for name in made:
        cluster.request("DELETE", f"{kube.PODS}/{name}")


def phase(cluster, name):
    return cluster.request("GET", f"{kube.PODS}/{name}")["status"].get("phase")


def inside(cluster, name, *command) -> str:
    return harness.run([*cluster.kubelet.pods[name].enter(), *command]).ok().stdout


@pytest.mark.parametrize("how", ["root", "user", "read-only", "scratch"])
def test_ssh_leads_into_a_pod_that_was_there_before(here, ssh, cluster, pod, how):
    """Cancelled it goes on as it was, and nothing of ours is in it."""
    words, more, prefix, user = {
        "root": (("busybox", "sleep", "1000"), {}, "k8s:", 0),
        "user": (("busybox", "sleep", "1000"), {"security": {"runAsUser": 2000, "runAsGroup": 3000}, "mounts": ["/opt"]},
                 "k8s:default/", 2000),
        "read-only": (("busybox", "sleep", "1000"), {"security": {"readOnlyRootFilesystem": True}, "mounts": ["/tmp"]},
                      "k8s:", 0),
        "scratch": (("scratch", "/bin/sleep", "1000"), {}, "couriers:", 0)}[how]
    name = pod(*words, **more)
    before = cluster.request("GET", f"{kube.PODS}/{name}")["spec"]
    job = here("attach", f"{prefix}{name}").ok().stdout.strip()
    assert here.job(job)["name"] == name and here.job(job)["native_id"] == f"default/{name}/app"
    result = ssh(job, "id -u; echo $OF; cat; exit 7", input="typed\n")
    assert (result.stdout, result.status) == (f"{user}\npod\ntyped\n", 7), f"{result}"
    # Once more, however it is called, it is the same job.
    assert here("attach", f"{prefix.split(':')[0]}:default/{name}/app").ok().stdout.strip() == job
    assert ssh(job, "echo again").ok().stdout == "again\n"
    processes = ssh(job, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").ok().stdout
    assert "berth-tunnel" in processes
    assert "the container goes on" in here("cancel", job).ok().stdout
    after = cluster.request("GET", f"{kube.PODS}/{name}")
    assert after["status"]["phase"] == "Running"
    assert {key: value for key, value in after["spec"].items() if key != "ephemeralContainers"} == before
    assert len(after["spec"].get("ephemeralContainers", [])) == (2 if how == "scratch" else 0)  # one for each time
    if how != "scratch":
        left = inside(cluster, name, "sh", "-c", "find / -xdev -name '.berth-*'; ls -A /tmp /opt 2>/dev/null; "
                      "cat /proc/[0-9]*/cmdline")
        assert "berth" not in left, left
    assert ssh(job, "true").status != 0


def test_files_ports_keys_and_programs_work_there(here, ssh, cluster, pod, short_dir, home):
    name = pod("busybox", "sh", "-c", "echo said; exec sleep 1000", mounts=["/opt"])
    job = here("attach", f"k8s:{name}").ok().stdout.strip()
    (short_dir / "file").write_bytes(os.urandom(100000))
    here("cp", short_dir / "file", f"{job}:/opt/file").ok()
    assert inside(cluster, name, "wc", "-c", "/opt/file").split()[0] == "100000"
    assert here("ls", f"{job}:/opt").ok().stdout.split() == ["file"]
    assert here("logs", job).ok().stdout == "said\n"
    here("keys", "rotate", job, timeout=90).ok()
    assert ssh(job, "echo in").stdout == "in\n"
    keys = home.state_dir / "keys"
    keys.rename(keys.with_name("keys.away"))
    try:
        assert here("exec", job, "--", "sh", "-c", "echo by the server; exit 3").status == 3
    finally:
        keys.with_name("keys.away").rename(keys)
    # Streams go on being the server's when the tunnel died, and another one is started.
    inside(cluster, name, "sh", "-c", "kill -9 $(cat /.berth-*/job/pid)")
    assert harness.until(lambda: ssh(job, "echo woken").stdout, "another tunnel", 60) == "woken\n"
    here("cancel", job).ok()


def test_an_editors_server_is_started_and_reached_there(here, ssh, cluster, pod, server, tmp_path):
    """VS Code's own, by the API server's streams; it goes with the tunnel."""
    name = pod("machine", "sleep", "1000", shared=["/usr", server.node, server.folder])
    job = here("attach", f"k8s:{name}").ok().stdout.strip()
    with vscode.Remote(ssh, job, server, tmp_path / "log") as remote:
        assert remote.said["exitCode"] == "0" and here.job(job)["uid"] in remote.said["agentFolder"], remote.said
        assert remote.ask_version().startswith(b"HTTP/1.1 200 OK")
        assert server.node in inside(cluster, name, "sh", "-c", "cat /proc/[0-9]*/cmdline")
        here("cancel", job).ok()
        assert remote.client.wait(30 * harness.PATIENCE) != 0
    left = inside(cluster, name, "ls", "-A", "/", "/tmp")
    left += inside(cluster, name, "sh", "-c", "cat /proc/[0-9]*/cmdline")
    assert "berth" not in left and server.node not in left, left


def test_it_follows_the_pod(here, ssh, cluster, pod):
    name = pod("busybox", "sh", "-c", "while ! [ -e /tmp/end ]; do sleep 0.1; done; exit 5")
    job = here("attach", f"k8s:{name}").ok().stdout.strip()
    inside(cluster, name, "touch", "/tmp/end")
    assert here.wait(job, "FAILED", "SUCCEEDED")["exit_code"] == 5
    stopped = here("attach", f"k8s:{name}")
    assert stopped.status == UNAVAILABLE and "does not run" in stopped.stderr, stopped
    other = pod("busybox", "sleep", "1000")
    job = here("attach", f"k8s:{other}").ok().stdout.strip()
    cluster.request("DELETE", f"{kube.PODS}/{other}")
    assert "removed" in here.wait(job, "CANCELLED")["reason"]
    harness.until(lambda: not (cluster.kubelet.dir / other).exists(), "an end of its processes", 60)
    cluster.request("POST", kube.PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": other}, "spec": {
        "containers": [{"name": "app", "image": "busybox", "command": ["sleep", "1000"]}]}})
    harness.until(lambda: phase(cluster, other) == "Running", "another one of that name", 30)
    assert here("attach", f"k8s:{other}").ok().stdout.strip() != job
    here("gc", "--retention", "0s", timeout=90).ok()


def test_what_cannot_be_adopted_is_told_with_the_way_out(here, cluster, pod):
    missing = here("attach", "k8s:no-such-pod")
    assert missing.status == NOT_FOUND and len(missing.stderr.splitlines()) == 1, missing
    name = pod("busybox", "sleep", "1000")
    assert "no container 'other'" in here("attach", f"k8s:default/{name}/other").stderr
    assert "NAMESPACE" in here("attach", "k8s:a/b/c/d").stderr
    bare = pod("scratch", "/bin/sleep", "1000")
    refused = here("attach", f"k8s:{bare}")
    assert refused.status != 0 and "bundle_image" in refused.stderr and len(refused.stderr.splitlines()) == 1, refused
    shared = pod("scratch", "/bin/sleep", "1000", hostPID=True)
    refused = here("attach", f"couriers:{shared}")
    assert refused.status == UNSUPPORTED and "hostPID" in refused.stderr, refused
    full = pod("busybox", "sleep", "1000", security={"readOnlyRootFilesystem": True})
    refused = here("attach", f"k8s:{full}")
    assert refused.status == UNAVAILABLE and "emptyDir" in refused.stderr, refused
    assert "adopted" not in json.dumps([job for job in json.loads(here("get", "jobs", "-o", "json").ok().stdout)
                                        if job["name"] in (bare, shared, full)])


def test_a_berth_that_dies_leaves_nothing_that_gc_does_not_find(here, cluster, pod):
    """Killed when it is about to start its n-th program there."""
    name = pod("busybox", "sleep", "1000")
    for deadly in range(1, 8, 2):
        state, ready = {"count": 0}, threading.Event()

        def strike(method, path, deadly=deadly, state=state, ready=ready):
            state["count"] += path.endswith("/exec")
            if state["count"] <= deadly:
                return True
            ready.wait(20)
            state["child"].kill()
            state["child"].wait()
            return False

        cluster.before = strike
        state["child"] = subprocess.Popen([here.program, "attach", f"k8s:{name}"], env=here.env(), stdin=subprocess.DEVNULL,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready.set()
        assert state["child"].wait(60) != 0
        cluster.before = None
        make_old(here)
        here("gc", "--retention", "0s", timeout=90).ok()
        assert "berth" not in inside(cluster, name, "sh", "-c", "ls -A / /run /tmp; cat /proc/[0-9]*/cmdline"), deadly
