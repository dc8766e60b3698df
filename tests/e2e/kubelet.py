# SPDX-License-Identifier: MIT
"""What a kubelet does, for API servers without one: pods become real processes, in namespaces of their own, with volumes of
every kind that berth uses; and the streams into them (pods/exec, pods/portforward) over WebSocket.

    kubelet = Kubelet(stand_in, directory, {"busybox": Image(root)}).start()

A pod's address (203.0.113.0/24, RFC 5737) leads nowhere, as pods of a cluster do from outside. Containers are bwrap's; the
network of a pod is a namespace with nothing but loopback.
"""

import base64
import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import fcntl
import termios
import urllib.error
import urllib.parse

import kube
import kube_standin
import netns

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STREAMS = re.compile(r"/api/v1/namespaces/default/pods/([^/]+)/(exec|portforward)")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Image:
    """A root directory, and what it runs; user is "UID" or None."""

    def __init__(self, root: pathlib.Path, entrypoint=(), env=None):
        self.root, self.entrypoint, self.env = root, list(entrypoint), env or {}


def expand(text: str, env: dict) -> str:
    """What Kubernetes makes of $(NAME) and $$ in words and values."""
    return re.sub(r"\$(?:(\$)|\(([^)]*)\))",
                  lambda m: "$" if m[1] else env.get(m[2], m[0]), text)


class Message:
    def __init__(self, opcode: int, payload: bytes):
        self.opcode, self.payload = opcode, payload


class WebSocket:
    """The server's end of RFC 6455, after it was asked for."""

    def __init__(self, handler, protocols):
        offered = [word.strip() for word in handler.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        self.protocol = next((name for name in offered if name in protocols), None)
        self.lock, self.connection, self.file = threading.Lock(), handler.connection, handler.rfile
        if not self.protocol:
            raise kube_standin.Refused(400, f"unable to upgrade: none of {offered} is known", "BadRequest")
        proof = hashlib.sha1((handler.headers["Sec-WebSocket-Key"] + GUID).encode()).digest()
        self.connection.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 f"Sec-WebSocket-Accept: {base64.b64encode(proof).decode()}\r\n"
                                 f"Sec-WebSocket-Protocol: {self.protocol}\r\n\r\n").encode())

    def read(self) -> Message | None:
        """A whole message; None at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        assert head[0] & 0x80 and head[1] & 0x80, "a client masks, and berth sends whole messages"
        size = head[1] & 0x7f
        if size >= 126:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        mask, payload = self.file.read(4), self.file.read(size)
        key = (mask * (size // 4 + 1))[:size]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
        if head[0] & 0xf == 9:
            self.send(0, payload, opcode=10)
            return self.read()
        return None if head[0] & 0xf == 8 else Message(head[0] & 0xf, payload)

    def send(self, channel: int, payload: bytes, opcode=2) -> None:
        body = bytes([channel]) + payload if opcode == 2 else payload
        size = len(body)
        head = bytes([0x80 | opcode]) + (bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
                                         if size < 65536 else b"\x7f" + struct.pack("!Q", size))
        with self.lock:
            self.connection.sendall(head + body)

    def close(self) -> None:
        try:
            self.send(0, struct.pack("!H", 1000), opcode=8)
            self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def pump(fd: int, socket_: WebSocket, channel: int) -> None:
    """What a program writes goes to a channel, until it writes no more."""
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:  # a terminal whose other end is gone
            return
        if not data:
            return
        try:
            socket_.send(channel, data)
        except OSError:
            return


class Pod:
    """One that was given to us: its directories, its network, and its processes."""

    def __init__(self, kubelet, pod: dict, address: str):
        self.kubelet, self.name, self.spec, self.uid = kubelet, pod["metadata"]["name"], pod["spec"], pod["metadata"]["uid"]
        self.metadata, self.address = pod["metadata"], address
        self.dir = kubelet.dir / self.name
        self.dir.mkdir()
        self.network = netns.Node(self.name)
        self.process, self.pid, self.is_ending, self.couriers, self.env = None, None, False, {}, {}
        containers = self.spec["containers"]
        self.main = next((one for one in containers if one["name"] == "main"), containers[0])
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # Volumes.

    def wait_for(self, kind: str, name: str) -> dict:
        """As a kubelet, which tries again until the volume can be mounted."""
        while not self.is_ending and not self.kubelet.is_stopped:
            try:
                return self.kubelet.cluster.request("GET", f"/api/v1/namespaces/default/{kind}/{name}")
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
            time.sleep(0.05)
        raise InterruptedError

    @staticmethod
    def fill(dir: pathlib.Path, files: dict, mode: int) -> None:
        """Files are links to those of a version, which is a link as well."""
        version = dir / "..2026_11_21"
        version.mkdir(parents=True)
        for name, content in files.items():
            (version / name).write_bytes(content)
            (version / name).chmod(mode)
            (dir / name).symlink_to(f"..data/{name}")
        (dir / "..data").symlink_to(version.name)

    def volume(self, volume: dict) -> pathlib.Path:
        dir = self.dir / f"volume-{volume['name']}"
        if "hostPath" in volume:
            return pathlib.Path(volume["hostPath"]["path"])
        if "image" in volume:
            return self.kubelet.images[volume["image"]["reference"]].root
        dir.mkdir()
        if "emptyDir" in volume:
            dir.chmod(0o777)
            return dir
        files, source = {}, volume.get("secret") or volume.get("projected")
        assert source, f"no such volume here: {volume}"
        if "secret" in volume:
            files = {key: base64.b64decode(value) for key, value in
                     self.wait_for("secrets", source["secretName"])["data"].items()}
        for one in source.get("sources", []):
            found = self.wait_for("configmaps", one["configMap"]["name"])
            files.update({key: base64.b64decode(value) for key, value in found.get("binaryData", {}).items()})
        self.fill(dir, files, source.get("defaultMode", 0o644))
        return dir

    # Containers.

    def argv(self, container: dict, volumes: dict, info: int) -> list:
        image = self.kubelet.images[container["image"]]
        root = self.dir / f"root-{container['name']}"
        shutil.copytree(image.root, root, symlinks=True)
        user = container.get("securityContext", {})
        env = {"PATH": PATH, **image.env}
        for variable in container.get("env", []):
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
            key = re.fullmatch(r"metadata\.(?:annotations|labels)\['(.*)'\]", field)
            value = {**self.metadata.get("labels", {}), **self.metadata.get("annotations", {})}.get(key[1], "") if key \
                else expand(variable.get("value", ""), env)
            env[variable["name"]] = value
        self.env = env
        words = ["bwrap", "--die-with-parent", "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts",
                 "--info-fd", str(info), "--ro-bind" if user.get("readOnlyRootFilesystem") else "--bind", str(root), "/",
                 "--proc", "/proc", "--dev", "/dev", "--clearenv",
                 "--hostname", self.name[:63], "--chdir", container.get("workingDir", "/")]
        if user.get("readOnlyRootFilesystem"):
            words += ["--remount-ro", "/dev"]  # of a container's none takes programs
        if "runAsUser" in user:
            words += ["--unshare-user", "--uid", str(user["runAsUser"]), "--gid", str(user.get("runAsGroup", 0))]
        for mount in container.get("volumeMounts", []):
            words += ["--ro-bind" if mount.get("readOnly") else "--bind", str(volumes[mount["name"]]), mount["mountPath"]]
        for name, value in env.items():
            words += ["--setenv", name, value]
        run = container.get("command") or image.entrypoint
        run = [*run, *container.get("args", [])]
        return [*self.network.prefix, *words, "--", *(expand(word, env) for word in run)]

    def start(self, container: dict, volumes: dict) -> None:
        reader, writer = os.pipe()
        with open(self.dir / f"{container['name']}.log", "ab") as log:
            self.process = subprocess.Popen(self.argv(container, volumes, writer), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as info:
            text = info.read()
        self.pid = json.loads(text)["child-pid"] if text else None

    def say(self, phase: str, state: dict, reason=None) -> None:
        status = {"phase": phase, "podIP": self.address, "podIPs": [{"ip": self.address}], "containerStatuses": [
            {"name": self.main["name"], "image": "i", "imageID": "", "ready": "running" in state, "restartCount": 0, "state": state}]}
        try:
            self.kubelet.cluster.request("PATCH", f"{kube.PODS}/{self.name}/status", {"status": status})
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def end(self, code: int, started: str) -> None:
        ended = {"exitCode": code, "startedAt": started, "finishedAt": kube.now(), "reason": "Error" if code else "Completed"}
        self.say("Failed" if code else "Succeeded", {"terminated": ended})

    def run(self) -> None:
        try:
            self.run_all()
        except InterruptedError:
            pass

    def run_all(self) -> None:
        volumes = {volume["name"]: self.volume(volume) for volume in self.spec.get("volumes", [])}
        started = kube.now()
        for container in self.spec.get("initContainers", []):
            self.start(container, volumes)
            code = self.process.wait()
            if code or self.is_ending:
                return self.end(code & 0xff if code >= 0 else 128 - code, started)
        self.start(self.main, volumes)
        self.say("Running", {"running": {"startedAt": started}})
        code = self.process.wait()
        self.end(code & 0xff if code >= 0 else 128 - code, started)

    def send(self, container: dict) -> None:
        """An ephemeral container, which sees the processes of the other and has files of its own; its last words are told."""
        root, words = self.dir / f"root-{container['name']}", self.dir / f"words-{container['name']}"
        shutil.copytree(self.kubelet.images[container["image"]].root, root, symlinks=True)
        words.touch()
        enter = 'mount -t tmpfs none "$0/dev" && mknod -m 666 "$0/dev/null" c 1 3 && touch "$0/dev/termination-log" && ' \
                'mount --bind "$1" "$0/dev/termination-log" && mount -t proc proc "$0/proc" && shift && exec chroot "$0" "$@"'
        code = subprocess.run(["nsenter", "--target", str(self.pid), "--pid", "--", "unshare", "--mount", "sh", "-c", enter,
                               str(root), str(words), *container["command"]], stdin=subprocess.DEVNULL, check=False).returncode
        self.couriers[container["name"]] = {"name": container["name"], "state": {"terminated": {
            "exitCode": code, "reason": "Error" if code else "Completed", "message": words.read_text()}}}
        self.kubelet.cluster.request("PATCH", f"{kube.PODS}/{self.name}/status", {
            "status": {"ephemeralContainerStatuses": list(self.couriers.values())}})

    def stop(self, grace=20) -> None:
        """SIGTERM to the first process of the container, and SIGKILL."""
        self.is_ending = True
        for number, limit in (signal.SIGTERM, grace), (signal.SIGKILL, 20):
            if self.process and self.process.poll() is None and self.pid:
                try:
                    os.kill(self.pid, number)
                    self.process.wait(limit)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        self.thread.join(20)
        self.network.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    # Streams.

    def enter(self) -> list:
        flags = ["--user", "--preserve-credentials"] if os.readlink(f"/proc/{self.pid}/ns/user") != os.readlink(
            "/proc/self/ns/user") else []
        return ["nsenter", "--target", str(self.pid), *flags, "--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd"]


class Kubelet:
    def __init__(self, cluster, where: pathlib.Path, images: dict):
        self.cluster, self.dir, self.images = cluster, where, images
        self.pods, self.is_stopped, self.count, self.streams, self.open = {}, False, 0, [], set()
        for program in "bwrap", "nsenter", "socat":
            if not shutil.which(program):
                raise kube.Unavailable(f"no {program}")
        try:
            netns.Node("kubelet").stop()
        except netns.Unavailable as reason:
            raise kube.Unavailable(str(reason)) from None

    def start(self) -> "Kubelet":
        self.dir.mkdir()
        self.cluster.kubelet = self
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.is_stopped:
            try:
                self.look()
            except urllib.error.HTTPError as error:  # a pod that is gone meanwhile, or a fault that was meant for others
                assert error.code >= 400
            time.sleep(0.05)

    def look(self) -> None:
        listed = {pod["metadata"]["name"]: pod for pod in self.cluster.request("GET", kube.PODS)["items"]}
        for name, pod in listed.items():
            if name not in self.pods and pod["status"].get("phase", "Pending") == "Pending":
                if not pod["spec"].get("nodeName"):
                    self.cluster.bind(name)
                self.count += 1
                self.pods[name] = Pod(self, pod, f"203.0.113.{self.count % 254 + 1}")
        for name, pod in listed.items():
            for container in pod["spec"].get("ephemeralContainers", []) if name in self.pods else []:
                if container["name"] not in self.pods[name].couriers:
                    self.pods[name].send(container)
        for name in set(self.pods) - set(listed):
            threading.Thread(target=self.pods.pop(name).stop, daemon=True).start()

    def drop_streams(self) -> None:
        """Ends all that go on, as a server does after some hours."""
        for stream in list(self.open):
            stream.close()

    def stop(self) -> None:
        self.is_stopped = True
        self.thread.join(20)
        for pod in self.pods.values():
            pod.stop(grace=1)

    def log(self, name: str) -> str | None:
        path = self.dir / name / f"{self.pods[name].main['name']}.log" if name in self.pods else self.dir / name / "main.log"
        return path.read_text(errors="replace") if path.exists() else None

    def stream(self, handler, name: str, what: str, query: dict) -> None:
        pod = self.pods.get(name)
        if not pod or not pod.pid:
            raise kube_standin.Refused(404, f'pods "{name}" not found', "NotFound")
        self.streams.append((what, name, query))
        is_exec = what == "exec"
        stream = WebSocket(handler, ["v5.channel.k8s.io", "v4.channel.k8s.io"][0 if is_exec else 1:])
        self.open.add(stream)
        try:
            if is_exec:
                self.exec(stream, pod, query)
            else:
                self.forward(stream, pod, int(query["ports"][0]))
        finally:
            self.open.discard(stream)

    def forward(self, stream: WebSocket, pod: Pod, port: int) -> None:
        for channel in 0, 1:
            stream.send(channel, struct.pack("<H", port))
        child = subprocess.Popen([*pod.network.prefix, "socat", "-", f"TCP:127.0.0.1:{port}"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        out = threading.Thread(target=self.forward_out, args=(child, stream, port), daemon=True)
        out.start()
        while (message := stream.read()) is not None:
            if message.opcode == 2 and message.payload[0] == 0:
                try:
                    child.stdin.write(message.payload[1:])
                except OSError:
                    break
        child.terminate()
        out.join(20)
        child.wait()

    @staticmethod
    def forward_out(child, stream: WebSocket, port: int) -> None:
        pump(child.stdout.fileno(), stream, 0)
        complaint = child.stderr.read()
        if child.wait() > 0 and complaint:
            stream.send(1, f"error forwarding port {port} to pod: exit status 1: ".encode() + complaint)
        stream.close()

    def exec(self, stream: WebSocket, pod: Pod, query: dict) -> None:
        tty = query.get("tty") == ["true"]
        command, env = [*pod.enter(), *query["command"]], {**pod.env, "TERM": "xterm"}
        master = None
        if tty:
            master, slave = pty.openpty()
            child = subprocess.Popen(command, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                     preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            os.close(slave)
            pumps = [(master, 1)]
        else:
            child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                                     stdin=subprocess.PIPE if "stdin" in query else subprocess.DEVNULL)
            pumps = [(child.stdout.fileno(), 1), (child.stderr.fileno(), 2)]
        threads = [threading.Thread(target=pump, args=(fd, stream, channel), daemon=True) for fd, channel in pumps]
        for thread in threads:
            thread.start()
        threading.Thread(target=self.exec_end, args=(child, stream, threads), daemon=True).start()
        while (message := stream.read()) is not None:
            self.exec_message(message.payload, child, master)
        child.kill()
        child.wait()
        if master is not None:
            os.close(master)

    @staticmethod
    def exec_message(payload: bytes, child, master) -> None:
        channel, data = payload[0], payload[1:]
        try:
            if channel == 0 and master is not None:
                os.write(master, data)
            elif channel == 0 and child.stdin:
                child.stdin.write(data)
            elif channel == 255 and data == b"\0" and child.stdin:
                child.stdin.close()
            elif channel == 4 and master is not None:
                size = json.loads(data)
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size["Height"], size["Width"], 0, 0))
                os.kill(child.pid, signal.SIGWINCH)
        except (OSError, ValueError):
            pass

    @staticmethod
    def exec_end(child, stream: WebSocket, threads: list) -> None:
        for thread in threads:
            thread.join()
        code = child.wait()
        code = 128 - code if code < 0 else code
        status = {"status": "Success", "metadata": {}} if code == 0 else {
            "status": "Failure", "reason": "NonZeroExitCode", "metadata": {},
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}
        try:
            stream.send(3, json.dumps(status).encode())
        except OSError:
            return
        stream.close()


class Handler(kube_standin.Handler):
    def handle_any(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        found = STREAMS.fullmatch(parts.path)
        owner = self.server.owner
        if not self.headers.get("User-Agent", "").startswith("Python"):
            owner.asked.append(f"{self.command} {parts.path}")
            if owner.before and not owner.before(self.command, parts.path):
                self.close_connection = True
                return
        if self.headers.get("Upgrade", "").lower() != "websocket" or not found:
            return super().handle_any()
        self.close_connection = True
        with owner.lock:
            owner.seen.append((self.command, self.path, self.headers.get("Authorization")))
        try:
            if self.headers.get("Authorization") != f"Bearer {owner.token}":
                raise kube_standin.Refused(401, "Unauthorized", "Unauthorized")
            owner.kubelet.stream(self, found[1], found[2], urllib.parse.parse_qs(parts.query, keep_blank_values=True))
        except kube_standin.Refused as refused:
            self.answer(refused.code, refused.body)
        except OSError:
            pass

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any


class StandIn(kube_standin.StandIn):
    """The stand-in whose pods run. What berth, and no test, has asked is in `asked`; before(method, path) is called before
    such a request is acted upon, and when it returns False, there is no answer."""

    def __init__(self):
        super().__init__()
        self.kubelet = self.before = None
        self.asked = []

    def start(self) -> "StandIn":
        super().start()
        self.server.RequestHandlerClass = Handler
        return self

    def log_of(self, name: str, query: dict) -> str:
        text = self.kubelet.log(name)
        if text is not None:
            self.logs[name] = text
        return super().log_of(name, query)
