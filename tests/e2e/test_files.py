# SPDX-License-Identifier: MIT
"""Verbs of files, on this machine, behind a login node (real sshd) and in a job: one set of tests for all three."""

import hashlib
import itertools
import json
import os
import pathlib
import random
import shutil

import pytest

import harness
import loginnode
import terminal


class Place:
    """Where files are: how berth calls it, and where this machine sees the same files."""

    def __init__(self, berth, prefix: str, dir: pathlib.Path):
        self.berth, self.prefix, self.dir = berth, prefix, dir
        dir.mkdir()

    def __call__(self, verb, *names, options=(), **more) -> harness.Result:
        return self.berth(verb, *options, *(f"{self.prefix}{self.dir}/{name}" for name in names), **more)


@pytest.fixture(scope="module")
def node(start_login_node):
    return start_login_node("files-login", "/nonexistent")


@pytest.fixture(scope="module")
def through_login(berth, node):
    """berth of a user with one more cluster, behind the login node."""
    path = berth.home.config_dir / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(node.configuration().replace("context: hpc\n", ""))
    yield berth.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    loginnode.close_masters(berth.home)
    path.unlink()


numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["local", "login", "job"])
def kind(request, berth):
    if request.param == "local":
        return berth, "local:"
    if request.param == "login":
        return request.getfixturevalue("through_login"), "hpc:"
    return berth, request.getfixturevalue("local_job") + ":"


@pytest.fixture
def place(kind, tmp_path) -> Place:
    return Place(*kind, tmp_path / f"place{next(numbers)}")


def names(result: harness.Result) -> list:
    return result.ok().output.split(b"\0")[:-1]


@pytest.mark.sanitize
def test_ls_lists_names_details_and_trees(place):
    (place.dir / "b").write_text("12345")
    (place.dir / "b").chmod(0o640)
    os.utime(place.dir / "b", (1, 1_000_000_000))
    (place.dir / ".hidden").touch()
    (place.dir / "d" / "e").mkdir(parents=True)
    (place.dir / "d" / "e" / "deep").touch()
    os.symlink("b", place.dir / "link")
    os.mkfifo(place.dir / "pipe")
    assert place("ls", "").ok().stdout == "b\nd\nlink\npipe\n"
    assert ".hidden" in place("ls", "", options=["-a"]).ok().stdout
    lines = place("ls", "", options=["-l"]).ok().stdout.splitlines()
    assert lines[1].split()[:4] == ["-rw-r-----", "root" if harness.IS_ROOT else lines[1].split()[1], lines[1].split()[2], "5"]
    assert lines[3].endswith("link -> b") and lines[2].startswith("d") and lines[4].startswith("p")
    assert place("ls", "d", options=["-R"]).ok().stdout == f"{place.dir}/d:\ne\n\n{place.dir}/d/e:\ndeep\n"
    listed = {file["path"].rpartition("/")[2]: file for file in json.loads(place("ls", "", options=["-o", "json"]).ok().stdout)}
    assert listed["b"] | {"user": "", "group": "", "path": ""} == {
        "path": "", "type": "file", "mode": "0640", "user": "", "group": "", "size": 5,
        "modified": "2001-09-09T01:46:40.000Z", "target": None}
    assert listed["link"]["type"] == "link" and listed["link"]["target"] == "b" and listed["pipe"]["type"] == "pipe"
    assert place("ls", "d", options=["-d"]).ok().stdout == f"{place.dir}/d\n"
    assert place("ls", "b").ok().stdout == f"{place.dir}/b\n"
    missing = place("ls", "missing")
    assert missing.status == 66 and "missing: No such file" in missing.stderr


def test_a_directory_of_many_files_is_listed_and_removed(place):
    (place.dir / "many").mkdir()
    for number in range(3000):
        (place.dir / "many" / f"{number:05}").touch()
    (place.dir / "many" / "d" / "d").mkdir(parents=True)
    assert len(place("ls", "many").ok().stdout.splitlines()) == 3001
    place("rm", "many", options=["-r", "--yes"]).ok()
    assert not (place.dir / "many").exists()


def test_rm_removes_what_was_meant_and_nothing_else(place, tmp_path):
    for name in "a", "b":
        (place.dir / name).touch()
    (place.dir / "d" / "sub").mkdir(parents=True)
    (place.dir / "d" / "sub" / "file").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").touch()
    os.symlink(tmp_path / "outside", place.dir / "d" / "link")
    os.symlink(tmp_path / "outside", place.dir / "away")
    refused = place("rm", "d")
    assert refused.status == 64 and "-r removes it" in refused.stderr and (place.dir / "d" / "sub" / "file").exists()
    refused = place("rm", "d", options=["-r"])
    assert refused.status == 64 and "--yes" in refused.stderr and (place.dir / "d").exists()
    # A slash at the end of a link to a directory makes it no directory.
    place("rm", "away/", options=["-r", "--yes"])
    place("rm", "a", "d", options=["-r", "--yes"]).ok()
    assert os.listdir(tmp_path / "outside") == ["precious"]
    assert set(os.listdir(place.dir)) <= {"b", "away"}
    assert place("rm", "nothing").status == 66
    place("rm", "nothing", options=["-f"]).ok()


def test_rm_refuses_what_nobody_means(place):
    here = place.dir / "kept"
    here.mkdir()
    # Without -r: what is wrong here must not cost anybody a file system.
    for path in "/", "", "~", "..", "~/..", "/..", f"{here}/.", f"{here}/..", "///", "~/.":
        refused = place.berth("rm", "-y", f"{place.prefix}{path}")
        assert refused.status == 77 and "not removed" in refused.stderr, (path, refused)
    assert here.exists() and pathlib.Path("/bin").exists()


def test_rm_asks_on_a_terminal(place):
    (place.dir / "d").mkdir()
    argv = [place.berth.program, "rm", "-r", f"{place.prefix}{place.dir}/d"]
    with terminal.Terminal(argv, env=place.berth.env()) as screen:
        screen.expect("[y/N]")
        screen.type("n\r")
        assert screen.end() == 0
    assert (place.dir / "d").exists()
    with terminal.Terminal(argv, env=place.berth.env()) as screen:
        screen.expect("[y/N]")
        screen.type("y\r")
        assert screen.end() == 0
    assert not (place.dir / "d").exists()


def test_directories_names_and_permissions(place, tmp_path):
    assert place("mkdir", "x/y").status == 66
    place("mkdir", "x/y/z", options=["-p"]).ok()
    place("mkdir", "x/y/z", options=["-p"]).ok()
    exists = place("mkdir", "x")
    assert exists.status == 73 and "File exists" in exists.stderr
    (place.dir / "file").write_text("new")
    assert place("mkdir", "file/sub", options=["-p"]).status != 0
    (place.dir / "x" / "file").write_text("old")
    place("mv", "file", "x").ok()
    assert (place.dir / "x" / "file").read_text() == "new"
    place("mv", "x/file", "renamed").ok()
    assert os.listdir(place.dir / "x") == ["y"] and (place.dir / "renamed").read_text() == "new"
    assert place("mv", "missing", "x").status == 66
    place.berth("chmod", "0750", f"{place.prefix}{place.dir}/renamed").ok()
    assert (place.dir / "renamed").stat().st_mode & 0o7777 == 0o750
    assert place.berth("chmod", "u+x", f"{place.prefix}{place.dir}/renamed").status == 64
    place.berth("mv", f"{place.prefix}{place.dir}/renamed", tmp_path / "here").ok()
    assert (tmp_path / "here").read_text() == "new" and not (place.dir / "renamed").exists()


def test_heads_tails_and_sums_are_exact(place):
    text = b"".join(b"line %d \xff\x00\r\n" % number for number in range(100_000))
    (place.dir / "text").write_bytes(text + b"no end")
    (place.dir / "empty").touch()
    lines = (text + b"no end").splitlines(keepends=True)
    lines = (text + b"no end").split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + [lines[-1]]
    assert place("head", "text").ok().output == b"".join(lines[:10])
    assert place("head", "text", options=["-n", "50000"]).ok().output == b"".join(lines[:50000])
    assert place("head", "text", options=["-c", "300000"]).ok().output == text[:300000]
    assert place("tail", "text").ok().output == b"".join(lines[-10:])
    assert place("tail", "text", options=["-n", "60000"]).ok().output == b"".join(lines[-60000:])
    assert place("tail", "text", options=["-n", "200000"]).ok().output == text + b"no end"
    assert place("tail", "text", options=["-c", "7"]).ok().output == b"\nno end"
    assert place("head", "empty").ok().output == place("tail", "empty").ok().output == b""
    sums = place("checksum", "text", "empty").ok().stdout.splitlines()
    assert [line.split()[0] for line in sums] == [hashlib.sha256((place.dir / name).read_bytes()).hexdigest()
                                                  for name in ("text", "empty")]


def test_archives_are_made_and_unpacked_in_place(place):
    if not shutil.which("tar"):
        pytest.skip("no tar on this machine")
    (place.dir / "tree" / "sub").mkdir(parents=True)
    (place.dir / "tree" / "sub" / "f").write_bytes(os.urandom(100_000))
    place("compress", "tree", "a:b.tar.gz").ok()
    place("extract", "a:b.tar.gz", "new/out").ok()
    harness.run(["diff", "-r", place.dir / "tree", place.dir / "new" / "out" / "tree"]).ok()
    assert sorted(os.listdir(place.dir)) == ["a:b.tar.gz", "new", "tree"]
    assert place("compress", "missing", "x.tar.gz").status == 66
    (place.dir / "text").write_text("no archive")
    assert place("extract", "text", "out").status == 71


def test_stat_tells_about_a_file(place):
    (place.dir / "f").write_text("123")
    os.symlink("f", place.dir / "l")
    (file,) = json.loads(place("stat", "f", options=["-o", "json"]).ok().stdout)
    assert (file["type"], file["size"]) == ("file", 3)
    assert "Target:       f" in place("stat", "l").ok().stdout
    assert place("stat", "f", options=["--scheduler"]).status == 64


HOSTILE = [b"a b", b"it's", b'"q"', b"$HOME `id`", b"a;b|c&d", b"*", b"new\nline", b"\\n\\", b"!x", b"\x01\x7f\x1b[31m",
           "\u00fc\u202e".encode(), b"-n", b"--", b"~", b"#c", b"%s%n", b"\xff\xfe", b"a:b", b" ", b"...", b"x" * 255]


def test_names_of_any_bytes_go_through_every_verb(place):
    rng = random.Random(7)
    made = HOSTILE + [bytes(rng.choice([c for c in range(1, 256) if c != 47]) for _ in range(rng.randrange(1, 60))) for _ in range(12)]
    made = sorted({name for name in made if name not in (b".", b"..")})
    top = os.fsencode(place.dir)
    for name in made:
        with open(top + b"/" + name, "wb") as file:
            file.write(name)
    text = [os.fsdecode(name) for name in made]
    assert names(place("ls", "", options=["-0", "-a"])) == made
    for format in "json", "yaml", "csv", "wide":
        assert b"\x1b" not in place("ls", "", options=["-a", "-o", format]).ok().output
    sums = place("checksum", *text).ok().output
    for name in made:
        assert hashlib.sha256(name).hexdigest().encode() + b"  " + top + b"/" + name + b"\n" in sums
    assert place("head", *text, options=["-c", "1000"]).ok().output == b"".join(made)
    (place.dir / "moved").mkdir()
    for name in text[:8]:
        place("mv", name, "moved").ok()
    assert sorted(os.listdir(os.fsencode(place.dir / "moved"))) == sorted(made[:8])
    place("rm", "moved", *text[8:], options=["-r", "-y"]).ok()
    assert os.listdir(place.dir) == []


def test_cp_goes_there_and_back(place, tmp_path):
    top = os.fsencode(tmp_path / "tree")
    os.makedirs(top + b"/sub/empty")
    for name in HOSTILE:
        with open(top + b"/sub/" + name, "wb") as file:
            file.write(name * 1000)
    os.symlink("sub", top + b"/link")
    (tmp_path / "large").write_bytes(os.urandom(3_000_000))
    there = f"{place.prefix}{place.dir}"
    place.berth("cp", "-rp", "tree", f"{there}/copy", cwd=tmp_path).ok()
    harness.run(["diff", "-r", "--no-dereference", tmp_path / "tree", place.dir / "copy"]).ok()
    back = place.berth("cp", "-r", f"{there}/copy/.", "back", cwd=tmp_path).ok()
    # What the login node's start-up files say is not ours to hide.
    assert back.output == b"" and back.errors in (b"", b"beware\n")
    harness.run(["diff", "-r", "--no-dereference", tmp_path / "tree", tmp_path / "back"]).ok()
    place.berth("cp", "large", there, cwd=tmp_path).ok()
    place.berth("cp", "--verify", "--resume", "large", f"{there}/new", cwd=tmp_path).ok()
    for name in "large", "new":
        harness.run(["cmp", tmp_path / "large", place.dir / name]).ok()
    assert place.berth("cp", f"{there}/new", "-", cwd=tmp_path).ok().output == (tmp_path / "large").read_bytes()
    assert sorted(os.listdir(place.dir)) == ["copy", "large", "new"]
    missing = place.berth("cp", f"{there}/missing", "x", cwd=tmp_path)
    assert missing.status == 66 and missing.stderr.endswith("missing: No such file or directory\n"), missing


def test_cp_between_places(through_login, local_job, tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(100_000))
    through_login("cp", f"hpc:{tmp_path}/a", f"{local_job}:{tmp_path}/b").ok()
    through_login("cp", f"{local_job}:{tmp_path}/b", f"local:{tmp_path}/c").ok()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()
    (tmp_path / "d").mkdir()
    through_login("cp", f"hpc:{tmp_path}/a", f"hpc:{tmp_path}/x").ok()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "x").read_bytes()
    through_login("mv", f"hpc:{tmp_path}/x", f"{local_job}:{tmp_path}/moved").ok()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "moved").read_bytes() and not (tmp_path / "x").exists()
    for operands, words in (("-r", f"hpc:{tmp_path}", f"hpc:{tmp_path}/d"), "lies in"), (
            ("-r", f"local:{tmp_path}", f"local:{tmp_path}/d/new"), "lies in"), (("a", "b"), "CLUSTER:PATH"):
        refused = through_login("cp", *operands, cwd=tmp_path)
        assert refused.status == 64 and words in refused.stderr, refused


def test_names_are_harmless_on_a_terminal(place):
    (place.dir / "evil\x1b]0;x\x07").touch()
    with terminal.Terminal([place.berth.program, "ls", f"{place.prefix}{place.dir}"], env=place.berth.env()) as screen:
        screen.expect("evil?]0;x?")
        assert screen.end() == 0


def test_what_a_running_job_needs_is_not_removed(berth, local_job):
    path = berth.job_dir(local_job)
    for victim in path, path.parent, path / "tunnel.json", berth.home.berth_home:
        for operand in f"local:{victim}", str(victim):
            refused = berth("rm", "-ry", operand)
            assert refused.status == 77 and local_job in refused.stderr, refused
    refused = berth("mv", str(path), "/tmp/away")
    assert refused.status == 77 and (path / "tunnel.json").exists()


def test_a_cluster_wins_over_a_job_of_its_name(through_login, tmp_path):
    name = through_login.start("hpc", "--", "sleep", "1000")
    (tmp_path / "f").touch()
    result = through_login("ls", f"hpc:{tmp_path}").ok()
    assert result.stdout == "f\n" and name in result.stderr
    nothing = through_login("ls", "neither:x")
    assert nothing.status == 66 and "neither a cluster" in nothing.stderr
    through_login("cancel", name).ok()


def test_relative_paths_start_at_home_or_the_working_directory(through_login, node, local_job, berth, tmp_path):
    (node.home / "mine").touch()
    assert "mine" in through_login("ls", "hpc:").ok().stdout
    assert through_login("ls", "hpc:~/mine").ok().stdout == "~/mine\n"
    (tmp_path / "here").touch()
    assert berth("ls", cwd=tmp_path).ok().stdout == "here\n"


def test_one_connection_serves_many_operands(through_login, node, tmp_path):
    for number in range(5):
        (tmp_path / str(number)).write_text(str(number))
    through_login("ls", "hpc:").ok()
    node.calls()
    result = through_login("head", *(f"hpc:{tmp_path}/{number}" for number in range(5))).ok()
    assert result.stdout == "01234" and node.calls() == 1


def test_a_login_node_that_cannot_be_reached_is_explained(through_login, berth, fresh_home, node):
    user = type(berth)(berth.program, fresh_home, {"PATH": f"{node.dir / 'bin'}:{os.environ['PATH']}"})
    fresh_home.config_dir.mkdir(parents=True)
    (fresh_home.config_dir / "config.yaml").write_text(node.configuration(login="root@no-such-host.invalid"))
    refused = user("ls", "hpc:")
    assert refused.status == 69 and "no-such-host.invalid" in refused.stderr and refused.stderr.count("\n") == 1, refused
