# SPDX-License-Identifier: MIT
"""Ratios of `ssh job-N` to stock ssh on the same machine in the same run; started by ci/bench.

Both sides take turns, so that what else the machine does falls on both; medians are compared. The peer is OpenSSH's
sshd on a loopback port, with keys and configuration of its own. Both clients use the same cipher.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness  # noqa: E402
import slurm  # noqa: E402

CIPHER = "aes128-gcm@openssh.com"
SIZE = 1 << 30

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
"""

SSH_CONFIG = """\
Host peer
HostName 127.0.0.1
Port {port}
IdentityFile {dir}/key
IdentitiesOnly yes
UserKnownHostsFile {dir}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
"""


class Peer:
    """An sshd of our own and the command line of a client for it."""

    def __init__(self, dir: pathlib.Path):
        self.dir = dir
        port, = slurm.free_ports(1)
        for name in "host_key", "key":
            harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir / name]).ok()
        public = (dir / "host_key.pub").read_text()
        (dir / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
        (dir / "sshd_config").write_text(SSHD_CONFIG.format(dir=dir, port=port))
        (dir / "ssh_config").write_text(SSH_CONFIG.format(dir=dir, port=port))
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.log = open(dir / "log", "wb")
        self.process = subprocess.Popen([slurm.find("sshd"), "-D", "-e", "-f", dir / "sshd_config"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.argv = ["ssh", "-F", str(dir / "ssh_config"), "-c", CIPHER, "peer"]
        harness.until(self._answers, f"answer of sshd: {(dir / 'log').read_text()}", interval=0.2)

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"sshd ended: {(self.dir / 'log').read_text()}"
        return harness.run([*self.argv, "true"]).status == 0

    def stop(self) -> None:
        harness.stop(self.process)
        self.log.close()


class Job:
    """A job of the local backend, and the command line of the same client for it."""

    def __init__(self, home: harness.Home, build: pathlib.Path):
        self.env = home.env()
        self.berth = str(build / "controller" / "berth")
        output = harness.run([self.berth, "run", "--", "sleep", "3600"], env=self.env).ok().stdout
        self.name = next(word for word in output.split() if word.startswith("job-"))
        self.argv = ["ssh", "-c", CIPHER, self.name]
        harness.until(lambda: harness.run([*self.argv, "true"], env=self.env).status == 0, "answer of the job")

    def stop(self) -> None:
        harness.run([self.berth, "cancel", self.name], env=self.env)


def timed(command: str, env: dict) -> float:
    before = time.monotonic()
    subprocess.run(["sh", "-c", command], env=env, check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - before


# name -> (shell command around `ssh`, runs, "time" or "rate", aim of the ratio ours to theirs)
BENCHES = {
    "connect": ("{ssh} true", 15, "time", 0.25),
    "down": (f"{{ssh}} 'head -c {SIZE} /dev/zero' >/dev/null", 5, "rate", 0.8),
    "up": (f"head -c {SIZE} /dev/zero | {{ssh}} 'cat >/dev/null'", 5, "rate", 0.8),
}


def compare(name: str, ours: list, theirs: list, env: dict) -> tuple:
    """Runs both in turns; returns the two medians in seconds."""
    command, runs, _, _ = BENCHES[name]
    times = {"ours": [], "theirs": []}
    for turn in range(runs + 1):
        for who, argv in ("ours", ours), ("theirs", theirs):
            took = timed(command.format(ssh=" ".join(argv)), env)
            if turn > 0:  # the first turn warms caches
                times[who].append(took)
    return statistics.median(times["ours"]), statistics.median(times["theirs"])


def row(name: str, ours: float, theirs: float) -> str:
    _, runs, kind, aim = BENCHES[name]
    if kind == "time":
        figures = f"{ours * 1000:9.1f} ms   {theirs * 1000:9.1f} ms  "
        ratio, holds, sign = ours / theirs, ours / theirs <= aim, "<="
    else:
        figures = f"{SIZE / ours / 1e6:9.0f} MB/s {SIZE / theirs / 1e6:9.0f} MB/s"
        ratio, holds, sign = theirs / ours, theirs / ours >= aim, ">="
    return (f"{name:8} {runs:4}  {figures}  {ratio:6.2f}  {sign} {aim:<5} {'held' if holds else 'MISSED'}")


def main(names: list) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"bench: no benchmark '{unknown[0]}'; there are: {' '.join(BENCHES)}", file=sys.stderr)
        return 64
    work = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench."))
    work.chmod(0o755)
    started = []
    home = harness.Home(work / "home").enter()
    try:
        peer = Peer(work)
        started.append(peer)
        job = Job(home, pathlib.Path(os.environ["BERTH_BUILD"]))
        started.append(job)
        print(f"{'':8} runs  {'ssh ' + job.name:>12}   {'ssh sshd':>12}    ratio  aim", flush=True)
        for name in names or BENCHES:
            print(row(name, *compare(name, job.argv, peer.argv, job.env)), flush=True)
    finally:
        for each in reversed(started):
            each.stop()
        home.leave()
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
