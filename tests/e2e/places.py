# SPDX-License-Identifier: MIT
"""Where a job can run, as a table: images, users, roots and devices, in a real Docker, in bubblewrap, and bare.

    with Places(["scratch", "bare"], dir, build_dir, docker, berth) as places:
        places["scratch"].ssh("exit 7", check=False).status     7
        places["scratch"].program                               an ssh that finds the job, for scp -S and the like

A job's working directory is `work` here, whatever it is called in there, so that relative names are the same files on
both sides. To add a place: a line in KINDS, and what its image has in it in IMAGES.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import shlex
import shutil
import subprocess

import harness
import sandbox
from docker import Docker, Unavailable
from terminal import Terminal
from tunnelrun import Tunnel

UID = 12345
EVERYTHING = {"sh", "git", "python", "rsync", "scp", "tmux"}
IMAGES = {"tools": EVERYTHING, "machine": EVERYTHING, "musl": {"sh"}, "busybox": {"sh"}, "scratch": set(),
          "empty": set()}
HARDENED = ("--cap-drop=ALL", "--security-opt=no-new-privileges")


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    image: str
    by: str = "docker"
    uid: int = 0  # one without an entry in passwd, unless 0
    read_only: bool = False  # but for the job's directories
    pts: bool = True  # has /dev/pts
    alone: bool = False  # in a network of its own, without capabilities

    @property
    def has(self) -> set:
        """The programs of the image that clients need."""
        return IMAGES[self.image]

    def __str__(self):
        return self.name


KINDS = [
    Kind("bare", "machine", "berth"),
    Kind("glibc", "tools"),
    Kind("glibc-uid", "tools", uid=UID),
    Kind("glibc-uid-ro", "tools", uid=UID, read_only=True),
    Kind("glibc-no-pts", "tools", pts=False),
    Kind("musl", "musl"),
    Kind("musl-uid-ro", "musl", uid=UID, read_only=True),
    Kind("busybox", "busybox"),
    Kind("busybox-uid-no-pts", "busybox", uid=UID, pts=False),
    Kind("scratch", "scratch"),
    Kind("scratch-uid-ro", "scratch", uid=UID, read_only=True),
    Kind("scratch-alone", "scratch", uid=UID, read_only=True, alone=True),
    Kind("empty", "empty", "bwrap"),
    Kind("empty-uid-ro", "empty", "bwrap", uid=UID, read_only=True, pts=False),
]


class Failed(AssertionError):
    """A program that ended with another status than 0."""

    def __init__(self, result: harness.Result):
        super().__init__(str(result))
        self.result = result


class Place:
    """A running job of a kind, and the way in."""

    def __init__(self, kind: Kind, dir: pathlib.Path, env: dict):
        self.kind, self.dir, self.env = kind, dir, env
        self.host = "job-7"
        self.work = dir / "work"
        self.program = dir / "ssh"
        self.work.mkdir(parents=True)
        dir.chmod(0o755)
        self.give(self.work)

    def give(self, path: pathlib.Path) -> None:
        """Makes a file or a tree here the job's own."""
        for each in path, *path.rglob("*"):
            os.chown(each, self.kind.uid, self.kind.uid, follow_symlinks=False)

    def entered_by(self, *argv) -> None:
        self.program.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, argv))} \"$@\"\n")
        self.program.chmod(0o755)

    def run(self, *argv, check=True, **more) -> harness.Result:
        """A program here; Failed if it does."""
        result = harness.run(argv, env={**self.env, **more.pop("env", {})}, **more)
        if check and result.status != 0:
            raise Failed(result)
        return result

    def ssh(self, command: str, *options, **more) -> harness.Result:
        return self.run(self.program, *options, self.host, command, **more)

    @contextlib.contextmanager
    def terminal(self, *argv, rows=24, columns=80):
        """ssh -tt on a terminal. When ssh ends before what was expected of it, that is Failed with all it printed."""
        argv = [self.program, "-tt", self.host, *argv]
        with Terminal(argv, {**self.env, "TERM": "xterm-256color"}, rows, columns) as screen:
            try:
                yield screen
            except AssertionError:
                status = None
                with contextlib.suppress(AssertionError):
                    status = screen.end(1)
                if not status:
                    raise
                raise Failed(harness.Result(argv, status, screen.screen, b"")) from None


@contextlib.contextmanager
def in_docker(place: Place, docker: Docker, tunnel: Tunnel):
    kind = place.kind
    user = f"{kind.uid}:{kind.uid}" if kind.uid else None
    command = ["/berth/bin/sleep", "1000"]
    with docker.serve(tunnel, kind.image, *command, user=user, read_only=kind.read_only, pts=kind.pts,
                      network="none" if kind.alone else "host", mounts=[f"{place.work}:/work"],
                      env={"MINE": "kept"}, more=["--workdir=/work", *(HARDENED if kind.alone else ())]) as container:
        enter = ["nsenter", f"--net=/proc/{container.pid}/ns/net"] if kind.alone else []
        place.entered_by(*enter, "ssh", "-F", tunnel.dir / "config")
        yield


@contextlib.contextmanager
def in_bubblewrap(place: Place, bundle: pathlib.Path, tunnel: Tunnel):
    kind = sandbox.Kind(place.kind.name, uid=place.kind.uid, read_only=place.kind.read_only, pts=place.kind.pts)
    more = ["--bind", place.work, "/work", "--chdir", "/work"]
    with sandbox.running(kind, tunnel, bundle, place.dir, more):
        place.entered_by("ssh", "-F", tunnel.dir / "config")
        yield


@contextlib.contextmanager
def bare(place: Place, berth):
    place.host = berth.start("-e", "MINE=kept", "--", "sleep", "1000", cwd=place.work)
    place.env = {**place.env, **berth.env()}
    place.entered_by("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30")
    yield
    berth("cancel", place.host).ok()


class Agent:
    """An ssh-agent with one key, for jobs to ask."""

    def __init__(self, dir: pathlib.Path):
        self.socket = dir / "agent"
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.socket], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        try:
            harness.until(self.socket.exists, "socket of ssh-agent")
            harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir / "key"]).ok()
            harness.run(["ssh-add", "-q", dir / "key"], env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)}).ok()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        harness.stop(self.process)


class Places(dict):
    """Jobs of these kinds by name, all started at once. Why one is not there is in `missing`.

    docker is a docker.Docker or the reason why there is none; so is bundle, the unpacked image.
    """

    def __init__(self, kinds: list, dir: pathlib.Path, build: pathlib.Path, docker, bundle, berth):
        super().__init__()
        self.kinds, self.dir, self.build = kinds, dir, build
        self.docker, self.bundle, self.berth = docker, bundle, berth
        self.missing = {}
        self.ends = []
        # What starts a job lives as long as it: bwrap --die-with-parent means the thread.
        self.pool = concurrent.futures.ThreadPoolExecutor(4)

    def __enter__(self) -> "Places":
        try:
            self._enter()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with self.pool:
            ended = [self.pool.submit(end) for end in self.ends]
        for each in ended:
            each.result()

    def _enter(self) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("SSH_", "DISPLAY"))}
        agent = Agent(self.dir)
        self.ends.append(agent.close)
        env["SSH_AUTH_SOCK"] = str(agent.socket)
        possible = [kind for kind in self.kinds if self._is_possible(kind)]
        started = [self.pool.submit(self._start, kind, env) for kind in possible]
        for each in concurrent.futures.wait(started).done:
            self[each.result().kind.name] = each.result()

    def _is_possible(self, kind: Kind) -> bool:
        """Also makes what places share, once."""
        reason = None
        if kind.by == "docker":
            reason = self.docker if isinstance(self.docker, str) else None
            try:
                if not reason:
                    self.docker.image(kind.image)
                    assert self.docker.bundle
            except Unavailable as why:
                reason = str(why)
        elif kind.by == "bwrap":
            reason = self.bundle if isinstance(self.bundle, str) else None
            if not shutil.which("bwrap"):
                reason = "no bwrap: apt-get install bubblewrap"
        if kind.uid and not harness.IS_ROOT:
            reason = "becoming another user needs root"
        if reason:
            self.missing[kind.name] = reason
        return not reason

    def _start(self, kind: Kind, env: dict) -> Place:
        place = Place(kind, self.dir / kind.name, env)
        with contextlib.ExitStack() as stack:
            if kind.by == "berth":
                stack.enter_context(bare(place, self.berth))
            else:
                (place.dir / "tunnel").mkdir()
                tunnel = Tunnel(place.dir / "tunnel", self.build)
                stack.enter_context(in_docker(place, self.docker, tunnel) if kind.by == "docker" else
                                    in_bubblewrap(place, self.bundle, tunnel))
            self.ends.append(stack.pop_all().close)
        return place
