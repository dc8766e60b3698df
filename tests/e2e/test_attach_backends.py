# SPDX-License-Identifier: MIT
"""Entering a job from a second workstation where no squeue tells of it: jobs of this machine, found by their directories,
and jobs of slurmrestd, found by its list. The second workstation is the same user with another state directory."""

import concurrent.futures

import pytest

import harness
import loginnode

REST = """\
clusters:
  rest:
    backend: slurmrest
    url: {url}
    token_file: {token}
{more}  plain:
    backend: slurm
{more}"""


def other(berth, session_dir, name):
    """Another workstation of the user, as far as berth can tell."""
    state = session_dir / name
    state.mkdir()
    return berth.with_env(XDG_STATE_HOME=state)


def attach(berth, what) -> str:
    return berth("attach", what).ok().stdout.strip()


def entered(berth, name, *command):
    """What a command in the job prints, once the job has a tunnel."""
    def answer():
        said = berth("exec", name, "--", *command)
        return said if said.status == 0 else None
    return harness.until(answer, f"a way into {name}").stdout


def at_once(*calls) -> list:
    """What these (berth, ARGUMENT...) give that begin at the same moment."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(berth, *argv, timeout=120) for berth, *argv in calls]]


@pytest.fixture(scope="module")
def second(berth, session_dir):
    return other(berth, session_dir, "second-state")


def test_a_job_of_this_machine_is_found_by_its_directory(berth, second):
    name = berth.start("train", "-e", "MINE=a b", "--", "sh", "-c", "echo out; sleep 1000")
    record = berth.job(name)
    there = attach(second, "local:train")
    assert entered(second, there, "sh", "-c", "echo $MINE") == "a b\n"
    known = second.job(there)
    for member in "uid", "native_id", "cluster", "backend", "command", "state", "directory":
        assert known[member] == record[member], member
    assert second("logs", there).ok().stdout == "out\n"
    assert len(berth("keys", "list", name).ok().stdout.splitlines()) == 2
    # By uid and by process too; the first one goes on, and each sees the other's cancelling.
    assert attach(second, f"local:{record['uid']}") == there == attach(second, f"local:{record['native_id']}")
    assert entered(berth, name, "echo", "in") == "in\n"
    second("cancel", there).ok()
    assert berth.wait(name, "CANCELLED", "FAILED") and second.wait(there, "CANCELLED")
    second("gc", "--retention", "0s").ok()
    assert (berth.home.berth_home / "jobs" / record["uid"]).exists()


def test_keys_that_are_changed_at_the_same_moment_are_all_kept(berth, session_dir):
    """As many workstations as can be let in, and one that leaves while the others change their keys."""
    name = berth.start("busy", "--", "sleep", "1000")
    others = [other(berth, session_dir, f"busy-{number}") for number in range(7)]
    numbers = [said.ok().stdout.strip() for said in at_once(*((each, "attach", "local:busy") for each in others))]
    names = berth("keys", "list", name).ok().stdout.splitlines()
    assert len(set(names)) == 8 and sum(line.endswith(" here") for line in names) == 1, names
    last, = [line for line in others[-1]("keys", "list", numbers[-1]).ok().stdout.splitlines() if line.endswith(" here")]
    changes = at_once((berth, "keys", "revoke", name, "-w", last.removesuffix(" here")), (berth, "keys", "rotate", name),
                      *((each, "keys", "rotate", number) for each, number in zip(others[:-1], numbers)))
    assert all(said.status == 0 for said in changes), changes
    assert len(berth("keys", "list", name).ok().stdout.splitlines()) == 7
    for each, number in zip([berth, *others[:-1]], [name, *numbers]):
        assert entered(each, number, "echo", "in") == "in\n"
    assert others[-1]("exec", numbers[-1], "--", "true").status != 0
    assert not list(berth.job_dir(name).glob(".*lock*")) and not list(berth.home.state_dir.glob("keys/*.part"))
    berth("cancel", name).ok()


def test_what_is_no_running_job_of_this_machine_is_not_found(berth, second):
    jobs = berth.home.berth_home / "jobs"
    for broken in "6b019f50-8eef54953ad43042", "6b019f50-8eef54953ad43043", "not-a-uid":
        (jobs / broken).mkdir()
    (jobs / "6b019f50-8eef54953ad43043" / "process").write_text("7.7@nowhere\n")
    (jobs / "6b019f50-8eef54953ad43043" / "spec.json").write_text("{")
    for what in "6b019f50-8eef54953ad43042", "6b019f50-8eef54953ad43043", "nothing":
        missing = second("attach", f"local:{what}")
        assert missing.status == 66 and missing.stderr.count("\n") == 1 and what in missing.stderr
    name = berth.submit("brief", "--", "true")
    berth.wait(name, "SUCCEEDED")
    ended = second("attach", f"local:{berth.job(name)['uid']}")
    assert ended.status == 69 and "SUCCEEDED" in ended.stderr


@pytest.fixture(scope="module", params=["here", "login"])
def rest(request, slurmrest, berth, home, session_dir, start_login_node):
    """A cluster with slurmrestd, whose files are here or behind a login node."""
    token, more, env = session_dir / f"token-{request.param}", "", {}
    token.write_text(f"SLURM_JWT={slurmrest.token()}\n")
    if request.param == "login":
        node = start_login_node("login-rest", slurmrest.config)
        more = "".join(line for line in node.configuration().splitlines(keepends=True)
                       if line.startswith(("    login:", "    home:", "    ssh_options:")))
        env = {"PATH": f"{node.dir / 'bin'}:{home.env()['PATH']}"}
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(REST.format(url=slurmrest.rest_url, token=token, more=more))
    yield berth.with_env(BERTH_CLUSTER="rest", SLURM_CONF=slurmrest.config, **env)
    loginnode.close_masters(home)


def test_a_job_of_slurmrestd_is_found_by_its_list(rest, session_dir, request):
    second = other(rest, session_dir, f"state-{request.node.callspec.id}")
    name = rest.submit("far", "-e", "MINE=a b", "--", "sleep", "1000")
    rest.wait(name, "RUNNING")
    record = rest.job(name)
    there = attach(second, f"rest:{record['native_id']}")
    assert entered(second, there, "sh", "-c", "echo $MINE") == "a b\n"
    known = second.job(there)
    for member in "uid", "name", "native_id", "command", "state", "directory":
        assert known[member] == record[member], member
    assert attach(second, "far") == there
    missing = second("attach", "rest:nothing")
    assert missing.status == 66 and "nothing" in missing.stderr
    rest("cancel", name).ok()
    rest.wait(name, "CANCELLED")


def test_a_job_of_slurmrestd_is_entered_by_who_has_slurms_commands_and_the_other_way(rest, session_dir, request):
    third = other(rest, session_dir, f"third-{request.node.callspec.id}")
    name = rest.submit("over-rest", "--", "sh", "-c", "echo out; sleep 1000")
    plain = rest.submit("over-sbatch", "-b", "plain", "--", "sleep", "1000")
    array = rest.submit("over-both", "--array", "0-1", "--", "sleep", "1000")
    for cluster, what, job in ("plain", "over-rest", name), ("rest", "over-sbatch", plain), ("plain", "over-both", array):
        rest.wait(job, "RUNNING")
        there = attach(third, f"{cluster}:{what}")
        assert entered(third, there, "echo", "in") == "in\n"
        record, known = rest.job(job), third.job(there)
        assert known["cluster"] == cluster
        for member in "uid", "name", "native_id", "command", "state", "directory", "array":
            assert known[member] == record[member], member
    there = attach(third, f"plain:{rest.job(name)['native_id']}")
    assert third("logs", there).ok().stdout == "out\n"
    for job in name, plain, array:
        rest("cancel", job).ok()
        rest.wait(job, "CANCELLED")
    assert third.wait(there, "CANCELLED")


def test_keys_of_a_waiting_job_are_changed_at_the_same_moment(rest, session_dir, request):
    name = rest.submit("later", "--begin", "now+1hour", "--", "sleep", "1000")
    others = [other(rest, session_dir, f"waits-{number}-{request.node.callspec.id}") for number in range(3)]
    numbers = [said.ok().stdout.strip() for said in at_once(*((each, "attach", "later") for each in others))]
    assert len(set(rest("keys", "list", name).ok().stdout.splitlines())) == 4
    assert all(said.status == 0 for said in at_once((rest, "keys", "rotate", name), *(
        (each, "keys", "rotate", number) for each, number in zip(others, numbers))))
    assert len(set(rest("keys", "list", name).ok().stdout.splitlines())) == 4
    rest("update", name, "--begin", "now").ok()
    for each, number in zip([rest, *others], [name, *numbers]):
        assert entered(each, number, "echo", "in") == "in\n"
    rest("cancel", name).ok()
