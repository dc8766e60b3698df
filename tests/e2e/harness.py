# SPDX-License-Identifier: MIT
"""What every end-to-end test needs: run a program with a limit, wait for a condition, own a home directory.

No test sleeps to be safe: it waits with `until` for what it needs, and fails with the name of what did not come.
BERTH_TEST_PATIENCE multiplies every limit (ci/test sets it for sanitizer builds and slow machines).
"""

import dataclasses
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = float(os.environ.get("BERTH_TEST_PATIENCE", "1"))

# ssh(1) finds ~/.ssh by the passwd entry and never by $HOME; so do we.
PASSWD_HOME = pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir)

# Root of a user namespace with one user in it (unshare --map-root-user) is none: it can neither become somebody else
# nor mount a disk.
IS_ROOT = os.getuid() == 0 and int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) > 1


@dataclasses.dataclass
class Result:
    """How a program ended. A negative status is the number of the signal that ended it."""

    argv: list
    status: int
    output: bytes
    errors: bytes

    @property
    def stdout(self) -> str:
        return self.output.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.errors.decode(errors="replace")

    def ok(self) -> "Result":
        """Asserts exit status 0 and returns itself, so that calls chain."""
        assert self.status == 0, f"{self}"
        return self

    def __str__(self) -> str:
        return (f"{' '.join(map(str, self.argv))}: status {self.status}\n"
                f"--- stdout\n{self.stdout[-4000:]}\n--- stderr\n{self.stderr[-4000:]}")


def run(argv, *, input=None, stdin=None, stdout=None, env=None, cwd=None, timeout=60) -> Result:
    """Runs a program to its end; its whole session is killed when the limit passes.

    stdin and stdout are files, for what is too large for input and output.
    """
    argv = [str(arg) for arg in argv]
    if isinstance(input, str):
        input = input.encode()
    if input is not None:
        stdin = subprocess.PIPE
    process = subprocess.Popen(argv, stdin=stdin or subprocess.DEVNULL, stdout=stdout or subprocess.PIPE,
                               stderr=subprocess.PIPE, env=env, cwd=cwd, start_new_session=True)
    try:
        output, errors = process.communicate(input, timeout=timeout * PATIENCE)
    except subprocess.TimeoutExpired:
        kill_session(process)
        output, errors = process.communicate()
        result = Result(argv, process.returncode, output or b"", errors or b"")
        raise AssertionError(f"no end within {timeout * PATIENCE:.0f} s: {result}") from None
    return Result(argv, process.returncode, output or b"", errors)


def kill_session(process: subprocess.Popen) -> None:
    """For processes started with start_new_session: ends the whole group, then reaps the first."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def stop(process: subprocess.Popen, limit=10) -> int:
    """Asks with SIGTERM, insists with SIGKILL, returns the status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(limit * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def until(condition, what, limit=30, interval=0.02):
    """Calls condition until it returns something true, which is returned. what is the name of that, or makes it when it did not
    come."""
    end = time.monotonic() + limit * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"no {what() if callable(what) else what} within {limit * PATIENCE:.0f} s"
        time.sleep(interval)


class Home:
    """A user of berth: configuration, state and $BERTH_HOME of their own, and ~/.ssh while it is active.

    $HOME, XDG_* and BERTH_HOME are environment; ~/.ssh is not, so that enter() puts an empty one in place of the
    one that is there and leave() brings that one back. Homes nest like a stack.
    """

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.ssh_dir = PASSWD_HOME / ".ssh"
        self.config_dir = root / "config" / "berth"
        self.state_dir = root / "state" / "berth"
        self.berth_home = root / "cluster"
        self._aside = PASSWD_HOME / f".ssh.before.{root.name}"

    def env(self, **more) -> dict:
        env = {key: value for key, value in os.environ.items()
               if not key.startswith(("SLURM_", "SSH_", "XDG_", "BERTH_")) or key.startswith("BERTH_TEST_")}
        env.update(HOME=str(PASSWD_HOME), XDG_CONFIG_HOME=str(self.root / "config"),
                   XDG_STATE_HOME=str(self.root / "state"), BERTH_HOME=str(self.berth_home), LC_ALL="C.UTF-8")
        env.update({key: str(value) for key, value in more.items()})
        return env

    def enter(self) -> "Home":
        self.root.mkdir(parents=True, exist_ok=True)
        if self.ssh_dir.exists():
            os.rename(self.ssh_dir, self._aside)
        self.ssh_dir.mkdir(mode=0o700)
        return self

    def leave(self) -> None:
        shutil.rmtree(self.ssh_dir, ignore_errors=True)
        if self._aside.exists():
            os.rename(self._aside, self.ssh_dir)
