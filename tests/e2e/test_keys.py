# SPDX-License-Identifier: MIT
"""Keys of a running job: replaced, revoked, and what the job may be asked to connect to."""

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


def test_an_interrupted_rotation_is_mended_by_the_next(cluster, job):
    key, = keys_of(cluster.berth, job)
    # As if it had ended between the two files: the job has a key that is not here.
    cluster.berth("keys", "rotate", job).ok()
    key.with_name(key.name + ".new").write_bytes(b"{")
    cluster.berth("keys", "rotate", job).ok()
    harness.until(lambda: cluster.berth("exec", job, "--", "true").status == 0, "a way in")
    assert len(keys_of(cluster.berth, job)) == 1


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
