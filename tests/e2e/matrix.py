# SPDX-License-Identifier: MIT
"""What an init can get wrong, as a table: one row a behaviour, one column a program that can be an init.

Each row is a function that watches one program do one thing, as PID 1 of a PID namespace or as a child subreaper, and
says in a few words what came of it. A row also says what is right; what the others do is only written down. The rows
are those by which tini, dumb-init and catatonit were found to differ, and what was measured then comes out again.

    for candidate in candidates():
        for row in ROWS:
            for mode in row.modes:
                row.outcome(candidate, mode, probe)      "all", "init dies", ...

To add a row: a function here and a line in ROWS. test_init_matrix.py demands that ours is right in each of them.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import select
import signal
import subprocess
import threading
import time

import harness
import initrun
import processes
from initrun import PYTHON
from matrix_run import LOST, OURS, SHELL, Candidate, Run, argv_of, on_terminal, recorder, recording

KERNEL_RAISES = [signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV,
                 signal.SIGSYS]
STOPS = [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
ORDINARY = [n for n in range(1, 32) if n not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD,
                                                   *KERNEL_RAISES, *STOPS)]
REAL_TIME = list(range(34, 64))  # 64 marks the end


def tell_numbers(numbers, records: list) -> str:
    """Which of the signals arrived once, and which did not."""
    seen = [each["signal"] for each in records]
    lost = [n for n in numbers if n not in seen]
    twice = [n for n in numbers if seen.count(n) > 1]
    words = []
    if lost:
        words.append("all lost" if len(lost) == len(numbers) else f"{','.join(map(str, lost))} lost")
    if twice:
        words.append(f"{','.join(map(str, twice))} twice")
    return "; ".join(words) or "all"


# ---- signals


def signals_sent(candidate, mode, probe, numbers):
    with recording(candidate, mode, probe) as run:
        for number in numbers:
            os.kill(run.pid, number)
        # The lowest number goes first everywhere, so that this one comes after all others.
        os.kill(run.pid, 64)
        return tell_numbers(numbers, run.records(64))


def ordinary_signals(candidate, mode, probe):
    return signals_sent(candidate, mode, probe, ORDINARY)


def child_signal(candidate, mode, probe):
    return signals_sent(candidate, mode, probe, [signal.SIGCHLD])


def real_time_signals(candidate, mode, probe):
    return signals_sent(candidate, mode, probe, REAL_TIME)


def signals_the_kernel_raises(candidate, mode, probe):
    with recording(candidate, mode, probe) as run:
        command = run.command
        for number in KERNEL_RAISES:
            with contextlib.suppress(ProcessLookupError):
                os.kill(run.pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, 50)
        records = run.records(50)
        if not run.is_alive():
            return "init dies, command left" if processes.is_alive(command) else "init dies"
        return tell_numbers(KERNEL_RAISES, records)


def values_of_signals(candidate, mode, probe):
    with recording(candidate, mode, probe) as run:
        for value in range(1, 101):
            initrun.queue(run.pid, 50, value)
        os.kill(run.pid, 51)
        values = [each["value"] for each in run.records(51) if each["signal"] == 50]
        if values == list(range(1, 101)):
            return "kept, in order"
        return f"{len(values)} of 100, {sum(1 for value in values if value)} values"


def stopping_signals(candidate, mode, probe):
    with recording(candidate, mode, probe) as run:
        command = run.command
        for number in STOPS:
            os.kill(run.pid, number)
        os.kill(run.pid, signal.SIGTERM)
        os.kill(run.pid, 50)
        records = run.records(50)
        if processes.state(command) == "T":
            return "stopped, TERM waits"
        return tell_numbers([*STOPS, signal.SIGTERM], records)


def permission_denied(candidate, mode, probe):
    prefix = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill"]
    with Run(candidate, mode, "setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c",
             "echo ready; read line; exit 5", prefix=prefix, stdin=subprocess.PIPE) as run:
        run.wait_for("ready")
        run.remember(run.command)
        os.kill(run.pid, signal.SIGUSR1)
        if run.ends(0.3):
            return f"ends with {run.process.returncode}"
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        assert run.ends(10)
        return "goes on" if run.process.returncode == 5 else f"ends with {run.process.returncode}"


def process_group(candidate, mode, probe):
    with Run(candidate, mode, "sh", "-c", f"trap : USR1; {probe} signals 1000 & {probe} signals 1000") as run:
        run.read(lambda text: text.count("ready") == 2, 10)
        for pid in initrun.descendants(run.pid):
            run.remember(pid)
        leads = os.getpgid(run.command) == run.command
        os.kill(run.pid, signal.SIGUSR1)
        run.read(lambda text: text.count("{") == 2, 0.4)
        return f"{'its own' if leads else 'not its own'}, {'all' if run.text.count('{') == 2 else 'one process'} told"


# ---- what the command finds


def after(python: str) -> list:
    return [PYTHON, "-c", f"import os, signal, sys; {python}; os.execvp(sys.argv[1], sys.argv[1:])"]


def signal_settings(candidate, mode, probe):
    setting = after("[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 10)]; "
                    "signal.pthread_sigmask(signal.SIG_SETMASK, [12, 20, 40])")
    command = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    bare = harness.run([*setting, *command]).ok().stdout.split()
    with Run(candidate, mode, *command, inner=setting) as run:
        got = run.end().stdout.split()
    wrong = [name for name, place in (("mask", 1), ("ignored", 3)) if got[place] != bare[place]]
    return f"{' and '.join(wrong)} changed" if wrong else "as inherited"


def child_signal_ignored(candidate, mode, probe):
    ignore = after("signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    with Run(candidate, mode, "sh", "-c", "exit 3", inner=ignore) as run:
        return f"status {run.process.returncode}" if run.ends() else "hangs"


def no_program(candidate, mode, probe):
    statuses = []
    for command in "/no/such/command", "/etc/passwd", "/etc":
        with Run(candidate, mode, command) as run:
            statuses.append(str(run.end().status))
    return " ".join(statuses)


def script_without_interpreter(candidate, mode, probe):
    # Several of these run at once. Each has a file of its own, written by another process: one that is started here
    # meanwhile would inherit it open for writing, and what is open for writing is not executed (ETXTBSY).
    path = probe.parent / f"plain-script.{threading.get_ident()}"
    subprocess.run(["install", "-m", "755", "/dev/stdin", path], input=b"exit 3\n", check=True)
    with Run(candidate, mode, path) as run:
        status = run.end().status
        return "runs" if status == 3 else f"status {status}"


# ---- job control


def ctrl_z(candidate, mode, probe):
    with on_terminal(*argv_of(candidate, mode), *SHELL) as shell:
        shell.expect("<0>")
        shell.type("cat\n")
        shell.expect("cat\r\n")
        shell.type("one\n")
        shell.expect("one\r\none\r\n")
        shell.type("\x1a")
        try:
            shell.expect("Stopped", LOST / harness.PATIENCE)
        except AssertionError:
            return "dead"
        shell.expect(f"<{128 + signal.SIGTSTP}>")
        shell.type("fg\n")
        shell.expect("cat\r\n")
        shell.type("two\n")
        shell.expect("two\r\ntwo\r\n")
        return "stops, fg goes on"


def ctrl_c(candidate, mode, probe):
    with on_terminal(*argv_of(candidate, mode), *recorder(probe)) as screen:
        screen.expect("ready")
        screen.type("\x03")
        times = 0
        # A second one would come right behind the first.
        for limit in LOST / harness.PATIENCE, 0.2:
            with contextlib.suppress(AssertionError):
                screen.expect('"signal": 2,', limit)
                times += 1
        return ("lost", "once", "twice")[times]


def in_the_background(candidate, mode, probe):
    with on_terminal(*SHELL) as shell:
        shell.expect("<0>")
        shell.type(f"{' '.join(argv_of(candidate, mode))} sh -c 'echo rea\"\"dy; exec sleep 5' &\n")
        try:
            shell.expect("ready", LOST / harness.PATIENCE)
        except AssertionError:
            return "takes it"  # and the shell has ended, as it cannot read any more
        return "leaves it" if os.tcgetpgrp(shell.fd) == shell.pid else "takes it"


# ---- children and the end


def orphans(candidate, mode, probe):
    with Run(candidate, mode, probe, "orphans", "1000") as run:
        run.wait_for("ready")
        run.remember(run.command)
        end = time.monotonic() + 2 * LOST
        while len(initrun.children(run.pid)) > 1 and time.monotonic() < end:
            time.sleep(0.01)
        left = len(initrun.children(run.pid)) - 1
        if left:
            return f"{left} zombies"
        # Those that went elsewhere are nobody's zombies either; a living one tells whose they are.
    with Run(candidate, mode, "sh", "-c", "(sleep 60 & echo $!); echo ready; exec sleep 60") as run:
        run.wait_for("ready")
        run.remember(int(run.text.split()[0]))
        run.remember(run.command)
        return "reaped" if len(initrun.children(run.pid)) == 2 else "go elsewhere"


def exit_statuses(candidate, mode, probe):
    wrong = []
    for what, number, expected in (("exit", 0, 0), ("exit", 7, 7), ("exit", 255, 255), ("raise", 9, 137),
                                   ("raise", 15, 143), ("raise", 34, 162)):
        with Run(candidate, mode, probe, what, number) as run:
            status = run.end().status
        if status != expected:
            wrong.append(f"{what} {number} is {status}")
    return "; ".join(wrong) or "status, 128+n"


@contextlib.contextmanager
def leaving(candidate, mode, probe, ms):
    """A command that leaves a process behind in a session of its own and exits; gives how long the init still took."""
    with Run(candidate, mode, "sh", "-c", f"setsid {probe} linger {ms} & read line; exit 4",
             stdin=subprocess.PIPE) as run:
        run.wait_for("\n")
        run.remember(int(run.text.split()[0]))
        before = time.monotonic()
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        assert run.ends(30), run.process.args
        took = time.monotonic() - before
        # To the end of the output: whoever lives on keeps it open.
        run.read(lambda text: False, 0.4)
        yield run, took


def end_of_output(run) -> bool:
    return bool(select.select([run.process.stdout], [], [], 0)[0]) and not os.read(run.process.stdout.fileno(), 1)


def what_is_left(candidate, mode, probe):
    with leaving(candidate, mode, probe, 200) as (run, _):
        if "done" in run.text:
            return "TERM, and time"
        if "told" in run.text:
            return "TERM, no time" if end_of_output(run) else "TERM, not waited"
        return "KILL at once" if end_of_output(run) else "left running"


def what_ignores_term(candidate, mode, probe):
    with leaving(candidate, mode, probe, -1) as (run, took):
        if not end_of_output(run):
            return "left running"
        if "told" not in run.text:
            return "KILL at once"
        return "grace, then KILL" if took > 0.4 else "TERM, KILL at once"


def init_is_killed(candidate, mode, probe):
    with recording(candidate, mode, probe) as run:
        os.kill(run.pid, signal.SIGKILL)
        return "command gets TERM" if run.records(signal.SIGTERM) else "command left"


# ---- what it costs


def descriptors(candidate, mode, probe):
    reader, writer = os.pipe()
    try:
        with Run(candidate, mode, *recorder(probe), pass_fds=[writer]) as run:
            run.wait_for("ready")
            run.remember(run.command)
            path = pathlib.Path(f"/proc/{run.pid}/fd/{writer}")
            harness.until(lambda: processes.state(run.pid) == "S", "sleep")
            return "kept" if path.is_symlink() and "pipe" in os.readlink(path) else "let go"
    finally:
        os.close(reader)
        os.close(writer)


def working_directory(candidate, mode, probe):
    with Run(candidate, mode, *recorder(probe), cwd=probe.parent) as run:
        run.wait_for("ready")
        run.remember(run.command)
        harness.until(lambda: processes.state(run.pid) == "S", "sleep")
        return "let go" if os.readlink(f"/proc/{run.pid}/cwd") == "/" else "kept"


def switches(pid: int) -> int:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt"))


def wakeups(candidate, mode, probe, seconds=2.0):
    with Run(candidate, mode, *recorder(probe)) as run:
        run.wait_for("ready")
        run.remember(run.command)
        harness.until(lambda: processes.state(run.pid) == "S", "sleep")
        before = switches(run.pid)
        assert not run.ends(seconds)
        return str(switches(run.pid) - before)


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    right: str
    watch: object
    modes: tuple = ("pid1", "sub")
    needs_root: bool = False
    terminal: bool = False

    def outcome(self, candidate: Candidate, mode: str, probe: pathlib.Path) -> str:
        """Of others it is also one that they never get as far as what is watched (catatonit ends now and then before the
        command has said a word, when it may not send it signals); of ours it is a failure."""
        try:
            return self.watch(candidate, mode, probe)
        except AssertionError:
            if candidate == OURS:
                raise
            return "not seen"


ROWS = [
    Row("signals 1 to 31", "all", ordinary_signals),
    Row("ILL TRAP ... SYS, sent", "all", signals_the_kernel_raises),
    Row("CHLD, sent", "all", child_signal),
    Row("TSTP TTIN TTOU, then TERM", "all", stopping_signals),
    Row("signals 34 to 64", "all", real_time_signals),
    Row("100 values of sigqueue", "kept, in order", values_of_signals),
    Row("the process group", "its own, all told", process_group),
    Row("a signal that it may not send", "goes on", permission_denied, needs_root=True),
    Row("mask, ignored signals", "as inherited", signal_settings),
    Row("SIGCHLD ignored at the start", "status 3", child_signal_ignored),
    Row("Ctrl-C", "once", ctrl_c, terminal=True),
    Row("Ctrl-Z in a shell below it", "stops, fg goes on", ctrl_z, terminal=True),
    Row("background: the terminal", "leaves it", in_the_background, modes=("sub",), terminal=True),
    Row("exit status", "status, 128+n", exit_statuses),
    Row("no file, no program, a directory", "127 126 126", no_program),
    Row("script without #!", "runs", script_without_interpreter),
    Row("1000 orphans at once", "reaped", orphans),
    Row("who is left at the end", "TERM, and time", what_is_left),
    Row("... and ignores TERM", "grace, then KILL", what_ignores_term),
    Row("init is killed", "command gets TERM", init_is_killed, modes=("sub",)),
    Row("the command's descriptors", "let go", descriptors),
    Row("the working directory", "let go", working_directory),
    Row("wakeups in 2 s", "0", wakeups),
]


class Table:
    """Outcomes, to be printed. A star marks what is not right."""

    def __init__(self, columns: list):
        self.columns = columns
        self.outcomes = {}

    def add(self, row: Row, mode: str, candidate: Candidate, outcome: str) -> None:
        self.outcomes[row.name, mode, candidate.name] = outcome

    def text(self) -> str:
        names = [candidate.name for candidate in self.columns]
        lines = [["", "as", *names]]
        for row in ROWS:
            for mode in row.modes:
                cells = [self.outcomes.get((row.name, mode, name)) for name in names]
                if any(cells):
                    lines.append([row.name, mode, *((cell or "") + (" *" if cell and cell != row.right else "")
                                                    for cell in cells)])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        return "".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() + "\n"
                       for line in lines)


def fill(table: Table, row: Row, mode: str, probe: pathlib.Path) -> str:
    """Watches every candidate; returns what came of ours.

    All of them at once, as what they do is mostly to wait; but one after the other where terminals are forked for.
    """
    with concurrent.futures.ThreadPoolExecutor(1 if row.terminal else len(table.columns)) as pool:
        outcomes = pool.map(lambda candidate: row.outcome(candidate, mode, probe), table.columns)
        for candidate, outcome in zip(table.columns, outcomes):
            table.add(row, mode, candidate, outcome)
    return table.outcomes[row.name, mode, OURS.name]
