# SPDX-License-Identifier: MIT
"""A person who stays in a job for as long as a test lasts, or the job."""

import subprocess
import time

import harness
import terminal


class Session:
    """A person at a terminal in the job; numbers typed come back once each, in order."""

    def __init__(self, way):
        self.screen, self.count = terminal.Terminal(way.argv("-tt", "job-7", "stty -echo; echo ready; cat"),
                                                    way.env()), 0
        self.screen.expect("ready\r\n")

    def __enter__(self):
        self.screen.__enter__()
        return self

    def __exit__(self, *error):
        self.screen.__exit__(*error)

    def check(self) -> float:
        """How many seconds a line took to come back."""
        self.count += 1
        before = time.monotonic()
        self.screen.type(f"line {self.count}\n")
        self.screen.expect(f"line {self.count}\r\n")
        assert b"line" not in self.screen.screen, "a line came twice"
        return time.monotonic() - before

    def end(self) -> None:
        self.screen.type("\x04")
        assert self.screen.end() == 0
        assert b"line" not in self.screen.screen


def last_words(ssh, ends: dict) -> list:
    """ends is the name of a job -> what ends it. Goes into all of them by ssh, then ends them; the one line that each
    client was told, which ends with 255."""
    inside = [subprocess.Popen(ssh.argv(name, "echo in; exec sleep 1000"), env=ssh.env(), start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for name in ends]
    try:
        for client in inside:
            assert client.stdout.readline() == b"in\n"
        for end in ends.values():
            end()
        words = []
        for client in inside:
            errors = client.communicate(timeout=60 * harness.PATIENCE)[1].decode()
            told = [line for line in errors.splitlines() if "berth" in line]
            assert client.returncode == 255 and len(told) == 1, errors
            words += told
        return words
    finally:
        for client in inside:
            harness.kill_session(client)
