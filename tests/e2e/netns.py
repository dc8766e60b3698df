# SPDX-License-Identifier: MIT
"""Networks of our own: namespaces, and links between them that lose, delay, reorder and go dark.

    with Network(build_dir, short_dir) as network:
        job, laptop = network.node("job"), network.node("laptop")
        link = network.link(laptop, job, "10.7.0.1/30", "10.7.0.2/30")
        link.shape(delay_ms=25, rate_mbit=100, queue=300_000, loss=0.01)
        harness.run([*laptop.prefix, "ping", "-c", "1", job.address])
        link.cut()

A node is a network namespace that a process of ours holds; node.prefix is the words that run a program in it, with
the same files and the same user, but another network. A link is a process of tests/tools/shaper.c with one interface
in each of two nodes; its two directions are shaped apart or together, at any time. A wire (a pair of veth) joins two
nodes as well, costs nothing, and only passes packets on. Any number of nodes, links and wires makes a network: routes,
addresses and packet filters are ip(8) and nft(8) through node.ip(), node.script() and node.run(). lab.py makes an
Internet of them.

Nothing outlives its test: namespaces are held and links are made by processes that end when their standard input
does, by the death of the test at the latest. Unavailable says why this machine has none of it.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import subprocess

import harness

CLONE_NEWNET = 0x40000000
HOLD = "ip link set lo up && echo ready && exec cat >/dev/null"


class Unavailable(Exception):
    """Why there are no networks of our own on this machine."""


class Node:
    """A network namespace. The first address that a link gave it is `address`."""

    def __init__(self, name: str):
        self.name, self.address, self.interfaces = name, None, 0
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", HOLD], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise Unavailable(f"no network namespace: {self.process.stderr.read().decode().strip()}")
        self.path = f"/proc/{self.process.pid}/ns/net"
        self.prefix = ["nsenter", f"--net={self.path}"]

    def run(self, *argv, **more) -> harness.Result:
        return harness.run([*self.prefix, *argv], **more)

    def ip(self, *words) -> None:
        """ip(8) in this node; it must succeed."""
        self.run("ip", *words).ok()

    def script(self, text: str) -> None:
        """Lines of shell in this node, of which each must succeed: one process instead of one a line."""
        self.run("sh", "-ec", text).ok()

    def set(self, name: str, value) -> None:
        """A variable below /proc/sys/net of this node: set("ipv4/ip_forward", 1)."""
        self.run("sh", "-c", f"exec /bin/echo '{value}' >/proc/sys/net/{name}").ok()

    def set_congestion(self, name: str) -> None:
        """What TCP of this node uses. Namespaces may only take what the machine allows everybody: allowed meanwhile."""
        allowed = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
        before = allowed.read_text()
        if name in before.split():
            self.set("ipv4/tcp_congestion_control", name)
            return
        allowed.write_text(f"{before.strip()} {name}\n")
        try:
            self.set("ipv4/tcp_congestion_control", name)
        finally:
            allowed.write_text(before)

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the node meanwhile: a socket that it makes stays there."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(self.path, "rb") as here:
            enter_namespace(here)
            try:
                yield
            finally:
                enter_namespace(before)

    def stop(self) -> None:
        close(self.process)


def enter_namespace(file) -> None:
    """setns(2), for the calling thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file.fileno(), CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def close(process: subprocess.Popen) -> None:
    """Ends a process by the end of its input."""
    process.stdin.close()
    try:
        process.wait(10 * harness.PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    if process.stderr:
        process.stderr.close()


class Link:
    """Between nodes a and b. Every method takes direction="ab" or "ba" to mean only one of the two."""

    def __init__(self, program: pathlib.Path, a: Node, b: Node, seed: int):
        self.a, self.b = a, b
        self.names = tuple(f"tun{node.interfaces}" for node in (a, b))
        self.process = subprocess.Popen([program, *[f"{node.path}:{name}" for node, name in zip((a, b), self.names)],
                                         str(seed)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise Unavailable(f"no link: {self.process.stderr.read().decode().strip()}")
        a.interfaces += 1
        b.interfaces += 1

    def _say(self, line: str) -> str:
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        assert answer and not answer.startswith("error"), f"shaper: '{line}': {answer}"
        return answer

    def shape(self, direction="both", *, delay_ms=None, rate_mbit=None, reorder_delay_ms=None, **more) -> "Link":
        """Changes what is named, keeps the rest.

        delay_ms is one way; queue and largest are bytes (largest: bigger packets vanish, as in a path MTU black
        hole); loss, duplicate, corrupt, reorder, burst_begin and burst_end are probabilities from 0 to 1.
        """
        if delay_ms is not None:
            more["delay"] = round(delay_ms * 1e6)
        if reorder_delay_ms is not None:
            more["reorder_delay"] = round(reorder_delay_ms * 1e6)
        if rate_mbit is not None:
            more["rate"] = round(rate_mbit * 1e6)
        self._say(" ".join([direction, *[f"{key.replace('_', '-')}={value}" for key, value in more.items()]]))
        return self

    def cut(self, direction="both") -> None:
        """A black hole: no packet passes and nobody is told."""
        self._say(f"{direction} cut=1")

    def mend(self, direction="both") -> None:
        self._say(f"{direction} cut=0")

    def stats(self) -> dict:
        """{"ab": {"sent": packets, "delivered": ..., "lost": ..., "bytes": ...}, "ba": {...}}"""
        return json.loads(self._say("stats"))

    def stop(self) -> None:
        close(self.process)


class Network:
    """Nodes and links, which end with it."""

    def __init__(self, build: pathlib.Path):
        self.program = build / "tests" / "tools" / "shaper"
        self.parts = []
        missing = [program for program in ("unshare", "nsenter", "ip") if not shutil.which(program)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install util-linux iproute2")
        if not os.path.exists("/dev/net/tun"):
            raise Unavailable("no /dev/net/tun on this machine")

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_) -> None:
        for part in self.parts:  # all at once: each takes the kernel a while
            part.process.stdin.close()
        while self.parts:
            self.parts.pop().stop()

    def node(self, name: str) -> Node:
        node = Node(name)
        self.parts.append(node)
        return node

    def link(self, a: Node, b: Node, a_address: str, b_address: str, *, mtu=1500, seed=1) -> Link:
        """A link between two nodes with an address and a prefix length at each end; packets pass freely at first."""
        link = Link(self.program, a, b, seed)
        self.parts.append(link)
        for node, name, address in zip((a, b), link.names, (a_address, b_address)):
            node.ip("link", "set", name, "mtu", mtu, "txqueuelen", 10000, "up")
            node.ip("address", "add", address, "dev", name)
            node.address = node.address or address.partition("/")[0]
        return link

    def wire(self, a: Node, b: Node) -> tuple:
        """A pair of veth between two nodes, up and without addresses; returns the names of its two ends."""
        names = tuple(f"eth{node.interfaces}" for node in (a, b))
        harness.run(["ip", "link", "add", names[0], "netns", a.process.pid, "type", "veth",
                     "peer", "name", names[1], "netns", b.process.pid]).ok()
        for node, name in zip((a, b), names):
            node.interfaces += 1
            node.ip("link", "set", name, "up")
        return names
