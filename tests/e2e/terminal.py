# SPDX-License-Identifier: MIT
"""A program on a terminal of its own, as a person would have it: type, read the screen, resize the window."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import harness


class Terminal:
    def __init__(self, argv, env, rows=24, columns=80):
        self.screen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(argv[0], [str(arg) for arg in argv], env)
            finally:
                os._exit(127)
        self.resize(rows, columns)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def is_raw(self) -> bool:
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    def _read(self, wait: float) -> bool:
        """Takes in what the program printed; false at its end."""
        if not select.select([self.fd], [], [], wait)[0]:
            return True
        try:
            bytes = os.read(self.fd, 65536)
        except OSError:  # EIO: the last process on the terminal has gone
            return False
        self.screen += bytes
        return bool(bytes)

    def expect(self, text: str, limit=30) -> None:
        """Waits until the text is on the screen, and drops everything up to its end."""
        end, wanted = time.monotonic() + limit * harness.PATIENCE, text.encode()
        while wanted not in self.screen:
            more = self._read(0.1)
            assert wanted in self.screen or (more and time.monotonic() < end), \
                f"no {text!r} on the screen, but {self.screen[-2000:]!r}"
        self.screen = self.screen.partition(wanted)[2]

    def end(self, limit=30) -> int:
        """Waits for the program's end; returns its exit status, 128+n for a signal."""
        end = time.monotonic() + limit * harness.PATIENCE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < end, f"no end, but {self.screen[-2000:]!r}"
            self._read(0.05)
        while self._read(0.05) and select.select([self.fd], [], [], 0)[0]:
            pass
        self.pid = 0
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def suspend_and_resume(shell: Terminal) -> None:
    """Job control, in a shell whose prompt is `<$?>`: a program is stopped, resumed and interrupted; the shell is left."""
    shell.expect("<0>")
    shell.type("cat\n")
    shell.expect("cat\r\n")
    shell.type("one\n")
    shell.expect("one\r\none\r\n")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(f"<{128 + signal.SIGTSTP}>")
    shell.type("fg\n")
    shell.expect("cat\r\n")
    shell.type("two\n")
    shell.expect("two\r\ntwo\r\n")
    shell.type("\x03")
    shell.expect("<130>")
    shell.type("exit 5\n")
    assert shell.end() == 5
