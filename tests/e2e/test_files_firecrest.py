# SPDX-License-Identifier: MIT
"""Verbs of files on a cluster behind FirecREST (stand-in server, real Slurm, stand-in S3 store), and what may go wrong there."""

import collections
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

import harness
import s3
import terminal
from remote_files import DIRECT, at, carriers, remote, server, some, store, there, transfers  # noqa: F401


def test_verbs_of_files(at, there, server):
    (there / "b").write_text("12345")
    (there / "b").chmod(0o640)
    (there / ".hidden").touch()
    (there / "d e").mkdir()
    os.symlink("b", there / "link")
    assert at("ls", "").ok().stdout == "b\nd e\nlink\n"
    listed = {file["path"].rpartition("/")[2]: file for file in json.loads(at("ls", "", options=["-a", "-o", "json"]).ok().stdout)}
    assert (listed["b"]["mode"], listed["b"]["size"], listed["b"]["type"]) == ("0640", 5, "file") and ".hidden" in listed
    assert listed["link"]["target"] == "b" and listed["d e"]["type"] == "directory"
    at("mkdir", "x/y", options=["-p"]).ok()
    exists = at("mkdir", "x")
    assert exists.status == 73, exists
    at("chmod", options=["0600", f"alps:{there}/b"]).ok()
    assert (there / "b").stat().st_mode & 0o777 == 0o600
    at("mv", "b", "x/moved").ok()
    assert (there / "x" / "moved").read_text() == "12345"
    at("mv", "x/moved", "d e").ok()
    assert (there / "d e" / "moved").exists()
    assert at("head", "d e/moved", options=["-c", "3"]).ok().stdout == "123"
    assert at("checksum", "d e/moved").ok().stdout.split()[0] == hashlib.sha256(b"12345").hexdigest()
    at("compress", "d e", "a.tar.gz").ok()
    at("extract", "a.tar.gz", "out").ok()
    assert (there / "out" / "d e" / "moved").read_text() == "12345"
    assert at("ls", "missing").status == 66
    (file,) = json.loads(at("stat", "d e", options=["-o", "json"]).ok().stdout)
    assert file["type"] == "directory"


def test_rm_takes_no_directory_by_accident(at, there, server):
    (there / "d").mkdir()
    (there / "d" / "only").write_text("a file is the first and only child")
    with server.counting() as made:
        refused = at("rm", "d")
    assert refused.status == 64 and (there / "d" / "only").exists() and not any("/ops/rm" in call for call in made)
    assert at("rm", "d", options=["-r"]).status == 64
    at("rm", "d/only").ok()
    at("rm", "d", options=["-ry"]).ok()
    assert os.listdir(there) == []


def test_what_nobody_means_is_not_removed(remote, server):
    for path in "/", "", "~", ".", "..", "/..", str(server.users), f"{server.users}/{server.user}/":
        # Without -r: what is wrong here must not cost anybody a file system.
        refused = remote("rm", "-y", f"alps:{path}")
        # Of what is in no file system the server tells nothing.
        assert refused.status == (64 if path in ("/", "/..") else 77), (path, refused)
    assert (server.users / server.user).exists()


def test_tails_of_large_text_and_no_half_characters(at, there):
    text = b"".join(b"line %d\n" % number for number in range(30_000))
    (there / "log").write_bytes(text)
    assert len(text) > DIRECT
    assert at("tail", "log", options=["-n", "3"]).ok().output == b"".join(text.splitlines(True)[-3:])
    assert at("head", "log", options=["-n", "2"]).ok().output == b"line 0\nline 1\n"
    # Wherever it is cut, characters are whole.
    long = "".join(f"{number} \u00fc\u20ac\U0001f600\n" for number in range(20_000)).encode()
    (there / "long").write_bytes(long)
    for count in 1, 7000, 20_000:
        assert at("tail", "long", options=["-n", str(count)]).ok().output == b"".join(long.splitlines(True)[-count:])
    (there / "binary").write_bytes(b"\xff\xfe" * DIRECT)
    refused = at("tail", "binary")
    assert refused.status == 69 and "berth cp" in refused.stderr and refused.output == b""


@pytest.mark.parametrize("size", [0, 1, DIRECT, DIRECT + 1, 3 * s3.PART_MIN + 17])
def test_any_bytes_go_there_and_come_back(remote, server, there, tmp_path, size):
    content = some(size)[:size]
    (tmp_path / "file").write_bytes(content)
    with server.counting() as made:
        remote("cp", "--verify", "file", f"alps:{there}/new name", cwd=tmp_path).ok()
    assert (there / "new name").read_bytes() == content
    assert any("transfer/upload" in call for call in made) == (size > DIRECT)
    if size >= DIRECT:
        # The server's job that sends it has its name between no quotes.
        refused = remote("cp", f"alps:{there}/new name", "back", cwd=tmp_path)
        assert refused.status == 69 and "rename it" in refused.stderr and not (tmp_path / "back").exists()
        remote("mv", f"alps:{there}/new name", f"alps:{there}/new-name").ok()
    remote("cp", "--verify", f"alps:{there}/{'new-name' if size >= DIRECT else 'new name'}", "back", cwd=tmp_path).ok()
    assert (tmp_path / "back").read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["back", "file"]


def calls(made: list) -> list:
    """What was asked for, without where."""
    return [call.split("{system_name}/")[-1] for call in made]


def test_few_requests_are_made(remote, server, there, tmp_path):
    """What is not known is tried, and what is known is not asked for."""
    (tmp_path / "small").write_bytes(b"small")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(65 << 20)
    with server.counting() as made:
        remote("cp", "small", f"alps:{there}/small", cwd=tmp_path).ok()
        remote("cp", f"alps:{there}/small", "back", cwd=tmp_path).ok()
    assert calls(made) == ["ops/stat", "ops/upload", "ops/stat", "ops/download"]
    with server.counting() as made:
        remote("cp", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    up = calls(made)
    # A job that is slow is asked about.
    assert up[:3] == ["ops/stat", "transfer/upload", "ops/checksum"], up
    with server.counting() as made:
        remote("cp", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    down = calls(made)
    assert down[:3] == ["ops/stat", "transfer/download", "ops/checksum"], down
    assert not any("/status/" in call for call in up + down)


def test_a_job_that_says_it_is_done_is_not_believed(at, there, transfers):
    """As the real server's script: how it ends is how its echo ended."""
    (there / "a").touch()
    (there / "d").mkdir()
    run, transfers.job = transfers.job, lambda script: run(f"{script}; true")
    try:
        refused = at("mv", "a", "missing/b")
    finally:
        transfers.job = run
    assert refused.status == 71 and "did not do it: mv: " in refused.stderr and (there / "a").exists(), refused


def test_targets_are_those_of_cp(remote, there, tmp_path):
    """A new path, an empty directory, a directory with one file in it: each is what it is."""
    (tmp_path / "f").write_text("new")
    (there / "empty").mkdir()
    (there / "one").mkdir()
    (there / "one" / "f").write_text("old")
    remote("cp", "f", f"alps:{there}/empty", cwd=tmp_path).ok()
    remote("cp", "f", f"alps:{there}/one/", cwd=tmp_path).ok()
    remote("cp", "f", f"alps:{there}/renamed", cwd=tmp_path).ok()
    assert [(there / name).read_text() for name in ("empty/f", "one/f", "renamed")] == ["new"] * 3
    missing = remote("cp", "f", f"alps:{there}/no/such", cwd=tmp_path)
    assert missing.status == 66 and missing.stderr.count("\n") == 1, missing
    refused = remote("cp", f"alps:{there}/one", "x", cwd=tmp_path)
    assert refused.status == 64 and "-r copies it" in refused.stderr


def test_trees_go_both_ways(remote, there, tmp_path):
    for number in range(12):
        file = tmp_path / "tree" / f"d{number % 3}" / f"file {number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 100))
    (tmp_path / "tree" / "empty").mkdir()
    remote("cp", "-r", "tree", f"alps:{there}", cwd=tmp_path).ok()
    harness.run(["diff", "-r", tmp_path / "tree", there / "tree"]).ok()
    remote("cp", "-r", f"alps:{there}/tree", "back", cwd=tmp_path).ok()
    harness.run(["diff", "-r", tmp_path / "tree", tmp_path / "back"]).ok()
    os.symlink("/etc", tmp_path / "back" / "d0" / "link")
    (there / "tree" / "d0" / "link").mkdir()
    (there / "tree" / "d0" / "link" / "astray").touch()
    result = remote("cp", "-r", f"alps:{there}/tree/.", "back", cwd=tmp_path)
    assert result.status != 0 and "link" in result.stderr and not pathlib.Path("/etc/astray").exists()


def test_a_directory_that_cannot_be_read_to_its_end_is_told(remote, there, tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").touch()
    result = harness.run(["strace", "-qq", "-o", "/dev/null", "-P", tmp_path / "tree", "-e", "trace=getdents64",
                          "-e", "inject=getdents64:error=EIO", remote.program, "cp", "-r", "tree", f"alps:{there}"],
                         env=remote.env(), cwd=tmp_path)
    if "ptrace" in result.stderr:
        pytest.skip(f"strace cannot trace here: {result.stderr}")
    assert result.status != 0 and "tree: Input/output error" in result.stderr, result


def make_odd_tree(path: pathlib.Path) -> None:
    """What cannot be told to FirecREST in a path, or not at all."""
    for number, name in enumerate(["it's", "new\nline", '"q"', "back\\slash", "\udcff", "-n", " ", "*", "\u00fc"]):
        (path / "d" / name).mkdir(parents=True)
        (path / "d" / name / "file").write_bytes(os.urandom(number * 10))
    (path / "empty").mkdir(mode=0o700)
    (path / "d" / "-n" / "file").chmod(0o750)
    os.symlink("d/-n/file", path / "link")
    os.symlink("/nonexistent", path / "dangling")


def assert_same_tree(one: pathlib.Path, other: pathlib.Path) -> None:
    harness.run(["diff", "-r", "--no-dereference", one, other]).ok()
    assert os.readlink(other / "link") == "d/-n/file" and os.readlink(other / "dangling") == "/nonexistent"
    assert (other / "empty").is_dir() and (other / "d" / "-n" / "file").stat().st_mode & 0o777 == 0o750


def test_a_tree_of_many_files_goes_as_an_archive(remote, server, there, tmp_path):
    make_odd_tree(tmp_path / "tree")
    home = server.users / server.user
    before = os.listdir(home)
    with server.counting() as up:
        told = remote("cp", "-rpv", "tree", f"alps:{there}", cwd=tmp_path).ok().stderr
    assert_same_tree(tmp_path / "tree", there / "tree")
    assert "9 files and 2 links went as one archive" in told and sum("/ops/upload" in call for call in up) == 1
    with server.counting() as down:
        remote("cp", "-rp", f"alps:{there}/tree", "back", cwd=tmp_path).ok()
    assert_same_tree(tmp_path / "tree", tmp_path / "back")
    assert sum("/ops/download" in call for call in down) == 1
    assert os.listdir(home) == before and sorted(os.listdir(tmp_path)) == ["back", "tree"]
    # A name that is a link to it: what it leads to.
    os.symlink("tree", there / "to-it")
    remote("cp", "-r", f"alps:{there}/to-it", "again", cwd=tmp_path)
    assert (tmp_path / "again" / "d" / "-n" / "file").exists()


def test_a_tree_goes_one_by_one_where_archives_are_refused(remote, server, there, tmp_path):
    for number in range(10):
        file = tmp_path / "tree" / f"d{number % 2}" / f"{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number))
    server.fail("403", "/ops/extract", times=100)
    server.fail("403", "/ops/compress", times=100)
    try:
        with server.counting() as made:
            told = remote("cp", "-rv", "tree", f"alps:{there}", cwd=tmp_path).ok().stderr
        remote("cp", "-r", f"alps:{there}/tree", "back", cwd=tmp_path).ok()
    finally:
        server.faults.clear()
    assert "one by one" in told and sum("/ops/extract" in call for call in made) == 1
    for copy in there / "tree", tmp_path / "back":
        harness.run(["diff", "-r", tmp_path / "tree", copy]).ok()
    assert not list((server.users / server.user).glob(".*.tar.gz")) and not list((tmp_path / "back").glob(".berth*"))


@pytest.mark.parametrize("how", ["reset", "500", "503", "bad-etag", "no-etag"])
def test_a_part_that_went_wrong_goes_again(remote, store, there, tmp_path, how):
    content = some(3 * s3.PART_MIN + 5)
    (tmp_path / "large").write_bytes(content)
    store.fail("PUT", how, part=2)
    remote("cp", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    assert (there / "large").read_bytes() == content and all(fault["times"] == 0 for fault in store.faults)


def test_a_store_that_encrypts_gets_each_part_once_and_the_whole_is_compared(remote, store, there, tmp_path):
    (tmp_path / "large").write_bytes(some(2 * s3.PART_MIN))
    store.requests.clear()
    store.encrypts = True
    try:
        remote("cp", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    finally:
        store.encrypts = False
    harness.run(["cmp", there / "large", tmp_path / "large"]).ok()
    assert sum(request[0] == "PUT" for request in store.requests) == 3


def test_parts_go_at_the_same_time_and_a_store_that_fails_late_is_asked_again(remote, store, there, tmp_path):
    content = some(6 * s3.PART_MIN)
    (tmp_path / "large").write_bytes(content)
    store.most = 0
    store.fail("POST", "error-200")
    remote("cp", "--verify", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    assert (there / "large").read_bytes() == content and 1 < store.most <= 8


def test_urls_that_are_too_old_are_asked_for_again(remote, transfers, server, there, tmp_path):
    content = some(2 * s3.PART_MIN)
    (tmp_path / "large").write_bytes(content)
    transfers.expired = 1
    with server.counting() as made:
        remote("cp", "large", f"alps:{there}/large", cwd=tmp_path).ok()
    assert (there / "large").read_bytes() == content and sum("transfer/upload" in call for call in made) == 2
    transfers.expired = 1
    remote("cp", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    assert (tmp_path / "back").read_bytes() == content
    transfers.expired = 1000
    refused = remote("cp", f"alps:{there}/large", "never", cwd=tmp_path)
    transfers.expired = 0
    assert refused.status == 75 and "too old" in refused.stderr and not (tmp_path / "never").exists()


def test_urls_that_become_too_old_half_way(remote, server, store, there, tmp_path):
    """Ranges that are here are not fetched again. Parts belong to one upload, whose URLs are all too old then: they go again."""
    size = 150 << 20
    with open(there / "large", "wb") as file:
        file.truncate(size)
        file.seek(100 << 20)
        file.write(some(1 << 20))
    store.requests.clear()
    store.fail("GET", "expired", times=100, after=2)
    take, began = store.take_fault, []

    def take_fault(method, query):
        # Those of the next object are fresh.
        began.append(method == "GET" and sum("transfer/download" in call for call in server.requests[first:]) > 1)
        return None if began[-1] else take(method, query)
    first = len(server.requests)
    store.take_fault = take_fault
    try:
        remote("cp", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    finally:
        store.take_fault = take
        store.faults.clear()
    harness.run(["cmp", there / "large", tmp_path / "back"]).ok()
    good = [request[4] for request in store.requests if request[0] == "GET" and request[3] == 206 and request[4] != s3.LOOK]
    assert any(began) and len(good) == len(set(good)) == 5
    store.requests.clear()
    store.fail("PUT", "expired", after=3)
    with open(tmp_path / "many", "wb") as file:
        file.write(some(6 * s3.PART_MIN))
    with server.counting() as made:
        remote("cp", "many", f"alps:{there}/many", cwd=tmp_path).ok()
    harness.run(["cmp", there / "many", tmp_path / "many"]).ok()
    assert sum("transfer/upload" in call for call in made) == 2
    store.fail("PUT", "expired", after=3, times=100)
    refused = remote("cp", "many", f"alps:{there}/never", cwd=tmp_path)
    store.faults.clear()
    assert refused.status == 75 and "before all of it is there" in refused.stderr, refused


@pytest.fixture
def short_lived(store):
    """Each upload takes four parts, and then its URLs are too old."""
    take, lock, taken = store.take_fault, threading.Lock(), collections.Counter()

    def take_fault(method, query):
        if method != "PUT":
            return take(method, query)
        with lock:
            taken[query["uploadId"]] += 1
            return "expired" if taken[query["uploadId"]] > 4 else None
    store.take_fault = take_fault
    yield
    store.take_fault = take


def test_a_file_whose_urls_never_last_goes_in_pieces(remote, server, there, tmp_path, short_lived):
    (tmp_path / "large").write_bytes(some(6 * s3.PART_MIN))
    (there / "large").write_text("is replaced")
    with server.counting() as made:
        told = remote("cp", "large", f"alps:{there}/large", cwd=tmp_path).ok().stderr
    harness.run(["cmp", there / "large", tmp_path / "large"]).ok()
    assert "in 4 pieces" in told and os.listdir(there) == ["large"]
    assert sum("transfer/upload" in call for call in made) == 6 and sum("POST /compute" in call for call in made) == 1


def test_pieces_that_nobody_puts_together_are_removed(remote, server, there, tmp_path, short_lived):
    (tmp_path / "large").write_bytes(some(6 * s3.PART_MIN))
    server.fail("500", "/compute/{system_name}/jobs", "POST")
    refused = remote("cp", "large", f"alps:{there}/large", cwd=tmp_path)
    assert refused.status == 71 and "in 4 pieces" in refused.stderr and "made to fail" in refused.stderr, refused
    assert os.listdir(there) == []


@pytest.mark.parametrize("how", ["reset", "500", "truncate"])
def test_a_download_that_breaks_goes_on(remote, store, there, tmp_path, how):
    content = some(2 * s3.PART_MIN)
    (there / "large").write_bytes(content)
    store.fail("GET", how)
    remote("cp", "--verify", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    assert (tmp_path / "back").read_bytes() == content and os.listdir(tmp_path) == ["back"]


def test_what_the_store_does_not_allow_is_told_and_what_it_began_is_ended(remote, store, slurm, there, tmp_path):
    (tmp_path / "large").write_bytes(some(2 * s3.PART_MIN))
    store.fail("PUT", "403", times=100)
    refused = remote("cp", "large", f"alps:{there}/large", cwd=tmp_path)
    store.faults.clear()
    assert refused.status == 77 and "AccessDenied" in refused.stderr and not (there / "large").exists(), refused
    harness.until(lambda: "transfer" not in slurm.run("squeue", "--noheader", "-o", "%j").stdout, "end of the server's job")


def test_an_error_page_is_no_file(remote, store, there, tmp_path):
    (there / "large").write_bytes(some(s3.PART_MIN))
    store.fail("GET", "500", times=100)
    refused = remote("cp", f"alps:{there}/large", "back", cwd=tmp_path)
    store.faults.clear()
    assert refused.status != 0 and "InternalError" in refused.stderr and os.listdir(tmp_path) == []


def test_what_a_job_of_the_server_lost_is_found_out(remote, transfers, there, tmp_path):
    """A job that ends well is not believed: what it left is looked at."""
    (tmp_path / "large").write_bytes(some(2 * s3.PART_MIN))
    run, transfers.job = transfers.job, lambda script: run(re.sub(r"mv -- (\S+)", r"truncate -s -1 \1; mv -- \1", script))
    try:
        refused = remote("cp", "large", f"alps:{there}/large", cwd=tmp_path)
        transfers.server.fail("408", "/ops/checksum", times=10)
        smaller = remote("cp", "large", f"alps:{there}/large", cwd=tmp_path)
    finally:
        transfers.job = run
        transfers.server.faults.clear()
    assert refused.status == 76 and "not what the source is" in refused.stderr, refused
    assert smaller.status == 76 and "bytes of" in smaller.stderr, smaller
    (there / "large").write_bytes(some(2 * s3.PART_MIN))
    transfers.server.fail("408", "/ops/checksum", times=10)
    remote("cp", f"alps:{there}/large", "back", cwd=tmp_path).ok()
    verified = remote("cp", "--verify", f"alps:{there}/large", "again", cwd=tmp_path)
    transfers.server.faults.clear()
    assert verified.status == 75 and os.listdir(tmp_path) != [] and not (tmp_path / "again").exists(), verified


@pytest.mark.parametrize("method", ["streamer", "wormhole"])
def test_other_ways_are_refused_and_named(remote, server, transfers, there, tmp_path, method):
    (tmp_path / "large").write_bytes(bytes(DIRECT + 1))
    (there / "large").write_bytes(bytes(DIRECT + 1))
    before = server.data_transfer
    try:
        server.data_transfer = {"serviceType": method}
        for operands in ("large", f"alps:{there}/up"), (f"alps:{there}/large", "down"):
            refused = remote("cp", *operands, cwd=tmp_path)
            assert refused.status == 69 and method in refused.stderr and "S3" in refused.stderr, refused
        server.data_transfer, transfers.method = before, method
        refused = remote("cp", "large", f"alps:{there}/up", cwd=tmp_path)
        assert refused.status == 69 and method in refused.stderr, refused
    finally:
        server.data_transfer, transfers.method = before, "s3"
    assert not (there / "up").exists() and not (tmp_path / "down").exists()


def test_a_job_that_cannot_carry_it_is_told_with_its_words(remote, there, tmp_path):
    (there / "file").write_text("is in the way")
    (tmp_path / "large").write_bytes(bytes(DIRECT + 1))
    refused = remote("cp", "large", f"alps:{there}/file/below", cwd=tmp_path)
    assert refused.status != 0 and "Not a directory" in refused.stderr, refused


def test_a_job_that_does_not_end_is_not_waited_for_for_ever(remote, transfers, there, tmp_path):
    (there / "large").write_bytes(bytes(DIRECT + 1))
    run, transfers.job = transfers.job, lambda script: run("sleep 1000")
    try:
        refused = remote("cp", "--wait", "1s", f"alps:{there}/large", "back", cwd=tmp_path)
    finally:
        transfers.job = run
    assert refused.status == 75 and "--wait" in refused.stderr and os.listdir(tmp_path) == []


def test_names_that_cannot_be_told_are_refused(remote, there, tmp_path):
    for name in "it's", "new\nline", "\udcff", '"q"', "back\\slash":
        (tmp_path / name).write_text("x")
        refused = remote("cp", name, f"alps:{there}/{name}", cwd=tmp_path)
        assert refused.status == 64 and refused.stderr.count("\n") == 1, refused
    for name in "a b", "$HOME", "-n", "#c", "\u00fc", "a;b", "*":
        (tmp_path / name).write_text(name)
        remote("cp", f"./{name}", f"alps:{there}/{name}", cwd=tmp_path).ok()
        assert (there / name).read_text() == name
    assert len(os.listdir(there)) == 7


def test_progress_is_shown_on_a_terminal_only(remote, store, there, tmp_path):
    (tmp_path / "large").write_bytes(some(4 * s3.PART_MIN))
    store.fail("PUT", "slow", times=4)
    argv = [remote.program, "cp", tmp_path / "large", f"alps:{there}/large"]
    with terminal.Terminal(argv, env=remote.env(**remote.extra)) as screen:
        screen.expect("MB/s")
        assert screen.end() == 0
    assert remote("cp", tmp_path / "large", f"alps:{there}/large").ok().stderr == ""


def test_an_interrupt_leaves_nothing_incomplete_under_a_name(remote, store, there, tmp_path):
    (there / "large").write_bytes(some(2 * s3.PART_MIN))
    store.fail("GET", "slow", times=8)
    process = subprocess.Popen([remote.program, "cp", f"alps:{there}/large", "back"], env=remote.env(**remote.extra), cwd=tmp_path,
                               stdin=subprocess.DEVNULL)
    try:
        harness.until(lambda: os.listdir(tmp_path), "part of the file")
        process.send_signal(signal.SIGINT)
        assert process.wait(20 * harness.PATIENCE) in (130, -signal.SIGINT)
    finally:
        harness.stop(process)
    store.faults.clear()
    assert os.listdir(tmp_path) == []


def test_programs_that_are_larger_than_what_goes_directly_reach_a_site(remote, store):
    store.requests.clear()
    job = remote.submit("--cluster", "alps", "-t", "10m", "--", "sh", "-c", "cat /proc/1/comm; echo carried")
    assert any(request[0] == "PUT" for request in store.requests)
    remote.wait(job, "SUCCEEDED")
    assert remote("logs", job).ok().stdout.splitlines()[-1] == "carried"
