# SPDX-License-Identifier: MIT
"""ci/image: the image with berth's programs, made without an engine, and used by engines and a registry."""

import filecmp
import hashlib
import json
import os
import pathlib
import shutil

import pytest

import harness
import registry as registries
from engine_user import here  # noqa: F401


def make(build_dir, path: pathlib.Path, *more) -> str:
    return harness.run([harness.TOP / "ci" / "image", path, *more], env={**os.environ, "BERTH_BUILD": str(build_dir)},
                       timeout=120).ok().stdout


@pytest.fixture(scope="module")
def image(build_dir, session_dir) -> pathlib.Path:
    if not (build_dir / "squashfs" / "berth.sqsh").exists():
        pytest.skip("this build makes no squashfs (only gcc without sanitizers makes static programs)")
    make(build_dir, session_dir / "oci-image")
    return session_dir / "oci-image"


def blob(image, description) -> bytes:
    content = (image / "oci" / "blobs" / "sha256" / description["digest"][7:]).read_bytes()
    assert len(content) == description["size"] and hashlib.sha256(content).hexdigest() == description["digest"][7:]
    return content


def test_the_layout_holds_together_and_is_the_same_each_time(build_dir, image, short_dir):
    index = json.loads((image / "oci" / "index.json").read_text())
    manifest = json.loads(blob(image, index["manifests"][0]))
    config = json.loads(blob(image, manifest["config"]))
    layer, = manifest["layers"]
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(blob(image, layer)).hexdigest()]
    assert json.loads((image / "oci" / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    make(build_dir, short_dir)
    for name in "berth-oci.tar", "berth-docker.tar", "oci/index.json":
        assert filecmp.cmp(image / name, short_dir / name, shallow=False), name
    other = short_dir / "both"
    said = make(build_dir, other, f"arm64={build_dir}/squashfs/berth.sqsh")
    top = json.loads((other / "oci" / "index.json").read_text())["manifests"][0]
    listed = json.loads(blob(other, top))["manifests"]
    assert {one["platform"]["architecture"] for one in listed} >= {"arm64"} and top["digest"] in said


def test_an_engine_loads_it_and_its_files_are_those_of_a_job(here, image):
    tag = here.engine.call("load", "--input", image / "berth-docker.tar", timeout=120).ok().stdout.split()[-1]
    try:
        shown = json.loads(here.engine.call("image", "inspect", tag).ok().stdout)[0]
        assert shown["Architecture"] in ("amd64", "arm64")
        name = f"from-image-{here.engine.name}"
        # It is an image like any other: berth-init runs from it, and a job can be of it.
        said = here.engine.call("run", "--rm", f"--name={name}", "--network=host", "--pull=never", "--entrypoint=/berth-init",
                                tag, "--no-tunnel", "--", "/bin/sh", "-c", "echo /*; exit 3", timeout=120)
        assert said.status == 3 and {"/berth-init", "/berth-tunnel", "/busybox"} <= set(said.stdout.split()), f"{said}"
    finally:
        here.engine.call("rmi", "--force", tag)


def test_a_registry_takes_it_and_podman_mounts_it(podman_service, image, short_dir):
    """As image volumes do: podman mounts the image itself at /berth."""
    if not shutil.which("skopeo"):
        pytest.skip("no skopeo: apt-get install skopeo")
    try:
        with registries.Real(short_dir) as registry:
            where = f"{registry.host}/tools/berth:test"
            harness.run(["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci-archive:{image}/berth-oci.tar",
                         f"docker://{where}"], timeout=120).ok()
            podman_service.call("pull", "--tls-verify=false", where, timeout=120).ok()
            said = podman_service.call("run", "--rm", "--network=host", "--pull=never", f"--mount=type=image,source={where},"
                                    "destination=/berth", podman_service.image("scratch"), "/berth/berth-init", "--version",
                                    timeout=120)
            podman_service.call("rmi", "--force", where)
            assert said.ok().stdout.startswith("berth-init "), f"{said}"
    except registries.Unavailable as reason:
        pytest.skip(str(reason))
