# SPDX-License-Identifier: MIT
"""What a session outlives on the side of the user: a workstation that sleeps, a network that is away."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

import harness
import terminal
from datagrams import Between
from tunnelrun import Tunnel

MIB = 1 << 20
# Of a setup that ends sessions of sshd soon: such lines stand under `Host *` in many a configuration.
ALIVE = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3")


@pytest.fixture(scope="module")
def tunnel(build_dir, tmp_path_factory):
    """A tunnel that serves, seen through a thread that plays the network."""
    tunnel = Tunnel(tmp_path_factory.mktemp("survival"), build_dir).start()
    tunnel.network = Between(int(tunnel.addresses()[0].rpartition(":")[2]))
    tunnel.set_addresses([tunnel.network.address])
    yield tunnel
    tunnel.network.stop()
    assert tunnel.stop() == 0


@pytest.fixture
def content(short_dir):
    """A file that takes some seconds."""
    file = short_dir / "content"
    file.write_bytes(os.urandom(MIB) * 48)
    return file


def size(path) -> int:
    return path.stat().st_size if path.exists() else 0


def last(seconds: float) -> None:
    """The time itself is what is tested."""
    end = time.monotonic() + seconds
    harness.until(lambda: time.monotonic() > end, "end of the time", limit=seconds + 10)


def start(argv, **files) -> subprocess.Popen:
    files = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **files}
    return subprocess.Popen(argv, start_new_session=True, **files)


def test_a_workstation_that_slept_goes_on_at_once(tunnel, content, short_dir):
    """ssh and its ProxyCommand are stopped; the job meanwhile sends into nothing, and gives up for longer and longer.

    Afterwards the client comes from another port, so that the job has a new path to learn, too.
    """
    there, here = short_dir / "there", short_dir / "here"
    with open(content, "rb") as source, open(here, "wb") as target, \
            terminal.Terminal(tunnel.argv("-tt", "job-7", "echo ready; cat"), os.environ) as screen:
        screen.expect("ready")
        groups, clients = [screen.pid], []
        os.killpg(screen.pid, signal.SIGSTOP)
        try:
            # Each is stopped in its midst: together, one might be done before the other has begun.
            up = start(tunnel.argv("job-7", f"cat >{there}"), stdin=source)
            groups.append(up.pid)
            clients.append(up)
            harness.until(lambda: size(there) > MIB, "upload", interval=0.001)
            os.killpg(up.pid, signal.SIGSTOP)
            down = start(tunnel.argv("job-7", f"cat {content}"), stdout=target)
            groups.append(down.pid)
            clients.append(down)
            harness.until(lambda: size(here) > MIB, "download", interval=0.001)
            os.killpg(down.pid, signal.SIGSTOP)
            last(15)
            stopped_at = size(there), size(here)
            assert max(stopped_at) < size(content), "nothing was left to do"
            for group in groups:
                os.killpg(group, signal.SIGCONT)
            before = time.monotonic()
            screen.type("awake\n")
            screen.expect("awake\r\nawake")
            harness.until(lambda: size(there) > stopped_at[0] and size(here) > stopped_at[1], "more", interval=0.005)
            took = time.monotonic() - before
            assert [client.wait(60 * harness.PATIENCE) for client in (up, down)] == [0, 0]
            screen.type("\x04")
            assert screen.end() == 0
        finally:
            # The ProxyCommand of one that is stopped would stay behind.
            for group in groups if screen.pid else groups[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            for client in clients:
                client.wait()
    harness.run(["cmp", content, there]).ok()
    harness.run(["cmp", content, here]).ok()
    assert took < 10 * harness.PATIENCE, f"{took:.1f} s until all went on"


def test_a_network_that_is_away_is_said_and_ends_nothing(tunnel, content, short_dir):
    """Nor do keepalives of ssh: they are answered on this side, even while an upload is stuck."""
    errors, there = short_dir / "errors", short_dir / "there"
    tunnel.configure("--silence 1s")
    clients = []
    try:
        with open(content, "rb") as source, open(errors, "wb") as stderr:
            shell = start(tunnel.argv(*ALIVE, "job-7", "echo here; cat; echo over"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=stderr)
            clients.append(shell)
            assert shell.stdout.readline() == b"here\n"
            up = start(tunnel.argv(*ALIVE, "job-7", f"cat >{there}"), stdin=source)
            clients.append(up)
        harness.until(lambda: size(there) > MIB, "upload", interval=0.001)
        tunnel.network.up = tunnel.network.down = False
        last(10)
        assert size(there) < size(content), "nothing was left to do"
        harness.until(lambda: b"berth: no answer from job-7 for " in errors.read_bytes(), "line about the silence")
        assert (shell.poll(), up.poll()) == (None, None)
        assert b"answers again" not in errors.read_bytes()
        tunnel.network.up = tunnel.network.down = True
        harness.until(lambda: b"berth: job-7 answers again\r\n" in errors.read_bytes(), "line about its end")
        assert shell.communicate(b"more\n", timeout=30 * harness.PATIENCE)[0] == b"more\nover\n"
        assert [client.wait(60 * harness.PATIENCE) for client in (shell, up)] == [0, 0]
    finally:
        tunnel.network.up = tunnel.network.down = True
        tunnel.configure()
        for client in clients:
            harness.kill_session(client)
    harness.run(["cmp", content, there]).ok()
