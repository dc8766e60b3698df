# SPDX-License-Identifier: MIT
"""berth.sqsh: runs from a read-only mount, and is the same bytes when it is built somewhere else."""

import filecmp
import os
import shutil

import pytest

import harness


@pytest.fixture
def image(build_dir):
    path = build_dir / "squashfs" / "berth.sqsh"
    if not path.exists():
        pytest.skip("this build makes no image (only gcc without sanitizers makes static programs)")
    return path


@pytest.fixture
def mounted(image, short_dir):
    result = harness.run(["mount", "-t", "squashfs", "-o", "loop,ro", image, short_dir])
    if result.status != 0:
        pytest.skip(f"cannot mount a squashfs here: {result.stderr.strip()}")
    yield short_dir
    harness.run(["umount", short_dir]).ok()


def test_the_programs_run_from_the_mounted_image(mounted):
    assert sorted(os.listdir(mounted)) == ["berth-init", "berth-tunnel"]
    assert harness.run([mounted / "berth-init", "--", "sh", "-c", "exit 3"]).status == 3
    assert "berth-tunnel" in harness.run([mounted / "berth-tunnel", "--help"]).ok().stdout


def test_a_build_in_another_place_gives_the_same_image(image, tmp_path):
    """Sources and build directory lie elsewhere, at another depth, and it is later."""
    sources = tmp_path / "some" / "where" / "else"
    ignored = shutil.ignore_patterns("build*", ".git", ".sysroot", "__pycache__")
    shutil.copytree(harness.TOP, sources, ignore=lambda folder, names:
                    ignored(folder, names) if folder == str(harness.TOP) else set())
    sysroot = harness.TOP / ".sysroot"
    options = [f"-Dsysroot={sysroot.resolve()}"] if sysroot.exists() else ["-Dsysroot=none"]
    build = tmp_path / "out"
    harness.run(["meson", "setup", build, sources, *options], timeout=120).ok()
    harness.run(["ninja", "-C", build, "squashfs/berth.sqsh"], timeout=600).ok()
    assert filecmp.cmp(image, build / "squashfs" / "berth.sqsh", shallow=False)
