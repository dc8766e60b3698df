# SPDX-License-Identifier: MIT
"""The Debian packages: made by ci/package, installed, used and removed in a clean Debian of this machine's release.

The clean tree is a chroot. Where bubblewrap does not work in one, a job of the local backend runs without a sandbox, and
berth says so: what is shown here is that the installed programs find each other.
"""

import filecmp
import hashlib
import os
import pathlib
import re
import shutil

import pytest

import harness

SETTINGS = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")


def release() -> dict:
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def mirror() -> str:
    """The mirror that this machine's own sources name, in either of apt's formats."""
    files = [pathlib.Path(SETTINGS[0]), *sorted(pathlib.Path(SETTINGS[1]).glob("*"))]
    for file in files:
        text = "" if not file.is_file() else re.sub(r"^ *#.*$", "", file.read_text(), flags=re.M)
        for found in re.findall(r"(?:https?|file):/\S*debian/?(?=\s|$)", text):
            return found
    pytest.skip("no Debian mirror in apt's sources")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> pathlib.Path:
    """The sources in another place, at another depth."""
    sources = tmp_path_factory.mktemp("some") / "where" / "else"
    ignored = shutil.ignore_patterns("build*", ".git", ".sysroot", "__pycache__")
    shutil.copytree(harness.TOP, sources, ignore=lambda folder, names:
                    ignored(folder, names) if folder == str(harness.TOP) else set())
    return sources


def package(sources) -> list:
    """What ci/package makes of them, the paths of the packages."""
    epoch = harness.run(["git", "-C", harness.TOP, "log", "-1", "--format=%ct"]).ok().stdout.strip()
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "BERTH_SYSROOT": str(harness.TOP / ".sysroot")}
    result = harness.run([sources / "ci/package"], env=env, timeout=600)
    return [pathlib.Path(line) for line in result.ok().stdout.split()]


@pytest.fixture(scope="module")
def debs(elsewhere) -> list:
    return package(elsewhere)


@pytest.fixture(scope="module")
def clean(debs, tmp_path_factory):
    """clean(COMMAND...) runs in a fresh Debian with both packages beside it and nothing of ours in it."""
    if not harness.IS_ROOT:
        pytest.skip("a chroot needs root")
    if not shutil.which("mmdebstrap"):
        pytest.skip("no mmdebstrap: apt-get install mmdebstrap")
    tree = tmp_path_factory.mktemp("clean") / "tree"
    # apt's lists stay, for the dependencies; no manual page is left out, as it would be in a small image.
    made = harness.run(["mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt", "--include=man-db",
                        release()["VERSION_CODENAME"], tree, mirror()], timeout=400)
    made.ok()
    for deb in debs:
        shutil.copy(deb, tree)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    # bubblewrap wants a root that is a mount.
    enter = (f'mount --bind "{tree}" "{tree}" && mount -t proc proc "{tree}/proc" && '
             f'mount --rbind /dev "{tree}/dev" && exec chroot "{tree}" "$@"')

    def run(*command, timeout=120):
        return harness.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "sh", *command],
                           env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                                "DEBIAN_FRONTEND": "noninteractive"}, timeout=timeout)
    run.tree = tree
    return run


def files(tree: pathlib.Path) -> set:
    """All that a removal could leave, without what apt and dpkg write about themselves."""
    mine = ("var/lib/dpkg", "var/lib/apt", "var/log", "var/cache", "proc", "dev", "sys", "tmp", "run", "root")
    found = set()
    for folder, folders, names in os.walk(tree):
        folder = pathlib.Path(folder).relative_to(tree)
        folders[:] = [name for name in folders if str(folder / name) not in mine]
        found |= {str(folder / name) for name in [*names, *folders]}
    return found


@pytest.fixture(scope="module")
def installed(clean):
    """The same with the dependencies, and after that with the packages, installed; clean.before is what was there."""
    names = [f"/{path.name}" for path in clean.tree.glob("*.deb")]
    plan = clean("apt-get", "install", "-y", "-q", "--no-install-recommends", "-s", *names).ok().stdout
    needs = re.findall(r"^Inst (\S+)", plan, re.M)
    assert {"berth", "berth-tunnel"} <= set(needs)
    clean("apt-get", "install", "-y", "-q", "--no-install-recommends", "bubblewrap", "bash-completion",
          *(set(needs) - {"berth", "berth-tunnel"}), timeout=300).ok()
    clean.before = files(clean.tree)
    clean("apt-get", "install", "-y", "-q", "--no-install-recommends", *names, timeout=300).ok()
    return clean


def test_a_build_in_another_place_gives_the_same_image(build_dir, elsewhere, debs):
    """It is later as well, and has another prefix."""
    image = build_dir / "squashfs" / "berth.sqsh"
    if not image.exists():
        pytest.skip("this build makes no image (only gcc without sanitizers makes static programs)")
    assert filecmp.cmp(image, elsewhere / "build-package" / "squashfs" / "berth.sqsh", shallow=False)


def test_no_program_says_where_it_was_compiled(build_dir):
    """Not even to a debugger. ccache gives one tree what another has compiled, which hides it from a comparison."""
    for name in "init/berth-init", "tunnel/berth-tunnel", "controller/berth":
        content = (build_dir / name).read_bytes()
        assert re.search(rb"[\0 ]controller/\w+/\w+\.c\0|[\0 ](init|tunnel)/\w+\.c\0", content), f"{name} names no source"
        assert not re.search(rb"/[^\0\n]*/(?:init|tunnel|controller)/[\w/]+\.[ch]\0", content), name
        assert str(build_dir).encode() not in content, name


def test_the_same_tree_gives_the_same_bytes(elsewhere, debs):
    assert sorted(path.name.split("_")[0] for path in debs) == ["berth", "berth-tunnel"]
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in debs}
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in package(elsewhere)} == before


def test_the_programs_start(installed):
    version = installed("berth", "--version").ok().stdout
    assert re.fullmatch(r"berth \d+\.\d+\.\d+\n", version)
    assert version.split()[1] in installed("berth-tunnel", "--version").ok().stdout
    assert version.split()[1] in installed("/usr/libexec/berth/berth-init", "--version").ok().stdout
    installed("berth-tunnel", "relay", "key", "/tmp/key.json").ok()
    assert (installed.tree / "tmp/key.json").stat().st_mode & 0o777 == 0o600


def test_the_relay_has_its_unit(installed):
    unit = (installed.tree / "usr/lib/systemd/system/berth-relay.service").read_text()
    (program,) = re.findall(r"^ExecStart=(\S+) relay ", unit, re.M)
    assert os.access(installed.tree / program[1:], os.X_OK)
    (user,) = re.findall(r"^User=(\S+)$", unit, re.M)
    assert f"u {user} " in (installed.tree / "usr/lib/sysusers.d/berth-relay.conf").read_text()


def test_every_manual_can_be_read(installed):
    pages = {path.name.removesuffix(".scd") for folder in ("init", "tunnel", "controller")
             for path in (harness.TOP / folder).glob("*.scd")}
    assert len(pages) >= 7
    for page in sorted(pages):
        name, section = page.rsplit(".", 1)
        text = installed("man", "-P", "cat", section, name).ok().stdout
        assert text.lower().startswith(f"{name}({section}") and "SEE ALSO" in text, page


def test_bash_completes_it_unasked(installed):
    """The shell loads the completion by itself at the first Tab."""
    press = ("source /usr/share/bash-completion/bash_completion; _completion_loader berth; "
             "COMP_WORDS=(berth logs --std) COMP_CWORD=2; _berth; echo \"${COMPREPLY[@]}\"")
    assert installed("bash", "-c", press).ok().stdout == "--stderr\n"
    assert (installed.tree / "usr/share/zsh/vendor-completions/_berth").read_text().startswith("#compdef berth\n")
    assert "complete -c berth" in (installed.tree / "usr/share/fish/vendor_completions.d/berth.fish").read_text()


def test_a_job_runs_on_the_installed_programs(installed):
    # One process namespace for the job and for who asks.
    result = installed("sh", "-c", "berth run --quiet one -- sh -c 'echo from the job; exit 7'; "
                       "berth wait job-1; echo \"status $?\"; berth logs job-1; berth gc")
    assert "status 7" in result.stdout and "from the job" in result.stdout, result


def test_removal_leaves_nothing(installed):
    installed("apt-get", "purge", "-y", "-q", "berth", "berth-tunnel", timeout=300).ok()
    assert files(installed.tree) == installed.before
    assert installed("sh", "-c", "command -v berth").status != 0
