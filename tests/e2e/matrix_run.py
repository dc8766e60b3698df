# SPDX-License-Identifier: MIT
"""Programs that can be an init, each running a command that is watched; for the rows of matrix.py."""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import time

import harness
import initrun
import processes
from terminal import Terminal

# How long something may take to come before it counts as lost: those that lose it cost this much, and nobody else.
LOST = 1.0 * harness.PATIENCE


@dataclasses.dataclass(frozen=True)
class Candidate:
    name: str
    program: pathlib.Path
    options: tuple = ()
    sub_options: tuple = ()  # what it needs to be a subreaper

    def argv(self, mode: str) -> list:
        return [str(self.program), *self.options, *(self.sub_options if mode == "sub" else ())]


OURS = Candidate("berth-init", initrun.PROGRAM, ("--grace", "500ms"))


def candidates() -> list:
    """Ours first, then what of the others is installed."""
    others = [("tini", "tini", (), ("-s",)), ("tini -g", "tini", ("-g",), ("-s",)), ("dumb-init", "dumb-init", (), ()),
              ("catatonit", "catatonit", (), ())]
    found = [(name, shutil.which(program), *options) for name, program, *options in others]
    return [OURS, *(Candidate(name, pathlib.Path(path), *options) for name, path, *options in found if path)]


class Run(initrun.Init):
    """A candidate that runs a command. What it leaves behind is ended with it."""

    def __init__(self, candidate: Candidate, mode: str, *command, **more):
        program, *options = candidate.argv(mode)
        self.text = ""
        self.strangers = []
        super().__init__(mode, *command, program=program, options=options, **more)

    def __exit__(self, *_):
        for pid in self.strangers:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        super().__exit__()

    def remember(self, pid: int) -> int:
        """A process that might outlive the init; numbers of another namespace end with that."""
        if self.mode == "sub":
            self.strangers.append(pid)
        return pid

    def read(self, enough, limit=None) -> str:
        """What it has printed, once that is enough; or all there is at the end of the output, or of the limit."""
        end = time.monotonic() + (limit or LOST)
        while not enough(self.text):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                break
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                break
            self.text += piece.decode(errors="replace")
        return self.text

    def wait_for(self, word: str, limit=30) -> None:
        """For what every candidate does."""
        self.read(lambda text: word in text, limit * harness.PATIENCE)
        assert word in self.text, f"{self.process.args}: no {word!r} but {self.text!r}"

    def records(self, last: int) -> list:
        """The signals that probe has recorded, in order, once the last one is among them."""
        def parse(text):
            lines = text.rpartition("\n")[0].splitlines()
            return [json.loads(line) for line in lines if line.startswith("{")]
        return parse(self.read(lambda text: any(each["signal"] == last for each in parse(text))))

    def ends(self, limit=LOST) -> bool:
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return False
        return True

    def is_alive(self) -> bool:
        return processes.is_alive(self.pid)


def recorder(probe: pathlib.Path) -> list:
    return [probe, "signals", "100000"]


@contextlib.contextmanager
def recording(candidate, mode, probe, *more):
    with Run(candidate, mode, *more, *recorder(probe)) as run:
        run.wait_for("ready")
        run.remember(run.command)
        assert run.pid
        yield run


SHELL = ["bash", "--norc", "--noprofile", "--noediting", "-i"]


@contextlib.contextmanager
def on_terminal(*argv):
    """A Terminal; whoever has started on it ends with it."""
    env = {"PATH": os.environ["PATH"], "PS1": "<$?>", "LC_ALL": "C.UTF-8", "TERM": "dumb", "HISTFILE": ""}
    with Terminal(list(map(str, argv)), env) as terminal:
        try:
            yield terminal
        finally:
            for pid in initrun.descendants(terminal.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def argv_of(candidate, mode) -> list:
    return [*(initrun.namespace() if mode == "pid1" else []), *candidate.argv(mode), "--"]
