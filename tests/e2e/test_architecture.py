# SPDX-License-Identifier: MIT
"""What the nodes of a cluster are: the programs that jobs there get, and the images that are let go there. With a FirecREST
server, a real Slurm, a stand-in of a registry, and Debian's docker-registry."""

import json
import os
import pathlib
import platform
import shutil

import pytest

import registry
from firecrest_site import CONFIG, server, site  # noqa: F401
from ports import free_ports

NOT_FOUND, UNSUPPORTED, INVALID, UNAVAILABLE = 66, 69, 64, 69
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OTHER = "arm64" if HERE == "amd64" else "amd64"
MACHINES = {"amd64": 0x3E, "arm64": 0xB7}  # elf(5)
RUN = {"Entrypoint": ["/bin/echo", "from", "its entrypoint"], "Cmd": ["its", "own command"], "WorkingDir": "/usr"}

# Starts the command as apptainer-tree has it, without a container: berth's programs are where --bind says.
APPTAINER = "#!/bin/sh" + """
shift
while [ "${1#-}" != "$1" ]; do
    case $1:$2 in
    --no-eval:*) shift; continue ;;
    --bind:*:/berth:*) bundle=${2%%:*} ;;
    --pwd:*) cd "$2" ;;
    esac
    shift 2
done
program=$2
shift 2
exec "$bundle/${program#/berth/}" "$@"
"""


@pytest.fixture(scope="module")
def programs(session_dir, build_dir):
    """The programs of this build, and others that say they are for another machine: they can be brought there, not run."""
    path = session_dir / "programs-of-another-machine" / OTHER
    path.mkdir(parents=True)
    for source in (build_dir / "init" / "berth-init", build_dir / "tunnel" / "berth-tunnel"):
        content = bytearray(source.read_bytes())
        content[18:20] = MACHINES[OTHER].to_bytes(2, "little")
        (path / source.name).write_bytes(content)
        (path / source.name).chmod(0o755)
    return path.parent


@pytest.fixture(scope="module")
def both(site, home, programs):  # noqa: F811
    """Two clusters behind one server, with nodes of two kinds as far as they know, and Slurm."""
    path = home.config_dir / "config.yaml"
    more = CONFIG.format(server=site.server, token=home.root / "token").split("clusters:\n")[1]
    path.write_text(path.read_text() + more.replace("  site:", "  other:") + f"    architecture: {OTHER}\n    bundle: {programs}\n")
    return site


@pytest.fixture(scope="module")
def stand():
    with registry.Stand() as stand:
        stand.push("team/both", "1", {arch: registry.config(arch, **RUN) for arch in (HERE, OTHER)})
        stand.push("team/here", "1", {HERE: registry.config(HERE, **RUN)})
        stand.push("team/plain", "1", {HERE: registry.config(HERE)}, as_index=False)
        yield stand


def images_of(site) -> dict:  # noqa: F811
    """digest -> architecture of the programs that are there."""
    images = site.server.scratch / site.server.user / ".berth" / "images"
    kinds = {number: arch for arch, number in MACHINES.items()}
    return {tree.name: kinds[int.from_bytes((tree / "berth-init").read_bytes()[18:20], "little")]
            for tree in images.iterdir() if not tree.name.startswith(".")}


def test_two_clusters_of_different_machines_get_their_own_programs(both):
    assert set(images_of(both).values()) == {HERE}
    name = both.submit("--cluster", "other", "--", "true")
    there = images_of(both)
    assert sorted(there.values()) == sorted([HERE, OTHER]) and len(there) == 2
    link = both.server.scratch / both.server.user / ".berth" / "jobs" / both.job(name)["uid"] / "bundle"
    assert there[pathlib.Path(os.readlink(link)).name] == OTHER
    # Both are there now: neither is brought, nor looked at, again.
    for cluster in ("site", "other", "site"):
        with both.server.counting() as made:
            both.submit("--cluster", cluster, "--", "true")
        assert len(made) == 4, made
    assert images_of(both) == there


def test_what_the_nodes_are_is_shown(both):
    def cluster(name):
        return json.loads(both("describe", "cluster", name, "-o", "json").ok().stdout)[0]["architecture"]
    assert (cluster("site"), cluster("other"), cluster("local")) == (HERE, OTHER, HERE)
    # FirecREST does not tell.
    assert f"{HERE}, as this machine is" in both("describe", "cluster", "site").ok().stdout
    assert f"{OTHER}, as configured" in both("describe", "cluster", "other").ok().stdout
    assert OTHER in both("get", "clusters", "-o", "wide").ok().stdout
    found = {each["text"].split(":")[0]: each for each in json.loads(both("doctor", "-o", "json").stdout)
             if each["check"] == "architecture"}
    assert found["site"]["level"] == found["other"]["level"] == "ok" and OTHER in found["other"]["text"]


def test_programs_that_are_not_here_are_asked_for(both, home):
    path = home.config_dir / "config.yaml"
    before = path.read_text()
    try:
        both("config", "remove", "clusters.other.bundle").ok()
        if not (both.program.parents[2] / f"build-{OTHER}").exists():
            with both.server.counting() as made:
                missing = both("run", "--cluster", "other", "--", "true")
            assert missing.status == NOT_FOUND and f"ci/build --arch {OTHER}" in missing.stderr, missing
            assert not made
        both("config", "set", "clusters.other.bundle", both.program.parents[1] / "init").ok()
        assert both("run", "--cluster", "other", "--", "true").status == NOT_FOUND
        wrong = both("config", "set", "clusters.other.architecture", "vax")
        assert wrong.status == INVALID and "arm64" in wrong.stderr
        both("config", "set", "clusters.other.architecture", {"amd64": "x86_64", "arm64": "aarch64"}[OTHER]).ok()
    finally:
        path.write_text(before)


def test_slurm_is_asked_what_its_nodes_are(both, slurm):
    at = both.with_env(**slurm.env({}))
    assert f"{HERE}, as the cluster says" in at("describe", "cluster", "slurm").ok().stdout
    # It is known from then on.
    assert f"{HERE}, as the cluster says" in both("describe", "cluster", "slurm").ok().stdout


def test_an_image_for_other_machines_is_refused_before_anything_is_made(both, stand):
    jobs = len(json.loads(both("get", "jobs", "-o", "json").ok().stdout))
    for image in (f"{stand.host}/team/here:1", f"docker://{stand.host}/team/plain:1"):
        with both.server.counting() as made:
            result = both("run", "--cluster", "other", "--launcher", "edf", "--image", image, "--", "true")
        assert result.status == UNSUPPORTED and f"no linux/{OTHER} of it: it is for linux/{HERE}" in result.stderr, result
        assert not made
    assert len(json.loads(both("get", "jobs", "-o", "json").ok().stdout)) == jobs


def test_an_image_is_asked_for_once_and_costs_the_server_nothing(both, stand):
    def run(image):
        before = len(stand.seen)
        with both.server.counting() as made:
            result = both("run", "-v", "--cluster", "other", "--launcher", "edf", "--image", image, "--", "true").ok()
        assert len(made) == 4 and "firecrest: 4 requests" in result.stderr, result
        return result, stand.seen[before:]
    both("run", "--cluster", "other", "--", "true").ok()
    image = f"{stand.host}/team/both:1"
    first, seen = run(image)
    assert f"image {image}: {len(seen) + 1} requests to its registry" in first.stderr and len(seen) >= 3  # and one with TLS
    again, seen = run(image)
    assert not seen and "registry" not in again.stderr


def test_a_registry_that_does_not_answer_is_warned_of_once(both):
    image = f"127.0.0.1:{free_ports(1)[0]}/team/tool:1"
    options = ["--cluster", "other", "--launcher", "edf", "--image", image]
    first, second = both("run", *options, "--", "true").ok(), both("run", *options, "--", "true").ok()
    assert f"whether it is for {OTHER} is not known" in first.stderr and image in first.stderr
    assert "is not known" not in second.stderr
    nothing = both("run", *options)
    assert nothing.status == UNAVAILABLE and "put a command after '--'" in nothing.stderr, nothing


def test_a_job_without_a_command_runs_what_its_image_does(both, slurm, stand, short_dir):
    shim = short_dir / "apptainer"
    shim.write_text(APPTAINER)
    shim.chmod(0o755)
    at = both.with_env(**slurm.env({}), PATH=f"{short_dir}:{os.environ['PATH']}")
    options = ["-b", "slurm", "--launcher", "apptainer-tree", "--image", f"docker://{stand.host}/team/both:1"]
    own, given = at.submit(*options), at.submit(*options, "--", "sh", "-c", "pwd; echo alone")
    assert at.job(own)["command"] == "/bin/echo from 'its entrypoint' its 'own command'"
    at.wait(own, "SUCCEEDED")
    at.wait(given, "SUCCEEDED")
    assert at("logs", own).ok().stdout == "from its entrypoint its own command\n"
    assert at("logs", given).ok().stdout == "/\nalone\n"
    try:
        at("config", "set", "clusters.slurm.image_entrypoint", "always").ok()
        always = at.submit(*options, "--", "given")
        at.wait(always, "SUCCEEDED")
        assert at("logs", always).ok().stdout == "from its entrypoint given\n"
    finally:
        at("config", "remove", "clusters.slurm.image_entrypoint").ok()
    silent = at("run", "-b", "slurm", "--launcher", "pyxis", "--image", f"{stand.host}/team/plain:1")
    assert silent.status == INVALID and "runs nothing by itself" in silent.stderr
    assert at("run", "-b", "slurm", "--launcher", "oci", "--image", "/").status == INVALID


def test_a_real_registry_tells_what_its_images_are_for(both, short_dir):
    if not shutil.which("docker-registry"):
        pytest.skip("no docker-registry: apt-get install docker-registry")
    with registry.Real(short_dir) as real:
        digest = real.push("team/tool", "1", {HERE: registry.config(HERE, **RUN)})
        for name in (f"{real.host}/team/tool:1", f"{real.host}/team/tool@{digest}"):
            result = both("run", "--cluster", "other", "--launcher", "edf", "--image", name, "--", "true")
            assert result.status == UNSUPPORTED and f"it is for linux/{HERE}" in result.stderr, result
            both("run", "--cluster", "site", "--launcher", "edf", "--image", name, "--", "true").ok()
    # What a digest names does not change: nobody has to be asked again.
    again = both("run", "--cluster", "other", "--launcher", "edf", "--image", name, "--", "true")
    assert again.status == UNSUPPORTED and f"it is for linux/{HERE}" in again.stderr
