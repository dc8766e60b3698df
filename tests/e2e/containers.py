# SPDX-License-Identifier: MIT
"""Containers that Slurm's jobs run in, made of what the machine has: a root directory of busybox, podman with that as an
image, and oci.conf, by which Slurm starts OCI bundles
with crun or runc."""

import os
import pathlib
import shutil

import harness

# As in Slurm's guide to containers, for a runtime that needs no daemon; and exec, so that no shell is between Slurm's signals
# and the runtime.
OCI = """\
RunTimeQuery="{runtime} --root={dir} state %n.%u.%j.%s.%t"
RunTimeKill="{runtime} --root={dir} kill -a %n.%u.%j.%s.%t"
RunTimeDelete="{runtime} --root={dir} delete --force %n.%u.%j.%s.%t"
RunTimeRun="exec {runtime} --root={dir} run --bundle %b %n.%u.%j.%s.%t"
"""


class Unavailable(Exception):
    """Why there are no such containers on this machine."""


def find(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise Unavailable(f"no {', '.join(missing)}: apt-get install {' '.join(missing)}")


def runtime() -> str:
    """crun does not take a machine with both versions of control groups; runc does."""
    name = "runc" if pathlib.Path("/sys/fs/cgroup/unified").exists() else "crun"
    find(name)
    return name


def root(dir: pathlib.Path) -> pathlib.Path:
    """A root directory with busybox, and what tells it from the machine's own."""
    find("busybox")
    for name in "bin", "dev", "etc", "proc", "sys", "tmp", "root":
        (dir / name).mkdir(parents=True, exist_ok=True)
    busybox = pathlib.Path(shutil.which("busybox")).resolve()
    shutil.copy(busybox, dir / "bin" / "busybox")
    for applet in harness.run([busybox, "--list"]).ok().stdout.split():
        if applet != "busybox":
            (dir / "bin" / applet).symlink_to("busybox")
    (dir / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (dir / "etc" / "resolv.conf").touch()
    (dir / "etc" / "inside").write_text("yes\n")
    return dir


class Podman:
    """The image `name` in a store of its own, which programs find by their environment (env)."""

    def __init__(self, dir: pathlib.Path):
        find("podman", "tar")
        self.dir = dir
        self.name = "localhost/berth-busybox:1"
        dir.mkdir()
        (dir / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{dir}/store"\nrunroot = "{dir}/run"\n')
        (dir / "containers.conf").write_text(f'[engine]\nruntime = "{runtime()}"\ncgroup_manager = "cgroupfs"\n'
                                             'events_logger = "file"\n[containers]\nlog_driver = "k8s-file"\n'
                                             'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        self.env = {"CONTAINERS_STORAGE_CONF": str(dir / "storage.conf"), "CONTAINERS_CONF": str(dir / "containers.conf")}
        tree = root(dir / "root")
        harness.run(["tar", "-C", tree, "-cf", dir / "image.tar", "."]).ok()
        harness.run(["podman", "import", "--change", "ENV=OF_IMAGE=image", "--change", "ENV=WINS=image",
                     dir / "image.tar", self.name], env={**os.environ, **self.env}, timeout=60).ok()

    def left(self) -> str:
        """Containers that nobody removed."""
        return harness.run(["podman", "ps", "--all", "--format={{.Status}} {{.Command}}"], env={**os.environ, **self.env}).ok().stdout


class Oci:
    """oci.conf beside slurm.conf, which slurmstepd reads for each container; and a root directory for such."""

    def __init__(self, config: pathlib.Path, dir: pathlib.Path):
        program = runtime()
        dir.mkdir()
        self.state, self.root = dir / "state", root(dir / "root")
        (config.parent / "oci.conf").write_text(OCI.format(dir=self.state, runtime=shutil.which(program)))

    def left(self) -> str:
        """Containers that nobody removed."""
        return " ".join(path.name for path in self.state.iterdir()) if self.state.exists() else ""
