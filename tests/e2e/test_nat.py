# SPDX-License-Identifier: MIT
"""Which pairs of NATs are crossed directly: each kind of the workstation's with each kind of the job's."""

import concurrent.futures
import subprocess
import time

import pytest

import harness
import lab
import tables
import ways

CHUNK = 100_000
PATIENCE_S = 8

# Behind both of a pair the peer sees a port that nobody can know, or lets nobody in at it. What is left is to guess.
IMPOSSIBLE = {("strict", "strict"), ("strict", "moderate"), ("moderate", "strict")}
AIM = 13


class Cell:
    """A session between one workstation and one job."""

    def __init__(self, home, laptop, site, tunnel, env):
        self.home, self.laptop, self.site, self.tunnel, self.env = home, laptop, site, tunnel, env
        self.took = None

    def echo(self, process, size: int) -> None:
        text = b"x" * (size - 1) + b"\n"
        process.stdin.write(text)
        process.stdin.flush()
        assert process.stdout.read(size) == text

    def run(self) -> "Cell":
        """Talks until what comes comes directly, and says when that was."""
        argv = [*self.laptop.prefix, "ssh", "-F", self.tunnel.dir / "config", "job-7", "cat"]
        with subprocess.Popen(argv, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            try:
                self.echo(process, 2)
                begin, before = time.monotonic(), self.home.router.came_from(self.site.public)
                while time.monotonic() < begin + PATIENCE_S * harness.PATIENCE:
                    self.echo(process, CHUNK)
                    now = self.home.router.came_from(self.site.public)
                    if now - before >= CHUNK:
                        self.took = time.monotonic() - begin
                        break
                    before = now
                self.echo(process, CHUNK)
                process.stdin.close()
                assert process.wait(20 * harness.PATIENCE) == 0
            finally:
                process.kill()
        return self


@pytest.fixture(scope="module")
def matrix(build_dir, session_dir, home):
    """{(kind of the workstation's NAT, of the job's): Cell}"""
    directory = session_dir / "nat"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            yield run_all(internet, directory)
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


def run_all(internet, directory) -> dict:
    world, env = internet.world, internet.home.env()
    homes = {kind: world.uplink(f"home-{kind}", kind) for kind in lab.KINDS}
    laptops = {kind: world.host(f"laptop-{kind}", uplink) for kind, uplink in homes.items()}
    sites = {kind: world.uplink(f"site-{kind}", kind) for kind in lab.KINDS}
    tunnels = {}
    for kind, uplink in sites.items():
        job = world.host(f"job-{kind}", uplink)
        tunnels[kind] = ways.Tunnel(directory / kind, internet.build, job, job, "--relays", internet.relays_file,
                                    listed=False)
        internet.ways[f"nat-{kind}"] = type("Kept", (), {"tunnel": tunnels[kind]})
        tunnels[kind].start()
    for uplink in (*homes.values(), *sites.values()):
        uplink.link.shape(delay_ms=5)
    cells = {(mine, theirs): Cell(homes[mine], laptops[mine], sites[theirs], tunnels[theirs], env)
             for mine in lab.KINDS for theirs in lab.KINDS}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(zip(cells, pool.map(Cell.run, cells.values())))


def test_nats_are_crossed_directly_wherever_that_can_be(matrix, pytestconfig):
    rows = ["workstation / job " + "".join(f"{kind:>10}" for kind in lab.KINDS)]
    for mine in lab.KINDS:
        figures = [matrix[mine, theirs].took for theirs in lab.KINDS]
        rows.append(f"{mine:18}" + "".join("     relay" if took is None else f"{took:8.2f} s" for took in figures))
    pytestconfig.stash.setdefault(tables.KEY, []).append(("direct after, over pairs of NATs", "\n".join(rows) + "\n"))
    direct = {pair for pair, cell in matrix.items() if cell.took is not None}
    assert len(direct) >= AIM and direct >= set(matrix) - IMPOSSIBLE, "\n".join(rows)
