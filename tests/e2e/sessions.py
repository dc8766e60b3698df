# SPDX-License-Identifier: MIT
"""A person who stays in a job for as long as a test lasts."""

import time

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
