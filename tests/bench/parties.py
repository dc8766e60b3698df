# SPDX-License-Identifier: MIT
"""The two that are compared: OpenSSH's sshd with its own keys and configuration, and a job of the local backend.

Both are reached by the same client with the same cipher. `argv` is the words of that client up to the command. `there`
and `here` are words before a party's and its client's programs, which put them into network namespaces.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness  # noqa: E402
import netns  # noqa: E402, F401
import slurm  # noqa: E402

CIPHER = "aes128-gcm@openssh.com"

SSHD_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
"""

SSH_CONFIG = """\
Host peer
HostName {address}
Port {port}
IdentityFile {dir}/key
IdentitiesOnly yes
UserKnownHostsFile {dir}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
Ciphers {cipher}
"""


class Peer:
    """An sshd of our own. there and here are the words that run a program on its side and on the client's."""

    name = "peer"

    def __init__(self, dir: pathlib.Path, address="127.0.0.1", there=(), here=()):
        self.dir, self.env, self.here = dir, dict(os.environ), list(here)
        dir.mkdir(parents=True, exist_ok=True)
        port, = slurm.free_ports(1)
        for name in "host_key", "key":
            harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir / name]).ok()
        public = (dir / "host_key.pub").read_text()
        (dir / "known_hosts").write_text(f"[{address}]:{port} {public}")
        self.config = dir / "ssh_config"
        for name, text in ("sshd_config", SSHD_CONFIG), ("ssh_config", SSH_CONFIG):
            (dir / name).write_text(text.format(dir=dir, port=port, address=address, cipher=CIPHER))
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.log = open(dir / "log", "wb")
        self.process = subprocess.Popen([*there, slurm.find("sshd"), "-D", "-e", "-f", dir / "sshd_config"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        harness.until(self._answers, f"answer of sshd: {(dir / 'log').read_text()}", interval=0.2)

    def client(self, program="ssh") -> list:
        """The words of ssh, scp or sftp with this party's configuration, without the name of the party."""
        return [*self.here, program, "-F", str(self.config)]

    @property
    def argv(self) -> list:
        return [*self.client(), self.name]

    def forget(self) -> None:
        """sshd's clients remember nothing that would make the next connection faster."""

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"sshd ended: {(self.dir / 'log').read_text()}"
        return harness.run([*self.argv, "true"]).status == 0

    def stop(self) -> None:
        # A session whose client vanished behind a link would wait for it until TCP gives up.
        sessions = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        harness.stop(self.process)
        for pid in sessions:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.log.close()


class Job:
    """A job of the local backend that was started on the side of there."""

    def __init__(self, home: harness.Home, build: pathlib.Path, there=(), here=()):
        self.env, self.here = home.env(), list(here)
        self.berth = [*there, str(build / "controller" / "berth")]
        output = harness.run([*self.berth, "run", "--", "sleep", "3600"], env=self.env).ok().stdout
        self.name = next(word for word in output.split() if word.startswith("job-"))
        self.dir = self._find_dir(home)
        self.state = home.state_dir
        harness.until(lambda: harness.run([*self.argv, "true"], env=self.env).status == 0, "answer of the job")

    def _find_dir(self, home: harness.Home) -> pathlib.Path:
        record = json.loads(harness.run([*self.berth, "get", "jobs", self.name, "-o", "json"], env=self.env).ok().stdout)
        record = record.get("jobs", record) if isinstance(record, dict) else record
        return home.berth_home / "jobs" / (record[0] if isinstance(record, list) else record)["uid"]

    def client(self, program="ssh") -> list:
        return [*self.here, program, "-o", f"Ciphers={CIPHER}"]

    @property
    def argv(self) -> list:
        return [*self.client(), self.name]

    def forget(self) -> None:
        """Removes the tickets of earlier connections, so that the next one is cold."""
        for tickets in self.state.rglob("*.tickets"):
            shutil.rmtree(tickets)

    def stop(self) -> None:
        harness.run([*self.berth, "cancel", self.name], env=self.env)
