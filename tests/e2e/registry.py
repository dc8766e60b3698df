# SPDX-License-Identifier: MIT
"""Registries of images for tests, on 127.0.0.1: a stand-in that wants tokens and fails on demand, and Debian's real
docker-registry. Both get images that are made here: a manifest, its configuration, no layers."""

import base64
import contextlib
import hashlib
import http.server
import json
import pathlib
import shutil
import socket
import socketserver
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import harness
from ports import free_ports

OCI = "application/vnd.oci.image"
USER, PASSWORD = "berth", "se-cret"
# htpasswd -Bbn -C 4 berth se-cret
HTPASSWD = "berth:$2y$04$DbvGMabzA9DAoaF0LvHUgeWDP9ZPMFlg0OJMDxaUlkcfjiepJFKGK\n"


def digest_of(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def encode(value) -> bytes:
    return json.dumps(value).encode()


def config(arch: str, **run) -> bytes:
    """The configuration of an image that runs this."""
    return encode({"os": "linux", "architecture": arch, "config": run, "rootfs": {"type": "layers", "diff_ids": []}})


def manifest(configuration: bytes) -> bytes:
    return encode({"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "layers": [], "config": {
        "mediaType": f"{OCI}.config.v1+json", "digest": digest_of(configuration), "size": len(configuration)}})


def index(manifests: dict) -> bytes:
    """architecture -> manifest, and an attestation, as buildx adds them."""
    lines = [{"mediaType": f"{OCI}.manifest.v1+json", "digest": digest_of(blob), "size": len(blob),
              "platform": {"os": "linux", "architecture": arch}} for arch, blob in manifests.items()]
    lines.append({**lines[0], "platform": {"os": "unknown", "architecture": "unknown"}})
    return encode({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": lines})


class Stand:
    """A registry that sends who has no token to fetch one. users: name -> password; None lets everybody in."""

    def __init__(self):
        self.users, self.identity, self.is_basic = None, None, False
        self.manifests, self.blobs = {}, {}  # "name/tag" or "name/digest"; digest
        self.redirects = False
        self.faults = []  # (beginning of the path, status | bytes)
        self.seen = []  # (path, authorization)
        stand = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                stand.answer(self, {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                stand.answer(self, dict(urllib.parse.parse_qsl(body)))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        # Blobs lie on another server, as those of large registries do.
        self.elsewhere = f"http://localhost:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def push(self, name: str, tag: str, configurations: dict, as_index=True) -> str:
        """architecture -> configuration; returns the digest that the tag leads to."""
        manifests = {arch: manifest(blob) for arch, blob in configurations.items()}
        top = index(manifests) if as_index else next(iter(manifests.values()))
        self.blobs.update({digest_of(blob): blob for blob in configurations.values()})
        self.manifests.update({f"{name}/{digest_of(blob)}": blob for blob in [*manifests.values(), top]})
        self.manifests[f"{name}/{tag}"] = top
        return digest_of(top)

    def answer(self, handler, form):
        url = urllib.parse.urlsplit(handler.path)
        authorization = handler.headers["Authorization"]
        self.seen.append((url.path, authorization))
        fault = next((fault for fault in self.faults if url.path.startswith(fault[0])), None)
        if fault:
            self.faults.remove(fault)
            status, body = (200, fault[1]) if isinstance(fault[1], bytes) else (fault[1], b"{}")
            return self.send(handler, status, body)
        if url.path == "/token":
            return self.token(handler, form or dict(urllib.parse.parse_qsl(url.query)), authorization)
        if url.path.startswith("/storage/"):
            assert authorization is None
            return self.send(handler, 200, self.blobs[url.path.removeprefix("/storage/")])
        if not self.lets_in(authorization):
            challenge = 'Basic realm="x"' if self.is_basic else (
                f'Bearer realm="http://{self.host}/token",service="stand \\"in\\"",scope="repository:{{}}:pull"'
                .format(url.path.removeprefix("/v2/").rsplit("/", 2)[0]))
            return self.send(handler, 401, b"{}", {"WWW-Authenticate": challenge})
        name, kind, which = url.path.removeprefix("/v2/").rsplit("/", 2)
        if kind == "blobs" and self.redirects:
            return self.send(handler, 307, b"", {"Location": f"{self.elsewhere}/storage/{which}"})
        blob = self.blobs.get(which) if kind == "blobs" else self.manifests.get(f"{name}/{which}")
        self.send(handler, 200 if blob else 404, blob or b"{}")

    def lets_in(self, authorization) -> bool:
        if self.is_basic:
            return authorization == "Basic " + base64.b64encode(b"me:secret").decode()
        return authorization == "Bearer token-of-stand-in"

    def token(self, handler, form, authorization):
        assert form["service"] == 'stand "in"' and form["scope"].startswith("repository:")
        known = self.users is None
        if authorization:
            user, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":", 1)
            known = (self.users or {}).get(user) == password
        if self.identity:
            known = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.identity
        self.send(handler, 200 if known else 401, encode({"token": "token-of-stand-in"} if known else {}))

    def send(self, handler, status, body, headers=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


class Unavailable(Exception):
    pass


class Real:
    """docker-registry of Debian, with its files in a directory. users: lines of htpasswd(1); None lets everybody in."""

    prefix = ()  # words that run it in another network than ours

    def __init__(self, path: pathlib.Path, users=None, host=None):
        if not shutil.which("docker-registry"):
            raise Unavailable("no docker-registry: apt-get install docker-registry")
        self.host = host or f"127.0.0.1:{free_ports(1)[0]}"
        self.guarded = users is not None
        self.settings = path / "config.yml"
        self.settings.write_text(f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{self.host}'}}\n"
                                 f"storage: {{filesystem: {{rootdirectory: '{path}/storage'}}}}\n")
        if self.guarded:
            (path / "users").write_text(users)
            with self.settings.open("a") as more:
                more.write(f"auth: {{htpasswd: {{realm: tests, path: '{path}/users'}}}}\n")

    def __enter__(self):
        self.process = subprocess.Popen([*self.prefix, "docker-registry", "serve", self.settings], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        harness.until(self.answers, "docker-registry")
        return self

    def __exit__(self, *_):
        harness.stop(self.process)

    def answers(self) -> bool:
        assert self.process.poll() is None
        try:
            with urllib.request.urlopen(f"http://{self.host}/v2/") as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            return error.code == 401 and self.guarded
        except OSError:
            return False

    def auths(self, password=PASSWORD) -> str:
        """What a client keeps that has logged in."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return json.dumps({"auths": {self.host: {"auth": auth}}})

    def credentials(self, dir: pathlib.Path, password=PASSWORD) -> dict:
        """Variables of one who has."""
        path = dir / "auth.json"
        path.write_text(self.auths(password))
        path.chmod(0o600)
        return {"REGISTRY_AUTH_FILE": path}

    def push_from(self, docker, name: str) -> None:
        """What a dockerd (docker.Docker) has by this name, and has no more then."""
        client = docker.dir / "client" / "config.json"
        client.parent.mkdir(exist_ok=True)
        client.write_text(self.auths() if self.guarded else "{}")
        docker.call("push", "--quiet", name, timeout=120).ok()
        client.unlink()
        docker.call("rmi", name).ok()

    def put(self, url: str, body: bytes, kind="application/octet-stream"):
        request = urllib.request.Request(url, body, {"Content-Type": kind}, method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 201

    def push(self, name: str, tag: str, configurations: dict) -> str:
        base = f"http://{self.host}/v2/{name}"
        manifests = {}
        for arch, blob in configurations.items():
            with urllib.request.urlopen(urllib.request.Request(f"{base}/blobs/uploads/", b"", method="POST")) as begun:
                where = begun.headers["Location"]
            self.put(f"{where}&digest={digest_of(blob)}", blob)
            manifests[arch] = manifest(blob)
            self.put(f"{base}/manifests/{digest_of(manifests[arch])}", manifests[arch], f"{OCI}.manifest.v1+json")
        top = index(manifests)
        self.put(f"{base}/manifests/{tag}", top, f"{OCI}.index.v1+json")
        return digest_of(top)


class Slow(socketserver.ThreadingTCPServer):
    """Another way to a registry, on this port: of what each connection answers the first million bytes pass, and the rest
    in drops until the event `go` is set."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int, target: str):
        super().__init__(("127.0.0.1", port), None)
        self.target = ("127.0.0.1", int(target.rpartition(":")[2]))
        self.host = f"127.0.0.1:{port}"
        self.go = threading.Event()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.go.set()
        self.shutdown()
        self.server_close()

    def finish_request(self, request, _):
        with contextlib.suppress(OSError), socket.create_connection(self.target) as there:
            threading.Thread(target=self.pass_on, args=(request, there, 1 << 40), daemon=True).start()
            self.pass_on(there, request, 1 << 20)

    def pass_on(self, source, target, at_once: int) -> None:
        with contextlib.suppress(OSError):
            while bytes := source.recv(65536 if at_once > 0 or self.go.is_set() else 4096):
                at_once -= len(bytes)
                if at_once <= 0:
                    self.go.wait(0.05)
                target.sendall(bytes)
            target.shutdown(socket.SHUT_WR)
