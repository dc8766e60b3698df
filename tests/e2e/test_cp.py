# SPDX-License-Identifier: MIT
"""berth cp: into a job, out of it, between jobs; what breaks off leaves nothing incomplete under a name."""

import os
import pathlib
import signal
import subprocess

import pytest

import harness
import terminal


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return tmp_path_factory.mktemp("there")


@pytest.fixture(scope="module")
def job(berth, there) -> str:
    return berth.start("--", "sleep", "1000", cwd=there)


@pytest.fixture
def cp(berth, tmp_path):
    """berth cp ARGV, from a directory of this test."""
    return lambda *argv, **more: berth("cp", *argv, cwd=tmp_path, **more)


def tree(path: pathlib.Path, files=300) -> pathlib.Path:
    for number in range(files):
        file = path / f"d{number % 7}" / f"e{number % 3}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 61))
        file.chmod(0o600 + number % 64)
        os.utime(file, (1_100_000_000, 1_100_000_000 + number))
    (path / "empty").mkdir()
    (path / "empty file").touch()
    os.symlink("../d1", path / "d0" / "link")
    os.symlink("/nowhere at all", path / "dangling")
    (path / "new\nline \udcff").write_bytes(b"name")
    os.utime(path / "d2", (1, 2))
    return path


def same(one: pathlib.Path, other: pathlib.Path, times: bool) -> None:
    harness.run(["diff", "-r", "--no-dereference", one, other]).ok()
    for path in one.rglob("*"):
        a, b = path.lstat(), (other / path.relative_to(one)).lstat()
        assert not times or path.is_symlink() or (a.st_mode, int(a.st_mtime)) == (b.st_mode, int(b.st_mtime)), path


def leftovers(path: pathlib.Path) -> list:
    return [str(part) for part in path.rglob("*berth-part*")]


@pytest.mark.sanitize
def test_a_tree_goes_there_and_comes_back_as_it_was(cp, job, there, tmp_path):
    source = tree(tmp_path / "tree")
    cp("-rp", "tree", f"{job}:copy").ok()
    same(source, there / "copy", times=True)
    result = cp("-r", "--preserve", "--verify", f"{job}:copy", "back").ok()
    assert (result.output, result.errors) == (b"", b"")
    same(source, tmp_path / "back", times=True)
    assert not leftovers(there) and not leftovers(tmp_path)


def test_directories_that_are_there_are_copied_into_and_files_replaced(cp, job, there, tmp_path):
    source = tree(tmp_path / "t", files=20)
    (there / "into").mkdir()
    cp("-r", "t", f"{job}:into").ok()
    (there / "into" / "t" / "d1" / "e1" / "f1").write_text("older")
    (there / "into" / "t" / "mine").write_text("kept")
    cp("-r", "t", f"{job}:into").ok()
    assert (there / "into" / "t" / "mine").read_text() == "kept"
    (there / "into" / "t" / "mine").unlink()
    same(source, there / "into" / "t", times=False)
    cp("-r", f"{job}:into/t/.", "contents").ok()
    same(source, tmp_path / "contents", times=False)


def test_several_sources_go_into_a_directory_only(cp, job, there, tmp_path):
    for name in "one", "two":
        (tmp_path / name).write_text(name)
    result = cp("one", "two", f"{job}:nowhere")
    assert result.status == 64 and "several things cannot go there" in result.stderr, result
    (there / "both").mkdir()
    cp("one", "two", f"{job}:both/").ok()
    cp(f"{job}:both/one", f"{job}:both/two", ".").ok()
    assert sorted(os.listdir(there / "both")) == ["one", "two"]


def test_the_umask_of_the_other_side_applies(cp, job, there, tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "script").chmod(0o755)
    cp("script", f"{job}:script").ok()
    assert (there / "script").stat().st_mode & 0o700 == 0o700
    assert (there / "script").stat().st_mode & 0o022 == 0


def test_from_one_job_to_another(cp, job, there, berth, tmp_path):
    (tmp_path / "other").mkdir()
    other = berth.start("--", "sleep", "1000", cwd=tmp_path / "other")
    source = tree(there / "between", files=50)
    cp("-rp", "--verify", f"{job}:between", f"{other}:arrived").ok()
    same(source, tmp_path / "other" / "arrived", times=True)


def test_within_one_job_the_job_copies(cp, job, there):
    source = tree(there / "within", files=50)
    with open(source / "large", "wb") as file:
        file.truncate(200 << 20)
        file.seek(150 << 20)
        file.write(os.urandom(1 << 20))
    cp("-rp", "--verify", f"{job}:within", f"{job}:copied").ok()
    same(source, there / "copied", times=True)
    cp(f"{job}:within/large", f"{job}:copied/new").ok()
    harness.run(["cmp", source / "large", there / "copied" / "new"]).ok()
    assert not leftovers(there)
    for target in "within", "within/d1", "within/d1/new", "within/d1/../new":
        result = cp("-r", f"{job}:within", f"{job}:{target}")
        assert result.status == 64 and "lies in" in result.stderr, result


def test_standard_input_and_output(cp, job, there, tmp_path):
    content = os.urandom(5_000_000)
    cp("-", f"{job}:streamed", input=content).ok()
    assert (there / "streamed").read_bytes() == content
    assert cp(f"{job}:streamed", "-").ok().output == content
    with open(tmp_path / "appended", "ab") as file:
        file.write(b"before ")
        file.flush()
        cp(f"{job}:streamed", "-", stdout=file).ok()
    assert (tmp_path / "appended").read_bytes() == b"before " + content
    assert cp("-r", "-", f"{job}:x", input=b"").status == 64


def test_files_without_a_length_are_read_to_their_end(cp, job, tmp_path):
    cp(f"{job}:/proc/self/status", "status").ok()
    assert "berth-sftp" in (tmp_path / "status").read_text()


def test_what_fails_is_named_and_the_rest_is_copied(cp, job, there, tmp_path):
    for name in "a", "b":
        (there / name).write_text(name)
    (tmp_path / "got").mkdir()
    result = cp(f"{job}:a", f"{job}:missing", f"{job}:b", "got")
    assert result.status == 66
    assert result.stderr == f"berth: {job}:missing: No such file or directory\n"
    assert sorted(os.listdir(tmp_path / "got")) == ["a", "b"]
    (there / "dir").mkdir(exist_ok=True)
    result = cp(f"{job}:dir", "x")
    assert result.status == 64 and "-r copies it" in result.stderr
    result = cp(f"{job}:a", "no/such/directory")
    assert result.status == 66 and "berth: no/such/directory: No such file" in result.stderr
    os.mkfifo(there / "dir" / "pipe")
    result = cp("-r", f"{job}:dir", "x")
    assert result.status == 69 and f"{job}:dir/pipe: neither a file" in result.stderr
    result = cp("a", "b")
    assert result.status == 64 and "JOB:PATH" in result.stderr
    result = cp("no-such-job:a", "b")
    assert result.status == 66 and "no-such-job" in result.stderr


def test_a_full_disk_is_said_and_leaves_nothing(cp, job, there, tmp_path):
    (there / "some").write_bytes(bytes(100_000))
    result = cp(f"{job}:some", "/dev/full")
    assert result.status == 71 and "/dev/full: No space left on device" in result.stderr
    assert pathlib.Path("/dev/full").is_char_device()


def test_links_that_lead_elsewhere_are_not_walked_through(cp, job, there, tmp_path):
    """What stands where a directory should be made is a link: the copy does not go through it."""
    (there / "trap" / "sub").mkdir(parents=True)
    (there / "trap" / "sub" / "file").write_text("gone astray")
    (tmp_path / "outside").mkdir()
    (tmp_path / "copy").mkdir()
    os.symlink("../outside", tmp_path / "copy" / "sub")
    (tmp_path / "copy" / "link-to-file").symlink_to("../outside/target")
    (there / "trap" / "link-to-file").write_text("replaces the link")
    result = cp("-r", f"{job}:trap/.", "copy")
    assert result.status != 0 and "copy/sub" in result.stderr, result
    assert os.listdir(tmp_path / "outside") == []
    assert (tmp_path / "copy" / "link-to-file").read_text() == "replaces the link"
    assert not (tmp_path / "copy" / "link-to-file").is_symlink()


@pytest.fixture
def endless(there) -> pathlib.Path:
    """A file of a terabyte that takes no place."""
    with open(there / "endless", "wb") as file:
        file.truncate(1 << 40)
    return there / "endless"


@pytest.fixture
def interrupted(berth, tmp_path):
    """interrupted("--resume", SOURCE, TARGET): a copy that a signal ends once a megabyte is here; its status."""
    running = []

    def copy(*argv) -> int:
        process = subprocess.Popen([berth.program, "cp", *map(str, argv)], env=berth.env(), cwd=tmp_path,
                                   stdin=subprocess.DEVNULL)
        running.append(process)
        harness.until(lambda: any(os.path.getsize(part) > 1 << 20 for part in leftovers(tmp_path)), "part of the file")
        process.send_signal(signal.SIGINT)
        return process.wait(20 * harness.PATIENCE)
    yield copy
    for process in running:
        harness.stop(process)


def test_a_copy_that_is_interrupted_leaves_nothing(interrupted, job, endless, tmp_path):
    assert interrupted(f"{job}:endless", "copy") == 130
    assert os.listdir(tmp_path) == []


def test_an_interrupted_copy_is_resumed_where_it_ended(cp, interrupted, job, endless, tmp_path):
    assert interrupted("--resume", f"{job}:endless", "copy") == 130
    assert os.listdir(tmp_path) == [".copy.berth-part"]
    part = tmp_path / ".copy.berth-part"
    length, inode = part.stat().st_size, part.stat().st_ino
    with open(endless, "r+b") as file:
        file.truncate(length)
        file.seek(length)
        file.write(b"the end")
    cp("--resume", f"{job}:endless", "copy").ok()
    assert os.listdir(tmp_path) == ["copy"]
    assert (tmp_path / "copy").stat().st_ino == inode
    harness.run(["cmp", endless, tmp_path / "copy"]).ok()


def test_what_is_not_the_same_any_more_begins_anew(cp, job, there, tmp_path):
    (there / "changed").write_bytes(os.urandom(100_000))
    (tmp_path / ".changed.berth-part").write_bytes(b"something else")
    cp("--resume", f"{job}:changed", "changed").ok()
    assert (tmp_path / "changed").read_bytes() == (there / "changed").read_bytes()
    (tmp_path / ".changed.berth-part").write_bytes(bytes(200_000))
    cp("--resume", "--verify", f"{job}:changed", "changed").ok()
    assert (tmp_path / "changed").read_bytes() == (there / "changed").read_bytes()


def test_links_where_something_is_to_be_written_are_not_followed(cp, job, there, tmp_path):
    """A job that was copied from before may have left them here."""
    (there / "wanted").write_text("new")
    (there / "tree" / "deep").mkdir(parents=True)
    victim, elsewhere = tmp_path / "victim", tmp_path / "elsewhere"
    victim.write_text("mine")
    elsewhere.mkdir()
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / ".wanted.berth-part").symlink_to(victim)
    (tmp_path / "into" / "tree").symlink_to(elsewhere)
    assert cp("--resume", f"{job}:wanted", "into").status != 0
    assert victim.read_text() == "mine"
    assert cp("-r", f"{job}:tree", "into").status != 0
    assert os.listdir(elsewhere) == []


def test_the_end_of_the_job_ends_the_copy_and_nothing_has_the_name(berth, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "here").mkdir()
    with open(tmp_path / "work" / "endless", "wb") as file:
        file.truncate(1 << 40)
    name = berth.start("--", "sleep", "1000", cwd=tmp_path / "work")
    process = subprocess.Popen([berth.program, "cp", f"{name}:endless", "here/copy"], env=berth.env(), cwd=tmp_path,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        harness.until(lambda: leftovers(tmp_path), "part of the file")
        berth("cancel", name).ok()
        _, errors = process.communicate(timeout=60 * harness.PATIENCE)
    finally:
        harness.stop(process)
    assert process.returncode not in (0, None), errors
    assert errors.count("\n") == 1 and name in errors, errors
    assert os.listdir(tmp_path / "here") == []


def test_progress_is_shown_on_a_terminal_only(berth, job, endless, tmp_path):
    with terminal.Terminal([berth.program, "cp", f"{job}:endless", tmp_path / "copy"], env=berth.env()) as screen:
        screen.expect("MB/s")
        screen.expect("endless")
        screen.type("\x03")
        assert screen.end() == 130
    assert os.listdir(tmp_path) == []
