# SPDX-License-Identifier: MIT
"""berth-init in containers of a real dockerd: what a person does to a container does to the job what it should."""

import json
import os
import pathlib
import signal

import pytest

import docker as docker_module
import harness
from terminal import Terminal, suspend_and_resume
from tunnelrun import Tunnel

IMAGES = ["glibc", "musl", "busybox", "scratch"]


def probe(image: str, *argv) -> list:
    return ["/probe" if image == "scratch" else "/bin/probe", *map(str, argv)]


@pytest.fixture(autouse=True, scope="module")
def bundle(docker):
    try:
        return docker.bundle, docker.probe("-static")
    except docker_module.Unavailable as reason:
        pytest.skip(str(reason))


def records(container) -> list:
    """The signals that probe has recorded so far."""
    return [json.loads(line)["signal"] for line in container.logs().splitlines() if line.startswith("{")]


# ---- any image, any user


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("user", [None, "54321:12345"])
def test_a_container_that_may_do_nothing_runs_the_command(docker, image, user):
    """Read-only root, no /dev/pts, no privileges, a user that nobody knows: the status is the command's."""
    hard = dict(user=user, read_only=True, pts=False, more=["--cap-drop=ALL", "--security-opt=no-new-privileges"])
    result = docker.run(image, *probe(image, "exit", 5), **hard)
    assert (result.status, result.output, result.errors) == (5, b"", b"")


def test_an_image_may_have_nothing_in_it_but_the_program(docker):
    result = docker.run("scratch", "/berth/berth-init", "--version", read_only=True, user="54321")
    assert result.status == 0 and result.stdout.startswith("berth-init ")


def test_what_cannot_be_run_is_127_or_126(docker):
    for command, status in (("no-such-command", 127), ("/no/such/command", 127), ("/dev/null", 126), ("/berth", 126)):
        result = docker.run("scratch", command)
        assert result.status == status and "berth-init: cannot run" in result.stderr, result


@pytest.mark.parametrize("number", [1, 6, 9, 11, 15, 40])
def test_a_signal_that_ends_the_command_is_128_plus_its_number(docker, number):
    result = docker.run("scratch", *probe("scratch", "raise", number), more=["--ulimit=core=0"])
    assert result.status == 128 + number


@pytest.mark.parametrize("image", ["glibc", "musl"])
def test_ssh_reaches_a_job_in_a_container_as_any_user(docker, build_dir, short_dir, image):
    tunnel = Tunnel(short_dir, build_dir)
    short_dir.chmod(0o755)
    with docker.serve(tunnel, image, "sleep", "60", user="54321:12345", read_only=True, pts=False):
        result = tunnel.ssh("job-7", "id -u; cat; exit 7", input="data\n")
        assert (result.status, result.stdout) == (7, "54321\ndata\n"), result


# ---- what docker does to a container


def test_docker_stop_ends_the_command_with_sigterm(docker):
    with docker.start_container("busybox", "sleep", "60") as container:
        container.call("stop", "--time=20").ok()
        assert container.wait() == 128 + signal.SIGTERM


def test_docker_stop_leaves_the_command_its_time(docker):
    """SIGTERM is the command's to act upon; its own exit status is the container's."""
    script = "trap 'echo saving; sleep 0.3; echo saved; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    with docker.start_container("busybox", "sh", "-c", script) as container:
        container.expect("ready")
        container.call("stop", "--time=20").ok()
        assert container.wait() == 9
        assert container.call("logs").stdout == "ready\nsaving\nsaved\n"


def test_docker_stop_kills_who_does_not_end(docker):
    with docker.start_container("scratch", *probe("scratch", "signals", 100)) as container:
        container.expect("ready")
        container.call("stop", "--time=1").ok()
        assert container.wait() == 128 + signal.SIGKILL
        assert records(container) == [signal.SIGTERM]


def test_docker_kill_sends_each_signal_once(docker):
    names = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "SEGV", "ABRT", "ILL", "CONT", "RTMIN+6", "RTMAX"]
    numbers = [int(getattr(signal, f"SIG{name}")) for name in names[:-2]] + [40, 64]
    with docker.start_container("scratch", *probe("scratch", "signals", len(names) + 1)) as container:
        container.expect("ready")
        for name, number in zip(names, numbers):
            container.call("kill", f"--signal={name}").ok()
            harness.until(lambda: number in records(container), f"SIG{name}")
        assert records(container) == numbers
        container.call("kill", "--signal=PWR").ok()
        assert container.wait() == 0


def test_docker_kill_without_a_signal_kills(docker):
    with docker.start_container("scratch", *probe("scratch", "signals", 100)) as container:
        container.call("kill").ok()
        assert container.wait() == 128 + signal.SIGKILL


def test_pause_is_not_seen_by_the_command(docker):
    with docker.start_container("scratch", *probe("scratch", "signals", 2)) as container:
        container.expect("ready")
        container.call("pause").ok()
        container.call("unpause").ok()
        container.call("kill", "--signal=USR1").ok()
        container.call("kill", "--signal=USR2").ok()
        assert container.wait() == 0
        assert records(container) == [signal.SIGUSR1, signal.SIGUSR2]


def test_a_stop_signal_of_the_image_is_the_commands(docker):
    with docker.start_container("scratch", *probe("scratch", "signals", 1),
                                more=["--stop-signal=SIGUSR2"]) as container:
        container.expect("ready")
        container.call("stop", "--time=20").ok()
        assert container.wait() == 0
        assert records(container) == [signal.SIGUSR2]


# ---- a terminal


SHELL = ["bash", "--norc", "--noprofile", "--noediting", "-i"]


@pytest.fixture
def on_terminal(docker):
    def run(image, *command, **how):
        argv = docker.run_argv(image, *command, more=["-it", "--env=PS1=<$?>", "--env=TERM=dumb"], **how)
        return Terminal(argv, docker.env(), rows=30, columns=90)
    return run


def test_ctrl_c_on_a_terminal_reaches_the_command_once(on_terminal):
    # It counts its interrupts only: the client tells the size of its window when it likes to, which is a signal too.
    command = "n=0; trap 'n=$((n+1)); echo interrupted' INT; trap 'exit $n' QUIT; echo ready; " \
              "while :; do sleep 0.05; done"
    with on_terminal("busybox", "sh", "-c", command) as screen:
        screen.expect("ready")
        screen.type("\x03")
        screen.expect("interrupted")
        screen.type("\x1c")
        assert screen.end() == 1


def test_ctrl_c_ends_a_command_that_lets_it(on_terminal):
    with on_terminal("busybox", "sh", "-c", "echo ready; exec sleep 60") as screen:
        screen.expect("ready")
        screen.type("\x03")
        assert screen.end() == 130


def test_job_control_of_a_shell_in_a_container(on_terminal):
    with on_terminal("glibc", *SHELL) as shell:
        suspend_and_resume(shell)


def test_ctrl_z_stops_no_container_for_good(on_terminal):
    with on_terminal("busybox", "sh", "-c", "echo ready; exec cat") as screen:
        screen.expect("ready")
        screen.type("\x1a")
        screen.expect("^Z")
        screen.type("words\n")
        screen.expect("words\r\nwords\r\n")
        screen.type("\x04")
        assert screen.end() == 0


def test_the_window_is_resized_for_the_command(on_terminal):
    with on_terminal("busybox", "sh", "-c",
                     "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done") as screen:
        screen.expect("ready")
        screen.resize(41, 123)
        screen.expect("41 123")


def test_attach_gives_the_terminal_of_a_container_that_runs(docker):
    with docker.start_container("glibc", *SHELL, more=["-it", "--env=PS1=<$?>"]) as container:
        with Terminal(docker.argv("attach", container.id), docker.env()) as screen:
            # The prompt was printed before anybody looked.
            screen.type("echo he\"\"re\n")
            screen.expect("here")
            screen.type("\x10\x11")  # Ctrl-P Ctrl-Q: detach
            screen.end()
        with Terminal(docker.argv("attach", container.id), docker.env()) as screen:
            screen.type("exit 6\n")
            assert screen.end() == 6
        assert container.wait() == 6


# ---- where docker runs it


def test_as_dockers_own_init_it_takes_the_place_of_tini(docker):
    """--init: dockerd binds the program of --init-path into the container and runs it with `-- COMMAND`."""
    with docker.start_container("scratch", *probe("scratch", "signals", 2), entrypoint="",
                                more=["--init"]) as container:
        container.expect("ready")
        assert os.readlink(f"/proc/{container.pid}/exe").endswith("docker-init")
        with open(f"/proc/{container.pid}/exe", "rb") as program:
            assert program.read() == (docker.bundle / "berth-init").read_bytes()
        for name in "SEGV", "RTMAX":
            container.call("kill", f"--signal={name}").ok()
        assert container.wait() == 0
        assert records(container) == [signal.SIGSEGV, 64]


def test_dockers_init_reports_the_end_as_tini_does(docker):
    for command, status in ((probe("busybox", "exit", 7), 7), (["no-such-command"], 127), (["/bin"], 126),
                            (probe("busybox", "raise", 15), 143)):
        assert docker.run("busybox", *command, entrypoint="", more=["--init"]).status == status


def test_it_is_an_entry_point_of_an_image(docker):
    """As an image's ENTRYPOINT, with the command from the image's CMD, and one given instead of it."""
    docker.derive("berth-entry", "scratch", 'ENTRYPOINT ["/berth/berth-init", "--"]', 'CMD ["/probe", "exit", "6"]')
    plain = ["run", "--rm", "--network=none", "--pull=never", f"--volume={docker.bundle}:/berth:ro", "berth-entry"]
    assert docker.call(*plain).status == 6
    assert docker.call(*plain, "/probe", "exit", "8").status == 8


# ---- memory


def test_a_command_that_is_killed_for_its_memory_is_reported_so(docker, short_dir):
    short_dir.chmod(0o777)
    result = docker.run("scratch", *probe("scratch", "eat"), memory="16m", mounts=[f"{short_dir}:/job"],
                        init_options=["--dir", "/job", "--no-tunnel"])
    if result.stderr and result.status == 125:
        pytest.skip(f"no memory limits here: {result.stderr.strip()}")
    assert result.status == 128 + signal.SIGKILL, result
    status = json.loads((short_dir / "status.0.json").read_text())
    assert (status["signal"], status["oom_killed"]) == (signal.SIGKILL, True)


def test_a_command_that_is_killed_otherwise_is_not(docker, short_dir):
    short_dir.chmod(0o777)
    docker.run("scratch", *probe("scratch", "raise", 9), memory="16m", mounts=[f"{short_dir}:/job"],
               init_options=["--dir", "/job", "--no-tunnel"])
    status = json.loads((short_dir / "status.0.json").read_text())
    assert (status["signal"], status["oom_killed"]) == (signal.SIGKILL, False)


# ---- orphans


def test_orphans_of_the_command_and_of_docker_exec_are_reaped(docker):
    with docker.start_container("busybox", *probe("busybox", "orphans", 300)) as container:
        container.expect("ready")
        init = container.pid
        children = pathlib.Path(f"/proc/{init}/task/{init}/children")

        def only_the_command():
            return len(children.read_text().split()) == 1
        harness.until(only_the_command, "end of 300 orphans")
        # What docker exec starts is no descendant of the first process, but its orphans are.
        for _ in range(3):
            container.exec("sh", "-c", "exec >/dev/null 2>&1; (sleep 0.1 &) ; (sleep 60 &)").ok()
        assert len(children.read_text().split()) > 1
        container.exec("sh", "-c", "kill -9 $(pidof sleep)").ok()
        harness.until(only_the_command, "end of the orphans of docker exec")


def test_who_is_left_in_the_container_gets_sigterm_and_time(docker, short_dir):
    """Also what docker exec has left there."""
    short_dir.chmod(0o777)
    os.mkfifo(short_dir / "go")
    with docker.start_container("busybox", "sh", "-c", "read line </job/go; exit 4", mounts=[f"{short_dir}:/job"],
                                init_options=["--grace", "20s"]) as container:
        container.exec("sh", "-c", "(trap 'sleep 0.2; echo told >/job/told; exit' TERM; touch /job/up; "
                       "while :; do sleep 0.05; done) >/dev/null 2>&1 &").ok()
        harness.until((short_dir / "up").exists, "start of what docker exec runs")
        (short_dir / "go").write_text("\n")
        assert container.wait() == 4
    assert (short_dir / "told").read_text() == "told\n"
