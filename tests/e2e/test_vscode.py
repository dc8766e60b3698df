# SPDX-License-Identifier: MIT
"""VS Code Remote-SSH: its way of starting a server through ssh, and a real VS Code server in a job, in a browser
(vscode.py). Pictures of the window lie in the build directory, in results/.
"""

import concurrent.futures
import pathlib
import subprocess
import urllib.request

import pytest

import browser
import harness
from ports import free_ports
from vscode import FILE, Remote, chromium, look_at, server  # noqa: F401


@pytest.fixture(scope="module")
def job(berth, tmp_path_factory) -> str:
    workdir = tmp_path_factory.mktemp("work")
    (workdir / FILE).write_text("a file of the job\n")
    return berth.start("--", "sleep", "1000", cwd=workdir)


@pytest.fixture(scope="module")
def remote(ssh, job, server, tmp_path_factory):
    with Remote(ssh, job, server, tmp_path_factory.mktemp("ssh") / "log") as remote:
        yield remote


def test_the_script_of_an_editor_starts_a_server_in_the_jobs_own_folder(berth, job, remote):
    assert remote.said["exitCode"] == "0" and remote.said["platform"] == "Linux", remote.said
    uid = berth.job(job)["uid"]
    assert uid in remote.said["agentFolder"], "it is the job's"


def test_a_second_window_finds_the_server_of_the_first(ssh, job, server, remote, tmp_path):
    with Remote(ssh, job, server, tmp_path / "log") as second:
        assert second.port == remote.port
        second.client.stdin.close()
        assert second.client.wait(30 * harness.PATIENCE) == 0


def test_many_channels_at_once_lead_to_the_server(remote):
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: remote.ask_version(), range(300)))
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert len({answer.rpartition(b"\r\n")[2] for answer in answers}) == 1


def folder_of(berth, ssh, job) -> str:
    return ssh(job, "pwd -P").ok().stdout.strip()


def test_a_window_opens_through_the_socks_port(chromium, berth, ssh, job, remote, build_dir, tmp_path):
    with remote.browser(tmp_path / "profile") as window:
        look_at(window, f"http://127.0.0.1:{remote.port}", folder_of(berth, ssh, job),
                build_dir / "results" / "vscode-socks.png")
    server = ssh(job, f"ls {remote.said['agentFolder']}").ok().stdout.split()
    assert "data" in server, f"the server keeps its state in the job's folder: {server}"


def test_a_window_opens_through_a_forwarded_port(chromium, berth, ssh, job, remote, build_dir, tmp_path):
    local, = free_ports(1)
    client = subprocess.Popen(ssh.argv("-N", "-o", "ExitOnForwardFailure=yes", "-L",
                                       f"127.0.0.1:{local}:127.0.0.1:{remote.port}", job), env=ssh.env())

    def answers():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{local}/version", timeout=10) as reply:
                return reply.status == 200
        except OSError:
            return False
    try:
        harness.until(answers, "server behind the forwarded port")
        with browser.Browser(tmp_path / "profile") as window:
            look_at(window, f"http://127.0.0.1:{local}", folder_of(berth, ssh, job),
                    build_dir / "results" / "vscode-forward.png")
    finally:
        harness.stop(client)


def test_the_end_of_the_job_ends_the_editor_and_leaves_nothing(berth, job, remote):
    """Last: it takes the job away."""
    folder = pathlib.Path(remote.said["agentFolder"])
    assert folder.exists()
    berth("cancel", job).ok()
    assert remote.client.wait(30 * harness.PATIENCE) != 0
    harness.until(lambda: not folder.parent.exists(), "end of the job's folder on the node")
