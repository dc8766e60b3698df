# SPDX-License-Identifier: MIT
"""A node of the real Kubernetes: its kubelet, with Debian's containerd, both with directories of their own. Pods have the host's
network, since no plugin gives them another. For whoever has the programs (BERTH_KUBERNETES; ci/kubernetes)."""

import hashlib
import io
import json
import pathlib
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import urllib.error

import harness
import kube

RUNTIME = """\
version = 2
root = "{dir}/containerd"
state = "{dir}/containerd.state"
[grpc]
  address = "{dir}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
"""


def address() -> str:
    """Ours towards others: no node may be called by a loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("203.0.113.1", 9))
        return s.getsockname()[0]


def archive(path: pathlib.Path, name: str, root: pathlib.Path, entrypoint: list, user: str = "") -> pathlib.Path:
    """An image as `docker save` writes it: one layer."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": entrypoint, "Env": ["PATH=/bin"], "User": user},
                         "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]},
                         "history": [{}]}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for file, content in ("config.json", config), ("layer.tar", layer.getvalue()), ("manifest.json", manifest):
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


class Node(kube.Real):
    """The control plane and one node; whatever pod is there runs on it."""

    def __init__(self, where: pathlib.Path, programs: pathlib.Path, images: dict):
        super().__init__(where, programs)
        self.images, self.is_stopped = images, False
        for program in "containerd", "ctr", "runc":
            if not shutil.which(program):
                raise kube.Unavailable(f"no {program} (package containerd)")
        if not (programs / "kubelet").exists() or not harness.IS_ROOT:
            raise kube.Unavailable("no kubelet, or nobody who may run one")

    def spawn(self, program, *argv) -> None:
        if pathlib.Path(program).name == "kube-apiserver":
            argv = (*argv, "--kubelet-preferred-address-types=InternalIP")
        super().spawn(program, *argv)

    def ctr(self, *argv) -> harness.Result:
        return harness.run(["ctr", "--address", self.dir / "containerd.sock", "--namespace", "k8s.io", *argv])

    def start(self) -> "Node":
        super().start()
        (self.dir / "containerd.toml").write_text(RUNTIME.format(dir=self.dir))
        self.spawn("containerd", "--config", "containerd.toml")
        harness.until(lambda: self.ctr("version").status == 0, "containerd", 60, 0.3)
        for number, (name, image) in enumerate(self.images.items()):
            self.ctr("images", "import", "--snapshotter", "native",
                     archive(self.dir / f"image{number}.tar", name, *image)).ok()
        (self.dir / "kubelet.json").write_text(json.dumps({
            "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "failCgroupV1": False,
            "cgroupDriver": "cgroupfs", "cgroupsPerQOS": False, "enforceNodeAllocatable": [], "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self.dir}/containerd.sock", "resolvConf": "", "healthzPort": 0,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"}, "port": kube.free_port(), "makeIPTablesUtilChains": False,
            "evictionHard": {"memory.available": "1Mi"}, "localStorageCapacityIsolation": False,
            "podLogsDir": str(self.dir / "logs")}))
        self.spawn(self.programs / "kubelet", "--config=kubelet.json", "--kubeconfig=admin.json", "--hostname-override=node1",
                   f"--root-dir={self.dir}/kubelet", f"--cert-dir={self.dir}/certificates", f"--node-ip={address()}")
        self.thread = threading.Thread(target=self.schedule, daemon=True)
        self.thread.start()
        return self

    def schedule(self) -> None:
        while not self.is_stopped:
            try:
                for pod in self.request("GET", kube.PODS)["items"]:
                    if not pod["spec"].get("nodeName"):
                        self.bind(pod["metadata"]["name"])
            except urllib.error.HTTPError as error:  # it is gone, or was bound meanwhile
                assert error.code in (404, 409) or error.code >= 500, error
            except OSError:  # the server is being started again
                pass
            time.sleep(0.2)

    def stop(self) -> None:
        """Pods first, while there is somebody to end them."""
        for job in self.request("GET", kube.JOBS)["items"]:
            self.request("DELETE", f"{kube.JOBS}/{job['metadata']['name']}?propagationPolicy=Background")
        harness.until(lambda: not self.request("GET", kube.PODS)["items"], "an end of all pods", 90, 0.3)
        self.is_stopped = True
        self.thread.join(20)
        super().stop()
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            if line.split()[1].startswith(f"{self.dir}/"):
                subprocess.run(["umount", "--lazy", line.split()[1]], check=False)
