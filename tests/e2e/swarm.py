# SPDX-License-Identifier: MIT
"""Docker Swarms: dockerds of our own, each with a network namespace and a host name of its own.

    swarm = Swarm(dir).start()              one node, "first", that manages
    swarm.join()                            another one, "second", on a wire to the first; once
    swarm.url                               the manager's socket
    swarm.manager.image("busybox")          as docker.Docker has them
    swarm.inspect("service", name)          what `docker inspect` says
    swarm.left()                            what is there of ours: services, secrets, configs, containers, volumes
    swarm.unnamed_volumes()
    swarm.run("ssh", "job-1", env=...)      a program in the network of the first node
"""

import json
import pathlib

import docker
import harness
import netns
import registry
from docker import Unavailable

LABELS = ("berth.uid", "berth.bundle")
NAMES = ("first", "second")
NET = "10.88.0"


class Node(docker.Docker):
    """A dockerd with Docker's own network, in a namespace; registries on the wire need no TLS."""
    network = (f"--insecure-registry={NET}.0/24",)

    def __init__(self, dir: pathlib.Path, name: str, address: str):
        super().__init__(dir)
        self.name, self.address = name, address
        self.net = netns.Node(name)
        self.prefix = [*self.net.prefix, "unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh"]

    def stop(self) -> None:
        super().stop()
        self.net.stop()


class Registry(registry.Real):
    """On the wire, in the network of a node."""

    def __init__(self, node: Node, path: pathlib.Path, users: str):
        super().__init__(path, users, host=f"{node.address}:5000")
        self.prefix = node.net.prefix

    def answers(self) -> bool:
        assert self.process.poll() is None
        connect = f"exec 3<>/dev/tcp/{self.host.replace(':', '/')}"
        return harness.run([*self.prefix, "bash", "-c", connect]).status == 0


class Swarm:
    def __init__(self, dir: pathlib.Path):
        self.dir = dir
        self.nodes = []

    @property
    def manager(self) -> Node:
        return self.nodes[0]

    @property
    def url(self) -> str:
        return f"unix:{self.manager.dir}/socket"

    def call(self, *argv, **more) -> harness.Result:
        return self.manager.call(*argv, **more)

    def run(self, *argv, **more) -> harness.Result:
        return self.manager.net.run(*argv, **more)

    def _add(self) -> Node:
        number = len(self.nodes)
        path = self.dir / NAMES[number]
        path.mkdir(mode=0o755)
        node = Node(path, NAMES[number], f"{NET}.{number + 1}")
        self.nodes.append(node)
        return node

    def start(self) -> "Swarm":
        node = self._add()
        # The other end is where the second node will be.
        node.net.script(f"ip link add wire0 type veth peer name wire1\nip addr add {node.address}/24 dev wire0\n"
                        "ip link set wire0 up\nip link set wire1 up")
        try:
            node.start()
            node.call("swarm", "init", "--advertise-addr", node.address, "--listen-addr", f"{node.address}:2377",
                      timeout=60).ok()
        except BaseException:
            self.stop()
            raise
        return self

    def join(self) -> Node:
        if len(self.nodes) > 1:
            return self.nodes[1]
        node = self._add()
        self.manager.net.ip("link", "set", "wire1", "netns", node.net.process.pid)
        node.net.script(f"ip addr add {node.address}/24 dev wire1\nip link set wire1 up")
        node.start()
        token = self.call("swarm", "join-token", "--quiet", "worker").ok().stdout.strip()
        node.call("swarm", "join", "--token", token, "--advertise-addr", node.address, "--listen-addr",
                  f"{node.address}:2377", f"{self.manager.address}:2377", timeout=60).ok()
        return node

    def stop(self) -> None:
        for node in reversed(self.nodes):
            if node.process and node.process.poll() is None:
                node.call("swarm", "leave", "--force", timeout=60)
            node.stop()

    def inspect(self, kind: str, name: str) -> dict:
        return json.loads(self.call(kind, "inspect", name).ok().stdout)[0]

    def left(self) -> list:
        """Names of what carries a label of ours."""
        found = []
        for label in LABELS:
            chosen = f"--filter=label={label}"
            for kind in "service", "secret", "config":
                found += self.call(kind, "ls", chosen, "--format={{.Name}}").ok().stdout.split()
            for node in self.nodes:
                found += node.call("ps", "--all", chosen, "--format={{.Names}}").ok().stdout.split()
                found += node.call("volume", "ls", chosen, "--format={{.Name}}").ok().stdout.split()
        return found

    def unnamed_volumes(self) -> list:
        """Which have no label: tasks have memory by them."""
        found = []
        for node in self.nodes:
            found += [name for name in node.call("volume", "ls", "--quiet").ok().stdout.split() if len(name) == 64]
        return found


__all__ = ["Swarm", "Unavailable"]
