# SPDX-License-Identifier: MIT
"""Keys of a running job: replaced, revoked, and what the job may be asked to connect to."""

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

import harness

DENIED = 77


@pytest.fixture
def job(cluster) -> str:
    name = cluster.start("--", "sleep", "1000")
    yield name
    cluster.berth("cancel", name)


def enter(cluster, name) -> subprocess.Popen:
    client = subprocess.Popen([str(cluster.berth.program), "exec", name, "--", "sh", "-c", "echo in; exec sleep 1000"],
                              env=cluster.berth.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    assert client.stdout.readline() == b"in\n"
    return client


def keys_of(berth, name):
    uid = berth.job(name)["uid"]
    return [path for path in (berth.home.state_dir / "keys").iterdir() if uid in path.name and path.is_file()]


@pytest.mark.sanitize
def test_another_key_lets_in_and_the_old_one_is_sent_away(cluster, job):
    old, = keys_of(cluster.berth, job)
    stolen = old.read_bytes()
    client = enter(cluster, job)
    try:
        cluster.berth("keys", "rotate", job).ok()
        assert client.wait(30 * harness.PATIENCE) != 0
    finally:
        client.kill()
        client.communicate()
    assert cluster.berth("exec", job, "--", "echo", "new").ok().stdout == "new\n"
    new, = keys_of(cluster.berth, job)
    assert new.read_bytes() != stolen and new.stat().st_mode & 0o777 == 0o600
    new.write_bytes(stolen)
    result = cluster.berth("exec", job, "--", "true")
    assert result.status == DENIED and "does not accept this key" in result.stderr


@pytest.mark.sanitize
def test_a_revoked_key_opens_nothing_and_ends_what_it_opened(cluster, job):
    key, = keys_of(cluster.berth, job)
    stolen = key.read_bytes()
    client = enter(cluster, job)
    try:
        cluster.berth("keys", "revoke", job).ok()
        assert client.wait(30 * harness.PATIENCE) != 0
    finally:
        client.kill()
        client.communicate()
    assert not key.exists() and not key.with_name(key.name + ".tickets").exists()
    key.write_bytes(stolen)
    key.chmod(0o600)
    assert cluster.berth("exec", job, "--", "true").status == DENIED
    assert cluster.berth.job(job)["state"] == "RUNNING"
    # Whoever may write the job directory may let somebody in again.
    cluster.berth("keys", "rotate", job).ok()
    harness.until(lambda: cluster.berth("exec", job, "--", "true").status == 0, "a way in with the new key")


def job_file_of(berth, name) -> pathlib.Path:
    return berth.job_dir(name) / "tunnel.json"


def keygen(build_dir, how, job_file, client_file) -> None:
    harness.run([build_dir / "tunnel" / "berth-tunnel", "keygen", how, "--job-file", job_file, "--client-file",
                 client_file]).ok()


@pytest.mark.sanitize
def test_a_rotation_killed_after_any_of_its_steps_leaves_a_way_in_and_is_mended_by_the_next(cluster, job, build_dir):
    """Each step replaces one file, so that putting a file back makes every state that a kill -9 can leave."""
    client, = keys_of(cluster.berth, job)
    beside = client.with_name(client.name + ".new")
    tunnel = job_file_of(cluster.berth, job)
    for step in range(1, 5):
        before = tunnel.read_bytes()
        keygen(build_dir, "--rotate", tunnel, client)
        both = tunnel.read_bytes()
        if step == 1:
            put_back(tunnel, before)
        if step >= 3:
            keygen(build_dir, "--finish-rotation", tunnel, client)
        if step == 3:
            put_back(tunnel, both)
        assert beside.exists() == (step < 3)
        assert ("next" in json.loads(tunnel.read_bytes())) == (step in (2, 3))
        # A client that has shown a key which is not known yet makes the job look.
        harness.until(lambda: cluster.ssh(job, "true").status == 0, f"a way in after step {step}", interval=0.1)
        cluster.berth("keys", "rotate", job).ok()
        cluster.ssh(job, "true").ok()
        assert keys_of(cluster.berth, job) == [client] and "next" not in json.loads(tunnel.read_bytes())


def put_back(path: pathlib.Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.touch(0o600)
    part.write_bytes(content)
    part.rename(path)


def test_a_rotation_that_is_killed_whenever_leaves_a_way_in(cluster, job):
    for delay in range(8):
        process = subprocess.Popen([str(cluster.berth.program), "keys", "rotate", job], env=cluster.berth.env(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            process.wait(0.004 * delay)
        except subprocess.TimeoutExpired:
            pass
        harness.kill_session(process)
        harness.until(lambda: cluster.ssh(job, "true").status == 0, "a way in", interval=0.1)
    cluster.berth("keys", "rotate", job).ok()
    assert len(keys_of(cluster.berth, job)) == 1


def test_a_new_key_that_does_not_get_in_costs_nothing(berth):
    """The tunnel is gone when its new key is to be tried: the old one is kept."""
    name = berth.start("--backend", "local", "--", "sleep", "1000")
    client, = keys_of(berth, name)
    tunnel = job_file_of(berth, name)
    endpoint = tunnel.with_name("endpoint.0.json")
    content, old = endpoint.read_text(), client.read_bytes()
    # Nobody listens there: as after a crash of the node's network.
    addresses = json.loads(content)
    addresses["addresses"] = ["127.0.0.1:9"]
    put_back(endpoint, json.dumps(addresses).encode())
    result = berth("keys", "rotate", name, timeout=120)
    put_back(endpoint, content.encode())
    assert result.status != 0 and "the old one is kept" in result.stderr and client.read_bytes() == old
    assert berth("exec", name, "--", "true").ok()
    berth("keys", "rotate", name).ok()
    assert berth("exec", name, "--", "true").ok() and client.read_bytes() != old
    berth("cancel", name)


@pytest.mark.sanitize
def test_once_a_key_is_revoked_no_connection_of_it_is_accepted(cluster, job, tmp_path):
    """Not even one that the job had no time to hear of in another way, and not with a ticket either."""
    client, = keys_of(cluster.berth, job)
    tunnel = job_file_of(cluster.berth, job)
    cluster.ssh(job, "true").ok()  # leaves tickets
    tickets = client.with_name(client.name + ".tickets")
    kept = tmp_path / "tickets"
    shutil.copytree(tickets, kept)
    content, stolen = tunnel.read_bytes(), client.read_bytes()
    for use_tickets in (False, True, False, True):
        value = json.loads(content)
        value["peer"] = base64.b64encode(os.urandom(32)).decode()
        if tickets.exists():
            shutil.rmtree(tickets)
        if use_tickets:
            shutil.copytree(kept, tickets)
        put_back(tunnel, json.dumps(value).encode())
        result = cluster.berth("exec", job, "--", "touch", str(tmp_path / "acted"))
        assert result.status == DENIED and "does not accept this key" in result.stderr
        put_back(tunnel, content)
        harness.until(lambda: cluster.berth("exec", job, "--", "true").status == 0, "a way in", interval=0.1)
    assert client.read_bytes() == stolen and not (tmp_path / "acted").exists()


def test_a_file_system_that_hangs_keeps_nobody_out_and_serve_goes_on(cluster, job):
    """A FIFO without a writer holds open(2) up like a file server that is gone."""
    tunnel = job_file_of(cluster.berth, job)
    content = tunnel.read_bytes()
    client = enter(cluster, job)
    try:
        tunnel.unlink()
        os.mkfifo(tunnel, 0o600)
        for _ in range(3):
            assert cluster.berth("exec", job, "--", "echo", "in").ok().stdout == "in\n"
        assert client.poll() is None
        # It answers again: then what it says counts.
        writer = os.open(tunnel, os.O_WRONLY)
        value = json.loads(content)
        value["peer"] = base64.b64encode(os.urandom(32)).decode()
        put_back(tunnel, json.dumps(value).encode())
        os.close(writer)
        assert client.wait(30 * harness.PATIENCE) != 0
        assert cluster.berth("exec", job, "--", "true").status == DENIED
    finally:
        client.kill()
        client.communicate()


def test_keys_of_an_ended_job_are_not_touched(berth):
    name = berth.submit("--", "true")
    berth.wait(name, "SUCCEEDED")
    result = berth("keys", "rotate", name)
    assert result.status == 69 and "ended" in result.stderr
    assert berth("keys", "lose", name).status == 64


def test_only_what_the_submission_allowed_is_connected_to(cluster, short_dir):
    """Compared as text, before anything is resolved: an address does not stand for its names, nor a name for others."""
    name = cluster.start("--allow", "127.0.0.1.example:1", "--allow", "[2001:db8::1]:80", "--", "sleep", "1000")
    targets = {
        "10.0.0.1:22": "is not on this job's allow list",
        "[2001:db8::1]:81": "is not on this job's allow list",
        "[2001:db8::2]:80": "is not on this job's allow list",
        "other.example:1": "is not on this job's allow list",
        "127.0.0.1.example:2": "is not on this job's allow list",
        "127.0.0.1.example:1": "127.0.0.1.example",  # allowed: the name is not known
    }
    with open(short_dir / "errors", "wb") as errors:
        client = subprocess.Popen([str(cluster.berth.program), "port-forward", name,
                                   *(f"{short_dir}/{index}:{target}" for index, target in enumerate(targets))],
                                  env=cluster.berth.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
    try:
        for index, (target, words) in enumerate(targets.items()):
            assert client.stdout.readline()
        for index, (target, words) in enumerate(targets.items()):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(30 * harness.PATIENCE)
                sock.connect(str(short_dir / str(index)))
                try:
                    assert sock.recv(1) == b""
                except ConnectionResetError:
                    pass
            line = (short_dir / "errors").read_text().splitlines()[-1]
            assert target in line and words in line
            assert ("allow list" in line) == ("allow list" in words), line
    finally:
        harness.stop(client)
        client.stdout.close()
        cluster.berth("cancel", name)
