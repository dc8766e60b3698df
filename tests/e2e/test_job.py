# SPDX-License-Identifier: MIT
"""Inside a running job, with the stock ssh client: streams, terminals, many at once, the job's environment."""

import os
import secrets
import subprocess
import threading

import pytest

import harness
import processes
import terminal

GIB = 1 << 30

SESSION = ("sh", "-c", "env -0 > environment.new && mv environment.new environment && exec sleep 1000")


@pytest.fixture(scope="module")
def job(cluster, tmp_path_factory):
    """A running job that has written its environment to a file in its working directory."""
    workdir = tmp_path_factory.mktemp("job")
    name = cluster.start("--", *SESSION, cwd=workdir)
    harness.until((workdir / "environment").exists, "environment of the job")
    return name


@pytest.mark.sanitize
@pytest.mark.parametrize("status", [0, 7, 255])
def test_the_exit_status_comes_back(cluster, job, status):
    assert cluster.ssh(job, f"exit {status}").status == status


@pytest.mark.sanitize
def test_standard_input_reaches_the_command_and_its_end_too(cluster, job):
    result = cluster.ssh(job, "cat", input="data\n").ok()
    assert (result.stdout, result.stderr) == ("data\n", "")


@pytest.mark.sanitize
def test_standard_error_stays_apart_from_standard_output(cluster, job):
    result = cluster.ssh(job, "echo to stdout; echo to stderr >&2").ok()
    assert (result.stdout, result.stderr) == ("to stdout\n", "to stderr\n")


def test_a_command_that_a_signal_ends_fails_the_client(cluster, job):
    assert cluster.ssh(job, "kill -TERM $$").status == 255


def test_a_reader_that_goes_away_stops_the_writer_and_no_more(cluster, job, short_dir):
    status = short_dir / "status"
    client = subprocess.Popen(cluster.ssh.argv(job, f"yes; echo $? >{status}"), env=cluster.ssh.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert client.stdout.readline() == b"y\n"
        client.stdout.close()
        client.wait(30 * harness.PATIENCE)
        assert status.read_text() == "141\n"  # of SIGPIPE
    finally:
        client.kill()


def test_output_after_the_end_of_input_still_arrives(cluster, job):
    result = cluster.ssh(job, "sha256sum; echo end", input=b"x" * 3_000_000).ok()
    assert result.stdout.splitlines()[1] == "end"


@pytest.mark.sanitize
def test_a_terminal_hangs_up_when_its_client_goes_away(cluster, job):
    mark = f"1000.{secrets.randbelow(10**9)}"
    client = subprocess.Popen(cluster.ssh.argv("-tt", job, f"sleep {mark}"), env=cluster.ssh.env(),
                              stdin=subprocess.DEVNULL)

    def running():
        return [pid for pid in processes.all_pids() if processes.argv(pid) == ["sleep", mark]]
    try:
        harness.until(running, "the command in the job")
    finally:
        client.kill()  # ssh alone: its ProxyCommand says goodbye for it
        client.wait()
    harness.until(lambda: not running(), "end of the command")


def random_stream(key: str, size: int) -> str:
    """A shell command that prints bytes which only the key determines; it needs no memory and no file."""
    return (f"head -c {size} /dev/zero | openssl enc -aes-128-ctr -K {key} -iv {'0' * 32} -nosalt 2>/dev/null")


def test_bulk_each_way_arrives_unchanged(cluster, job):
    """A gibibyte once; the way there is the same for every backend."""
    stream = random_stream(secrets.token_hex(16), GIB if cluster.name == "local" else GIB >> 4)
    expected = harness.run(["sh", "-c", f"{stream} | sha256sum"]).ok().stdout
    ssh = " ".join(cluster.ssh.argv(job))
    up = harness.run(["sh", "-c", f"{stream} | {ssh} sha256sum"], env=cluster.ssh.env(), timeout=120)
    assert up.ok().stdout == expected
    down = harness.run(["sh", "-c", f"{ssh} '{stream}' | sha256sum"], env=cluster.ssh.env(), timeout=120)
    assert down.ok().stdout == expected


@pytest.mark.sanitize
def test_a_terminal_follows_the_size_of_the_window(cluster, job):
    script = "trap 'stty size; exit 5' WINCH; echo at $(stty size).; while :; do sleep 0.05; done"
    with terminal.Terminal(cluster.ssh.argv("-tt", job, script), cluster.ssh.env(), 33, 101) as screen:
        screen.expect("at 33 101.")
        screen.resize(50, 132)
        screen.expect("50 132")
        assert screen.end() == 5


def test_control_c_on_a_terminal_interrupts_the_command(cluster, job):
    script = "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.05; done"
    with terminal.Terminal(cluster.ssh.argv("-tt", job, script), cluster.ssh.env()) as screen:
        screen.expect("ready")
        screen.type("\x03")
        screen.expect("interrupted")
        assert screen.end() == 6


def test_without_a_command_there_is_a_login_shell(cluster, job):
    with terminal.Terminal(cluster.ssh.argv("-tt", job), cluster.ssh.env(TERM="xterm-256color")) as screen:
        screen.type("echo $((6 * 7)) on $TERM at $SSH_TTY; exit 4\n")
        screen.expect("42 on xterm-256color at /dev/pts/")
        assert screen.end() == 4


@pytest.mark.sanitize
def test_twenty_clients_at_once(cluster, job):
    results = [None] * 20

    def one(index):
        results[index] = cluster.ssh(job, f"cat; exit {index}", input=f"client {index}")
    threads = [threading.Thread(target=one, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, result in enumerate(results):
        assert result is not None and (result.status, result.stdout) == (index, f"client {index}"), result


@pytest.mark.sanitize
def test_fifty_channels_over_one_connection(cluster, job, short_dir):
    socket = short_dir / "master"
    master = subprocess.Popen(cluster.ssh.argv("-M", "-S", socket, "-N", job), env=cluster.ssh.env(),
                              stdin=subprocess.DEVNULL)
    clients = []
    try:
        harness.until(socket.exists, "control socket")
        for _ in range(50):
            clients.append(subprocess.Popen(cluster.ssh.argv("-S", socket, job, "echo ready; cat"),
                                            env=cluster.ssh.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        # All of them are open before the first is allowed to end.
        for client in clients:
            assert client.stdout.readline() == b"ready\n"
        for index, client in enumerate(clients):
            output, _ = client.communicate(f"channel {index}".encode(), timeout=60 * harness.PATIENCE)
            assert (client.returncode, output) == (0, f"channel {index}".encode())
    finally:
        for client in clients:
            client.kill()
            client.communicate()
        harness.stop(master)


def parse_environment(text: bytes) -> dict:
    return dict(entry.split(b"=", 1) for entry in text.split(b"\0") if entry)


def test_the_environment_inside_is_the_one_of_the_job(cluster, job):
    # What the way in adds (berth-tunnel) and what every shell sets for itself.
    ours = {b"SSH_CONNECTION", b"VSCODE_AGENT_FOLDER"}
    account = {b"USER", b"LOGNAME", b"SHELL", b"HOME"}
    shells = {b"_", b"SHLVL", b"PWD", b"OLDPWD"}
    of_the_job = parse_environment(cluster.ssh(job, "cat environment").ok().output)
    inside = parse_environment(cluster.ssh(job, "env -0").ok().output)
    # The tools of the bundle come last, after all that the job has.
    path, tools = inside[b"PATH"].rsplit(b":", 1)
    assert tools.endswith(b"/bin") and cluster.berth.home.berth_home.as_posix().encode() in tools
    inside[b"PATH"] = path
    # Who one is can be told wherever the job's environment does not.
    for key in account - set(of_the_job):
        assert inside.pop(key)
    assert {key: value for key, value in inside.items() if key not in ours | shells} \
        == {key: value for key, value in of_the_job.items() if key not in shells}
    assert ours <= set(inside)


def test_git_clones_from_inside_the_job(cluster, job, tmp_path):
    repository, copy = tmp_path / "repository", tmp_path / "copy"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "safe.directory=*"]
    harness.run(["git", "init", "--quiet", repository]).ok()
    harness.run([*git, "-C", repository, "commit", "--quiet", "--allow-empty", "-m", "first"]).ok()
    harness.run([*git, "clone", "--quiet", f"{job}:{repository}", copy], env=cluster.ssh.env()).ok()
    assert harness.run([*git, "-C", copy, "log", "--format=%s"]).ok().stdout == "first\n"


def test_what_ssh_sets_reaches_the_command(cluster, job):
    assert cluster.ssh("-o", "SetEnv=BERTH_E2E=hello", job, "echo $BERTH_E2E").ok().stdout == "hello\n"


def test_a_rank_can_be_named(cluster, job):
    assert cluster.ssh(f"{job}.0", "echo here").ok().stdout == "here\n"


def test_the_init_is_the_parent_of_the_command(cluster, job):
    program = cluster.ssh(job, "cat /proc/1/comm; cat /proc/$(sed -n 's/.*\"init_pid\": *\\([0-9]*\\).*/\\1/p' "
                          f"{cluster.berth.job_dir(job)}/status.0.json)/comm").stdout.split()
    assert "berth-init" in program


@pytest.mark.sanitize
def test_ssh_ends_soon_after_the_job_does(cluster):
    name = cluster.start("--", "sleep", "1000")
    client = subprocess.Popen(cluster.ssh.argv(name, "echo in; exec sleep 1000"), env=cluster.ssh.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert client.stdout.readline() == b"in\n"
        cluster.berth("cancel", name).ok()
        client.wait(timeout=30 * harness.PATIENCE)
        assert client.returncode != 0
    finally:
        client.kill()
        client.communicate()
    assert cluster.berth.wait(name, "CANCELLED")


def test_the_output_of_the_job_is_only_its_own(cluster):
    name = cluster.berth.submit(*cluster.options, "--", "sh", "-c", "echo out; echo err >&2")
    cluster.berth.wait(name, "SUCCEEDED")
    assert cluster.berth("logs", name).ok().stdout == "out\n"
    assert cluster.berth("logs", "--stderr", name).ok().stdout == "err\n"
    assert os.listdir(cluster.berth.job_dir(name))
