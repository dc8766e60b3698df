# SPDX-License-Identifier: MIT
"""Secrets are files that only their owner reads, and nowhere else; both ends insist on the right key."""

import base64
import json
import os
import stat

import pytest

import processes


@pytest.fixture(scope="module")
def job(cluster):
    name = cluster.start("--", "sh", "-c", "env; exec sleep 1000")
    cluster.ssh(name, "true").ok()
    return name


def secrets_of(berth, name) -> dict:
    """what -> the text of every secret that belongs to this job and this user"""
    tunnel = json.loads((berth.job_dir(name) / "tunnel.json").read_text())
    client = json.loads(client_file(berth, name).read_text())
    host_key = json.loads((berth.home.state_dir / "host_key.json").read_text())
    return {"job": tunnel["secret"], "client": client["key"], "host key": host_key["key"]}


def client_file(berth, name):
    return berth.home.state_dir / "keys" / f"{berth.job(name)['uid']}.json"


def spellings(secret: str) -> list:
    raw = base64.b64decode(secret)
    return [secret.encode(), secret.rstrip("=").encode(), raw, raw.hex().encode(), raw.hex().upper().encode()]


def holds(text: bytes, secrets: dict) -> list:
    return [what for what, secret in secrets.items() if any(each in text for each in spellings(secret))]


def test_files_with_secrets_are_private_and_few(cluster, job):
    secrets = secrets_of(cluster.berth, job)
    roots = [cluster.berth.home.root, cluster.berth.home.ssh_dir]
    if cluster.slurm:
        roots.append(cluster.slurm.dir)
    found = {}
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and holds(open(path, "rb").read(), secrets):
                    found[path] = stat.S_IMODE(os.stat(path).st_mode)
    assert set(map(os.path.basename, found)) == {"tunnel.json", "host_key.json", client_file(cluster.berth, job).name}
    assert set(found.values()) == {0o600}


def test_directories_with_secrets_are_private(cluster, job):
    for path in (cluster.berth.job_dir(job), client_file(cluster.berth, job).parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for name in ("endpoint.0.json", "tunnel.0.log"):
        assert stat.S_IMODE((cluster.berth.job_dir(job) / name).stat().st_mode) == 0o600, name


def test_no_process_shows_a_secret(cluster, job):
    secrets = secrets_of(cluster.berth, job)
    assert processes.tunnels_of(cluster.berth.job_dir(job))
    for pid in processes.all_pids():
        for name in ("cmdline", "environ"):
            assert not holds(processes.read(pid, name), secrets), f"/proc/{pid}/{name}: {processes.argv(pid)}"


def test_nothing_that_is_printed_shows_a_secret(cluster, job):
    secrets = secrets_of(cluster.berth, job)
    texts = [cluster.berth("get", "jobs", "-o", "json"), cluster.berth("logs", job),
             cluster.ssh("-vvv", job, "true")]
    if cluster.slurm:
        native = cluster.berth.job(job)["native_id"]
        texts += [cluster.slurm.run("scontrol", "write", "batch_script", native, "-"),
                  cluster.slurm.run("scontrol", "--details", "show", "job", native)]
    for text in texts:
        assert not holds(text.ok().output + text.errors, secrets), text.argv


# What ssh itself says about a pipe that closes; which of them depends on who is faster.
SSH_LAST_WORDS = ("Connection closed by ", "Connection to ", "ssh_dispatch_run_fatal: ", "client_loop: ")


def refused(cluster, name) -> str:
    """The one line of ours with which ssh fails."""
    result = cluster.ssh(name, "true")
    assert result.status == 255, result
    lines = [line for line in result.stderr.splitlines() if not line.startswith(SSH_LAST_WORDS)]
    assert len(lines) == 1, result
    return lines[0]


def with_changed_key(cluster, job, member):
    """Replaces one secret of the workstation's file by another; returns how to put it back."""
    path = client_file(cluster.berth, job)
    before = path.read_bytes()
    changed = json.loads(before)
    changed[member] = base64.b64encode(os.urandom(32)).decode()
    path.write_text(json.dumps(changed))
    return lambda: path.write_bytes(before)


@pytest.mark.sanitize
@pytest.mark.parametrize("member", ["key", "secret"])
def test_a_wrong_key_on_either_side_is_refused_with_one_line(cluster, job, member):
    restore = with_changed_key(cluster, job, member)
    try:
        assert "key" in refused(cluster, job)
    finally:
        restore()
    cluster.ssh(job, "true").ok()


@pytest.mark.sanitize
@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 99}', "\0" * 100],
                         ids=["empty", "torn", "array", "too_little", "too_new", "zeros"])
@pytest.mark.parametrize("file", ["client", "endpoint"])
def test_a_broken_file_is_named_in_one_line(cluster, job, file, content):
    path = client_file(cluster.berth, job) if file == "client" else cluster.berth.job_dir(job) / "endpoint.0.json"
    before = path.read_bytes()
    path.write_text(content)
    try:
        assert path.name in refused(cluster, job)
    finally:
        path.write_bytes(before)
    cluster.ssh(job, "true").ok()


def test_a_host_key_that_is_not_the_pinned_one_stops_the_client(cluster, job):
    path = cluster.berth.home.state_dir / "known_hosts"
    before = path.read_bytes()
    fields = before.split()
    blob = bytearray(base64.b64decode(fields[2]))
    blob[-1] ^= 1
    path.write_bytes(b" ".join([fields[0], fields[1], base64.b64encode(bytes(blob))]) + b"\n")
    try:
        result = cluster.ssh(job, "true")
        assert result.status == 255 and "verification failed" in result.stderr, result
    finally:
        path.write_bytes(before)
