# SPDX-License-Identifier: MIT
"""How long a keystroke takes to come back from a terminal: idle, and beside a bulk transfer on the same connection."""

import contextlib
import os
import select
import statistics
import subprocess
import time

from parties import harness
from report import Aim, Row, ms, turns

KEYS = 200
GAP = 0.004  # seconds from an echo to the next keystroke


def read_some(fd: int, limit=20) -> bytes:
    assert select.select([fd], [], [], limit)[0], f"nothing was echoed within {limit} s"
    return os.read(fd, 65536)


def keystrokes(party, keys: int, *options) -> float:
    """The median time from a letter's write to its echo by the terminal of `cat`."""
    times = []
    with subprocess.Popen([*party.client(), *options, "-tt", party.name, "cat"], env=party.env,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        there, back = client.stdin.fileno(), client.stdout.fileno()
        try:
            os.write(there, b"a")  # what is echoed shows that the terminal is there
            read_some(back)
            for _ in range(keys):
                time.sleep(GAP)
                before = time.perf_counter()
                os.write(there, b"x")
                read_some(back)
                times.append(time.perf_counter() - before)
        finally:
            client.kill()
    return statistics.median(times)


@contextlib.contextmanager
def busy(party, control: str, command: str):
    """A connection with a bulk transfer in one of its channels; yields the options of more channels."""
    words, started = [*party.client(), "-S", control], []
    try:
        started.append(subprocess.Popen([*words, "-M", "-N", party.name], env=party.env, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL))
        harness.until(lambda: os.path.exists(control), "control socket")
        with open("/dev/zero", "rb") as zeros:
            started.append(subprocess.Popen([*words, party.name, command], env=party.env, stdin=zeros,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        yield "-S", control
    finally:
        for process in reversed(started):
            harness.stop(process)


def idle(bench) -> list:
    runs, keys = bench.runs(5), bench.size(KEYS)
    ours, theirs = turns(runs, *[lambda party=party: keystrokes(party, keys) for party in bench.pair()])
    return [Row("echo", runs, ms(ours), ms(theirs), (ours - theirs) * 1e3, Aim("<=", 0.2, "ms"))]


def beside(bench, direction: str) -> list:
    runs, keys = bench.runs(5), bench.size(KEYS)
    command = "cat /dev/zero" if direction == "down" else "cat >/dev/null"

    def measure(party) -> float:
        with busy(party, str(bench.work / "control"), command) as options:
            return keystrokes(party, keys, *options)
    ours, theirs = turns(runs, *[lambda party=party: measure(party) for party in bench.pair()], warm=False)
    return [Row(f"echo-{direction}", runs, ms(ours), ms(theirs), ours / theirs, Aim("<=", 2))]


CASES = {
    "echo": ("a keystroke and its echo, loopback, more than sshd takes", idle),
    "echo-down": ("the same beside a transfer from the job in another channel", lambda bench: beside(bench, "down")),
    "echo-up": ("beside a transfer to the job", lambda bench: beside(bench, "up")),
}
