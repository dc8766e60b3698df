# SPDX-License-Identifier: MIT
"""A real VS Code server, started through ssh as Remote-SSH starts one, and a browser that opens a window of it.

The server is the one in the npm package code-server: VS Code's own, which tells where it listens in the words that
Remote-SSH waits for. Its modules in C++ are not built: it does without. The package is installed once a build
directory.

    from vscode import chromium, server  # noqa: F401    fixtures, which skip with the reason

    with vscode.Remote(ssh, job, server, log) as remote:
        remote.said["agentFolder"], remote.port          what the script printed, and where it listens inside
        remote.ask_version()                             through the client's SOCKS port
        with remote.browser(profile) as window:
            vscode.look_at(window, f"http://127.0.0.1:{remote.port}", folder, picture)
"""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess

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


class Server:
    def __init__(self, folder: pathlib.Path):
        self.node, self.folder = shutil.which("node"), folder
        self.command = f"{self.node} {folder}/node_modules/code-server/lib/vscode/out/server-main.js"

    def libraries(self) -> list:
        """Paths of the shared objects that the program needs, for a container that has the same libc."""
        words = harness.run(["ldd", self.node]).ok().stdout.split()
        return [after for word, after in zip(words, words[1:]) if word == "=>"]


@pytest.fixture(scope="module")
def server(build_dir) -> Server:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("no npm or no node: a VS Code server comes from its registry")
    major = int(harness.run(["node", "--version"]).ok().stdout.lstrip("v").partition(".")[0])
    if major not in VERSIONS:
        pytest.skip(f"no code-server is known for node {major}")
    version = VERSIONS[major]
    folder = build_dir / "npm" / f"code-server-{version}"
    folder.parent.mkdir(exist_ok=True)
    with open(folder.parent / "lock", "w") as lock:  # of several processes that run tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            install(part, version)
            os.rename(part, folder)
    return Server(folder)


class Remote:
    """`ssh -v -T -D PORT HOST bash`, which gets the script on its standard input and stays until the end of `with`."""

    def __init__(self, ssh, job: str, server: Server, log: pathlib.Path):
        self.socks, = free_ports(1)
        self.log = open(log, "wb")
        self.client = subprocess.Popen(ssh.argv("-v", "-T", "-D", self.socks, job, "bash"), env=ssh.env(),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.client.stdin.write(SETUP.replace("@SERVER@", server.command).encode())
        self.client.stdin.flush()
        lines = []
        while not lines or not lines[-1].endswith(": end"):
            line = self.client.stdout.readline()
            assert line, f"ssh ended: {lines} {log.read_text()[-2000:]}"
            lines.append(line.decode().rstrip())
        # Nothing may come before the script's own words.
        assert lines[0].endswith(": start"), lines
        self.said = dict(line.rstrip("=").split("==") for line in lines if "==" in line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stdin.close()
        harness.stop(self.client)
        self.log.close()

    @property
    def port(self) -> int:
        return int(self.said["listeningOn"])

    def ask_version(self) -> bytes:
        """The server's answer, through the client's -D."""
        with socks_connect(self.socks, self.port) as stream:
            stream.sendall(b"GET /version HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: stream.recv(65536), b""))

    def browser(self, profile: pathlib.Path) -> browser.Browser:
        """One whose 127.0.0.1 is the job's."""
        return browser.Browser(profile, f"--proxy-server=socks5://127.0.0.1:{self.socks}",
                               "--proxy-bypass-list=<-loopback>")


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
