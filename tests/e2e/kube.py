# SPDX-License-Identifier: MIT
"""API servers of Kubernetes for the tests: the real one with etcd and the controllers, where its programs are
(BERTH_KUBERNETES names their directory; ci/kubernetes sets it), and a stand-in that knows Jobs and pods, and does what the
real one cannot be made to do. Neither has nodes: tests say what a kubelet would (Cluster.say)."""

import copy
import datetime
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.parse
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
        (self.dir / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        for name, subject in (("server", "/CN=127.0.0.1"), ("admin", "/O=system:masters/CN=admin")):
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                         "-subj", subject)
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                         "-out", f"{name}.crt", "-days", "2", "-extfile", "names")
        self.openssl("genrsa", "-out", "sa.key", "2048")
        (self.dir / "tokens.csv").write_text(f'{TOKEN},tests,1,"system:masters"\n')

    def spawn(self, program, *argv) -> None:
        log = open(self.dir / f"{pathlib.Path(program).name}.log", "wb")
        self.running.append(subprocess.Popen([program, *argv], cwd=self.dir, stdout=log, stderr=log))

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


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body) -> None:
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urllib.parse.urlsplit(self.path)
        server = self.server.owner
        with server.lock:
            server.seen.append((self.command, self.path, self.headers.get("Authorization")))
            if server.faults:
                self.answer(*server.faults.pop(0))
            elif self.headers.get("Authorization") != f"Bearer {server.token}":
                self.answer(401, {"kind": "Status", "message": "Unauthorized", "code": 401})
            else:
                self.answer(*server.act(self.command, parts.path, dict(urllib.parse.parse_qsl(parts.query)), body))

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_):
        pass


class StandIn(Cluster):
    """Jobs and pods in memory, over plain HTTP: enough of the API server's answers for what berth asks."""

    def __init__(self):
        self.lock, self.jobs, self.pods, self.logs = threading.Lock(), {}, {}, {}
        self.faults, self.seen, self.token = [], [], TOKEN

    def start(self) -> "StandIn":
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        (path.parent / "kube-token").write_text(TOKEN + "\n")
        return write_kubeconfig(path, self.url, None, {"tokenFile": "kube-token"})

    @staticmethod
    def missing(kind, name):
        return 404, {"kind": "Status", "message": f'{kind} "{name}" not found', "reason": "NotFound", "code": 404}

    def make_job(self, job):
        name = job["metadata"]["name"]
        if name in self.jobs:
            return 409, {"kind": "Status", "message": f'jobs.batch "{name}" already exists', "code": 409}
        job["metadata"]["creationTimestamp"] = now()
        self.jobs[name] = {**job, "status": {}}
        pod = copy.deepcopy(job["spec"]["template"])
        pod["metadata"].update(name=f"{name}-x1", creationTimestamp=now())
        self.pods[f"{name}-x1"] = {**pod, "status": {"phase": "Pending"}}
        return 201, self.jobs[name]

    def say_of_pod(self, name, status):
        self.pods[name]["status"].update(status)
        ended = {"Succeeded": "Complete", "Failed": "Failed"}.get(self.pods[name]["status"]["phase"])
        if ended:
            reason = {} if ended == "Complete" else {"reason": "BackoffLimitExceeded",
                                                     "message": "Job has reached the specified backoff limit"}
            self.jobs[name[:-3]]["status"] = {"completionTime": now(), "conditions": [
                {"type": ended, "status": "True", "lastTransitionTime": now(), **reason}]}
        return 200, self.pods[name]

    def remove(self, objects, name, query):
        names = [name] if name else [key for key, value in objects.items() if self.selected(value, query)]
        for key in names:
            objects.pop(key, None)
            if objects is self.jobs:
                self.pods.pop(f"{key}-x1", None)
        return 200, {"kind": "Status", "status": "Success"}

    @staticmethod
    def selected(item, query):
        key, _, value = query.get("labelSelector", "").partition("=")
        labels = item["metadata"].get("labels", {})
        return not key or (key in labels and (not value or labels[key] == value))

    def log_of(self, name):
        if name in self.logs:
            return 200, self.logs[name]
        return 400, {"kind": "Status", "message": f'container "main" in pod "{name}" is waiting to start', "code": 400}

    def act(self, method, path, query, body):
        found = re.fullmatch(r"/(?:api/v1|apis/batch/v1)/namespaces/default/(jobs|pods)(?:/([^/]+))?(?:/([a-z]+))?", path)
        if not found:
            return self.missing("path", path)
        kind, name, part = found.groups()
        objects = self.jobs if kind == "jobs" else self.pods
        if method == "POST" and kind == "jobs":
            return self.make_job(body)
        if name and name not in objects:
            return self.missing(kind, name)
        if method == "DELETE":
            return self.remove(objects, name, query)
        if part == "binding":
            objects[name]["spec"]["nodeName"] = body["target"]["name"]
            return 201, {"kind": "Status", "status": "Success"}
        if part == "status":
            return self.say_of_pod(name, body["status"])
        if part == "log":
            return self.log_of(name)
        if name:
            return 200, objects[name]
        return 200, {"metadata": {}, "items": [item for item in objects.values() if self.selected(item, query)]}


def real(where: pathlib.Path) -> Real | None:
    """The real one, where its programs are."""
    programs = os.environ.get("BERTH_KUBERNETES")
    return Real(where, pathlib.Path(programs)) if programs else None
