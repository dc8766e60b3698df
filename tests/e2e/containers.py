# SPDX-License-Identifier: MIT
"""Containers that Slurm's jobs run in, made of what the machine has: a root directory of busybox, podman with that as an
image, oci.conf, by which Slurm starts OCI bundles with crun or runc, apptainer, and NVIDIA's pyxis with enroot.

The last two are in no Debian 12 or 13. They are looked for in PATH and, as their own `make install prefix=DIR` puts
them, in $BERTH_CONTAINERS: bin/apptainer, bin/enroot, lib/slurm/spank_pyxis.so."""

import os
import pathlib
import shutil

import harness
import slurm

# Where programs and plugins that are not Debian's were installed.
PREFIX = pathlib.Path(os.environ.get("BERTH_CONTAINERS", "/usr/local"))
PATH = f"{PREFIX}/bin:{os.environ['PATH']}"

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
    missing = [program for program in programs if not shutil.which(program, path=PATH)]
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


class Apptainer:
    """An image with variables of its own, which is started as by somebody who is not root: in a user namespace. It is one
    file, which needs a process that mounts it, or a directory."""

    def __init__(self, dir: pathlib.Path, options=()):
        if not shutil.which("apptainer", path=PATH):
            raise Unavailable("no apptainer in PATH or in $BERTH_CONTAINERS/bin: see ci/slurm-containers")
        find("mksquashfs")
        dir.mkdir()
        self.env = {"PATH": PATH, "APPTAINER_USERNS": "1", "APPTAINER_CACHEDIR": str(dir / "cache")}
        self.image = dir / "image.sif"
        (dir / "definition").write_text(f"Bootstrap: localimage\nFrom: {root(dir / 'root')}\n"
                                        "%environment\nexport OF_IMAGE=image WINS=image\n")
        harness.run(["apptainer", "build", *options, self.image, dir / "definition"], env={**os.environ, **self.env}).ok()

    def left(self) -> str:
        """Their processes end with the last one in them: there is nothing else."""
        return ""


# Whatever the site's own enroot.conf says, nothing of it is touched.
ENROOT = ("#!/bin/sh\nexport ENROOT_DATA_PATH={dir}/data ENROOT_CACHE_PATH={dir}/cache ENROOT_RUNTIME_PATH={dir}/runtime\n"
          'exec {enroot} "$@"\n')


class Pyxis(slurm.Slurm):
    """A Slurm of its own, whose srun takes --container-image: plugstack.conf beside slurm.conf names the plugin."""

    def __init__(self, dir: pathlib.Path):
        plugins = [PREFIX / "lib/slurm", *pathlib.Path("/usr/lib").glob("*/slurm*")]
        self.plugin = next((path / "spank_pyxis.so" for path in plugins if (path / "spank_pyxis.so").exists()), None)
        enroot = shutil.which("enroot", path=PATH)
        if not enroot or not self.plugin:
            raise Unavailable("no enroot in PATH or no spank_pyxis.so for Slurm in $BERTH_CONTAINERS: see ci/README.md")
        find("mksquashfs", "unsquashfs")
        dir.mkdir(mode=0o755)
        super().__init__(dir)
        for name in "bin", "pyxis":
            (dir / name).mkdir()
        (dir / "bin/enroot").write_text(ENROOT.format(dir=dir / "enroot", enroot=enroot))
        (dir / "bin/enroot").chmod(0o755)
        (dir / "plugstack.conf").write_text(f"required {self.plugin} runtime_path={dir}/pyxis\n")
        tree = root(dir / "root")
        (tree / "etc/environment").write_text("OF_IMAGE=image\nWINS=image\n")
        self.image = dir / "image.sqsh"
        harness.run(["mksquashfs", tree, self.image, "-quiet", "-no-progress"]).ok()

    def env(self, base=None) -> dict:
        return {**super().env(base), "PATH": f"{self.dir}/bin:{PATH}"}

    def left(self) -> str:
        """Root directories that nobody removed."""
        data = self.dir / "enroot/data"
        return " ".join(path.name for path in data.iterdir()) if data.exists() else ""


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
