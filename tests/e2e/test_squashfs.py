# SPDX-License-Identifier: MIT
"""berth.sqsh runs from a read-only mount. That it is the same bytes when built elsewhere is in test_package.py."""

import os

import pytest

import harness


@pytest.fixture
def image(build_dir):
    path = build_dir / "squashfs" / "berth.sqsh"
    if not path.exists():
        pytest.skip("this build makes no image (only gcc without sanitizers makes static programs)")
    return path


@pytest.fixture(scope="module")
def programs(build_dir, tmp_path_factory):
    """What is in the image, unpacked."""
    path = build_dir / "squashfs" / "berth.sqsh"
    if not path.exists():
        pytest.skip("this build makes no image (only gcc without sanitizers makes static programs)")
    target = tmp_path_factory.mktemp("image") / "berth"
    harness.run(["unsquashfs", "-no-progress", "-quiet", "-dest", target, path]).ok()
    return target


@pytest.fixture
def mounted(image, short_dir):
    result = harness.run(["mount", "-t", "squashfs", "-o", "loop,ro", image, short_dir])
    if result.status != 0:
        pytest.skip(f"cannot mount a squashfs here: {result.stderr.strip()}")
    yield short_dir
    harness.run(["umount", short_dir]).ok()


def test_the_programs_run_from_the_mounted_image(mounted):
    assert sorted(os.listdir(mounted)) == ["applets", "berth-init", "berth-tunnel", "bin", "busybox", "busybox.licence"]
    assert harness.run([mounted / "berth-init", "--", "sh", "-c", "exit 3"]).status == 3
    assert "berth-tunnel" in harness.run([mounted / "berth-tunnel", "--help"]).ok().stdout


def test_every_applet_of_the_mounted_image_is_a_program(mounted):
    names = (mounted / "applets").read_text().split()
    assert {"sh", "tar", "ps", "["} <= set(names)
    assert sorted(os.listdir(mounted / "bin")) == sorted(names)
    assert harness.run([mounted / "bin" / "sh", "-c", "exit 4"]).status == 4
    assert harness.run([mounted / "bin" / "seq", "3"]).ok().stdout.split() == ["1", "2", "3"]
    assert "GNU GENERAL PUBLIC LICENSE" in (mounted / "busybox.licence").read_text()


FOR_SH = {
    "[[ -z $unset ]] && echo yes": "yes",
    "v=aba; echo ${v//a/b} ${v:1:1}": "bbb b",
    "printf '%s' $'a\\tb'": "a\tb",
    "f() { local x=1; echo $x; }; f; echo $((6 * 7))": "1\n42",
    "ls /nonexistent &>/dev/null || echo quiet": "quiet",
    "echo aGVsbG8= | base64 -d": "hello",
    "tar -cf - applets | tar -tf -": "applets",
    "ps -o pid,args | grep -q PID && echo there": "there",
}
FOR_BASH = {
    "(( 2 > 1 )) && echo yes": "yes",
    "a=(x y); echo ${a[1]}": "y",
    "echo {1..3}": "1 2 3",
    "cat <<< text": "text",
    "exec {fd}<applets && echo $fd": "10",
    "pushd / >/dev/null && echo moved": "moved",
}


def say(programs, script: str, folder) -> harness.Result:
    """A script on the standard input of the bundle's sh, as editors feed theirs, with the bundle's programs only."""
    return harness.run([programs / "bin" / "sh"], input=script, cwd=folder, env={"PATH": f"{programs / 'bin'}"})


@pytest.mark.parametrize("script", FOR_SH)
def test_the_shell_of_the_bundle_runs_what_the_guide_says(programs, short_dir, script):
    (short_dir / "applets").touch()
    assert say(programs, script, short_dir).ok().stdout.strip() == FOR_SH[script]


@pytest.mark.parametrize("script", FOR_BASH)
def test_the_shell_of_the_bundle_is_no_bash_and_not_called_so(programs, short_dir, script):
    (short_dir / "applets").touch()
    assert say(programs, script, short_dir).stdout.strip() != FOR_BASH[script]
    assert not (programs / "bin" / "bash").exists()
