# SPDX-License-Identifier: MIT
"""QUIC without SSH: `berth exec` against Debian's own ngtcp2-server and ngtcp2-client, on loopback.

Both peers are of Debian 13 and run on the loader that came with them (ci/ngtcp2). They send a file to where it is
thrown away; ours is the output of a command. Both clients are started anew for each run.
"""

import os
import subprocess

import slurm
from parties import harness
from report import Aim, Missing, Row, rate, timed, turns

SIZE = 1 << 30


class Ngtcp2:
    """The server with a directory to serve, and the words of a client that fetches a file from it."""

    def __init__(self, dir):
        self.dir = dir
        root = harness.TOP / ".cache" / "ngtcp2"
        if not (root / "usr" / "bin" / "gtlsclient").exists():
            raise Missing("no ngtcp2-server and ngtcp2-client: ci/ngtcp2 fetches them")
        loader = [str(next((root / "usr" / "lib64").glob("ld-linux*"))), "--library-path",
                  ":".join(str(path) for path in (root / "usr" / "lib").glob("*-linux-gnu"))]
        (dir / "htdocs").mkdir(parents=True)
        harness.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", dir / "key.pem", "-out", dir / "cert.pem", "-subj", "/CN=localhost"]).ok()
        self.port, = slurm.free_ports(1)
        self.client = [*loader, str(root / "usr" / "bin" / "gtlsclient"), "-q", "--no-http-dump", "--no-quic-dump",
                       "--exit-on-all-streams-close", "127.0.0.1", str(self.port)]
        self.process = subprocess.Popen(
            [*loader, root / "usr" / "sbin" / "gtlsserver", "-q", "--no-http-dump", "--no-quic-dump",
             "-d", dir / "htdocs", "127.0.0.1", str(self.port), dir / "key.pem", dir / "cert.pem"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def fetch(self, name: str) -> float:
        return timed([*self.client, f"https://127.0.0.1:{self.port}/{name}"], stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        harness.stop(self.process)


def quic(bench) -> list:
    job, _ = bench.pair()
    runs, size = bench.runs(5), bench.size(SIZE)
    if harness.run([*job.berth, "exec", job.name, "--", "true"], env=job.env).status != 0:
        raise Missing("berth exec does not reach the job")
    peer = bench.start(Ngtcp2(bench.work / "ngtcp2"))
    with open(peer.dir / "htdocs" / "large", "wb") as file:
        os.truncate(file.fileno(), size)
    command = [*job.berth, "exec", job.name, "--", "head", "-c", str(size), "/dev/zero"]
    ours, theirs = turns(runs, lambda: timed(command, job.env, stdout=subprocess.DEVNULL), lambda: peer.fetch("large"))
    return [Row("quic", runs, rate(size, ours), rate(size, theirs), theirs / ours, Aim(">=", 1.5))]


CASES = {"quic": ("1 GiB by QUIC alone (berth exec) against the ngtcp2 client and server, loopback", quic)}
