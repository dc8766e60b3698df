# SPDX-License-Identifier: MIT
"""berth cp and mv between two places of which one at least is behind FirecREST, and within one of those."""

import os
import shutil

import pytest

import harness
import s3
from remote_files import DIRECT, at, carriers, remote, server, some, store, there, transfers  # noqa: F401


@pytest.fixture(scope="module")
def sites(remote, server):
    """The same system by another name: for berth it is another place."""
    path = remote.home.config_dir / "config.yaml"
    text = path.read_text()
    path.write_text(text + text.removeprefix("clusters:\n").replace("  alps:", "  other:"))
    return remote


@pytest.fixture(scope="module")
def job(sites, tmp_path_factory):
    path = tmp_path_factory.mktemp("job")
    return sites.start("--", "sleep", "1000", cwd=path), path


def leftovers(*directories) -> list:
    return [part for directory in directories for part in directory.rglob("*berth-part*")]


@pytest.mark.parametrize("size", [0, 5, DIRECT, DIRECT + 1, 3 * s3.PART_MIN + 17])
def test_between_a_site_a_job_and_another_site(sites, job, there, size):
    name, inside = job
    content = some(size)[:size]
    (inside / f"in {size}").write_bytes(content)
    (inside / f"in {size}").chmod(0o640)
    sites("cp", "-p", "--verify", f"{name}:in {size}", f"alps:{there}/up").ok()
    assert (there / "up").read_bytes() == content and (there / "up").stat().st_mode & 0o777 == 0o640
    sites("cp", f"alps:{there}/up", f"other:{there}/across").ok()
    assert (there / "across").read_bytes() == content
    os.utime(there / "across", (1_100_000_000, 1_100_000_000))
    sites("cp", "-p", "--verify", f"other:{there}/across", f"{name}:out {size}").ok()
    assert (inside / f"out {size}").read_bytes() == content
    assert (inside / f"out {size}").stat().st_mtime == 1_100_000_000
    assert not leftovers(inside, there)


def make_tree(path, count=12):
    for number in range(count):
        file = path / f"d{number % 3}" / f"file {number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 100))
    (path / "empty").mkdir()


def test_trees_go_between_places(sites, job, there):
    name, inside = job
    make_tree(inside / "tree")
    sites("cp", "-r", f"{name}:tree", f"alps:{there}").ok()
    harness.run(["diff", "-r", inside / "tree", there / "tree"]).ok()
    sites("cp", "-r", f"alps:{there}/tree", f"{name}:back").ok()
    harness.run(["diff", "-r", inside / "tree", inside / "back"]).ok()
    refused = sites("cp", f"alps:{there}/tree", f"{name}:x")
    assert refused.status == 64 and f"alps:{there}/tree: is a directory" in refused.stderr, refused


def test_within_a_site_a_job_of_the_server_copies(at, sites, server, there):
    (there / "file").write_bytes(os.urandom(DIRECT + 1))
    make_tree(there / "tree")
    os.symlink("d0/file 0", there / "tree" / "link")
    os.symlink("file", there / "to-it")
    with server.counting() as made:
        at("cp", "file", "copy").ok()
    assert (there / "copy").read_bytes() == (there / "file").read_bytes()
    assert not any("download" in call or "upload" in call for call in made)
    at("cp", "to-it", "followed").ok()
    assert not (there / "followed").is_symlink() and (there / "followed").stat().st_size == DIRECT + 1
    with server.counting() as made:
        at("cp", "tree", "new", options=["-r"]).ok()
    assert sum("transfer/cp" in call for call in made) == 1
    harness.run(["diff", "-r", "--no-dereference", there / "tree", there / "new"]).ok()
    assert os.readlink(there / "new" / "link") == "d0/file 0"
    # Into a directory that is there, as cp does.
    shutil.rmtree(there / "new" / "d1")
    (there / "new" / "mine").touch()
    at("cp", "tree/.", "new", options=["-r"]).ok()
    assert (there / "new" / "mine").exists()
    (there / "new" / "mine").unlink()
    harness.run(["diff", "-r", "--no-dereference", there / "tree", there / "new"]).ok()
    inside = at("cp", "tree", "tree/d0", options=["-r"])
    assert inside.status == 64 and "lies in" in inside.stderr, inside


def test_a_copy_that_the_server_s_job_did_not_make_is_told(at, there, transfers):
    """As the real server's script: how it ends is how its echo ended."""
    (there / "file").write_text("content")
    make_tree(there / "tree", count=3)
    run = transfers.job
    try:
        transfers.job = lambda script: run("echo cp: No space left on device >&2")
        missing = at("cp", "file", "copy")
        transfers.job = lambda script: run(f"{script}; rm -r {there}/half/d0")
        half = at("cp", "tree", "half", options=["-r"])
    finally:
        transfers.job = run
    for refused in missing, half:
        assert refused.status == 71 and "did not do it" in refused.stderr, refused
    assert "No space left" in missing.stderr


def test_what_changes_on_the_way_is_found_out(sites, job, store, there):
    name, inside = job
    (inside / "large").write_bytes(some(2 * s3.PART_MIN))
    store.fail("PUT", "bad-etag", part=2)
    sites("cp", f"{name}:large", f"alps:{there}/large").ok()
    harness.run(["cmp", inside / "large", there / "large"]).ok()
    store.fail("GET", "truncate", times=2)
    sites("cp", f"alps:{there}/large", f"{name}:again").ok()
    harness.run(["cmp", inside / "large", inside / "again"]).ok()


def test_mv_between_places_removes_what_has_arrived(sites, job, server, there):
    name, inside = job
    make_tree(inside / "gone")
    sites("cp", "-r", f"{name}:gone", f"{name}:kept").ok()
    sites("mv", f"{name}:gone", f"alps:{there}/moved").ok()
    harness.run(["diff", "-r", inside / "kept", there / "moved"]).ok()
    assert not (inside / "gone").exists()
    server.fail("403", "/ops/upload", times=100)
    try:
        refused = sites("mv", f"{name}:kept", f"alps:{there}/never")
    finally:
        server.faults.clear()
    assert refused.status == 77 and (inside / "kept" / "d0" / "file 0").exists(), refused
