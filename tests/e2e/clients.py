# SPDX-License-Identifier: MIT
"""What people do over ssh, as a table: each client is a function that uses the real program on a job in a place.

A client asserts what arrived, byte for byte, with exit status and messages. Where it cannot work by the nature of the
place, CANNOTS says why, and with which status and words the program has to say so; every other failure is one of ours.

To add a client: a function of (place, here), `here` being an empty directory, and its name in CLIENTS.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import threading
from typing import Callable

import pytest

import harness
from places import Failed, Place
from ports import free_ports

BLOB = os.urandom(300_000)
SUM = hashlib.sha256(BLOB).hexdigest()


def needs(program: str, package: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"no {program}: apt-get install {package}")


# ---- ssh


def command(place: Place, here: pathlib.Path) -> None:
    """Bytes in and out, errors apart, the status; what ends by a signal."""
    result = place.ssh("cat; echo at the end; echo wrong >&2; exit 7", input=BLOB, check=False)
    assert result.status == 7 and result.errors == b"wrong\n"
    assert result.output == BLOB + b"at the end\n"
    assert place.ssh("kill -9 $$", check=False).status == 255


def environment(place: Place, here: pathlib.Path) -> None:
    """The job's variables and directory, those of ssh, and a user, a home and a shell in any case."""
    result = place.ssh("env -0; pwd -P >&2; id -u >&2", "-o", "SetEnv=\"FROM_HERE=with a  space\"")
    found = dict(item.split("=", 1) for item in result.stdout.split("\0") if "=" in item)
    assert found["MINE"] == "kept" and found["FROM_HERE"] == "with a  space"
    assert found["USER"] == found["LOGNAME"] != "" and found["HOME"].startswith("/") and found["SSH_CONNECTION"]
    assert found["PATH"].split(":")[-1].endswith("/bin") and "SSH_AUTH_SOCK" not in found and "SSH_TTY" not in found
    directory, uid = result.stderr.split()
    assert directory in ("/work", str(place.work)) and int(uid) == place.kind.uid
    assert place.ssh("exec \"$SHELL\" -c 'echo $0 $1' it works").stdout == "it works\n"


def terminal(place: Place, here: pathlib.Path) -> None:
    """A pty of the window's size, which follows it; its status."""
    script = "trap 'stty size; exit 5' WINCH; tty; stty size; while :; do sleep 0.05; done"
    with place.terminal(script, rows=33, columns=101) as screen:
        screen.expect("/dev/pts/")
        screen.expect("33 101\r\n")
        screen.resize(50, 132)
        screen.expect("50 132\r\n")
        assert screen.end() == 5


def login(place: Place, here: pathlib.Path) -> None:
    """A shell that greets, has job control's Ctrl-C, and ends with its own status."""
    with place.terminal() as screen:
        screen.expect("rank 0 on ")
        screen.type("sh -c 'echo $((6 * 7)) on $TERM; exec sleep 1000'\n")
        screen.expect("42 on xterm-256color\r\n")
        screen.type("\x03")
        screen.type("echo $((6 * 8)) after; exit 5\n")
        screen.expect("48 after\r\n")
        assert screen.end() == 5


def tmux(place: Place, here: pathlib.Path) -> None:
    """A session that is left, found again and ended."""
    tmux = "env LC_ALL=C.UTF-8 TMUX_TMPDIR=. tmux -f /dev/null"
    with place.terminal(f"{tmux} new-session -s mine /bin/sh", rows=33, columns=101) as screen:
        screen.expect("[mine]")
        screen.type("echo $((6 * 7)) in $(stty size)\n")
        screen.expect("42 in 32 101")
        screen.type("\x02d")
        screen.expect("[detached (from session mine)]")
        assert screen.end() == 0
    assert place.ssh(f"{tmux} list-sessions -F '#{{session_name}} #{{session_attached}}'").stdout == "mine 0\n"
    assert "42 in 32 101" in place.ssh(f"{tmux} capture-pane -p -t mine").stdout
    place.ssh(f"{tmux} kill-server")


def x11(place: Place, here: pathlib.Path) -> None:
    """It is off: said at once, and the command runs without."""
    result = place.ssh("echo display=$DISPLAY.; exit 3", "-Y", env={"DISPLAY": ":4711"}, check=False)
    assert (result.status, result.stdout) == (3, "display=.\n")
    assert "X11 forwarding request failed" in result.stderr


def agent(place: Place, here: pathlib.Path) -> None:
    """The agent of here is reached from there: its socket in the job, brought back by -L, lists the same key."""
    control, back = here / "control", here / "back"
    master = subprocess.Popen([place.program, "-A", "-M", "-S", control, place.host, "echo $SSH_AUTH_SOCK; exec cat"],
                              env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        there = master.stdout.readline().decode().strip()
        assert there.startswith("/")
        place.run(place.program, "-S", control, "-O", "forward", "-L", f"{back}:{there}", place.host)
        assert place.ssh("stat -c '%F %a %u' $SSH_AUTH_SOCK", "-A").stdout == f"socket 600 {place.kind.uid}\n"
        keys = [place.run("ssh-add", "-l", env={"SSH_AUTH_SOCK": str(path)} if path else {}).stdout
                for path in (back, None)]
        assert keys[0] == keys[1] != ""
    finally:
        master.communicate(timeout=30 * harness.PATIENCE)
    assert master.returncode == 0


@contextlib.contextmanager
def summing(path: pathlib.Path):
    """A server on a Unix socket that reads to the end and answers with the sum."""
    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as file:
                    connection.sendall(hashlib.sha256(file.read()).hexdigest().encode())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def forwards(place: Place, here: pathlib.Path) -> None:
    """-L to a port of the job, which is one that -R brings back here; each direction ends by itself."""
    port, = free_ports(1)
    with summing(here / "server"):
        client = subprocess.Popen([place.program, "-N", "-o", "ExitOnForwardFailure=yes", "-R",
                                   f"{port}:{here}/server", "-L", f"{here}/way:127.0.0.1:{port}", place.host],
                                  env=place.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

        def answer():
            assert client.poll() is None, client.stderr.read()
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(here / "way"))
                connection.sendall(BLOB)
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(100).decode()
        try:
            assert harness.until(answer, "answer through both forwards") == SUM
        finally:
            harness.stop(client)
            client.stderr.close()


# ---- files


def make_tree(top: pathlib.Path) -> dict:
    """Files, directories, a link, modes, times and odd names; returns what `describe` says of it."""
    for name, size in ("a", 0), ("with space", 1000), ("d/e/f", 70_000), ("d/ünïcode ' \"", 3):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        os.utime(path, (1_000_000_000, 1_000_000_000 + size))
    (top / "a").chmod(0o600)
    (top / "with space").chmod(0o755)
    return describe(top)


def describe(top: pathlib.Path) -> dict:
    """Name -> mode, time and content of every file below."""
    return {str(path.relative_to(top)): (path.stat().st_mode & 0o777, int(path.stat().st_mtime), path.read_bytes())
            for path in top.rglob("*") if path.is_file()}


def scp_both_ways(place: Place, here: pathlib.Path, *options) -> None:
    tree = make_tree(here / "tree")
    scp = ["scp", *options, "-S", place.program, "-q", "-p", "-r"]
    name = f"scp{len(options)}"
    place.run(*scp, here / "tree", f"{place.host}:{name}")
    assert describe(place.work / name) == tree
    assert {path.stat().st_uid for path in (place.work / name).rglob("*")} == {place.kind.uid}
    place.run(*scp, f"{place.host}:{name}", here / "back")
    assert describe(here / "back") == tree
    missing = place.run(*scp, f"{place.host}:nowhere", here / "nothing", check=False)
    assert missing.status == 1 and "nowhere: No such file" in missing.stderr and not (here / "nothing").exists()


def scp(place: Place, here: pathlib.Path) -> None:
    """As it has been since OpenSSH 9.0: over SFTP."""
    scp_both_ways(place, here)


def scp_legacy(place: Place, here: pathlib.Path) -> None:
    """scp -O, and any scp before OpenSSH 9.0: with a scp in the job."""
    scp_both_ways(place, here, "-O")


def sftp(place: Place, here: pathlib.Path) -> None:
    (here / "up").write_bytes(BLOB)
    batch = here / "batch"
    batch.write_text(f"mkdir sftp\ncd sftp\nput {here}/up one\nchmod 640 one\nrename one two\nln -s two three\n"
                     f"ls -1\nget three {here}/down\ndf\nrm three\n-rm three\n")
    result = place.run("sftp", "-S", place.program, "-q", "-b", batch, place.host)
    listed = [line for line in result.stdout.splitlines() if not line.startswith("sftp>")]
    assert [line.strip() for line in listed if "t" in line][:2] == ["three", "two"], result
    assert (here / "down").read_bytes() == BLOB == (place.work / "sftp" / "two").read_bytes()
    assert (place.work / "sftp" / "two").stat().st_mode & 0o777 == 0o640
    assert os.listdir(place.work / "sftp") == ["two"] and "No such file" in result.stderr


def sshfs(place: Place, here: pathlib.Path) -> None:
    needs("sshfs", "sshfs")
    point = here / "mount"
    point.mkdir()
    result = place.run("sshfs", "-o", f"ssh_command={place.program}", f"{place.host}:", point, check=False)
    if "/dev/fuse" in result.stderr or "Operation not permitted" in result.stderr:
        pytest.skip(f"no FUSE here: {result.stderr.strip()}")
    if result.status != 0:
        raise Failed(result)
    try:
        (point / "sshfs").mkdir()
        (point / "sshfs" / "one").write_bytes(BLOB)
        os.rename(point / "sshfs" / "one", point / "sshfs" / "two")
        os.truncate(point / "sshfs" / "two", 1000)
        assert os.listdir(point / "sshfs") == ["two"]
        assert (place.work / "sshfs" / "two").read_bytes() == BLOB[:1000] == (point / "sshfs" / "two").read_bytes()
        assert os.statvfs(point).f_blocks > 0
    finally:
        place.run(shutil.which("fusermount3") or "fusermount", "-u", point)


def rsync(place: Place, here: pathlib.Path) -> None:
    needs("rsync", "rsync")
    tree = make_tree(here / "tree")
    rsync = ["rsync", "-rlpt", "--delete", "-e", place.program]
    place.run(*rsync, f"{here}/tree/", f"{place.host}:rsync/")
    assert describe(place.work / "rsync") == tree
    (here / "tree" / "with space").write_bytes(BLOB)
    (here / "tree" / "a").unlink()
    place.run(*rsync, f"{here}/tree/", f"{place.host}:rsync/")
    assert describe(place.work / "rsync") == describe(here / "tree") != tree
    place.run(*rsync, f"{place.host}:rsync/", f"{here}/back/")
    assert describe(here / "back") == describe(here / "tree")


def git(place: Place, here: pathlib.Path) -> None:
    """A clone, a commit and a push."""
    needs("git", "git")
    bare, copy = place.work / "repository.git", here / "copy"
    env = {"GIT_SSH": str(place.program), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*argv, at=here):
        name = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
        return place.run("git", *name, "-C", at, *argv, env=env).stdout
    if not bare.exists():
        git("init", "--quiet", "--bare", bare)
        place.give(bare)
    git("clone", "--quiet", f"{place.host}:repository.git", copy)
    (copy / "blob").write_bytes(BLOB)
    git("add", "blob", at=copy)
    git("commit", "--quiet", "-m", "with a blob", at=copy)
    git("push", "--quiet", "origin", "HEAD:main", at=copy)
    git("clone", "--quiet", "--branch", "main", f"{place.host}:repository.git", here / "again")
    assert (here / "again" / "blob").read_bytes() == BLOB
    assert git("rev-parse", "HEAD", at=here / "again") == git("rev-parse", "HEAD", at=copy)


# ---- ansible, which is run once for all places


class Ansible:
    """`ansible all -m MODULE`, at once on each place, beside the other clients; `said` has what it says of each.

    with Ansible(places, dir) as ansible:
        ansible.ask(place, "ping")
    """

    MODULES = {"ping": "", "raw": "echo $((6 * 7))",
               "copy": "src=source dest='{{ ansible_remote_tmp | dirname }}/copied' mode=0640"}

    def __init__(self, places: dict, dir: pathlib.Path):
        self.places, self.dir = places, dir
        (dir / "source").write_bytes(BLOB)
        (dir / "inventory").write_text("".join(
            f"{name} ansible_host={place.host} ansible_ssh_executable={place.program} "
            f"ansible_remote_tmp={'/work' if place.kind.by != 'berth' else place.work}/.ansible "
            f"ansible_ssh_use_tty={place.kind.pts}\n"  # it asks for a terminal wherever it thinks there is one
            for name, place in places.items()))
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.said = {module: self.pool.submit(self._run, module, self.MODULES[module])
                     for module in self.MODULES if places and shutil.which("ansible")}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)

    def _run(self, module: str, arguments: str) -> dict:
        place = next(iter(self.places.values()))
        env = {**place.env, "ANSIBLE_LOCAL_TEMP": str(self.dir / "local"), "ANSIBLE_HOME": str(self.dir / "home"),
               "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3", "ANSIBLE_FORKS": "4", "ANSIBLE_NOCOLOR": "1",
               "ANSIBLE_SSH_ARGS": "-o ControlMaster=no", "ANSIBLE_STDOUT_CALLBACK": "minimal"}
        for name, other in self.places.items():
            if other.kind.by == "berth":
                env.update({key: value for key, value in other.env.items() if key.startswith(("BERTH", "XDG", "HOME"))})
        argv = ["ansible", "-i", self.dir / "inventory", "all", "-m", module, *(["-a", arguments] if arguments else [])]
        result = harness.run(argv, env=env, cwd=self.dir, timeout=120)
        said, name = {}, None
        for line in (result.stdout + result.stderr).splitlines():
            name = next((each for each in self.places if line.startswith(f"{each} | ")), name)
            said[name] = said.get(name, "") + line + "\n"
        return said

    def ask(self, place: Place, module: str) -> str:
        """What ansible said of a place; Failed unless that is success."""
        needs("ansible", "ansible-core")
        text = self.said[module].result().get(place.kind.name, "nothing")
        if f"{place.kind.name} | SUCCESS" not in text and f"{place.kind.name} | CHANGED" not in text:
            raise Failed(harness.Result(["ansible", "-m", module, place.kind.name], 2, text.encode(), b""))
        return text


def ansible_ping(place: Place, here: pathlib.Path) -> None:
    assert '"ping": "pong"' in place.ansible.ask(place, "ping")


def ansible_copy(place: Place, here: pathlib.Path) -> None:
    place.ansible.ask(place, "copy")
    assert (place.work / "copied").read_bytes() == BLOB
    assert (place.work / "copied").stat().st_mode & 0o777 == 0o640


def ansible_raw(place: Place, here: pathlib.Path) -> None:
    """What ansible does without Python."""
    assert "rc=0 >>\n42" in place.ansible.ask(place, "raw")


CLIENTS = [command, environment, terminal, login, tmux, x11, agent, forwards, scp, scp_legacy, sftp, sshfs, rsync, git,
           ansible_ping, ansible_copy, ansible_raw]


@dataclasses.dataclass(frozen=True)
class Cannot:
    """Why a client cannot work in a place, and how its program has to end there."""

    clients: tuple
    where: Callable
    reason: str
    statuses: tuple  # one of which it has
    words: tuple  # all of which it prints


def lacks(program: str) -> Callable:
    return lambda kind: program not in kind.has


# The first that fits is the one.
CANNOTS = [
    Cannot((terminal, login, tmux), lambda kind: not kind.pts, "without /dev/pts there are no terminals", (66,),
           ("no terminal in this job: open /dev/ptmx",)),
    Cannot((tmux,), lacks("tmux"), "no tmux in the image", (127,), ("tmux", "No such file")),
    Cannot((scp_legacy,), lacks("scp"), "no scp in the image, and the old protocol is spoken by one", (1,),
           ("scp: not found",)),
    Cannot((scp_legacy,), lambda kind: kind.uid, "the image's scp wants a passwd entry", (1,), ("unknown user",)),
    # rsync, when it is told while it writes: 12.
    Cannot((rsync,), lacks("rsync"), "no rsync in the image", (127, 12), ("rsync: not found",)),
    Cannot((git,), lacks("git"), "no git in the image", (128,), ("git-upload-pack: not found",)),
    Cannot((ansible_ping, ansible_copy), lacks("sh"), "no /bin/sh in the image, which ansible calls", (2,),
           ("Failed to create temporary directory", "exited with result 127")),
    Cannot((ansible_ping,), lacks("python"), "no Python in the image", (2,), ("/usr/bin/python3", "not found")),
    Cannot((ansible_copy,), lacks("python"), "no Python in the image", (2,),
           ("Failed to get information on remote file",)),
]


def cannot(client: Callable, kind) -> Cannot:
    """None where it has to work."""
    return next((each for each in CANNOTS if client in each.clients and each.where(kind)), None)
