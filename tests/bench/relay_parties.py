# SPDX-License-Identifier: MIT
"""What `ci/bench relay` measures with: a relay and a job on loopback, or in a world of tests/e2e/lab.py."""

import itertools
import json
import pathlib
import subprocess

from parties import harness
import lab
import ways
from report import Missing


class Here:
    """This machine as a node of ways.py: loopback, and no namespace."""

    prefix, addresses = [], ["127.0.0.1"]
    run = staticmethod(harness.run)


class Relay(ways.Relay):
    """On loopback, at a port that was free."""

    def __init__(self, dir: pathlib.Path, build: pathlib.Path, *more):
        super().__init__(dir, build, Here(), *more)
        self.listen_port = ways.slurm.free_ports(1)[0]

    def site(self) -> dict:
        return {**super().site(), "url": f"https://127.0.0.1:{self.listen_port}"}

    def seconds(self) -> float:
        """CPU time so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def memory(self) -> int:
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


class Near:
    """A relay and a job on loopback; exec("direct", ...) and exec("relay", ...) are ways into the same job."""

    def __init__(self, dir: pathlib.Path, build: pathlib.Path):
        dir.mkdir()
        self.dir, self.relay = dir, Relay(dir / "relay", build).start()
        sites = dir / "relays.json"
        sites.write_text(json.dumps([self.relay.site()]))
        sites.chmod(0o600)
        self.tunnel = ways.Tunnel(dir / "tunnel", build, Here(), Here(), "--relays", sites).start()
        for kind in "direct", "relay":
            self._only(kind)

    def _only(self, kind: str) -> None:
        client = json.loads((self.tunnel.dir / "client.json").read_text())
        path = self.dir / f"{kind}.json"
        path.touch(0o600)
        path.write_text(json.dumps({**client, "paths": [kind]}))

    def exec(self, kind: str, *words) -> list:
        endpoint = ["--endpoint", self.tunnel.endpoint if kind == "direct" else self.dir / "none.json"]
        return [str(word) for word in (self.tunnel.program, "exec", *words[:-1], "--client-file",
                                       self.dir / f"{kind}.json", *endpoint, "--", "sh", "-c", words[-1])]

    def stop(self) -> None:
        self.tunnel.stop()
        self.relay.stop()


class Bench:
    """What cases get: parties, started when the first of them asks, and how much to measure."""

    def __init__(self, work: pathlib.Path, home: harness.Home, build: pathlib.Path, quick: bool):
        self.work, self.home, self.build, self.quick = work, home, build, quick
        self.started, self.numbers, self._near = [], itertools.count(), None

    def runs(self, count: int) -> int:
        return 1 if self.quick else count

    def seconds(self, seconds: float, quick=1.0) -> float:
        return quick if self.quick else seconds

    def count(self, count: int) -> int:
        return max(count // 50, 1) if self.quick else count

    def dir(self, name: str) -> pathlib.Path:
        return self.work / f"{name}{next(self.numbers)}"

    def near(self) -> Near:
        if not self._near:
            self._near = Near(self.dir("near"), self.build)
        return self._near

    def relay(self, *more) -> Relay:
        """One that nobody used."""
        self.started.append(Relay(self.dir("relay"), self.build, *more).start())
        return self.started[-1]

    def load(self, relay: Relay, *words) -> subprocess.Popen:
        """tests/bench/relay_load.c with its words."""
        program = self.build / "tests" / "sim" / "relay-load"
        process = subprocess.Popen([program, f"127.0.0.1:{relay.listen_port}", relay.key, relay.token,
                                    *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.started.append(Process(process))
        return process

    def internet(self) -> ways.Internet:
        directory = self.dir("internet")
        directory.mkdir()
        try:
            internet = ways.Internet(self.build, directory, self.home)
        except lab.Unavailable as reason:
            raise Missing(f"no network of our own: {reason}") from None
        self.started.append(internet)
        return internet

    def end_case(self) -> None:
        while self.started:
            each = self.started.pop()
            each.__exit__() if hasattr(each, "__exit__") else each.stop()

    def stop(self) -> None:
        self.end_case()
        if self._near:
            self._near.stop()


class Process:
    """Ends when its case does."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
