# SPDX-License-Identifier: MIT
"""Entering one job from several workstations: two users' homes on this machine, with the same login on a cluster behind a
login node, and a third one that has nothing but a file."""

import os
import shutil
import socket
import stat
import subprocess

import pytest

import conftest
import harness
import loginnode
import test_relay_program
from ports import free_ports
from terminal import Terminal


@pytest.fixture(scope="module")
def node(start_login_node, slurm):
    return start_login_node("login-attach", slurm.config)


class Workstation:
    """A home with a configuration, berth and ssh in it. ssh looks for ~/.ssh in the passwd entry's home, whatever $HOME
    says: that is a link, which leads to the one of whoever acts."""

    def __init__(self, root, node, build_dir, configuration):
        env = {"PATH": f"{node.dir / 'bin'}:{os.environ['PATH']}"}
        self.home = harness.Home(root)
        self.run_berth = conftest.Berth(build_dir / "controller" / "berth", self.home, env)
        self.run_ssh = conftest.Ssh(self.home, env)
        (root / "ssh").mkdir(parents=True, mode=0o700)
        path = root / "config" / "berth" / "config.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(configuration)

    def act(self):
        link = harness.PASSWD_HOME / ".ssh"
        link.unlink(missing_ok=True)
        link.symlink_to(self.home.root / "ssh")

    @property
    def berth(self):
        self.act()
        return self.run_berth

    @property
    def ssh(self):
        self.act()
        return self.run_ssh

    def end(self):
        loginnode.close_masters(self.home)

    def keys(self) -> list:
        return [path for path in (self.home.state_dir / "keys").glob("*") if path.is_file()]


@pytest.fixture(scope="module")
def workstations(session_dir, build_dir, node):
    """All on one host: they have one name, and get a number behind it."""
    made, link, aside = [], harness.PASSWD_HOME / ".ssh", harness.PASSWD_HOME / ".ssh.before.attach"
    if link.exists():
        link.rename(aside)

    def make(configuration=None) -> Workstation:
        root = session_dir / f"w{len(made)}"
        made.append(Workstation(root, node, build_dir, configuration or node.configuration()))
        return made[-1]
    yield make
    for each in made:
        each.berth.cancel_all()
        each.end()
    link.unlink(missing_ok=True)
    if aside.exists():
        aside.rename(link)


@pytest.fixture(scope="module")
def first(workstations):
    return workstations()


@pytest.fixture(scope="module")
def second(workstations):
    return workstations()


@pytest.fixture(scope="module")
def job(first):
    name = first.berth.submit("train", "-n", "2", "-e", "MINE=a b", "--", "sh", "-c", "echo out; sleep 1000")
    first.berth.wait(name, "RUNNING")
    harness.until(lambda: first.ssh(name, "true").status == 0, "the first workstation in the job")
    return name


def native_id(workstation, job) -> str:
    return workstation.berth.job(job)["native_id"]


def attach(workstation, what) -> str:
    return workstation.berth("attach", what).ok().stdout.strip()


@pytest.fixture(scope="module")
def attached(first, second, job):
    """What the job is called on the second workstation, which has submitted another one before."""
    second.berth.submit("other", "--", "sleep", "1000")
    return attach(second, native_id(first, job))


def test_a_job_is_entered_from_a_second_workstation(first, second, job, attached):
    assert attached != job
    assert second.ssh(attached, "echo $MINE").ok().stdout == "a b\n"
    assert second.ssh(f"{attached}.1", "exit 7").status == 7
    assert second.ssh("train.job", "cat", input="data").ok().stdout == "data"
    # The first one goes on.
    assert first.ssh(job, "echo $MINE").ok().stdout == "a b\n"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in second.keys())


def test_the_record_says_what_the_job_is(first, second, job, attached):
    there, here = first.berth.job(job), second.berth.job(attached)
    for member in "uid", "name", "native_id", "cluster", "backend", "command", "ranks", "nodes", "state", "directory":
        assert there[member] == here[member], member
    assert "attached" in second.berth("describe", "job", attached).ok().stdout
    assert second.berth("logs", attached).ok().stdout == first.berth("logs", job).ok().stdout


def test_a_job_of_two_clusters_that_are_one_is_told(first, second, job, attached):
    config = second.home.config_dir / "config.yaml"
    own = config.read_text()
    config.write_text(own + own[own.index("  hpc:"):].replace("  hpc:", "  twin:"))
    try:
        twice = second.berth("attach", f"twin:{native_id(first, job)}")
        assert twice.status == 73 and f"known here as {attached} of the cluster hpc" in twice.stderr, twice
    finally:
        config.write_text(own)


def test_a_job_is_found_with_two_questions_and_given_a_key_with_one(first, job, workstations, node):
    third = workstations()
    third.berth("get", "queues").ok()
    node.calls()
    for_name = attach(third, "train")
    assert node.calls() <= 3
    third.ssh(for_name, "true").ok()
    assert third.berth("keys", "list", for_name).ok().stdout.count("\n") >= 2
    third.berth("keys", "revoke", for_name, "--workstation", here(third, for_name)).ok()
    assert not third.keys()
    refused = third.ssh(for_name, "true")
    assert refused.status != 0
    # It may let itself in again.
    assert attach(third, f"hpc:{third.berth.job(for_name)['uid']}") == for_name
    third.ssh(for_name, "true").ok()
    first.ssh(job, "true").ok()


def here(workstation, job) -> str:
    """What this workstation is called in the job."""
    line, = [line for line in workstation.berth("keys", "list", job).ok().stdout.splitlines() if line.endswith(" here")]
    return line.removesuffix(" here")


def test_each_has_a_key_of_its_own_that_is_replaced_and_revoked_alone(first, second, job, attached):
    names = first.berth("keys", "list", job).ok().stdout.split("\n")
    assert len({here(first, job), here(second, attached)}) == 2, names
    first.berth("keys", "rotate", job).ok()
    second.ssh(attached, "true").ok()
    first.ssh(job, "true").ok()
    wrong = first.berth("keys", "revoke", job, "-w", "nobody")
    assert wrong.status == 66 and here(second, attached) in wrong.stderr
    first.berth("keys", "revoke", job, "-w", here(second, attached)).ok()
    refused = second.ssh(attached, "true")
    assert refused.status != 0 and "does not accept this key" in refused.stderr
    first.ssh(job, "true").ok()
    assert attach(second, attached) == attached
    second.ssh(attached, "true").ok()


def test_what_is_not_there_or_has_ended_is_one_line(first, second):
    missing = second.berth("attach", "no-such-job")
    assert missing.status == 66 and missing.stderr.count("\n") == 1 and "no-such-job" in missing.stderr
    name = first.berth.submit("brief", "--", "true")
    first.berth.wait(name, "SUCCEEDED")
    ended = second.berth("attach", f"hpc:{native_id(first, name)}")
    assert ended.status == 69 and "SUCCEEDED" in ended.stderr and ended.stderr.count("\n") == 1
    assert second.berth("attach", "nowhere:7").status != 0
    assert second.berth("attach", "local:7").status == 66
    assert second.berth("attach", "").status == 64


def test_collecting_on_the_second_leaves_the_job_to_the_first(first, second, node):
    name = first.berth.submit("brief2", "--", "sleep", "1000")
    first.berth.wait(name, "RUNNING")
    there = attach(second, "brief2")
    uid = first.berth.job(name)["uid"]
    path = node.scratch / "berth" / "jobs" / uid
    second.berth("cancel", there).ok()
    second.berth.wait(there, "CANCELLED")
    assert not [key for key in second.keys() if uid in key.name]
    second.berth("gc", "--retention", "0s").ok()
    assert path.exists() and first.berth("logs", name).ok()
    first.berth.wait(name, "CANCELLED")
    first.berth("gc", "--retention", "0s").ok()
    assert not path.exists()


@pytest.fixture(scope="module")
def exported(first, job, session_dir):
    path = session_dir / "train.berth"
    said = first.berth("export", job, path).ok()
    assert said.stdout == f"{path}\n" and "holds a key" in said.stderr
    return path


@pytest.fixture(scope="module")
def outside(workstations):
    """A machine that has never heard of the cluster."""
    return workstations("context: local\n")


def test_a_file_is_all_that_another_machine_needs(first, job, exported, outside, node):
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    node.calls()
    name = outside.berth("import", exported).ok().stdout.strip()
    record = outside.berth.job(name)
    assert (record["state"], record["name"]) == ("UNKNOWN", "train") and "RUNNING on hpc" in record["reason"]
    assert outside.ssh(name, "echo $MINE").ok().stdout == "a b\n"
    assert outside.ssh("train.job", "cat", input="data").ok().stdout == "data"
    assert outside.ssh(f"{name}.1", "exit 7").status == 7
    assert outside.berth("exec", name, "--", "echo", "in").ok().stdout == "in\n"
    assert node.calls() == 0
    refused = outside.berth("cancel", name)
    assert refused.status != 0 and "came in a file" in refused.stderr
    assert outside.berth("gc", "--retention", "0s").ok() and outside.ssh(name, "true").ok()
    assert "exported" in first.berth("keys", "list", job).ok().stdout.splitlines()


def test_an_exported_key_is_revoked_and_exported_again(first, job, exported, outside):
    name = outside.berth("import", exported).ok().stdout.strip()
    first.berth("keys", "revoke", job, "-w", "exported").ok()
    assert outside.ssh(name, "true").status != 0
    again = exported.with_name("again.berth")
    first.berth("export", job, again, "-w", "lab").ok()
    assert outside.berth("import", again).ok().stdout.strip() == name
    outside.ssh(name, "true").ok()
    first.berth("keys", "revoke", job, "-w", "lab").ok()
    first.ssh(job, "true").ok()


def test_a_key_is_never_shown_on_a_terminal_and_no_file_replaced(first, job, exported):
    with Terminal([first.berth.program, "export", job, "-"], first.berth.env()) as screen:
        screen.expect("is not shown on a terminal", 30)
        assert screen.end(30) == 64
    before = exported.read_bytes()
    assert first.berth("export", job, exported).status == 73 and exported.read_bytes() == before
    assert "secret" not in before.decode().split("client", 1)[0]
    piped = first.berth("export", job, "-", "-w", "piped").ok().output
    assert piped.startswith(b"berth export 1\n")
    first.berth("keys", "revoke", job, "-w", "piped").ok()


def test_a_file_that_is_damaged_or_others_can_read_is_refused(exported, outside, session_dir):
    bad = session_dir / "bad.berth"
    for mode, owner, change, status in ((0o644, 0, bytes, 77), (0o600, 1, bytes, 77), (0o600, 0, lambda b: b[:-9], 64),
                                        (0o600, 0, lambda b: b.replace(b"train", b"brain"), 64)):
        bad.unlink(missing_ok=True)
        bad.write_bytes(change(exported.read_bytes()))
        bad.chmod(mode)
        if harness.IS_ROOT:
            os.chown(bad, owner, owner)
        elif owner:
            continue
        refused = outside.berth("import", bad)
        assert refused.status == status and refused.stderr.count("\n") == 1, refused
    assert outside.berth("import", "/dev/null").status == 64


def test_what_was_imported_ends_when_it_expires(first, outside, session_dir):
    name = first.berth.submit("short", "-t", "1m", "--", "sleep", "1000")
    first.berth.wait(name, "RUNNING")
    path = session_dir / "short.berth"
    first.berth("export", name, path).ok()
    there = outside.berth("import", path).ok().stdout.strip()
    later = first.berth.job(name)["uid"]
    assert [key for key in outside.keys() if later in key.name]
    database = outside.home.state_dir / "berth.db"
    harness.run(["python3", "-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
                 "db.execute('UPDATE jobs SET expires_ns = 1000 WHERE name = ?', ('short',)); db.commit()", database]).ok()
    assert outside.berth.job(there)["state"] == "TIMEOUT"
    assert not [key for key in outside.keys() if later in key.name]
    ended = outside.berth("exec", there, "--", "true")
    assert ended.status == 69 and "has expired" in ended.stderr
    first.berth("cancel", name).ok()


@pytest.fixture(scope="module")
def relayed(workstations, node, build_dir, session_dir):
    """A workstation whose cluster has a relay."""
    path = session_dir / "relay-attach"
    path.mkdir(mode=0o700)
    relay = test_relay_program.Relay(path, build_dir).start()
    (path / "token").write_text(relay.tokens["alice"] + "\n")
    yield workstations(node.configuration(more=f"    relays:\n      - url: https://{relay.address}\n"
                                          f"        key: {relay.key}\n        token_file: {path}/token\n"))
    relay.stop()


def test_a_job_is_entered_through_a_relay_when_nobody_can_be_asked_where_it_listens(relayed, node):
    name = relayed.berth.submit("met", "--", "sleep", "1000")
    relayed.berth.wait(name, "RUNNING")
    relayed.ssh(name, "true").ok()
    shutil.rmtree(relayed.home.state_dir / "endpoints")
    with node.unreachable():
        said = relayed.ssh(name, "echo in")
        assert said.status == 0 and said.stdout == "in\n" and "asking the relays" in said.stderr
        assert relayed.berth("cp", f"{name}:/etc/hostname", "-").ok().stdout
        port, = free_ports(1)
        forward = subprocess.Popen([str(relayed.berth.program), "port-forward", name, f"{port}:{node.port}"],
                                   env=relayed.berth.env(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as client:
                    return client.recv(4) == b"SSH-"
            except OSError:
                return False
        try:
            harness.until(answers, "a port of the job")
        finally:
            harness.stop(forward)
    # A file has the relay, too, and a job that did not run yet when it was written can be met there.
    path = relayed.home.root / "met.berth"
    relayed.berth("export", name, path).ok()
    assert "relays" in path.read_text()
    relayed.berth("cancel", name).ok()


def test_a_waiting_job_is_waited_for_while_its_login_node_is_down(relayed, node, slurm):
    name = relayed.berth.submit("met-later", "--begin", "now+1hour", "--", "sleep", "1000")
    native = relayed.berth.job(name)["native_id"]
    with node.unreachable():
        brief = relayed.berth("exec", "--wait", "1s", name, "--", "true")
        assert brief.status != 0 and "waiting for it" in brief.stderr and "asking the relays" in brief.stderr
        relayed.act()
        client = subprocess.Popen(["ssh", "-o", "BatchMode=yes", name, "echo in"], env=relayed.run_ssh.env(),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            line = client.stderr.readline().decode()
            assert "cannot be reached" in line and "waiting for it" in line
            assert client.poll() is None
            # Nobody tells that it runs but the relay.
            slurm.run("scontrol", "update", f"JobId={native}", "StartTime=now").ok()
            assert client.communicate(timeout=120 * harness.PATIENCE)[0] == b"in\n"
        finally:
            client.kill()
            client.communicate()
    relayed.berth("cancel", name).ok()


def test_an_sshd_in_the_job_is_led_to(workstations, node, session_dir):
    """The site's own: ssh logs in there as it is used to, with keys of the user's, and knows it by the session's variables."""
    port, = free_ports(1)
    directory = session_dir / "sshd-in-job"
    directory.mkdir()
    config = directory / "config"
    config.write_text(loginnode.SSHD.format(dir=node.dir, port=port, home=node.home, scratch=node.scratch,
                                            slurm=node.slurm_config).replace(f"PidFile {node.dir}", f"PidFile {directory}"))
    user = workstations(node.configuration(more=f"    ssh_port: {port}\n    user: root\n"))
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    name = user.berth.submit("own", "--", sshd, "-D", "-e", "-f", config)
    user.berth.wait(name, "RUNNING")
    key = ["-o", f"IdentityFile={node.dir}/user_key", "-o", "IdentitiesOnly=yes"]

    def entered():
        said = user.ssh(*key, name, "echo $SSH_CONNECTION")
        return said.stdout.split() if said.status == 0 else None
    assert harness.until(entered, "the sshd in the job")[-1] == str(port)
    # Without it, in spite of the setting: the server of berth's own, which needs no key.
    assert user.berth("exec", name, "--", "sh", "-c", "echo $SSH_CONNECTION").ok().stdout.split()[-1:] != [str(port)]
    plain = node.configuration()
    (user.home.config_dir / "config.yaml").write_text(plain)
    said = user.berth("ssh", "--ssh-port", port, name, "echo $SSH_CONNECTION", input="").stderr
    assert "Permission denied" in said  # the key was not named: it is that sshd which asks for one
    assert user.berth("ssh", "--ssh-port", "0", name, "true").status == 64
    user.berth("cancel", name).ok()
