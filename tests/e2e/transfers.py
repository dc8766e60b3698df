# SPDX-License-Identifier: MIT
"""Bytes that go to a job and come back, and what became of them."""

import hashlib
import subprocess
import threading
import time

import harness

MIB = 1 << 20


class Echo:
    """`ssh JOB cat` that is fed from memory; received grows while it runs. limit (seconds) is for the whole of it."""

    def __init__(self, argv: list, env: dict, content: bytes, limit=60):
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True)
        self.expected, self.limit, self.errors = hashlib.sha256(content), limit, b""
        self.received, self.hash = 0, hashlib.sha256()
        self.threads = [threading.Thread(target=each, args=more, daemon=True)
                        for each, more in ((self._feed, (content,)), (self._drain, ()), (self._listen, ()))]
        for thread in self.threads:
            thread.start()

    def _feed(self, content: bytes) -> None:
        try:
            self.process.stdin.write(content)
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # end() says how it ended

    def _drain(self) -> None:
        while chunk := self.process.stdout.read1(65536):
            self.hash.update(chunk)
            self.received += len(chunk)

    def _listen(self) -> None:
        while chunk := self.process.stderr.read1(65536):
            self.errors += chunk

    def until_received(self, count: int, limit=180) -> None:
        def received():
            assert self.process.poll() is None or self.received >= count, self
            return self.received >= count
        harness.until(received, lambda: f"{count} bytes: {self}", limit)

    def until_silent(self, seconds: float) -> None:
        """Nothing came for that long."""
        last = [self.received, time.monotonic()]

        def silent():
            if self.received != last[0]:
                last[:] = self.received, time.monotonic()
            return time.monotonic() - last[1] >= seconds
        harness.until(silent, "silence", limit=20)

    def until_more(self, limit=30) -> float:
        """Something comes again; returns how many seconds it took."""
        before, begin = self.received, time.monotonic()
        self.until_received(before + 1, limit)
        return time.monotonic() - begin

    def end(self) -> int:
        """Waits for the end; the exit status."""
        for thread in self.threads:
            thread.join(self.limit * harness.PATIENCE)
        return self.process.wait(10 * harness.PATIENCE)

    def check(self) -> None:
        """It ended well, nothing was lost, and nothing was repeated."""
        status = self.end()
        assert status == 0 and self.hash.digest() == self.expected.digest(), f"status {status}: {self}"

    def kill(self) -> None:
        harness.kill_session(self.process)

    def __str__(self) -> str:
        return f"{self.received} bytes came back; {self.errors[-2000:].decode(errors='replace')}"
