# SPDX-License-Identifier: MIT
"""A login node: a real sshd on loopback, whose sessions see a home directory that the workstation's berth does not.

Its sessions have a HOME of their own and Slurm's configuration, and nothing else from here. The workstation's `ssh` is a
wrapper that logs each call that berth makes, so that round trips can be counted.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import harness
from ports import free_ports

SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/authorized_keys
PidFile {dir}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
MaxSessions 50
SetEnv HOME={home} SLURM_CONF={slurm} PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SCRATCH={scratch}
"""

WRAPPER = """#!/bin/sh
case "$*" in
*ControlPersist*)
    echo "$*" >>"{dir}/calls"
    [ ! -e "{dir}/down" ] || {{ echo "ssh: connect to host login port 22: Connection refused" >&2; exit 255; }} ;;
esac
exec {ssh} "$@"
"""


class Unavailable(Exception):
    """Why there is no login node on this machine."""


def masters(home: harness.Home) -> list:
    """The sockets of the connections that this user's commands share."""
    return list((home.state_dir / "ssh").glob("ssh-*"))


def close_masters(home: harness.Home):
    for control in masters(home):
        harness.run(["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", "x"])


class LoginNode:
    def __init__(self, dir: pathlib.Path, slurm_config, variables=""):
        """variables: more of its sessions' environment, as sshd_config(5) has it."""
        self.dir = dir
        self.variables = variables
        self.slurm_config = slurm_config
        self.home = dir / "home"
        self.scratch = dir / "scratch"
        self.process = None

    def start(self) -> "LoginNode":
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not sshd:
            raise Unavailable("no sshd: apt-get install openssh-server")
        if not harness.IS_ROOT:
            raise Unavailable("sshd runs as root here, and these tests do not")
        for path in self.home, self.scratch, self.dir / "bin":
            path.mkdir()
        # A start-up file that talks must not be taken for an answer.
        (self.home / ".bashrc").write_text("echo welcome; echo beware >&2\n")
        for key in "host_key", "user_key":
            harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / key]).ok()
        shutil.copy(self.dir / "user_key.pub", self.dir / "authorized_keys")
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        (self.port,) = free_ports(1)
        config = SSHD.format(dir=self.dir, port=self.port, home=self.home, scratch=self.scratch, slurm=self.slurm_config)
        (self.dir / "config").write_text(f"{config.rstrip()} {self.variables}\n")
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen([sshd, "-D", "-e", "-f", self.dir / "config"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=True)
        public = (self.dir / "host_key.pub").read_text().split()
        (self.dir / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        wrapper = self.dir / "bin" / "ssh"
        wrapper.write_text(WRAPPER.format(dir=self.dir, ssh=shutil.which("ssh")))
        wrapper.chmod(0o755)
        harness.until(lambda: harness.run(["ssh", *self.words(), "true"]).status == 0, "sshd")
        return self

    def stop(self) -> None:
        if self.process:
            # Each connection is a session of its own; the ssh that is shared ends with it.
            pid = self.process.pid
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            harness.stop(self.process)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGTERM)
            self.log.close()

    def options(self) -> list:
        return [f"Port {self.port}", f"IdentityFile {self.dir}/user_key", f"UserKnownHostsFile {self.dir}/known_hosts",
                "IdentitiesOnly yes"]

    @contextlib.contextmanager
    def unreachable(self):
        """As seen by berth, whatever connection it shares."""
        (self.dir / "down").touch()
        try:
            yield
        finally:
            (self.dir / "down").unlink()

    def words(self) -> list:
        return ["-F", "none", *(word for option in self.options() for word in ("-o", option)), "root@127.0.0.1"]

    def configuration(self, name="hpc", login="root@127.0.0.1", home="$SCRATCH/berth", more="") -> str:
        options = ", ".join(f"'{option}'" for option in self.options())
        return (f"context: {name}\nclusters:\n  {name}:\n    backend: slurm\n    login: {login}\n"
                f"    home: {home}\n    ssh_options: [{options}]\n{more}")

    def calls(self) -> int:
        """How often berth ran ssh since this was asked last."""
        path = self.dir / "calls"
        count = len(path.read_text().splitlines()) if path.exists() else 0
        path.write_text("")
        return count
