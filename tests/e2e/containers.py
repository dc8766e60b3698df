# SPDX-License-Identifier: MIT
"""Containers that Slurm's jobs run in, made of what the machine has: a root directory of busybox, podman with that as an
image, oci.conf, by which Slurm starts OCI bundles with crun or runc, apptainer, NVIDIA's pyxis with enroot, and skybox of
the Sarus suite, which reads EDF.

The last three are in no Debian 12 or 13. They are looked for in PATH and, as `make install prefix=DIR` puts them, in
$BERTH_CONTAINERS: bin/apptainer, bin/enroot, lib/slurm/spank_pyxis.so, lib/slurm/libskybox.so."""

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


def bare_root(dir: pathlib.Path) -> pathlib.Path:
    """One program, /bin/sleep, and no shell: busybox under the name of one of its applets is that."""
    find("busybox")
    for name in "bin", "dev", "etc", "proc", "sys", "tmp":
        (dir / name).mkdir(parents=True, exist_ok=True)
    (dir / "tmp").chmod(0o1777)
    shutil.copy(shutil.which("busybox"), dir / "bin" / "sleep")
    return dir


def bundle_root(build: pathlib.Path, dir: pathlib.Path) -> pathlib.Path:
    """What ci/image makes: berth's programs in /berth, beside what a runtime wants."""
    for name in "berth", "dev", "etc", "proc", "sys", "tmp":
        (dir / name).mkdir(parents=True, exist_ok=True)
    for path in "init/berth-init", "tunnel/berth-tunnel", "squashfs/busybox", "squashfs/applets":
        shutil.copy(build / path, dir / "berth")
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


def find_plugin(name: str) -> pathlib.Path:
    """A plugin of Slurm's that is not Debian's, for Slurm's own release."""
    for path in PREFIX / "lib/slurm", *pathlib.Path("/usr/lib").glob("*/slurm*"):
        if (path / name).exists():
            return path / name
    raise Unavailable(f"no {name} for Slurm in $BERTH_CONTAINERS/lib/slurm: see ci/README.md")


class Plugged(slurm.Slurm):
    """A Slurm of its own with a plugin, which plugstack.conf beside slurm.conf names; bin/ is in front in PATH."""

    def __init__(self, dir: pathlib.Path, plugin: str):
        dir.mkdir(mode=0o755)
        super().__init__(dir)
        (dir / "bin").mkdir()
        (dir / "plugstack.conf").write_text(f"required {plugin}\n")

    def env(self, base=None) -> dict:
        return {**super().env(base), "PATH": f"{self.dir}/bin:{PATH}"}

    def add_program(self, name: str, text: str) -> None:
        path = self.dir / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


class Pyxis(Plugged):
    """srun takes --container-image."""

    def __init__(self, dir: pathlib.Path):
        plugin = find_plugin("spank_pyxis.so")
        enroot = shutil.which("enroot", path=PATH)
        if not enroot:
            raise Unavailable("no enroot in PATH or in $BERTH_CONTAINERS/bin: see ci/README.md")
        find("mksquashfs", "unsquashfs")
        super().__init__(dir, f"{plugin} runtime_path={dir}/pyxis")
        (dir / "pyxis").mkdir()
        self.add_program("enroot", ENROOT.format(dir=dir / "enroot", enroot=enroot))
        tree = root(dir / "root")
        (tree / "etc/environment").write_text("OF_IMAGE=image\nWINS=image\n")
        self.image = dir / "image.sqsh"
        harness.run(["mksquashfs", tree, self.image, "-quiet", "-no-progress"]).ok()

    def left(self) -> str:
        """Root directories that nobody removed."""
        data = self.dir / "enroot/data"
        return " ".join(path.name for path in data.iterdir()) if data.exists() else ""


# What a site says in podman's module, which Debian 12's podman does not have yet; and the store of images is podman's own,
# instead of one that nodes share.
SKYBOX_PODMAN = "#!/bin/sh\n" + """\
export CONTAINERS_STORAGE_CONF={dir}/storage.conf CONTAINERS_CONF={dir}/containers.conf
for word; do
	shift
	case $skip$word in
	skip*) skip= ;;
	--root | --runroot | --module | --storage-opt) skip=skip ;;
	run) set -- "$@" run --pid=host --network=host --uidmap=0:0:65536 --gidmap=0:0:65536 ;;
	*) set -- "$@" "$word" ;;
	esac
done
exec podman "$@"
"""
SKYBOX = """\
edf_system_search_path = "{dir}"
parallax_imagestore = "{dir}/images"
parallax_mount_program = "/bin/true"
parallax_path = "/bin/true"
podman_module = "hpc"
podman_path = "{dir}/bin/skybox-podman"
podman_tmp_path = "{dir}/podman-tmp"
skybox_enabled = true
tracking_enabled = false
tracking_tool = ""
"""


class Skybox(Plugged):
    """srun takes --edf, and podman starts the container."""

    def __init__(self, dir: pathlib.Path):
        plugin = find_plugin("libskybox.so")
        find("podman")
        super().__init__(dir, f"{plugin} config_path={dir}/skybox")
        self.podman = Podman(dir / "podman")
        self.image, self.left = self.podman.name, self.podman.left
        for name in "images", "podman-tmp", "skybox":
            (dir / name).mkdir()
        (dir / "skybox/10.conf").write_text(SKYBOX.format(dir=dir))
        self.add_program("skybox-podman", SKYBOX_PODMAN.replace("{dir}", str(dir / "podman")))


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
