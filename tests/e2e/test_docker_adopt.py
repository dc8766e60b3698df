# SPDX-License-Identifier: MIT
"""berth attach docker:NAME: the tunnel in containers that berth did not start, and out of them again."""

import itertools
import json
import os

import pytest

import harness
import vscode
from engine_user import here, ssh  # noqa: F401
from vscode import chromium, server  # noqa: F401

UNAVAILABLE, NOT_FOUND = 69, 66

numbers = itertools.count(1)


@pytest.fixture
def container(here):
    """container("busybox", "sleep", "1000", options=[...]) -> its name; removed at the end."""
    made = []

    def start(image, *command, options=(), network="host"):
        name = f"foreign-{os.getpid()}-{next(numbers)}"
        made.append(name)
        here.engine.call("run", "--detach", f"--name={name}", f"--network={network}", "--pull=never", *options,
                         here.engine.image(image), *command).ok()
        return name
    yield start
    for name in made:
        here.engine.remove(name)


def attach(here, name) -> str:
    return here("attach", f"docker:{name}").ok().stdout.strip()


def inside(here, name, *command) -> str:
    return here.engine.call("exec", name, *command).ok().stdout


@pytest.mark.parametrize("image, command, options, user", [
    ("busybox", ["sleep", "1000"], ["--user=2000:3000"], 2000),
    ("scratch", ["/probe", "linger", "-1"], [], 0),
    ("busybox", ["sleep", "1000"], ["--read-only", "--tmpfs=/tmp:exec,mode=1777", "--user=2000"], 2000)],
    ids=["user", "scratch", "read-only"])
def test_ssh_leads_into_a_container_that_was_there_before(here, ssh, container, image, command, options, user):
    name = container(image, *command, options=["-e", "OF=container", "--workdir=/dev", *options])
    job = attach(here, name)
    assert here.job(job)["name"] == name and "adopted" in here("describe", "job", job).ok().stdout
    result = ssh(job, "id -u; pwd; echo $OF; cat; exit 7", input="typed\n")
    assert (result.stdout, result.status) == (f"{user}\n/dev\ncontainer\ntyped\n", 7), f"{result}"
    before = here.engine.call("top", name).ok().stdout
    assert "berth-tunnel" in before
    assert here("cancel", job).ok().stdout == f"{job} was let go: its tunnel was taken out: the container goes on\n"
    after = here.engine.call("top", name).ok().stdout
    assert "berth" not in after and command[0] in after
    if image != "scratch":
        assert inside(here, name, "sh", "-c", "find / -xdev -name '.berth-*' 2>/dev/null; ls -A /tmp") == ""
    assert ssh(job, "true").status != 0


def test_the_engine_leads_into_one_without_a_network(here, ssh, container):
    job = attach(here, container("busybox", "sleep", "1000", network="none"))
    result = ssh(job, "cat; exit 7", input="typed\n")
    assert (result.stdout, result.status) == ("typed\n", 7), f"{result}"


def test_files_ports_and_keys_work_there(here, ssh, container, short_dir):
    name = container("busybox", "sleep", "1000")
    job = attach(here, name)
    (short_dir / "file").write_bytes(os.urandom(100000))
    harness.run(["scp", "-q", short_dir / "file", f"{job}:/dev/shm/file"], env=here.env()).ok()
    assert inside(here, name, "wc", "-c", "/dev/shm/file").split()[0] == "100000"
    assert here("ls", f"{job}:/dev/shm").ok().stdout.split() == ["file"]
    assert ssh("-W", "127.0.0.1:1", job).status != 0
    here("keys", "rotate", job, timeout=90).ok()
    assert ssh(job, "echo in").stdout == "in\n"
    # Once more is the same job.
    assert attach(here, name) == job and ssh(job, "echo in").stdout == "in\n"


@pytest.mark.parametrize("engine", ["docker"], indirect=True)  # a browser takes its time
def test_an_editor_opens_a_window_there_and_leaves_nothing(here, ssh, container, server, chromium, build_dir, tmp_path):
    """VS Code's own server, as somebody who is not root, where only the engine leads."""
    shared = [f"--volume={path}:{path}:ro" for path in (server.node, server.folder, *server.libraries())]
    name = container("glibc", "sleep", "1000", network="none", options=["--user=1000:1000", *shared])
    look = (here, name, "sh", "-c", "find / -xdev -name '.berth-*' 2>/dev/null; ls -A /tmp")
    before = inside(*look).split()  # what is shared may lie below /tmp
    job = attach(here, name)
    ssh(job, f"mkdir /tmp/work && touch /tmp/work/{vscode.FILE}").ok()
    with vscode.Remote(ssh, job, server, tmp_path / "log") as remote:
        assert remote.said["exitCode"] == "0" and here.job(job)["uid"] in remote.said["agentFolder"], remote.said
        with remote.browser(tmp_path / "profile") as window:
            vscode.look_at(window, f"http://127.0.0.1:{remote.port}", "/tmp/work",
                           build_dir / "results" / f"vscode-{here.engine.name}.png")
        assert "server-main.js" in here.engine.call("top", name).ok().stdout
        here("cancel", job).ok()
        assert remote.client.wait(30 * harness.PATIENCE) != 0
    left = here.engine.call("top", name).ok().stdout
    assert server.node not in left and "berth" not in left and "sleep" in left, left
    assert sorted(inside(*look).split()) == sorted([*before, "work"])


def test_it_follows_the_container(here, ssh, container):
    """Started again it has a tunnel again; stopped, it says so in a line; made anew, it is another job."""
    name = container("busybox", "sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done")
    job = attach(here, name)
    here.engine.call("restart", "--time=5", name).ok()
    assert ssh(job, "echo again").stdout == "again\n"
    here.engine.call("stop", "--time=5", name).ok()
    harness.until(lambda: json.loads(here.engine.call("inspect", name).ok().stdout)[0]["State"]["Status"] == "exited", "its end")
    ended = ssh(job, "true")
    told = [line for line in ended.stderr.splitlines() if line.startswith("berth")]
    assert ended.status == 255 and len(told) == 1 and "ended: FAILED, exit status 5" in told[0], f"{ended}"
    stopped = here("attach", f"docker:{name}")
    assert stopped.status == UNAVAILABLE and "start it" in stopped.stderr
    here.engine.call("rm", name).ok()
    here.engine.call("run", "--detach", f"--name={name}", "--network=host", "--pull=never", here.engine.image("busybox"),
                     "sleep", "1000").ok()
    other = attach(here, name)
    assert other != job and ssh(other, "echo new").stdout == "new\n"


def test_what_cannot_be_adopted_is_told_in_a_line(here, container):
    for name in "no/such one", "nosuch", "../../info", "..", "a\nb", "ü":
        missing = here("attach", f"docker:{name}")
        assert missing.status == NOT_FOUND and len(missing.stderr.splitlines()) == 1, f"{missing}"
    still = container("busybox", "sleep", "1000")
    here.engine.call("pause", still).ok()
    paused = here("attach", f"docker:{still}")
    assert paused.status == UNAVAILABLE and "unpause" in paused.stderr and len(paused.stderr.splitlines()) == 1, f"{paused}"
    here.engine.call("unpause", still).ok()
    assert inside(here, still, "sh", "-c", "find / -xdev -name '.berth-*' 2>/dev/null") == ""
    read_only = container("scratch", "/probe", "linger", "-1", options=["--read-only", "--tmpfs=/tmp:exec"])
    refused = here("attach", f"docker:{read_only}")
    assert refused.status == UNAVAILABLE and len(refused.stderr.splitlines()) == 1, f"{refused}"
    assert "--tmpfs" in refused.stderr or here.engine.name == "podman"
    if here.engine.name == "docker":  # where programs cannot be run from /dev/shm either
        sealed = container("busybox", "sleep", "1000", options=["--read-only", "--tmpfs=/tmp:noexec,mode=1777"])
        refused = here("attach", f"docker:{sealed}")
        assert refused.status == UNAVAILABLE and "--tmpfs" in refused.stderr, f"{refused}"
        assert inside(here, sealed, "sh", "-c", "ls -A /tmp /dev/shm | grep berth || :") == ""
    assert "adopted" not in here("get", "jobs", "--all", "-o", "json").ok().stdout


def test_collecting_takes_out_what_was_copied_in(here, container):
    name = container("busybox", "sleep", "1000")
    job = attach(here, name)
    uid = here.job(job)["uid"]
    assert inside(here, name, "ls", "-d", f"/.berth-{uid}").strip() == f"/.berth-{uid}"
    here("cancel", job).ok()
    here("gc", "--retention", "0s", timeout=90).ok()
    assert inside(here, name, "sh", "-c", "ls -A / | grep berth || true") == ""
    assert not (here.home.berth_home / "jobs" / uid).exists()
