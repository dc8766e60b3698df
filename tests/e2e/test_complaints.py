# SPDX-License-Identifier: MIT
"""What people complain of in programs of this kind, as far as no other test has it; tests/README.md has the list."""

import json
import os
import select
import socket
import subprocess

import pytest

import harness
from terminal import Terminal

ODD = {"NCCL_NET": "AWS Libfabric", "QUOTED": "it's \"$HOME\" `id` \\ *", "LINES_OF_IT": "one\ntwo\n", "EMPTY": "",
       "UNICODE": "ünï ☃", "LD_LIBRARY_PATH": "/opt/a:/opt/b", "PATH": f"/opt/mine/bin:{os.environ['PATH']}",
       "BASH_ENV": "/nonexistent"}

# What is in somebody's configuration for other hosts, and what a site puts into everybody's.
FOR_ALL = """\
Host *
    User somebody
    Port 2222
    HostName %h.example.org
    HostKeyAlias other
    HostKeyAlgorithms rsa-sha2-512,ecdsa-sha2-nistp256
    KexAlgorithms ecdh-sha2-nistp256
    Ciphers aes256-ctr
    MACs hmac-sha2-256
    StrictHostKeyChecking ask
    UserKnownHostsFile ~/.ssh/mine
    VerifyHostKeyDNS yes
    ProxyJump bastion
    IdentityFile ~/.ssh/id_that_is_not_there
    IdentitiesOnly yes
    PreferredAuthentications password,keyboard-interactive
    ServerAliveInterval 1
    Compression yes
    ForwardX11 yes
    ControlMaster auto
    ControlPath ~/.ssh/%C
    ControlPersist no
Host job-*
    ProxyCommand false
"""


def test_a_configuration_for_every_host_does_not_reach_a_job(fresh_home, berth):
    alone = type(berth)(berth.program, fresh_home)
    (fresh_home.ssh_dir / "config").write_text(FOR_ALL)
    job = alone.start("--", "sleep", "1000")
    for argv in (["ssh", job], ["ssh", "-o", "BatchMode=yes", f"{job}.0"]):
        result = harness.run([*argv, "cat; exit 7"], env=alone.env(), input="data\n")
        assert (result.status, result.stdout) == (7, "data\n"), result
    alone("cancel", job).ok()


def test_odd_variables_of_the_job_are_the_same_in_every_session(berth, ssh):
    """Also where nobody names a command; but the image's /etc/profile may set PATH, unless it is not read."""
    variables = [word for key, value in ODD.items() for word in ("-e", f"{key}={value}")]
    job = berth.start(*variables, "--plain-shell", "--", "sleep", "1000")
    expected = {key: value for key, value in ODD.items() if key != "PATH"}

    def check(output: bytes):
        found = dict(item.split("=", 1) for item in output.decode().split("\0") if "=" in item)
        assert {key: found.get(key) for key in expected} == expected
        assert found["PATH"].startswith(ODD["PATH"] + ":")
    check(ssh(job, "env -0").ok().output)
    check(ssh("-T", job, input="exec env -0").ok().output)
    check(berth("exec", job, "--", "env", "-0").ok().output)
    with Terminal(ssh.argv("-tt", job, "exec env -0"), ssh.env(TERM="dumb")) as screen:
        assert screen.end() == 0
        check(screen.screen.replace(b"\r\n", b"\n").replace(b"\0Connection", b"\0"))
    berth("cancel", job).ok()


@pytest.fixture
def poison(short_dir):
    """A directory of libraries that no program can be loaded with."""
    for name in ("libcrypto.so.3", "libz.so.1", "libssl.so.3", "libnss_files.so.2", "libresolv.so.2", "libuv.so.1"):
        (short_dir / name).write_bytes(b"not a library")
    return short_dir


def test_libraries_that_the_job_looks_for_first_do_not_break_the_way_in(berth, ssh, poison, tmp_path):
    """LD_LIBRARY_PATH reaches the job's programs, and ours have no libraries that it could replace."""
    job = berth.start("-e", f"LD_LIBRARY_PATH={poison}", "--shell", "/bin/sh", "--", "sleep", "1000", cwd=tmp_path)
    assert ssh(job, "echo $LD_LIBRARY_PATH").ok().stdout == f"{poison}\n"
    (tmp_path / "one").write_text("content")
    harness.run(["scp", "-q", f"{job}:one", f"{job}:two"], env=ssh.env()).ok()
    assert (tmp_path / "two").read_text() == "content"
    assert berth("exec", job, "--", "cat", "two").ok().stdout == "content"
    berth("cancel", job).ok()


def drain(receiver: socket.socket) -> None:
    while select.select([receiver], [], [], 0)[0]:
        receiver.recv(2000)


def test_a_client_that_waits_for_an_answer_can_be_interrupted(berth, ssh):
    """The job is there by all that is known, and its node does not answer: that ends, by Ctrl-C at once."""
    job = berth.start("--", "sleep", "1000")
    endpoint = berth.job_dir(job) / "endpoint.0.json"
    before = json.loads(endpoint.read_text())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        endpoint.write_text(json.dumps({**before, "addresses": [f"127.0.0.1:{silent.getsockname()[1]}"]}))
        silent.settimeout(30 * harness.PATIENCE)
        with Terminal(ssh.argv("-T", job), ssh.env()) as screen:
            assert silent.recv(2000)  # it has asked
            screen.type("\x03")
            assert screen.end(5) != 0
        # With a terminal in the job, Ctrl-C is meant for what runs there; as long as nothing does, it is for us.
        with Terminal(ssh.argv("-tt", job), ssh.env()) as screen:
            harness.until(screen.is_raw, "a raw terminal")
            screen.type("\x03")
            assert screen.end(5) != 0
        drain(silent)
        with Terminal([berth.program, "exec", "-it", job, "--", "cat"], berth.env()) as screen:
            assert silent.recv(2000)
            screen.type("\x03")
            assert screen.end(5) == 130
        drain(silent)
        for argv in ([berth.program, "exec", job, "--", "true"], [berth.program, "cp", f"{job}:/etc/hostname", "-"]):
            client = subprocess.Popen(argv, env=berth.env(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            assert silent.recv(2000)
            client.send_signal(2)
            assert client.wait(5 * harness.PATIENCE) != 0
    endpoint.write_text(json.dumps(before))
    berth("cancel", job).ok()
