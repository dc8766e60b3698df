# SPDX-License-Identifier: MIT
"""Files of a job with clients that are not OpenSSH's, or that build on them: sshfs, rsync, ansible, lftp, paramiko."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess

import pytest

import harness

FILES = 10_000


def needs(program: str, package: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"no {program}: apt-get install {package}")


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return tmp_path_factory.mktemp("there")


@pytest.fixture(scope="module")
def job(berth, there) -> str:
    """A job whose command runs in `there`."""
    return berth.start("--", "sleep", "1000", cwd=there)


@pytest.fixture(scope="module")
def env(berth) -> dict:
    return berth.env()


@pytest.fixture(scope="module")
def mounted(job, env, tmp_path_factory):
    """The job's working directory, mounted here by sshfs."""
    needs("sshfs", "sshfs")
    point = tmp_path_factory.mktemp("mount")
    sshfs = harness.run(["sshfs", "-o", "BatchMode=yes", f"{job}:", point], env=env)
    if "/dev/fuse" in sshfs.stderr or "Operation not permitted" in sshfs.stderr:
        pytest.skip(f"no FUSE here: {sshfs.stderr.strip()}")
    sshfs.ok()
    yield point
    harness.run([shutil.which("fusermount3") or "fusermount", "-u", point]).ok()


def test_sshfs_reads_writes_renames_and_removes(mounted, there):
    (mounted / "a").write_bytes(b"one")
    assert (there / "a").read_bytes() == b"one"
    with open(mounted / "a", "ab") as file:
        file.write(b" two")
        os.fsync(file.fileno())
    (there / "b").write_bytes(b"in the way")
    os.rename(mounted / "a", mounted / "b")
    assert (there / "b").read_bytes() == b"one two"
    os.truncate(mounted / "b", 3)
    os.chmod(mounted / "b", 0o600)
    os.symlink("b", mounted / "l")
    assert os.readlink(mounted / "l") == "b" and (mounted / "l").read_bytes() == b"one"
    os.mkdir(mounted / "d")
    os.rmdir(mounted / "d")
    os.unlink(mounted / "l")
    assert os.listdir(there) == ["b"]
    (mounted / "b").unlink()
    with pytest.raises(FileNotFoundError):
        (mounted / "b").read_bytes()


def test_sshfs_knows_how_full_the_jobs_disk_is(mounted, there):
    here, other = os.statvfs(mounted), os.statvfs(there)
    assert here.f_blocks * here.f_frsize == other.f_blocks * other.f_frsize > 0
    assert here.f_namemax == other.f_namemax


def test_sshfs_carries_large_files(mounted, there):
    content = os.urandom(1 << 20) * 64
    (mounted / "large").write_bytes(content)
    assert hashlib.sha256((there / "large").read_bytes()).digest() == hashlib.sha256(content).digest()
    os.rename(there / "large", there / "large2")  # so that no cache answers
    assert (mounted / "large2").read_bytes() == content
    (there / "large2").unlink()


def test_sshfs_lists_a_directory_of_many_files(mounted, there):
    (there / "many").mkdir()
    for number in range(FILES):
        (there / "many" / f"file {number}").touch()
    assert sorted(os.listdir(mounted / "many")) == sorted(f"file {number}" for number in range(FILES))
    shutil.rmtree(there / "many")


def test_rsync_mirrors_both_ways(job, env, there, tmp_path):
    needs("rsync", "rsync")
    tree = tmp_path / "tree"
    for number in range(200):
        file = tree / str(number % 7) / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 50))
    os.symlink("0/f0", tree / "link")
    ssh = "ssh -o BatchMode=yes"
    harness.run(["rsync", "-a", "-e", ssh, f"{tree}/", f"{job}:mirror/"], env=env).ok()
    (tree / "0" / "f7").write_bytes(b"changed")
    harness.run(["rsync", "-a", "--delete", "-e", ssh, f"{tree}/", f"{job}:mirror/"], env=env).ok()
    harness.run(["rsync", "-a", "-e", ssh, f"{job}:mirror/", f"{tmp_path}/back/"], env=env).ok()
    assert harness.run(["diff", "-r", "--no-dereference", tree, tmp_path / "back"]).ok().output == b""
    assert (there / "mirror" / "0" / "f7").read_bytes() == b"changed"


def test_ansible_copies_and_fetches_by_sftp(job, env, there, tmp_path):
    needs("ansible", "ansible-core")
    (tmp_path / "config").write_text("from ansible")
    env = dict(env, ANSIBLE_SSH_TRANSFER_METHOD="sftp", ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
               ANSIBLE_REMOTE_TEMP=str(there / ".ansible"), ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3",
               ANSIBLE_SSH_CONTROL_PATH_DIR=str(tmp_path / "cp"), ANSIBLE_SSH_ARGS="-o ControlMaster=no")
    ansible = ["ansible", "-i", f"{job},", "all", "-m"]
    harness.run([*ansible, "copy", "-a", f"src={tmp_path}/config dest={there}/config mode=0640"], env=env,
                cwd=tmp_path).ok()
    assert (there / "config").read_text() == "from ansible"
    assert (there / "config").stat().st_mode & 0o777 == 0o640
    harness.run([*ansible, "fetch", "-a", f"src={there}/config dest={tmp_path}/back flat=yes"], env=env,
                cwd=tmp_path).ok()
    assert (tmp_path / "back").read_text() == "from ansible"


def test_lftp_mirrors(job, env, there, tmp_path):
    needs("lftp", "lftp")
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(30):
        (tree / f"f{number}").write_bytes(os.urandom(number * 1000))
    settings = 'set sftp:connect-program "ssh -a -x -o BatchMode=yes"; set net:max-retries 2; set cmd:fail-exit true;'
    harness.run(["lftp", "-c", f"{settings} open sftp://x:@{job}; mirror -R {tree} {there}/lftp; "
                 f"mirror {there}/lftp {tmp_path}/back; mv {there}/lftp/f1 {there}/lftp/g; rm {there}/lftp/g; "
                 f"cls -l {there}/lftp"], env=dict(env, LFTP_HOME=str(tmp_path)), cwd=tmp_path).ok()
    assert harness.run(["diff", "-r", tree, tmp_path / "back"]).ok().output == b""
    assert sorted(os.listdir(there / "lftp")) == sorted({f"f{number}" for number in range(30)} - {"f1"})


class Named(socket.socket):
    """What paramiko asks of a channel beside what a socket has."""

    @staticmethod
    def get_name() -> str:
        return "sftp"


@contextlib.contextmanager
def paramiko_client(job: str, env: dict):
    """paramiko's client over the stock ssh: it has none of our ciphers, but an SFTP of its own."""
    paramiko = pytest.importorskip("paramiko", reason="no paramiko: apt-get install python3-paramiko")
    ours, theirs = socket.socketpair()
    ssh = subprocess.Popen(["ssh", "-o", "BatchMode=yes", "-s", job, "sftp"], stdin=theirs, stdout=theirs, env=env)
    theirs.close()
    try:
        with Named(fileno=ours.detach()) as channel, contextlib.closing(paramiko.SFTPClient(channel)) as client:
            yield client
        assert ssh.wait(30 * harness.PATIENCE) == 0
    finally:
        harness.stop(ssh)


@pytest.mark.filterwarnings("ignore")
def test_paramiko_reads_writes_and_checks(job, env, there):
    content = os.urandom(3_000_000)
    with paramiko_client(job, env) as client:
        assert client.normalize(".") == str(there)
        with client.open("paramiko", "w+b", bufsize=32768) as file:
            file.set_pipelined(True)
            file.write(content)
            file.flush()
        with client.open("paramiko", "rb") as file:
            assert file.check("sha256", 1000, 2000) == hashlib.sha256(content[1000:3000]).digest()
            file.prefetch(len(content))
            assert file.read() == content
            assert file.readv([(0, 5), (2_999_990, 10)]).__next__() == content[:5]
        client.chmod("paramiko", 0o400)
        client.utime("paramiko", (5, 6))
        assert (client.stat("paramiko").st_mode & 0o777, client.stat("paramiko").st_mtime) == (0o400, 6)
        client.symlink("paramiko", "pl")
        assert client.readlink("pl") == "paramiko" and client.lstat("pl").st_size == 8
        with pytest.raises(OSError):
            client.rename("pl", "paramiko")
        client.posix_rename("pl", "paramiko")
        client.mkdir("pd")
        assert set(client.listdir()) >= {"paramiko", "pd"}
        with pytest.raises(FileNotFoundError):
            client.open("pd/nothing")
        with pytest.raises(OSError, match="Directory not empty|File exists|Is a directory"):
            client.remove("pd")
        client.rmdir("pd")
        client.remove("paramiko")


@pytest.mark.filterwarnings("ignore")
def test_offsets_beyond_what_disks_have_work(job, env, there):
    with paramiko_client(job, env) as client:
        with client.open("far", "w+b") as file:
            file.seek(1 << 42)
            file.write(b"far away")
            file.flush()
            file.seek(1 << 42)
            assert file.read(100) == b"far away"
        assert client.stat("far").st_size == (1 << 42) + 8
        assert (there / "far").stat().st_blocks < 1000
        client.remove("far")


@pytest.mark.filterwarnings("ignore")
def test_open_files_have_a_limit_that_is_told(job, env, there):
    with paramiko_client(job, env) as client:
        (there / "f").write_bytes(b"x")
        files = []
        with pytest.raises(OSError, match="too many open files|Too many open files"):
            for _ in range(5000):
                files.append(client.open("f"))
        assert len(files) > 100
        files.pop().close()
        client.open("f").close()
