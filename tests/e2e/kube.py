# SPDX-License-Identifier: MIT
"""API servers of Kubernetes for the tests: the real one with etcd and the controllers, where its programs are
(BERTH_KUBERNETES names their directory; ci/kubernetes sets it), and what it has in common with the stand-in
(kube_standin.py). Neither has nodes: tests say what a kubelet would (Cluster.say)."""

import datetime
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import harness

TOKEN = "the-token-of-the-tests"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
PODS = "/api/v1/namespaces/default/pods"


class Unavailable(Exception):
    pass


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    """What tests ask of either: requests as an administrator, and what happens to pods."""

    url = ""
    tls = None

    def request(self, method: str, path: str, body=None):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        asked = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body else None,
                                       headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": kind})
        with urllib.request.urlopen(asked, context=self.tls, timeout=20) as answer:
            return json.load(answer)

    def items(self, path: str, uid: str) -> list:
        return self.request("GET", f"{path}?labelSelector=berth.uid%3D{uid}")["items"]

    def pod(self, uid: str) -> str:
        pods = harness.until(lambda: self.items(PODS, uid), f"a pod of {uid}", 30)
        return pods[0]["metadata"]["name"]

    def bind(self, pod: str, node: str = "node1") -> None:
        self.request("POST", f"{PODS}/{pod}/binding", {
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}})

    def say(self, pod: str, phase: str, state: dict | None = None, **more) -> None:
        """What a kubelet or a scheduler would say of a pod and its container."""
        status = {"phase": phase, **more}
        if state:
            status["containerStatuses"] = [{"name": "main", "image": "i", "imageID": "", "ready": False,
                                            "restartCount": 0, "state": state}]
        self.request("PATCH", f"{PODS}/{pod}/status", {"status": status})

    def end(self, pod: str, code: int, **more) -> None:
        ended = {"exitCode": code, "startedAt": now(), "finishedAt": now(), **more}
        self.say(pod, "Failed" if code else "Succeeded", {"terminated": ended})


def write_kubeconfig(path: pathlib.Path, url: str, authority: pathlib.Path | None, user: dict) -> pathlib.Path:
    cluster = {"server": url, **({"certificate-authority": str(authority)} if authority else {})}
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "tests",
        "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "tests", "context": {"cluster": "c", "user": "u"}}]}))
    return path


class Real(Cluster):
    """etcd, kube-apiserver and kube-controller-manager on loopback, in a directory of their own."""

    def __init__(self, where: pathlib.Path, programs: pathlib.Path):
        self.dir, self.programs, self.running = where, programs, []
        self.etcd = shutil.which("etcd")
        if not self.etcd:
            raise Unavailable("no etcd (package etcd-server)")

    def openssl(self, *argv) -> None:
        subprocess.run(["openssl", *argv], cwd=self.dir, check=True, capture_output=True)

    def make_keys(self) -> None:
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt",
                     "-subj", "/CN=tests", "-days", "2")
        (self.dir / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:api.tests\n")
        for name, subject in (("server", "/CN=127.0.0.1"), ("admin", "/O=system:masters/CN=admin")):
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                         "-subj", subject)
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                         "-out", f"{name}.crt", "-days", "2", "-extfile", "names")
        self.openssl("genrsa", "-out", "sa.key", "2048")
        (self.dir / "tokens.csv").write_text(f'{TOKEN},tests,1,"system:masters"\n')

    def spawn(self, program, *argv) -> None:
        log = open(self.dir / f"{pathlib.Path(program).name}.log", "ab")
        self.running.append(subprocess.Popen([program, *argv], cwd=self.dir, stdout=log, stderr=log))

    def restart_server(self) -> None:
        """The API server dies, with every stream through it, and another one is started in its place."""
        at = next(i for i, child in enumerate(self.running) if pathlib.Path(child.args[0]).name == "kube-apiserver")
        self.running[at].kill()
        self.running[at].wait(30)
        program, *argv = self.running[at].args
        with open(self.dir / "kube-apiserver.log", "ab") as log:
            self.running[at] = subprocess.Popen([program, *argv], cwd=self.dir, stdout=log, stderr=log)
        harness.until(self.answers, "kube-apiserver again", 120)

    def answers(self):
        if any(child.poll() is not None for child in self.running):
            raise Unavailable(f"a program of Kubernetes ended: see {self.dir}/*.log")
        try:
            return self.request("GET", "/api/v1/namespaces/default")
        except (urllib.error.URLError, OSError):
            return None

    def start(self) -> "Real":
        self.dir.mkdir(parents=True, exist_ok=True)
        self.make_keys()
        store, peer, port = (free_port() for _ in range(3))
        self.url = f"https://127.0.0.1:{port}"
        self.tls = ssl.create_default_context(cafile=str(self.dir / "ca.crt"))
        self.spawn(self.etcd, "--data-dir", "etcd", "--listen-client-urls", f"http://127.0.0.1:{store}",
                   "--advertise-client-urls", f"http://127.0.0.1:{store}", "--listen-peer-urls",
                   f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                   "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        self.spawn(self.programs / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}",
                   "--bind-address=127.0.0.1", f"--secure-port={port}", "--tls-cert-file=server.crt",
                   "--tls-private-key-file=server.key", "--client-ca-file=ca.crt", "--token-auth-file=tokens.csv",
                   "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
                   "--service-account-issuer=https://127.0.0.1", "--service-account-key-file=sa.key",
                   "--service-account-signing-key-file=sa.key", "--service-cluster-ip-range=10.0.0.0/24")
        harness.until(self.answers, "kube-apiserver", 120)
        admin = write_kubeconfig(self.dir / "admin.json", self.url, self.dir / "ca.crt", {"token": TOKEN})
        self.spawn(self.programs / "kube-controller-manager", f"--kubeconfig={admin}", "--leader-elect=false",
                   "--bind-address=127.0.0.1", f"--secure-port={free_port()}",
                   "--controllers=job-controller,garbage-collector-controller")
        return self

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        return write_kubeconfig(path, self.url, self.dir / "ca.crt", {
            "client-certificate": str(self.dir / "admin.crt"), "client-key": str(self.dir / "admin.key")})

    def stop(self) -> None:
        for child in reversed(self.running):
            child.terminate()
            child.wait(30)


def real(where: pathlib.Path) -> Real | None:
    """The real one, where its programs are."""
    programs = os.environ.get("BERTH_KUBERNETES")
    return Real(where, pathlib.Path(programs)) if programs else None
