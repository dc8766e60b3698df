# SPDX-License-Identifier: MIT
"""The SSH engine over a real job: terminal modes, new keys in the middle of bulk, signals, more than a thousand
channels."""

import concurrent.futures
import hashlib
import os
import pty
import re
import resource
import socket
import subprocess
import threading

import pytest

import harness
from ports import free_ports

MIB = 1024 * 1024
CHANNELS = 1200

# Every flag of RFC 4254 section 8 and RFC 8160 that a terminal of Linux has, first as it is not by default.
FLAGS = ("ignpar parmrk inpck istrip inlcr igncr -icrnl iuclc -ixon ixany ixoff -imaxbel iutf8 -isig -icanon xcase -echo "
         "-echoe -echok echonl noflsh tostop -iexten -echoctl -echoke -opost olcuc -onlcr ocrnl onocr onlret")
KEYS = "intr ^A quit ^B erase ^D kill ^E eof ^F eol ^G eol2 ^H start ^L stop ^N susp ^O rprnt ^P werase ^T lnext ^X"


@pytest.fixture(scope="module")
def job(berth) -> str:
    return berth.start("--", "sleep", "1000")


def settings(listing: str) -> dict:
    """What `stty -a` says, but what a size, a speed or a driver decides."""
    keys = dict(re.findall(r"(\w+) = (\S+);", listing))
    for name in ("line", "min", "time", "discard", "columns", "rows", "swtch"):  # swtch: ssh does not tell it
        keys.pop(name, None)
    flags = set(re.findall(r"(?:^|\s)(-?[a-z]+[a-z0-9]*)(?=\s|$)", re.sub(r"[^;\n]*;", "", listing)))
    known = {flag.lstrip("-") for flag in FLAGS.split()}
    return {**keys, **{flag.lstrip("-"): not flag.startswith("-") for flag in flags if flag.lstrip("-") in known}}


@pytest.mark.parametrize("inverted", [False, True], ids=["unusual", "the reverse"])
def test_the_terminal_in_the_job_has_the_modes_of_the_one_here(ssh, job, inverted):
    master, slave = pty.openpty()
    flags = FLAGS.split()
    if inverted:
        flags = [flag[1:] if flag.startswith("-") else f"-{flag}" for flag in flags]
    else:
        flags += KEYS.split()
    try:
        harness.run(["stty", *flags], stdin=slave).ok()
        here = settings(harness.run(["stty", "-a"], stdin=slave).ok().stdout)
        # The job's terminal may change case and line ends on the way out, and its own listing is not to be touched.
        result = harness.run(ssh.argv("-tt", job, "stty -a > /tmp/$$.modes; stty sane; cat /tmp/$$.modes; rm /tmp/$$.modes"),
                             stdin=slave, env=ssh.env()).ok()
    finally:
        os.close(master)
        os.close(slave)
    there = settings(result.stdout.replace("\r", ""))
    assert len(here) > 40, here
    assert there == here


def test_new_keys_in_the_middle_of_bulk_in_both_directions(ssh, job, tmp_path):
    data = os.urandom(32 * MIB)
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
        result = harness.run(ssh.argv("-v", "-o", "RekeyLimit=1M", job, "cat"), stdin=source, stdout=sink,
                             env=ssh.env(), timeout=120).ok()
    assert result.stderr.count("SSH2_MSG_NEWKEYS received") >= 16
    assert hashlib.sha256((tmp_path / "out").read_bytes()).digest() == hashlib.sha256(data).digest()


def test_a_client_that_asks_whether_we_live_is_answered(ssh, job):
    result = ssh("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", job, "sleep 3; echo alive").ok()
    assert result.stdout == "alive\n"


@pytest.mark.parametrize("name, status", [("TERM", 255), ("SEGV", 255)])
def test_death_by_a_signal_is_told(ssh, job, name, status):
    result = ssh("-v", job, f"kill -{name} $$")
    assert result.status == status
    assert "exit-signal" in result.stderr, result


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = 4 * CHANNELS
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip(f"a process may have {hard} files at most, and {need} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def proxy_of(client) -> int:
    """The process of berth-tunnel ssh beside this ssh."""
    children = harness.run(["ps", "-o", "pid=", "--ppid", client.pid]).ok().stdout.split()
    assert len(children) == 1, children
    return int(children[0])


@pytest.mark.parametrize("direction", ["-L", "-R"])
def test_more_than_a_thousand_channels_live_at_once(ssh, job, many_files, direction):
    """All are open together, then each says and hears its own; what the tunnel needs for it is bounded."""
    local, = free_ports(1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2 * CHANNELS)
        far = listener.getsockname()[1]
        client = subprocess.Popen(ssh.argv("-N", "-o", "ExitOnForwardFailure=yes", direction,
                                           f"127.0.0.1:{local}:127.0.0.1:{far}", job),
                                  env=ssh.env(), stdin=subprocess.DEVNULL, start_new_session=True)
        accepted, near = [], []

        def accept():
            while len(accepted) < CHANNELS:
                accepted.append(listener.accept()[0])

        try:
            def listens():
                with socket.socket() as probe:
                    probe.settimeout(1)
                    return probe.connect_ex(("127.0.0.1", local)) == 0
            harness.until(listens, f"listener of ssh {direction}")
            listener.accept()[0].close()
            before = resident_kib(proxy_of(client))
            thread = threading.Thread(target=accept, daemon=True)
            thread.start()
            for _ in range(CHANNELS):
                near.append(socket.create_connection(("127.0.0.1", local), timeout=60 * harness.PATIENCE))
            thread.join(60 * harness.PATIENCE)
            assert len(accepted) == CHANNELS
            for number, stream in enumerate(near):
                stream.sendall(b"%06d" % number)
            heard = set()
            for stream in accepted:
                stream.settimeout(60 * harness.PATIENCE)
                word = b""
                while len(word) < 6:
                    word += stream.recv(6 - len(word))
                heard.add(int(word))
                stream.sendall(word)
            assert heard == set(range(CHANNELS))
            for number, stream in enumerate(near):
                assert stream.recv(6) == b"%06d" % number
            each = (resident_kib(proxy_of(client)) - before) / CHANNELS
            print(f"{each:.1f} KiB a channel in berth-tunnel ssh")
            assert each < 64, "KiB a channel"
        finally:
            harness.kill_session(client)
            for stream in (*near, *accepted):
                stream.close()


def test_a_hundred_sessions_on_one_connection(ssh, job, short_dir):
    """Ten are what sshd allows."""
    control = short_dir / "c"
    master = subprocess.Popen(ssh.argv("-N", "-o", "ControlMaster=yes", "-o", f"ControlPath={control}", job),
                              env=ssh.env(), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        harness.until(lambda: control.exists(), "control socket")
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            words = list(pool.map(lambda number: ssh("-o", f"ControlPath={control}", job, f"read x; echo {number}",
                                                     input="x\n").ok().stdout, range(100)))
        assert words == [f"{number}\n" for number in range(100)]
    finally:
        harness.kill_session(master)
