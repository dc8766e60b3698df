# SPDX-License-Identifier: MIT
"""Copies through FirecREST's store that are interrupted: they go on in the next run, or what they began is collected."""

import json
import os
import shutil
import subprocess

import pytest

import firecrest
import harness
import s3
from remote_files import carriers, remote, server, some, store, there, transfers  # noqa: F401


@pytest.fixture
def interrupted(remote, store, tmp_path):
    """interrupted("PUT", 3, "large", "alps:there"): a copy with --resume that is killed when so much arrived, and was noted."""
    notes = remote.home.state_dir / "transfers"
    shutil.rmtree(notes, ignore_errors=True)

    def noted() -> int:
        return sum(file.read_text().count("\n") - 1 for file in notes.iterdir()) if notes.is_dir() else 0

    def run(method, parts, *operands, options=("--resume",)):
        store.fail(method, "hang", times=100, after=parts)
        process = subprocess.Popen([remote.program, "cp", *options, *operands], env=remote.env(**remote.extra), cwd=tmp_path)
        try:
            harness.until(lambda: noted() >= parts, "some of the file")
        finally:
            process.kill()
            process.wait()
            store.faults.clear()
            store.resume()
    yield run
    shutil.rmtree(notes, ignore_errors=True)


def test_an_upload_goes_on_where_it_was_interrupted(remote, server, store, there, interrupted, tmp_path):
    (tmp_path / "large").write_bytes(some(6 * s3.PART_MIN))
    interrupted("PUT", 3, "large", f"alps:{there}/large")
    store.requests.clear()
    with server.counting() as made:
        remote("cp", "--resume", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    harness.run(["cmp", there / "large", tmp_path / "large"]).ok()
    again = [request for request in store.requests if request[0] == "PUT"]
    assert len(again) == 4 and len({request[2]["partNumber"] for request in again}) == 4
    assert not any("transfer/upload" in call for call in made)
    assert list((remote.home.state_dir / "transfers").iterdir()) == []


@pytest.mark.parametrize("what", ["changed", "bytes", "aborted", "job"])
def test_an_upload_that_cannot_go_on_begins_again(remote, server, slurm, store, there, interrupted, tmp_path, what):
    large = tmp_path / "large"
    large.write_bytes(some(4 * s3.PART_MIN))
    interrupted("PUT", 2, "large", f"alps:{there}/large")
    seen = large.stat()
    if what == "changed":
        large.write_bytes(some(4 * s3.PART_MIN))
    if what == "bytes":
        # Other bytes of the same size and time, which only the sums of the parts tell.
        large.write_bytes(os.urandom(1000) + large.read_bytes()[1000:])
        os.utime(large, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    if what == "aborted":
        for upload in list(store.uploads):
            store.abort(upload)
    if what == "job":
        slurm.run("scancel", "--name=transfer").ok()
    remote("cp", "--resume", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    harness.run(["cmp", there / "large", large]).ok()


def test_a_download_goes_on_where_it_was_interrupted(remote, server, store, there, interrupted, tmp_path):
    size = 150 << 20
    with open(there / "large", "wb") as file:
        file.truncate(size)
        file.seek(100 << 20)
        file.write(some(1 << 20))
    interrupted("GET", 2, f"alps:{there}/large", "back")
    part, = tmp_path.iterdir()
    assert part.name == ".back.berth-part"
    store.requests.clear()
    with server.counting() as made:
        remote("cp", "--resume", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    harness.run(["cmp", there / "large", tmp_path / "back"]).ok()
    assert not any("transfer/download" in call for call in made) and not part.exists()
    assert len({request[4] for request in store.requests if request[0] == "GET"} - {s3.LOOK}) == 3
    part.write_bytes(b"something else" * 1000)
    remote("cp", "--resume", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    harness.run(["cmp", there / "large", tmp_path / "back"]).ok()


def test_what_an_interrupted_copy_began_is_collected(remote, slurm, there, interrupted, tmp_path):
    """Its notes here, and the server's job that waits for what will never come; not while it may be gone on with."""
    (tmp_path / "large").write_bytes(some(4 * s3.PART_MIN))
    interrupted("PUT", 1, "large", f"alps:{there}/large", options=())
    kept, = (remote.home.state_dir / "transfers").iterdir()
    job = json.loads(kept.read_text().splitlines()[0])["answer"]["transferJob"]["jobId"]
    assert kept.stat().st_mode & 0o777 == 0o600
    remote("gc").ok()
    assert kept.exists()
    os.utime(kept, (1, 1))
    remote("gc").ok()
    assert not kept.exists()
    harness.until(lambda: "CANCELLED" in slurm.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "-o", "%T").stdout,
                  "end of the server's job")


def test_programs_that_no_job_needs_are_collected(remote, server):
    limit, server.direct_max = server.direct_max, firecrest.OUTPUT_MAX
    try:
        job = remote("run", "-q", "--cluster", "alps", "--", "echo", "it runs").ok().stdout.strip()
        remote("wait", job, timeout=60 * harness.PATIENCE).ok()
    finally:
        server.direct_max = limit
    home = server.scratch / server.user / ".berth"
    bundle, = (path for path in (home / "images").iterdir() if path.is_dir())
    os.utime(bundle, (1, 1))
    # A record needs it, until its directory is gone.
    remote("gc").ok()
    assert (bundle / "berth-init").exists()
    for directory in (home / "jobs").iterdir():
        shutil.rmtree(directory)
    remote("gc").ok()
    assert not bundle.exists()
