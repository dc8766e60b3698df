# SPDX-License-Identifier: MIT
"""VS Code Remote-SSH: its way of starting a server through ssh, and a real VS Code server in a job, in a browser.

The server is the one in the npm package code-server: VS Code's own, which tells where it listens in the words that
Remote-SSH waits for. Its modules in C++ are not built: it does without. The package is installed once a build directory;
pictures of the window lie in its results/.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import urllib.request

import pytest

import browser
import harness
from ports import free_ports
from test_job_forward import socks_connect

# Node's major version -> the code-server for it.
VERSIONS = {18: "4.89.1", 20: "4.100.3"}
FILE = "here-is-the-job.txt"

# What Remote-SSH does, in short: find out where one is, start the server unless it runs, wait until it listens, and
# tell all in lines between two marks.
SETUP = r"""
mark=5f7a2c
dir=${VSCODE_AGENT_FOLDER:-$HOME/.vscode-server}
mkdir -p "$dir/bin"
log=$dir/.server.log pid=$dir/.server.pid
if [[ ! -f $pid ]] || ! kill -0 "$(cat "$pid")" 2>/dev/null; then
  @SERVER@ --start-server --host=127.0.0.1 --port=0 --server-data-dir "$dir" --without-connection-token \
    --telemetry-level off --accept-server-license-terms &>"$log" </dev/null &
  echo $! >"$pid"
fi
for i in {1..300}; do
  listening=$(sed -n 's/^Extension host agent listening on //p' "$log")
  [[ -z $listening ]] || break
  sleep 0.1
done
echo "$mark: start"
echo "exitCode==$(( ${#listening} == 0 ))=="
echo "listeningOn==$listening=="
echo "agentFolder==$dir=="
echo "platform==$(uname -s)=="
echo "$mark: end"
"""


def install(folder: pathlib.Path, version: str) -> None:
    """Its parts are npm packages of their own; scripts of packages are not run."""
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--omit=dev",
           "--legacy-peer-deps"]
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}")
    steps = ((folder, [f"code-server@{version}"]), (folder / "node_modules/code-server/lib/vscode", []),
             (folder / "node_modules/code-server/lib/vscode/extensions", []))
    for where, more in steps:
        result = harness.run([*npm, *more], cwd=where, timeout=180)
        if result.status != 0:
            pytest.skip(f"npm cannot install code-server {version}: {result.stderr.strip().splitlines()[-3:]}")


@pytest.fixture(scope="module")
def server(build_dir) -> str:
    """The command that starts a VS Code server."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("no npm or no node: a VS Code server comes from its registry")
    major = int(harness.run(["node", "--version"]).ok().stdout.lstrip("v").partition(".")[0])
    if major not in VERSIONS:
        pytest.skip(f"no code-server is known for node {major}")
    version = VERSIONS[major]
    folder = build_dir / "npm" / f"code-server-{version}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        install(part, version)
        os.rename(part, folder)
    return f"{shutil.which('node')} {folder}/node_modules/code-server/lib/vscode/out/server-main.js"


@pytest.fixture(scope="module")
def job(berth, tmp_path_factory) -> str:
    workdir = tmp_path_factory.mktemp("work")
    (workdir / FILE).write_text("a file of the job\n")
    return berth.start("--", "sleep", "1000", cwd=workdir)


class Remote:
    """`ssh -v -T -D PORT HOST bash`, which gets a script on its standard input and stays."""

    def __init__(self, ssh, job: str, script: str, log: pathlib.Path):
        self.socks, = free_ports(1)
        self.log = open(log, "wb")
        self.client = subprocess.Popen(ssh.argv("-v", "-T", "-D", self.socks, job, "bash"), env=ssh.env(),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.client.stdin.write(script.encode())
        self.client.stdin.flush()
        lines = []
        while not lines or not lines[-1].endswith(": end"):
            line = self.client.stdout.readline()
            assert line, f"ssh ended: {lines} {log.read_text()[-2000:]}"
            lines.append(line.decode().rstrip())
        # Nothing may come before the script's own words.
        assert lines[0].endswith(": start"), lines
        self.said = dict(line.rstrip("=").split("==") for line in lines if "==" in line)

    @property
    def port(self) -> int:
        return int(self.said["listeningOn"])


@pytest.fixture(scope="module")
def remote(ssh, job, server, tmp_path_factory):
    remote = Remote(ssh, job, SETUP.replace("@SERVER@", server), tmp_path_factory.mktemp("ssh") / "log")
    yield remote
    remote.client.stdin.close()
    harness.stop(remote.client)
    remote.log.close()


def test_the_script_of_an_editor_starts_a_server_in_the_jobs_own_folder(berth, job, remote):
    assert remote.said["exitCode"] == "0" and remote.said["platform"] == "Linux", remote.said
    uid = berth.job(job)["uid"]
    assert uid in remote.said["agentFolder"], "it is the job's"


def test_a_second_window_finds_the_server_of_the_first(ssh, job, server, remote, tmp_path):
    second = Remote(ssh, job, SETUP.replace("@SERVER@", server), tmp_path / "log")
    assert second.port == remote.port
    second.client.stdin.close()
    assert second.client.wait(30 * harness.PATIENCE) == 0
    second.log.close()


def version_through(remote) -> bytes:
    with socks_connect(remote.socks, remote.port) as stream:
        stream.sendall(b"GET /version HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: stream.recv(65536), b""))


def test_many_channels_at_once_lead_to_the_server(remote):
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: version_through(remote), range(300)))
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert len({answer.rpartition(b"\r\n")[2] for answer in answers}) == 1


WORKBENCH = "!!document.querySelector('.monaco-workbench .part.statusbar .statusbar-item')"
EXPLORER = "[...document.querySelectorAll('.explorer-folders-view .monaco-list-row')].map(row => row.innerText.trim())"


def look_at(window: browser.Browser, address: str, folder: str, picture: pathlib.Path) -> None:
    """Opens the folder, and waits for what only a connected workbench shows: the job's files."""
    window.open(f"{address}/?folder={folder}")
    try:
        window.wait(WORKBENCH, "workbench in the window")
        window.wait(f"{EXPLORER}.includes({json.dumps(FILE)})", "file of the job in the explorer")
        # One connection for the window, one for the extension host; both have said something.
        harness.until(lambda: sum(frames > 0 for frames in window.websockets().values()) >= 2,
                      "websockets of the workbench and of the extension host")
    finally:
        window.screenshot(picture)


@pytest.fixture
def chromium():
    if not browser.find():
        pytest.skip("no chromium")


def folder_of(berth, ssh, job) -> str:
    return ssh(job, "pwd -P").ok().stdout.strip()


def test_a_window_opens_through_the_socks_port(chromium, berth, ssh, job, remote, build_dir, tmp_path):
    with browser.Browser(tmp_path / "profile", f"--proxy-server=socks5://127.0.0.1:{remote.socks}",
                         "--proxy-bypass-list=<-loopback>") as window:
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
