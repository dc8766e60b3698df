# SPDX-License-Identifier: MIT
"""Engines that an ordinary user runs: a Podman service and a dockerd in rootlesskit, with Debian's newuidmap.

    user = User(dir)                        who is known in a mount namespace of his own: /etc/passwd, /etc/subuid
    user.prefix                             words that run a program as him
    Podman(user).start(), or Dockerd(user)  where engines are looked for: below the user's runtime directory
    Borrowed(user, docker).start()          the suite's dockerd, which is root's, and whose socket is for everybody meanwhile

Unavailable says what this machine lacks.
"""

import os
import pathlib
import shutil
import subprocess

import docker
import engines
import harness
from docker import Unavailable

UID = 54321
SUBORDINATE = 300000

# Files of the machine that have one more line for who is in the namespace: newuidmap(1) reads them. And slirp4netns(1)
# needs a device that most machines let everybody use.
HOLD = """set -e
mount --make-rprivate /
for name in passwd group subuid subgid; do
    [ -e /etc/$name ] || continue
    { cat /etc/$name; cat $1/line.$name; } >$1/$name
    mount --bind $1/$name /etc/$name
done
if [ -e /dev/net/tun ]; then
    mknod -m 666 $1/tun c 10 200
    mount --bind $1/tun /dev/net/tun
fi
echo ready
exec cat >/dev/null"""


def is_readable_by_all(path: pathlib.Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


class User:
    def __init__(self, dir: pathlib.Path):
        if not harness.IS_ROOT:
            raise Unavailable("it takes root to be somebody else")
        missing = [name for name in ("newuidmap", "nsenter", "setpriv") if not shutil.which(name)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install uidmap util-linux")
        if not is_readable_by_all(pathlib.Path(os.environ["BERTH_BUILD"])):
            raise Unavailable(f"{os.environ['BERTH_BUILD']} is not for every user to read")
        for name in "passwd", "subuid":
            if not pathlib.Path(f"/etc/{name}").exists():
                raise Unavailable(f"no /etc/{name}")
        self.dir, self.home, self.run = dir, dir / "home", dir / "run"
        for path in self.home, self.run, self.home / ".ssh":
            path.mkdir(mode=0o700)
            os.chown(path, UID, UID)
        lines = {"passwd": f"berth-e2e:x:{UID}:{UID}::{self.home}:/bin/sh", "group": f"berth-e2e:x:{UID}:",
                 "subuid": f"berth-e2e:{SUBORDINATE}:65536", "subgid": f"berth-e2e:{SUBORDINATE}:65536"}
        for name, line in lines.items():
            (dir / f"line.{name}").write_text(line + "\n")
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", HOLD, "sh", dir], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise Unavailable("no mount namespace")
        self.prefix = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", f"--wd={self.home}", "setpriv", f"--reuid={UID}",
                       f"--regid={UID}", "--clear-groups"]
        tried = harness.run([*self.prefix, "unshare", "--user", "true"])
        if tried.status:
            self.close()
            raise Unavailable(f"no user namespaces for users here: {tried.stderr.strip()}")

    def close(self) -> None:
        self.holder.stdin.close()
        self.holder.wait()

    def env(self, **more) -> dict:
        return {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.run), "LC_ALL": "C.UTF-8",
                "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **more}

    def program(self, real: pathlib.Path) -> pathlib.Path:
        """The same program, run by this user."""
        path = self.dir / f"{real.name}.sh"
        path.write_text(f'#!/bin/sh\nexec {" ".join(self.prefix)} {real} "$@"\n')
        path.chmod(0o755)
        return path


class Home(harness.Home):
    """His files of berth, and what his environment is."""

    def __init__(self, user: User):
        super().__init__(user.home / "berth")
        self.user, self.ssh_dir = user, user.home / ".ssh"
        self.root.mkdir()
        os.chown(self.root, UID, UID)

    def env(self, **more) -> dict:
        env = {**super().env(), **self.user.env()}
        env.pop("DOCKER_HOST", None)  # it is found
        return {**env, **{key: str(value) for key, value in more.items()}}


class Borrowed(engines.Dockerd):
    name = "root's Docker"

    def __init__(self, user: User, daemon: docker.Docker):
        super().__init__(daemon)
        self.user = user
        self.socket = daemon.dir / "socket"
        self.mode = self.socket.stat().st_mode & 0o777

    def start(self) -> "Borrowed":
        self.socket.chmod(0o666)
        return self

    def stop(self) -> None:
        self.socket.chmod(self.mode)


class Podman(engines.Podman):
    name = "rootless Podman"

    def __init__(self, user: User):
        super().__init__(user.home)
        self.user = user
        self.socket = user.run / "podman" / "podman.sock"

    def argv(self, *argv) -> list:
        return [*self.user.prefix, "podman", *map(str, argv)]

    def env(self) -> dict:
        own = super().env()
        return self.user.env(**{key: own[key] for key in ("CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF")})

    def start(self) -> "Podman":
        if not shutil.which("podman"):
            raise Unavailable("no podman: apt-get install podman")
        self.socket.parent.mkdir()
        os.chown(self.socket.parent, UID, UID)
        self.configure(self.runtime())
        self.serve(self.socket)
        tried = self.call("run", "--rm", "--network=host", "--pull=never", self.image("busybox"), "true")
        if tried.status:
            self.stop()
            raise Unavailable(f"Podman runs nothing for a user here: {tried.stderr.strip()}")
        return self


class Dockerd(docker.Docker, engines.Engine):
    name = "rootless Docker"

    def __init__(self, user: User):
        super().__init__(user.home)
        self.user = user
        self.socket = user.run / "docker.sock"

    def argv(self, *argv) -> list:
        return [*self.user.prefix, "docker", "--host", f"unix://{self.socket}", *map(str, argv)]

    def env(self) -> dict:
        return self.user.env(DOCKER_CLI_HINTS="false")

    def start(self) -> "Dockerd":
        missing = [name for name in ("rootlesskit", "slirp4netns", "dockerd") if not docker.slurm.find(name)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install {' '.join(docker.PACKAGES)} rootlesskit slirp4netns")
        daemon = ["dockerd", "--rootless", f"--data-root={self.dir}/data", f"--exec-root={self.user.run}/exec",
                  f"--pidfile={self.user.run}/docker.pid", f"--host=unix://{self.socket}", "--bridge=none",
                  "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs",
                  "--exec-opt=native.cgroupdriver=cgroupfs", "--shutdown-timeout=1"]
        kit = ["rootlesskit", "--net=slirp4netns", "--mtu=65520", "--disable-host-loopback", "--copy-up=/etc",
               "--copy-up=/run", "--pidns", f"--state-dir={self.user.run}/kit",
               "sh", "-c", 'rm -f /run/docker* /run/containerd* /run/xtables.lock; exec "$@"', "sh"]
        with open(self.user.dir / "dockerd.log", "wb") as log:
            self.process = subprocess.Popen([*self.user.prefix, *kit, *daemon], env=self.env(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        try:
            harness.until(self._answers, "answer of dockerd", limit=60, interval=0.05)
        except BaseException:
            self.stop()
            raise
        return self

    def log(self) -> str:
        return (self.user.dir / "dockerd.log").read_text(errors="replace")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20 * harness.PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        if self.process:
            harness.kill_session(self.process)
        self.process = None
