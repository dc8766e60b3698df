# SPDX-License-Identifier: MIT
"""A tunnel by itself, without berth and without a job: keys, serve, and the stock client for it."""

import json
import pathlib
import subprocess

import harness

SSH_CONFIG = """\
Host job-7
HostKeyAlias berth
UserKnownHostsFile {dir}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
UpdateHostKeys no
CheckHostIP no
IdentityFile none
BatchMode yes
ProxyCommand "{program}" ssh --client-file {dir}/client.json --endpoint {dir}/job/endpoint.0.json \
--rank 0 --host-key {dir}/host_key.json --name job-7 {more}
"""


class Tunnel:
    """One job's side and one workstation's side in a directory."""

    def __init__(self, dir: pathlib.Path, build: pathlib.Path):
        self.dir, self.job = dir, dir / "job"
        self.program = build / "tunnel" / "berth-tunnel"
        self.endpoint = self.job / "endpoint.0.json"
        self.process = None
        self.prefix = []  # what serve and ssh are run by
        self.job.mkdir(mode=0o700)
        self.run("keygen", "--job-file", self.job / "tunnel.json", "--client-file", dir / "client.json").ok()
        self.run("keygen", "--host-key", dir / "host_key.json", "--known-hosts", dir / "known_hosts").ok()
        self.configure()

    def run(self, *argv, **more) -> harness.Result:
        return harness.run([self.program, *argv], **more)

    def configure(self, more="") -> None:
        (self.dir / "config").write_text(SSH_CONFIG.format(dir=self.dir, program=self.program, more=more))

    def start(self) -> "Tunnel":
        before = self.endpoint.stat().st_mtime_ns if self.endpoint.exists() else 0
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([*self.prefix, self.program, "serve", "--dir", self.job, "--rank", "0"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)

        def listens():
            assert self.process.poll() is None, f"serve ended: {(self.dir / 'log').read_text()}"
            return self.endpoint.exists() and self.endpoint.stat().st_mtime_ns != before
        harness.until(listens, "endpoint file")
        return self

    def stop(self) -> int:
        return harness.stop(self.process) if self.process else 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def argv(self, *argv) -> list:
        return [*self.prefix, "ssh", "-F", str(self.dir / "config"), *map(str, argv)]

    def ssh(self, *argv, **more) -> harness.Result:
        return harness.run(self.argv(*argv), **more)

    def addresses(self) -> list:
        return json.loads(self.endpoint.read_text())["addresses"]

    def set_addresses(self, addresses: list) -> None:
        endpoint = json.loads(self.endpoint.read_text())
        endpoint["addresses"] = addresses
        self.endpoint.write_text(json.dumps(endpoint))
