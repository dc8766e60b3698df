# SPDX-License-Identifier: MIT
"""A dockerd that is killed and started again, that is far away (TLS, ssh), and whose containers have networks of their own."""

import json
import pathlib
import signal

import pytest

import engine_lab
import harness
from conftest import Berth, Ssh, enter_home, leave_home

DENIED, UNAVAILABLE = 77, 69
SLEEP = ("--", "sleep", "1000")


@pytest.fixture(scope="module")
def lab(session_dir):
    path = session_dir / "engine-lab"
    path.mkdir(mode=0o755)
    try:
        lab = engine_lab.Lab(path)
        lab.start()
    except engine_lab.Unavailable as reason:
        pytest.skip(f"no Docker: {reason}")
    lab.image("busybox")
    yield lab
    lab.stop()


@pytest.fixture(scope="module")
def here(build_dir, session_dir, lab):
    """berth of a user in the network of the lab."""
    home = enter_home(session_dir)
    real = build_dir / "controller" / "berth"
    here = Berth(lab.program(real), home, {"DOCKER_HOST": lab.url})
    here.outside = Berth(real, home, {"DOCKER_HOST": lab.url})
    yield here
    here.cancel_all()
    leave_home(session_dir, home, build_dir)


@pytest.fixture(scope="module")
def ssh(lab, here):
    class Inside(Ssh):
        def argv(self, *argv) -> list:
            return [*lab.inside, *super().argv(*argv)]

        def with_env(self, **env) -> "Inside":
            return Inside(self.home, {**self.extra, **env})
    return Inside(here.home, here.extra)


def run(here, lab, *argv, **more) -> str:
    return here.submit("-b", "docker", "--image", lab.image("busybox"), *argv, **more)


def start(here, lab, *argv, **more) -> str:
    name = run(here, lab, *argv, **more)
    here.wait(name, "RUNNING")
    return name


# ---- the daemon goes and comes again


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_that_outlive_the_daemon_are_what_they_were(here, lab, ssh, signo):
    lab.live_restore(True)
    script = "echo begun; while ! [ -e /tmp/end ]; do sleep 0.1; done; echo ended; exit 5"
    name = start(here, lab, "--network", "host", "--", "sh", "-c", script)
    brief = start(here, lab, "--network", "host", "--", "sh", "-c", "sleep 1; exit 3")
    assert ssh(name, "echo in").stdout == "in\n"
    with lab.down(signo):
        listed = here("get", "jobs")
        assert "does the server run" in listed.stderr and "RUNNING" in listed.stdout, f"{listed}"
        if signo == signal.SIGKILL:
            assert here("logs", name).status == UNAVAILABLE
            refused = here("run", "-b", "docker", "--image", "x", *SLEEP)
            assert refused.status == UNAVAILABLE and len(refused.stderr.splitlines()) == 1, f"{refused}"
            here("gc", "--retention", "0s")
    assert {here.job(name)["state"], here.wait(brief, "FAILED")["state"]} == {"RUNNING", "FAILED"}
    assert here.job(brief)["exit_code"] == 3
    assert ssh(name, "echo again").stdout == "again\n"
    lab.call("exec", f"berth-{here.job(name)['uid']}", "touch", "/tmp/end")  # however it ends: the container goes
    assert here.wait(name, "FAILED")["exit_code"] == 5
    assert here("logs", name).stdout == "begun\nended\n"


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_that_end_with_the_daemon_are_told_and_start_again_as_asked(here, lab, ssh, signo):
    lab.live_restore(False)
    once = start(here, lab, "--network", "host", *SLEEP)
    always = start(here, lab, "--network", "host", "--restart", "always", *SLEEP)
    assert ssh(always, "echo in").stdout == "in\n"
    with lab.down(signo):
        pass
    assert here.wait(once, "FAILED")["ended"]
    here.wait(always, "RUNNING")
    assert ssh(always, "echo again").stdout == "again\n"
    here("cancel", always).ok()
    here.wait(always, "CANCELLED")


# ---- an engine elsewhere


def test_an_engine_is_reached_by_tls_with_certificates(here, lab, ssh):
    url = f"tcp://127.0.0.1:{engine_lab.TLS_PORT}"
    by_environment = here.with_env(DOCKER_HOST=url, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=lab.certificates("client"))
    name = start(by_environment, lab, "--network", "host", *SLEEP)
    assert ssh.with_env(**by_environment.extra)(name, "echo in").stdout == "in\n"
    here.home.config_dir.mkdir(parents=True, exist_ok=True)
    config = here.home.config_dir / "config.yaml"
    (here.home.ssh_dir / "engine").symlink_to(lab.certificates("client"))
    config.write_text(f"clusters:\n  tls:\n    backend: docker\n    url: {url}\n    tls_dir: ~/.ssh/engine\n")
    config.chmod(0o600)
    other = here.submit("-b", "tls", "--network", "host", "--image", lab.image("busybox"), *SLEEP)
    here.wait(other, "RUNNING")
    assert ssh(other, "echo in").stdout == "in\n"
    assert here("exec", other, "--", "echo", "by exec").stdout == "by exec\n"
    here("cancel", other).ok()
    by_environment("cancel", name).ok()
    config.unlink()


@pytest.fixture(scope="module")
def stranger(lab, session_dir):
    """Certificates of an authority that the daemon does not know, and that does not know the daemon."""
    return engine_lab.Authority(session_dir / "engine-lab" / "other")


def test_who_is_not_who_it_should_be_is_refused_in_words(here, lab, stranger):
    url = f"tcp://127.0.0.1:{engine_lab.TLS_PORT}"
    ours, theirs = lab.certificates("client"), stranger.sign("client")
    wrong = here.with_env(DOCKER_HOST=url, DOCKER_CERT_PATH=theirs)("run", "-b", "docker", "--image", "x", *SLEEP)
    assert wrong.status == DENIED and "certificate" in wrong.stderr and len(wrong.stderr.splitlines()) == 1, f"{wrong}"
    (theirs / "ca.pem").write_bytes((ours / "ca.pem").read_bytes())
    unknown = here.with_env(DOCKER_HOST=url, DOCKER_CERT_PATH=theirs)("run", "-b", "docker", "--image", "x", *SLEEP)
    assert unknown.status in (DENIED, UNAVAILABLE) and len(unknown.stderr.splitlines()) == 1, f"{unknown}"
    (theirs / "key.pem").unlink()
    missing = here.with_env(DOCKER_HOST=url, DOCKER_CERT_PATH=theirs)("run", "-b", "docker", "--image", "x", *SLEEP)
    assert missing.status != 0 and "key.pem" in missing.stderr, f"{missing}"


def test_an_engine_is_reached_through_ssh(here, lab, ssh):
    with engine_lab.Sshd(lab, here.home) as url:
        far = here.with_env(DOCKER_HOST=url)
        name = run(far, lab, "--network", "host", *SLEEP, timeout=120)
        assert ssh.with_env(DOCKER_HOST=url)(name, "echo in", timeout=120).stdout == "in\n"
        here("cancel", name).ok()
        gone = here.with_env(DOCKER_HOST="ssh://none-such.invalid")("run", "-b", "docker", "--image", "x", *SLEEP)
        assert gone.status == UNAVAILABLE and "none-such.invalid" in gone.stderr, f"{gone}"


# ---- containers with networks of their own


def address(lab, job: dict) -> str:
    return json.loads(lab.call("inspect", f"berth-{job['uid']}").ok().stdout)[0]["NetworkSettings"]["IPAddress"]


def test_a_container_on_a_bridge_is_reached_at_its_address(here, lab, ssh):
    name = start(here, lab, "--network", "bridge", *SLEEP)
    assert ssh(name, "echo in").stdout == "in\n"
    where = address(lab, here.job(name))
    assert where and where in (here.job_dir(name) / "endpoint.0.json").read_text()
    here("cancel", name).ok()


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_where_no_network_leads_the_engine_does(here, lab, ssh, network):
    """From the machine's own network there is no way to the bridge, and to none from anywhere."""
    name = start(here.outside, lab, "--network", network, *SLEEP)
    enter = Ssh(here.home, here.extra)
    result = enter(name, "cat; exit 7", input="typed\n")
    assert (result.stdout, result.status) == ("typed\n", 7), f"{result}"
    blob = bytes(range(256)) * 4096
    path = pathlib.Path(here.home.root / "blob")
    path.write_bytes(blob)
    harness.run(["scp", "-q", path, f"{name}:/tmp/blob"], env=enter.env()).ok()
    assert enter(name, "wc -c </tmp/blob").stdout.strip() == str(len(blob))
    here("cancel", name).ok()
