# SPDX-License-Identifier: MIT
"""Sessions in any image as any uid: what sshd refuses has to work, with nothing but the bundle in the image.

Each image is a directory that bubblewrap makes the root of; berth-init and the bundle run in it as they would in a
container (`sandbox.py`). `test_matrix.py` does the like in Docker.
"""

import os

import pytest

import harness
import terminal
from sandbox import Kind, running
from tunnelrun import Tunnel

UID = 54321

KINDS = [
    Kind("empty"),
    Kind("uid-without-entry", uid=UID, files={"etc/passwd": "root:x:0:0::/root:/bin/sh\n"}, busybox=("sh", "cat")),
    Kind("empty-read-only-no-entry", uid=UID, read_only=True),
    Kind("no-dev-pts", pts=False, busybox=("sh", "env")),
    Kind("shell-that-is-not-there", files={"etc/passwd": "root:x:0:0::/nowhere:/bin/zsh\n"}),
]


@pytest.fixture(scope="module")
def bundle(build_dir, session_dir):
    image = build_dir / "squashfs" / "berth.sqsh"
    if not image.exists():
        pytest.skip("this build makes no image (only gcc without sanitizers makes static programs)")
    target = session_dir / "bundle"
    harness.run(["unsquashfs", "-no-progress", "-quiet", "-dest", target, image]).ok()
    return target


@pytest.fixture(scope="module", params=KINDS, ids=str)
def job(request, build_dir, bundle, session_dir):
    """(Kind, Tunnel) of a job in such an image."""
    kind = request.param
    if kind.uid and not harness.IS_ROOT:
        pytest.skip("becoming another user needs root")
    folder = session_dir / f"image-{kind}"
    (folder / "tunnel").mkdir(mode=0o755, parents=True)
    tunnel = Tunnel(folder / "tunnel", build_dir)
    with running(kind, tunnel, bundle, folder):
        yield kind, tunnel


def environment(tunnel) -> dict:
    return dict(line.split("=", 1) for line in tunnel.ssh("job-7", "env").ok().stdout.splitlines() if "=" in line)


def test_a_command_runs_with_a_home_a_user_and_a_shell(job):
    kind, tunnel = job
    found = environment(tunnel)
    assert found["MINE"] == "kept" and found["PATH"].endswith(":/berth/bin")
    assert found["SHELL"] == ("/bin/sh" if "sh" in kind.busybox else "/berth/bin/sh")
    known = "passwd" in " ".join(kind.files) and not kind.uid
    assert found["USER"] == found["LOGNAME"] == ("root" if known else str(kind.uid))
    result = tunnel.ssh("job-7", "id -u; cd && touch here && ls; exit 7")
    assert result.status == 7 and result.stdout.split() == [str(kind.uid), "here"], result


def test_programs_that_the_image_lacks_are_there(job):
    _, tunnel = job
    packed = tunnel.ssh("job-7", "cd $HOME && echo content >file && tar -cf - file; ps -o pid,args >/dev/null").ok()
    listing = harness.run(["tar", "-xOf", "-"], input=packed.output).ok()
    assert listing.stdout == "content\n"


def test_what_the_image_has_comes_first(job):
    kind, tunnel = job
    for name in kind.busybox:
        assert tunnel.ssh("job-7", f"which {name}").ok().stdout == f"/bin/{name}\n"
    assert tunnel.ssh("job-7", "which vi").ok().stdout == "/berth/bin/vi\n"


def test_an_editors_folder_can_be_written_to_and_is_private(job):
    _, tunnel = job
    script = "cd $VSCODE_AGENT_FOLDER && mkdir -p bin && echo '#!/berth/bin/sh\necho runs' >bin/x && chmod +x bin/x && " \
             "bin/x && stat -c %a ."
    assert tunnel.ssh("job-7", script).ok().stdout.split() == ["runs", "700"]


def test_a_login_on_a_terminal_works_or_says_why_not(job):
    kind, tunnel = job
    if not kind.pts:
        result = tunnel.ssh("-tt", "job-7", "true")
        assert result.status != 0 and "no terminal in this job" in result.stderr, result
        return
    with terminal.Terminal(tunnel.argv("-tt", "job-7"), os.environ) as screen:
        screen.type("tty; echo $((6 * 7)); exit 5\n")
        screen.expect("rank 0 on ")
        screen.expect("/dev/pts/")
        screen.expect("42\r\n")
        assert screen.end() == 5


def test_files_are_copied_without_a_server_in_the_image(job, short_dir):
    _, tunnel = job
    (short_dir / "up").write_bytes(os.urandom(100_000))
    home = tunnel.ssh("job-7", "echo $HOME").ok().stdout.strip()
    scp = ["scp", *tunnel.argv()[1:], "-q"]
    harness.run([*scp, short_dir / "up", f"job-7:{home}/copy"]).ok()
    harness.run([*scp, f"job-7:{home}/copy", short_dir / "down"]).ok()
    assert (short_dir / "down").read_bytes() == (short_dir / "up").read_bytes()
