# SPDX-License-Identifier: MIT
"""Container engines that the backend `docker` talks to: the suite's dockerd, and a Podman service of its own.

    engine = Podman(dir).start()                an empty directory; Unavailable says why not
    engine.url                                  unix:/...
    engine.image("musl")                        as docker.Docker has them
    engine.call("ps", "--all").ok()             the engine's own client
    engine.remove(name)                         a container, without asking it to end first
    engine.left()                               what is there of ours: containers and volumes
    engine.registries                           ports of 127.0.0.1 for registries without TLS
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess

import docker
import harness
from docker import Unavailable
from ports import free_ports

LABELS = ("berth.uid", "berth.bundle")


class Engine:
    """What both have."""
    at_once = ()  # of `rm --force`: Docker kills, Podman gives a container time

    def remove(self, *names: str) -> None:
        self.call("rm", "--force", *self.at_once, "--volumes", *names)

    @functools.cached_property
    def registries(self) -> list:
        """Ports of 127.0.0.1 where it takes a registry without TLS."""
        return free_ports(3)

    def left(self) -> list:
        """Names of containers and volumes that carry a label of ours."""
        found = []
        for label in LABELS:
            found += self.call("ps", "--all", f"--filter=label={label}", "--format={{.Names}}").ok().stdout.split()
            found += self.call("volume", "ls", f"--filter=label={label}", "--format={{.Name}}").ok().stdout.split()
        return found

    def container(self, job: dict) -> dict:
        """What the engine says of a job's container."""
        return json.loads(self.call("inspect", f"berth-{job['uid']}").ok().stdout)[0]


class Dockerd(Engine):
    name = "docker"

    def __init__(self, daemon: docker.Docker):
        self.daemon = daemon
        self.url = f"unix:{daemon.dir}/socket"
        self.image, self.derive, self.call, self.dir = daemon.image, daemon.derive, daemon.call, daemon.dir


class Podman(docker.Docker, Engine):
    """podman system service, rootful, with a store of its own; the client uses the same store."""

    name = "podman"
    at_once = ("--time=0",)

    def __init__(self, dir: pathlib.Path):
        super().__init__(dir)
        self.url = f"unix:{dir}/socket"

    def argv(self, *argv) -> list:
        return ["podman", *map(str, argv)]

    def env(self) -> dict:
        return {**os.environ, "CONTAINERS_STORAGE_CONF": str(self.dir / "storage.conf"),
                "CONTAINERS_CONF": str(self.dir / "containers.conf"),
                "CONTAINERS_REGISTRIES_CONF": str(self.dir / "registries.conf")}

    @staticmethod
    def runtime() -> str:
        """crun does not take a machine with both versions of control groups; runc does."""
        return "runc" if pathlib.Path("/sys/fs/cgroup/unified").exists() else "crun"

    def start(self) -> "Podman":
        runtime = self.runtime()
        missing = [name for name in ("podman", runtime, "conmon") if not shutil.which(name)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install podman {runtime}")
        if not harness.IS_ROOT:
            raise Unavailable("the Podman service runs as root here, and these tests do not")
        self.configure(runtime)
        self.serve(self.dir / "socket")
        return self

    def configure(self, runtime: str) -> None:
        (self.dir / "registries.conf").write_text("".join(
            f'[[registry]]\nlocation = "127.0.0.1:{port}"\ninsecure = true\n' for port in self.registries))
        (self.dir / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{self.dir}/store"\n'
                                               f'runroot = "{self.dir}/run"\n')
        (self.dir / "containers.conf").write_text(f'[engine]\nruntime = "{runtime}"\ncgroup_manager = "cgroupfs"\n'
                                                  'events_logger = "file"\n[containers]\nlog_driver = "k8s-file"\n'
                                                  'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n')

    def serve(self, socket: pathlib.Path) -> None:
        with open(self.dir / "log", "wb") as log:
            # Where memory ran out, conmon leaves a file `oom` in the directory that it was started in.
            self.process = subprocess.Popen(self.argv("system", "service", "--time=0", f"unix://{socket}"), cwd=self.dir,
                                            env=self.env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            harness.until(socket.exists, "socket of the Podman service")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if not self.process:
            return
        self.call("rm", "--all", "--force", "--time=0", "--volumes", timeout=60)
        harness.kill_session(self.process)
        self.process = None
        # Its store is mounted on itself.
        harness.run(["umount", "--recursive", "--lazy", self.dir / "store"])
        harness.run(["umount", "--recursive", "--lazy", self.dir / "run"])
