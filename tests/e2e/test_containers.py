# SPDX-License-Identifier: MIT
"""Slurm's jobs in containers, for real: with podman, with Slurm's own, which run by runc or crun, and, where they are
installed, with apptainer, pyxis and skybox (ci/slurm-containers)."""

import os
import random
import re
import shutil

import pytest

import containers
import harness
import processes
import slurm
from test_slurm_options import PIECES

INVALID, UNSUPPORTED = 64, 69


class Podman:
    """What jobs in its containers are started with, see and leave."""
    options = ["--launcher=podman"]
    of_image = "image"
    ranks = 3

    def __init__(self, dir, cluster):
        engine = containers.Podman(dir)
        self.env, self.image, self.left = engine.env, engine.name, engine.left


class Oci:
    options = ["--launcher=oci"]
    of_image = ""
    ranks = 1  # more on one node is what Slurm 22.05 refuses

    def __init__(self, dir, cluster):
        oci = containers.Oci(cluster.config, dir)
        self.env, self.image, self.left = {}, oci.root, oci.left


class Apptainer:
    options = ["--launcher=apptainer"]
    of_image = "image"
    ranks = 1  # a signal for a step is one for the processes too that hold its mounts
    build = []

    def __init__(self, dir, cluster):
        engine = containers.Apptainer(dir, self.build)
        self.env, self.image, self.left = engine.env, engine.image, engine.left


class ApptainerTree(Apptainer):
    options = ["--launcher=apptainer-tree"]
    ranks = 2
    build = ["--sandbox"]


class Pyxis:
    options = []
    of_image = "image"
    ranks = 2

    def __init__(self, dir, cluster):
        self.env, self.image, self.left = {}, cluster.image, cluster.left


class Skybox(Pyxis):
    options = ["--launcher=skybox"]


LAUNCHERS = {"podman": Podman, "oci": Oci, "apptainer": Apptainer, "apptainer-tree": ApptainerTree, "pyxis": Pyxis,
             "skybox": Skybox}


def started(cluster: type, path):
    try:
        cluster = cluster(path).start()
    except (containers.Unavailable, slurm.Unavailable) as reason:
        pytest.skip(f"no {path.name}: {reason}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def slurm_pyxis(session_dir):
    yield from started(containers.Pyxis, session_dir / "slurm-pyxis")


@pytest.fixture(scope="module")
def slurm_skybox(session_dir):
    yield from started(containers.Skybox, session_dir / "slurm-skybox")


def place(berth, cluster, made, options):
    """berth, whose jobs on this cluster run in what was made."""
    here = berth.with_env(SLURM_CONF=cluster.config, **made.env)
    here.run = lambda *argv, **more: here.submit(*options, *made.options, "--image", made.image, *argv, **more)
    here.image = made.image
    here.of_image, here.left, here.ranks = made.of_image, made.left, made.ranks
    return here


@pytest.fixture(scope="module", params=[("podman", "slurm"), ("podman", "slurmrest"), ("oci", "slurm"), ("oci", "slurmrest"),
                                        ("apptainer", "slurm"), ("apptainer-tree", "slurm"), ("pyxis", "slurm_pyxis"),
                                        ("skybox", "slurm_skybox")],
                ids="-".join)
def here(request, berth, session_dir):
    launcher, name = request.param
    cluster = request.getfixturevalue(name)
    try:
        made = LAUNCHERS[launcher](session_dir / f"{launcher}-{name}", cluster)
    except containers.Unavailable as reason:
        pytest.skip(f"no {launcher}: {reason}")
    options = ["-b", "slurm"]
    if name == "slurmrest":
        cluster.configure(berth.home, "rest")
        options = ["-b", "rest", *(["--export", ",".join(made.env)] if made.env else [])]
    here = place(berth, cluster, made, options)
    here.ranks = made.ranks if name != "slurmrest" else 1  # the script is the same
    return here


@pytest.fixture(scope="module")
def podman(berth, slurm, session_dir):
    try:
        made = Podman(session_dir / "podman-alone", slurm)
    except containers.Unavailable as reason:
        pytest.skip(f"no podman: {reason}")
    here = place(berth, slurm, made, ["-b", "slurm"])
    here.place = f"berth.place={slurm.node}-{os.readlink('/proc/self/ns/pid')}"
    return here


def test_a_job_runs_in_the_container_and_its_exit_status_comes_out(here):
    name = here.run("-C", "/tmp", "--", "sh", "-c", "cat /etc/inside; pwd; echo $OF_IMAGE $SLURM_JOB_ID; ! touch /berth/x || echo written; exit 7")
    job = here.wait(name, "FAILED")
    assert job["exit_code"] == 7, here("logs", "--stderr", name)
    assert here("logs", name).ok().stdout == f"yes\n/tmp\n{here.of_image} {here.job(name)['native_id']}\n".replace("\n ", "\n")
    assert "berth.sqsh" not in here("logs", "--stderr", name).ok().stdout  # what we mount is no news of the job's
    assert here.left() == ""


def test_ssh_lands_in_the_container(here, ssh):
    name = here.run("-e", "WINS=user", "--", "sleep", "1000")
    here.wait(name, "RUNNING")
    ssh = ssh.with_env(SLURM_CONF=here.extra["SLURM_CONF"])
    assert ssh(name, "cat /etc/inside; echo $OF_IMAGE $WINS").ok().stdout == f"yes\n{here.of_image} user\n".replace("\n ", "\n")
    ssh(name, "kill -TERM $(pidof sleep)")  # the job may end before the command does
    job = here.wait(name, "FAILED")
    assert (job["exit_code"], job["signal"]) in ((143, 0), (-1, 15), (None, 15))
    harness.until(lambda: here.left() == "", "no container left")


def test_a_cancelled_job_ends_with_its_containers_which_each_rank_has(here, ssh):
    ranks = here.ranks
    name = here.run("-n", ranks, "-e", "WINS=user", "--", "sh", "-c",
                    "trap 'echo told; exit 0' TERM; trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done")
    harness.until(lambda: here("logs", name).stdout == "up\n" * ranks, "output")
    ssh = ssh.with_env(SLURM_CONF=here.extra["SLURM_CONF"])
    for rank in range(ranks):
        assert ssh(f"{name}.{rank}", "cat /etc/inside; echo $WINS $SLURM_PROCID").ok().stdout == f"yes\nuser {rank}\n"
    here("signal", "USR1", name).ok()
    # apptainer passes on to its child what Slurm has sent to all processes of a step: that may come twice.
    harness.until(lambda: re.sub("(usr1\n)+", "usr1\n", here("logs", name).stdout) == "up\nusr1\n" * ranks, "the signal")
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    harness.until(lambda: here.left() == "", "no container left")


# On a busy node each command of podman's takes longer than Slurm waits between asking and killing.
SLOW = '#!/bin/sh\ncase $1 in info|run) ;; *) sleep 30 ;; esac\nexec {podman} "$@"\n'


def test_containers_hear_of_their_end_and_go_though_podman_is_slow(podman, short_dir):
    slow = short_dir / "podman"
    slow.write_text(SLOW.format(podman=shutil.which("podman")))
    slow.chmod(0o755)
    name = podman.run("-n", "3", "--", "sh", "-c", "trap 'echo told $SLURM_PROCID; exit 0' TERM; echo up; while :; do sleep 0.1; done",
                      env={"PATH": f"{short_dir}:{os.environ['PATH']}"})
    harness.until(lambda: podman("logs", name).stdout == "up\n" * 3, "output")
    podman("cancel", name).ok()
    podman.wait(name, "CANCELLED")
    harness.until(lambda: podman.left() == "", "no container left")
    told = podman("logs", name).ok().stdout
    assert sorted(told.splitlines()) == ["told 0", "told 1", "told 2", "up", "up", "up"], told
    podman("gc", "--retention", "0s").ok()
    slow.unlink()  # from here on, for whoever still waits for the end of a shell


def of_job(directory):
    """The processes that name its directory: its shells, and what watches them."""
    return [pid for pid in processes.all_pids() if any(word.startswith(str(directory)) for word in processes.argv(pid))]


def test_containers_that_hear_nothing_end_with_their_job(podman):
    name = podman.run("-n", "2", "--", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    harness.until(lambda: podman("logs", name).stdout == "up\n" * 2, "output")
    directory = podman.job_dir(name)
    assert of_job(directory)
    podman("cancel", name).ok()
    podman.wait(name, "CANCELLED")
    harness.until(lambda: podman.left() == "", "no container left")
    harness.until(lambda: of_job(directory) == [], "nobody who watches")


def test_what_a_killed_node_left_goes_with_the_next_job_there(podman):
    """A shell with the number at the end of the name is there no more; the other one is."""
    def create(name, label):
        harness.run(["podman", "create", "--name", name, "--label", label, podman.image, "true"], env=podman.env()).ok()
    kept = [f"berth-1-batch-0-{os.getpid()}", "berth-3-batch-0-999999998"]
    create("berth-2-batch-0-999999999", podman.place)
    create(kept[0], podman.place)
    create(kept[1], podman.place + "elsewhere")

    def names():
        return sorted(harness.run(["podman", "ps", "--all", "--format={{.Names}}"], env=podman.env()).ok().stdout.split())
    try:
        podman.wait(podman.run("--", "sleep", "2"), "SUCCEEDED")
        harness.until(lambda: names() == kept, "what is owned")
    finally:
        harness.run(["podman", "rm", "--force", *kept], env=podman.env()).ok()


def test_every_word_and_value_reaches_the_command_in_the_container_as_it_is(here):
    seed = int.from_bytes(os.urandom(4), "little")
    draw = random.Random(seed)

    def word():
        return "".join(draw.choices(PIECES, k=draw.randrange(8)))
    words, values = ["\r\n", ":", *(word() for _ in range(40))], ["\nOF_VALUE=1\nV1=1", *(word() for _ in range(20))]
    script = r'printf "%s\0" "$@"; ' + " ".join(rf'printf "%s\0" "$V{i}";' for i in range(len(values))) + "exit $OF_VALUE"
    name = here.run(*(part for i, value in enumerate(values) for part in ("-e", f"V{i}={value}")),
                    "--", "sh", "-c", script, "sh", *words)
    job = here.wait(name, "SUCCEEDED", "FAILED")
    assert job["state"] == "SUCCEEDED", (seed, job, here("logs", "--stderr", name))
    assert (here.job_dir(name) / "stdout").read_bytes().decode().split("\0")[:-1] == words + values, f"seed {seed}"


def test_an_environment_file_of_ones_own_is_inherited(berth, slurm_skybox, short_dir):
    (short_dir / "mine.toml").write_text(f'image = "{slurm_skybox.image}"\nmounts = ["{short_dir}:/mine"]\n'
                                         '[env]\nOWN = "file"\nWINS = "file"\nEMPTY = "file"\n')
    berth = berth.with_env(SLURM_CONF=slurm_skybox.config)
    name = berth.submit("-b", "slurm", "--launcher=skybox", "--edf", short_dir / "mine.toml", "-e", "WINS=$user", "-e", "EMPTY=",
                        "--", "sh", "-c", "echo $OWN $WINS ${EMPTY-unset}; ls /mine")
    berth.wait(name, "SUCCEEDED")
    assert berth("logs", name).ok().stdout == "file $user\nmine.toml\n"


@pytest.mark.parametrize("options, said", [
    (["--image", "ubuntu:24.04"], "--launcher"), (["--launcher", "podman"], "--image"),
    (["--image", "x", "--launcher", "warp"], "warp"), (["--image", "-x", "--launcher", "podman"], "dash"),
    (["--image", "a\nb", "--launcher", "podman"], "line break"), (["--image", "x", "--launcher", "none"], "none"),
    (["--image", "x", "--launcher", "podman", "--edf", "y"], "--edf")])
def test_what_cannot_be_started_is_refused(berth, options, said):
    result = berth("run", "-b", "slurm", *options, "--", "true", env={"SLURM_CONF": "/nonexistent"})
    assert result.status == INVALID and said in result.stderr and len(result.stderr.splitlines()) == 1


def test_this_machine_takes_no_launcher(berth):
    assert berth("run", "--launcher", "podman", "--", "true").status == UNSUPPORTED
