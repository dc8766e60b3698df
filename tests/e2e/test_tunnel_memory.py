# SPDX-License-Identifier: MIT
"""What a tunnel costs the node it shares with the job."""

import subprocess

import pytest

import harness
from test_tunnel import Tunnel

IDLE_MAX = 6 * 1000 * 1000
SESSION_MAX = 100 * 1000
SESSIONS = 20


@pytest.fixture
def tunnel(build_dir, short_dir):
    tunnel = Tunnel(short_dir, build_dir)
    if b"__asan_init" in tunnel.program.read_bytes():
        pytest.skip("AddressSanitizer takes more than the program itself")
    tunnel.start()
    yield tunnel
    tunnel.stop()


def resident(tunnel) -> int:
    with open(f"/proc/{tunnel.process.pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Rss:")) * 1024


def test_an_idle_tunnel_and_each_idle_session_cost_little(tunnel):
    sessions = []

    def open_session():
        session = subprocess.Popen(tunnel.argv("job-7", "echo in; exec cat"), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        sessions.append(session)
        assert session.stdout.readline() == b"in\n"
    try:
        for _ in range(2):  # what all share
            open_session()
        before = resident(tunnel)
        for _ in range(SESSIONS):
            open_session()
        assert (resident(tunnel) - before) / SESSIONS <= SESSION_MAX
    finally:
        for session in sessions:
            session.stdin.close()
            session.wait(30 * harness.PATIENCE)
    harness.until(lambda: resident(tunnel) <= IDLE_MAX, "memory given back at rest")
