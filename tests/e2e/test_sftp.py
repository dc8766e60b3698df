# SPDX-License-Identifier: MIT
"""Files of a job with the clients of Debian: sftp, scp both ways, resuming, odd names, what fails.

The local backend's job sees this machine's files, so that both ends can be looked at directly.
"""

import dataclasses
import hashlib
import os
import pathlib
import pwd
import random
import shutil
import stat
import subprocess

import pytest

import harness

SIZE = 1 << 30


@dataclasses.dataclass
class Job:
    """A job, the directory that its command runs in, one of ours, and the environment of clients."""

    name: str
    there: pathlib.Path
    here: pathlib.Path
    env: dict

    def sftp(self, *commands: str, **more) -> harness.Result:
        text = "".join(command + "\n" for command in commands)
        return harness.run(["sftp", "-q", "-o", "BatchMode=yes", "-b", "-", self.name], input=text, env=self.env,
                           cwd=self.here, **more)

    def scp(self, *argv, **more) -> harness.Result:
        return harness.run(["scp", "-o", "BatchMode=yes", *argv], env=self.env, cwd=self.here, **more)


@pytest.fixture(scope="module")
def dirs(tmp_path_factory):
    return tmp_path_factory.mktemp("there"), tmp_path_factory.mktemp("here")


@pytest.fixture(scope="module")
def job(berth, dirs) -> Job:
    if not shutil.which("sftp"):
        pytest.skip("no sftp: apt-get install openssh-client")
    there, here = dirs
    return Job(berth.start("--", "sleep", "1000", cwd=there), there, here, berth.env())


@pytest.fixture(scope="module")
def server(build_dir) -> str:
    """The server without a job, for sftp -D: what is put before it confines it."""
    return f"{build_dir}/tunnel/berth-tunnel sftp"


def make(path: pathlib.Path, size: int) -> bytes:
    """A file that no two blocks of are the same; its sum."""
    digest, block = hashlib.sha256(), bytearray(os.urandom(1 << 20))
    with open(path, "wb") as file:
        for number in range(0, size, len(block)):
            block[:8] = number.to_bytes(8, "big")
            piece = block[:min(len(block), size - number)]
            file.write(piece)
            digest.update(piece)
    return digest.digest()


def sum_of(path: pathlib.Path) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.digest()


@pytest.mark.sanitize
def test_every_command_of_sftp(job):
    (job.here / "one").write_text("one\n")
    result = job.sftp(
        "pwd", "mkdir all", "cd all", "put one", "put one two", "chmod 640 two", "ln two hard", "ln -s two soft",
        "rename two three", "cp three four", "ls -la", "ls -n three", "df -h .", "df -i .", "get three back",
        f"chown {os.getuid()} four", f"chgrp {os.getgid()} four", "mkdir empty", "rmdir empty", "rm one", "version",
        "lls", "!true").ok()
    there = job.there / "all"
    assert f"Remote working directory: {job.there}" in result.stdout
    assert (job.here / "back").read_text() == "one\n"
    assert sorted(os.listdir(there)) == ["four", "hard", "soft", "three"]
    assert os.readlink(there / "soft") == "two"
    assert (there / "hard").stat().st_ino == (there / "three").stat().st_ino
    assert stat.S_IMODE((there / "three").stat().st_mode) == 0o640
    assert (there / "four").read_text() == "one\n"
    assert "-rw-r-----" in result.stdout and "%Capacity" in result.stdout and "%Used" not in result.stderr


def test_paths_begin_where_commands_do(job, ssh):
    where = ssh(job.name, "pwd").ok().stdout.strip()
    assert where == str(job.there)
    assert f"Remote working directory: {where}\n" in job.sftp("pwd").ok().stdout


def test_a_tilde_and_a_name_is_that_users_home(job, ssh):
    """"~/" alone scp takes away itself: it believes that sessions begin at home."""
    user = pwd.getpwuid(os.getuid()).pw_name
    home = ssh(job.name, f"echo ~{user}").ok().stdout.strip()
    (job.here / "tilde").write_text("x")
    name = f".berth-test.{os.getpid()}"
    job.scp("tilde", f"{job.name}:~{user}/{name}").ok()
    try:
        ssh(job.name, f"test -e {home}/{name}").ok()
        job.scp(f"{job.name}:~{user}/{name}", "tilde.back").ok()
        assert (job.here / "tilde.back").read_text() == "x"
    finally:
        ssh(job.name, f"rm -f {home}/{name}").ok()
    assert job.scp("tilde", f"{job.name}:~no-such-user/x").status != 0


def test_interrupted_copies_are_resumed(job):
    digest = make(job.here / "long", 3_000_000)
    shutil.copy(job.here / "long", job.there / "long.there")
    with open(job.here / "part", "wb") as part, open(job.here / "long", "rb") as whole:
        part.write(whole.read(1_000_000))
    shutil.copy(job.here / "part", job.there / "part")
    job.sftp("reget long.there part", "reput long part").ok()
    assert sum_of(job.here / "part") == digest and sum_of(job.there / "part") == digest


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_of_trees_keeps_modes_and_times(job, protocol):
    tree = job.here / f"tree{protocol}"
    for number in range(50):
        file = tree / f"d{number % 5}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 97))
        file.chmod(0o600 + number % 64)
        os.utime(file, (1_000_000_000, 1_000_000_000 + number))
    job.scp(protocol, "-r", "-p", tree, f"{job.name}:up").ok()
    job.scp(protocol, "-r", "-p", f"{job.name}:up", "down").ok()
    for number in range(50):
        name = f"d{number % 5}/f{number}"
        for copy in job.there / "up", job.here / "down":
            assert (copy / name).read_bytes() == (tree / name).read_bytes()
            assert (copy / name).stat().st_mtime == 1_000_000_000 + number
            assert (copy / name).stat().st_mode == (tree / name).stat().st_mode
    shutil.rmtree(job.there / "up")
    shutil.rmtree(job.here / "down")


def test_scp_from_one_job_to_another(job, berth, tmp_path):
    other = berth.start("--", "sleep", "1000", cwd=tmp_path)
    digest = make(job.there / "between", 5_000_000)
    job.scp("-3", f"{job.name}:between", f"{other}:arrived").ok()
    assert sum_of(tmp_path / "arrived") == digest


def test_a_gibibyte_each_way_arrives_unchanged(job):
    digest = make(job.here / "large", SIZE)
    job.sftp("put large", timeout=120).ok()
    (job.here / "large").unlink()
    assert sum_of(job.there / "large") == digest
    job.sftp("get large", timeout=120).ok()
    (job.there / "large").unlink()
    assert sum_of(job.here / "large") == digest
    (job.here / "large").unlink()


def test_files_with_holes_and_beyond_four_gigabytes(job):
    with open(job.there / "holes", "wb") as file:
        file.truncate(5 << 30)
        file.seek((5 << 30) - 3)
        file.write(b"end")
    with open(job.here / "holes", "wb") as file:
        file.truncate((5 << 30) - 1_000_000)
    job.sftp("reget holes", "ls -l holes").ok()
    with open(job.here / "holes", "rb") as file:
        file.seek(-3, os.SEEK_END)
        assert file.tell() == (5 << 30) - 3 and file.read() == b"end"
    (job.here / "holes").unlink()
    (job.there / "holes").unlink()


def test_names_may_have_any_byte(job):
    names = [b"new\nline", b"not utf-8 \xff\xfe", b"-rf", b"'quote\"", b"x" * 255, "na\u00efve \u2603".encode(), b"\\*?["]
    tree = os.fsencode(job.here / "names")
    os.mkdir(tree)
    for name in names:
        with open(os.path.join(tree, name), "wb") as file:
            file.write(name)
    job.scp("-r", "names", f"{job.name}:names").ok()
    job.scp("-r", f"{job.name}:names", "names.back").ok()
    for copy in job.there / "names", job.here / "names.back":
        found = sorted(os.listdir(os.fsencode(copy)))
        assert found == sorted(names)
        for name in names:
            with open(os.path.join(os.fsencode(copy), name), "rb") as file:
                assert file.read() == name


def confined(server: str, commands: str, here: pathlib.Path, *options: str) -> harness.Result:
    """sftp to a server that bubblewrap confines; -D splits its words at spaces."""
    words = ["bwrap", "--dev-bind", "/", "/", *options, server]
    probe = harness.run([*words[:-1], "true"])
    if probe.status != 0:
        pytest.skip(f"bubblewrap cannot do this here: {probe.stderr.strip()}")
    return harness.run(["sftp", "-b", "-", "-D", " ".join(words)], input=commands, cwd=here)


def test_what_is_not_there_or_not_allowed_is_said(job, server):
    (job.here / "x").write_text("x")
    assert 'not found' in job.sftp("get nowhere").stderr
    assert "No such file" in job.sftp("put x no/such/directory").stderr
    assert "Failure" in job.sftp("mkdir taken", "mkdir taken").stderr
    (job.there / "secret").write_text("")
    (job.there / "secret").chmod(0)
    result = confined(server, f"get {job.there}/secret\n", job.here, "--unshare-user", "--cap-drop", "ALL")
    assert result.status != 0 and "Permission denied" in result.stderr, result


def test_a_full_disk_fails_and_says_so(server, tmp_path):
    (tmp_path / "big").write_bytes(bytes(4_000_000))
    result = confined(server, "put big /mnt/big\n", tmp_path, "--size", "1048576", "--tmpfs", "/mnt")
    assert result.status != 0 and 'write remote "/mnt/big": Failure' in result.stderr, result


@pytest.mark.sanitize
def test_hostile_input_ends_at_most_its_own_session(server, tmp_path):
    """Streams that begin well and were changed at random; the server may write to nothing that outlives it."""
    # The program, and in a build for sanitizers what it is linked with, may themselves lie below /tmp.
    seen = [word for path in (harness.TOP, server.split()[0]) for word in ("--ro-bind", path, path)]
    words = ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/tmp", *seen, "--dev", "/dev", "--proc", "/proc",
             "--unshare-user", "--unshare-pid", "--cap-drop", "ALL", "--chdir", "/tmp"]
    probe = harness.run([*words, "true"])
    if probe.status != 0:
        pytest.skip(f"bubblewrap cannot do this here: {probe.stderr.strip()}")
    dice = random.Random(int(os.environ.get("BERTH_TEST_SEED", "4")))
    for _ in range(40):
        stream = b"\0\0\0\5\1\0\0\0\3" + b"".join(hostile_packet(dice) for _ in range(400))
        result = harness.run([*words, *server.split()], input=stream)
        # 76: what came was no SFTP any more. Anything else would be a crash.
        assert result.status in (0, 76), (dice, result)
        assert len(result.output) > 9


def hostile_packet(dice: random.Random) -> bytes:
    def number(size: int) -> bytes:
        values = (0, 1, 2, 255, 1 << 15, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, dice.getrandbits(8 * size))
        return (dice.choice(values) % (1 << 8 * size)).to_bytes(size, "big")

    def string(value: bytes) -> bytes:
        return len(value).to_bytes(4, "big") + value

    names = (b"", b".", b"f", b"d", b"d/f", b"l", b"../..", b"/tmp/f", b"x" * 5000, b"a\0b", b"\xff", b"~", b"~root/x")
    extensions = (b"posix-rename@openssh.com", b"statvfs@openssh.com", b"fstatvfs@openssh.com", b"hardlink@openssh.com",
                  b"fsync@openssh.com", b"lsetstat@openssh.com", b"limits@openssh.com", b"expand-path@openssh.com",
                  b"copy-data", b"home-directory", b"users-groups-by-id@openssh.com", b"check-file-name",
                  b"check-file-handle", b"no-such-extension")
    fields = {"name": lambda: string(dice.choice(names)), "text": lambda: string(dice.choice((b"sha256", b"md5"))),
              "handle": lambda: string(dice.randrange(4).to_bytes(4, "big") + dice.randrange(3).to_bytes(4, "big")),
              "four": lambda: number(4), "eight": lambda: number(8),
              "flags": lambda: dice.randrange(64).to_bytes(4, "big"), "none": lambda: bytes(4),
              "bytes": lambda: string(dice.randbytes(dice.randrange(3000)))}
    shapes = {3: "name flags none", 4: "handle", 5: "handle eight four", 6: "handle flags four bytes", 7: "name",
              8: "handle", 9: "name four eight eight", 10: "handle none", 11: "name", 12: "handle", 13: "name",
              14: "name none", 15: "name", 16: "name", 17: "name", 18: "name name", 19: "name", 20: "name name",
              200: "name name"}
    kind = dice.choice([*shapes, 3, 3, 11, 5, 6, 12, 200, 200])
    body = bytearray(bytes([kind]) + number(4))
    if kind == 200:
        body += string(dice.choice(extensions))
        body += b"".join(fields[dice.choice(list(fields))]() for _ in range(dice.randrange(6)))
    else:
        body += b"".join(fields[field]() for field in shapes[kind].split())
    if dice.random() < 0.1:
        body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    if dice.random() < 0.1:
        del body[dice.randrange(5, len(body) + 1):]
    return string(bytes(body))


def test_the_end_of_input_is_a_good_end(job, ssh):
    result = ssh("-s", job.name, "sftp")
    assert (result.status, result.output, result.errors) == (0, b"", b""), result


def test_a_terminal_that_was_asked_for_does_not_garble(job):
    (job.here / "crlf").write_bytes(b"\r\n\n\x03\x04\x11\x13" * 1000)
    harness.run(["scp", "-o", "RequestTTY=force", "crlf", f"{job.name}:"], env=job.env, cwd=job.here).ok()
    assert (job.there / "crlf").read_bytes() == (job.here / "crlf").read_bytes()


def test_a_bundle_that_was_replaced_does_not_matter(berth, tmp_path):
    name = berth.start("--", "sleep", "1000", cwd=tmp_path)
    (tmp_path / "f").write_text("still")
    programs = list(berth.home.berth_home.glob("images/*/**/berth-tunnel"))
    if not programs:
        pytest.skip("the bundle is one file")
    for program in programs:
        os.rename(program, program.with_name("aside"))
    try:
        job = Job(name, tmp_path, tmp_path, berth.env())
        job.scp(f"{name}:f", "g").ok()
        assert (tmp_path / "g").read_text() == "still"
    finally:
        for program in programs:
            os.rename(program.with_name("aside"), program)


def test_a_session_is_a_process_of_its_own_that_ends_with_it(job, ssh):
    master = subprocess.Popen(["ssh", "-o", "BatchMode=yes", "-s", job.name, "sftp"], env=job.env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        master.stdin.write(b"\0\0\0\5\1\0\0\0\3")
        master.stdin.flush()
        assert master.stdout.read(9)[4:] == b"\2\0\0\0\3"
        count = "grep -lx berth-sftp /proc/[0-9]*/comm | wc -l"
        assert int(ssh(job.name, count).ok().stdout) >= 1
        master.stdin.close()
        assert master.wait(30 * harness.PATIENCE) == 0
        harness.until(lambda: ssh(job.name, count).ok().stdout.strip() == "0", "end of the server")
    finally:
        harness.stop(master)
