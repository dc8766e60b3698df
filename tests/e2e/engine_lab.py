# SPDX-License-Identifier: MIT
"""A dockerd with a network of its own, for what the one that all tests share must not suffer: it is restarted and killed,
has a bridge, and listens on TCP with TLS.

    lab = Lab(dir).start()                      an empty directory; Unavailable says why not
    lab.inside                                  words that run a program in its network
    with lab.down(signal.SIGKILL): ...          nobody answers; what runs goes on, with live_restore(True)
    lab.certificates("client")                  a directory as DOCKER_CERT_PATH has them

    with Sshd(lab) as url: ...                  DOCKER_HOST=ssh://..., a login shell's DOCKER_HOST is the lab's socket
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import docker
import engines
import harness
from docker import Unavailable

BRIDGE = "10.77.0.1/24"
TLS_PORT = 2376  # in its own network all ports are free
SSH_PORT = 2222

# A daemon that ends is started again when there is no file `down`: the namespace, and the containers in it, outlive it.
KEEPER = docker.OWN_PLACES.removesuffix('exec "$@"') + """ip link set lo up
while :; do
    "$@"
    while [ -e {down} ]; do sleep 0.05; done
done"""

SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv DOCKER_HOST={host} PATH=/usr/local/bin:/usr/bin:/bin
"""

CONFIG = """\
Host lab
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {dir}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {dir}/known_hosts
    StrictHostKeyChecking yes
"""


def openssl(*argv) -> None:
    harness.run(["openssl", *argv]).ok()


class Authority:
    """One that signs certificates, in a directory of its own."""

    def __init__(self, dir: pathlib.Path):
        self.dir = dir
        dir.mkdir()
        openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=ca", "-keyout", dir / "ca.key",
                "-out", dir / "ca.pem")

    def sign(self, name: str) -> pathlib.Path:
        """ca.pem, cert.pem and key.pem for 127.0.0.1, in a directory."""
        dir = self.dir / name
        dir.mkdir()
        (dir / "more").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        openssl("req", "-new", "-newkey", "ed25519", "-nodes", "-subj", f"/CN={name}", "-keyout", dir / "key.pem", "-out",
                dir / "request")
        openssl("x509", "-req", "-in", dir / "request", "-CA", self.dir / "ca.pem", "-CAkey", self.dir / "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", dir / "more", "-out", dir / "cert.pem")
        shutil.copy(self.dir / "ca.pem", dir / "ca.pem")
        return dir


class Lab(docker.Docker, engines.Engine):
    name = "docker"

    def __init__(self, dir: pathlib.Path):
        super().__init__(dir)
        self.url = f"unix:{dir}/socket"
        self.authority = Authority(dir / "ca")
        server = self.authority.sign("server")
        self.namespaces = (*docker.Docker.namespaces, "--net")
        self.network = (f"--bip={BRIDGE}", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--userland-proxy=false",
                        f"--host=tcp://127.0.0.1:{TLS_PORT}", "--tlsverify", f"--tlscacert={server}/ca.pem",
                        f"--tlscert={server}/cert.pem", f"--tlskey={server}/key.pem")
        self.keeper = KEEPER.format(down=self.dir / "down")

    def certificates(self, name: str) -> pathlib.Path:
        path = self.authority.dir / name
        return path if path.exists() else self.authority.sign(name)

    @property
    def inside(self) -> list:
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]

    def program(self, real: pathlib.Path) -> pathlib.Path:
        """The same program, which runs in the network of the lab."""
        path = self.dir / f"{real.name}.sh"
        path.write_text(f'#!/bin/sh\nexec {" ".join(self.inside)} {real} "$@"\n')
        path.chmod(0o755)
        return path

    def daemon(self) -> int:
        """Its process number here; 0 when it does not run."""
        with contextlib.suppress(OSError, ValueError):
            return self.host_pid(int((self.dir / "pid").read_text()))
        return 0

    def live_restore(self, on: bool) -> None:
        (self.dir / "daemon.json").write_text(json.dumps({"live-restore": on}))
        os.kill(self.daemon(), signal.SIGHUP)
        harness.until(lambda: self.call("info", "--format={{.LiveRestoreEnabled}}").stdout.strip() == str(on).lower(),
                      "a daemon that has read its configuration")

    @contextlib.contextmanager
    def down(self, signo: int):
        (self.dir / "down").touch()
        pid = self.daemon()
        os.kill(pid, signo)
        harness.until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the daemon's end", limit=60)
        try:
            yield
        finally:
            (self.dir / "down").unlink()
            harness.until(self._answers, "answer of the daemon that was started again", limit=60, interval=0.05)


class Sshd:
    """A real sshd in the network of the lab, and an entry `lab` in the ~/.ssh/config of this user."""

    def __init__(self, lab: Lab, home: harness.Home):
        self.lab, self.home, self.dir = lab, home, lab.dir / "sshd"

    def __enter__(self) -> str:
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not sshd:
            raise Unavailable("no sshd: apt-get install openssh-server")
        self.dir.mkdir()
        for key in "host_key", "user_key":
            harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / key]).ok()
        (self.dir / "config").write_text(SSHD.format(dir=self.dir, port=SSH_PORT, host=f"unix://{self.lab.dir}/socket"))
        public = (self.dir / "host_key.pub").read_text().split()
        (self.dir / "known_hosts").write_text(f"[127.0.0.1]:{SSH_PORT} {public[0]} {public[1]}\n")
        path = self.home.ssh_dir / "config"
        before = path.read_text() if path.exists() else ""
        path.write_text(before + CONFIG.format(dir=self.dir, port=SSH_PORT))
        path.chmod(0o600)
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen([*self.lab.inside, sshd, "-D", "-e", "-f", self.dir / "config"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        enter = [*self.lab.inside, "ssh", "-o", "BatchMode=yes", "lab", "true"]
        harness.until(lambda: harness.run(enter).status == 0, "sshd")
        return "ssh://lab"

    def __exit__(self, *_):
        harness.kill_session(self.process)
