# SPDX-License-Identifier: MIT
"""A real dockerd of our own, from Debian's packages, and images that are made of what the machine has.

Everything it has is its own: data, sockets, containerd, a mount namespace with a /run of its own, a PID namespace in
which all of it ends. It changes nothing of the machine's network: a container has either none or the machine's.

    docker = Docker(dir).start()                                an empty directory; Unavailable says why not
    docker.run("busybox", "sh", "-c", "exit 3").status          with berth-init as the entry point: 3
    with docker.start_container("glibc", "sleep", "60", user="12345:12345", read_only=True) as container:
        container.call("stop").ok()
        assert container.wait() == 143
    with docker.serve(tunnel, "musl", "sleep", "60"):           a tunnelrun.Tunnel whose job is in a container
        tunnel.ssh("job-7", "true").ok()

Images (Docker.image makes one when it is first asked for; /berth, read-only, is bound into each container):
    glibc    Debian: bash, coreutils, python3, procps ... out of the packages that are installed here
    tools    the same, and the other sides of what people use over ssh: git, rsync, scp, tmux
    musl     musl's libc, which runs /bin/probe; a shell and its tools from busybox, and no glibc
    busybox  busybox and nothing else
    scratch  /probe, which is static, and nothing else
/bin/probe is probe.c, built with musl. None has a passwd entry for anybody but root, if any.
"""

import contextlib
import functools
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile

import pytest

import harness
import initrun
import processes
import slurm

PROGRAMS = ("dockerd", "docker", "containerd", "runc", "tini", "unshare", "setpriv")
PACKAGES = ("docker.io", "docker-cli", "tini", "util-linux")

# dockerd writes below /run, and some versions a key into /etc/docker, wherever they are told to have their files.
OWN_PLACES = "mount -t tmpfs -o mode=755 none /run && mount -t tmpfs -o mode=755 none /etc/docker && exec \"$@\""
ETC_DOCKER = pathlib.Path("/etc/docker")

# What a person expects of an image of Debian, and what VS Code, git, rsync and ansible call.
GLIBC_PACKAGES = ("base-files", "bash", "coreutils", "dash", "findutils", "grep", "gzip", "hostname", "procps",
                  "python3", "sed", "tar", "util-linux")
TOOLS_PACKAGES = ("libc-bin", "libpcre2-8-0", "ncurses-base", "rsync", "tmux", "zlib1g")
# As files, because all that their packages depend on is many times larger.
TOOLS_FILES = ("/usr/bin/git", "/usr/bin/git-receive-pack", "/usr/bin/git-upload-pack", "/usr/bin/scp")
LEFT_OUT = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian")

BERTH = "/berth"


class Unavailable(Exception):
    """Why there is no Docker on this machine, or not this image."""


def installed_files(*packages: str) -> list:
    """What dpkg has put onto this machine for these packages."""
    listed = harness.run(["dpkg-query", "--listfiles", *packages]).ok().stdout.splitlines()
    return [path for path in listed if path.startswith("/") and not path.startswith(LEFT_OUT)]


def with_dependencies(names) -> list:
    """The packages and what they depend on, as far as it is installed."""
    query = ["dpkg-query", "--show", "--showformat=${Package}\t${Pre-Depends}, ${Depends}\n"]
    table = dict(line.split("\t", 1) for line in harness.run(query).ok().stdout.splitlines() if "\t" in line)
    found = [name for name in names if name in table]
    for name in found:
        for word in re.split(r"[,|]", table[name]):
            other = re.split(r"[\s:(]", word.strip(), maxsplit=1)[0]
            if other in table and other not in found:
                found.append(other)
    return found


def make_probe(dir: pathlib.Path, *options: str) -> pathlib.Path:
    """probe.c built with musl: dynamic, or with "-static" for where there is no libc."""
    compiler = shutil.which("musl-gcc")
    if not compiler:
        raise Unavailable("no musl-gcc: apt-get install musl-tools")
    path = dir / f"probe{''.join(options)}"
    if not path.exists():
        harness.run([compiler, "-std=gnu17", "-Os", "-Wall", "-Wextra", "-Werror", *options, "-o", path,
                     pathlib.Path(__file__).parent / "probe.c"]).ok()
    return path


class Tree:
    """The files of an image, as the tar archive that `docker import` reads."""

    def __init__(self):
        self.archive = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.archive, mode="w")
        self.names = set()
        self.bin = "bin"
        for name, mode in ("dev", 0o755), ("etc", 0o755), ("proc", 0o755), ("sys", 0o755), ("tmp", 0o1777):
            self.directory(name, mode)

    def _parents(self, name: str) -> None:
        for parent in reversed(pathlib.PurePath(name).parents[:-1]):
            self.directory(str(parent))

    def _add(self, info: tarfile.TarInfo, content: bytes = b"") -> None:
        if info.name not in self.names:
            self._parents(info.name)
            self.names.add(info.name)
            self.tar.addfile(info, io.BytesIO(content) if info.isreg() else None)

    def directory(self, name: str, mode=0o755) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._add(info)

    def link(self, name: str, target: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._add(info)

    def file(self, name: str, content, mode=0o755) -> None:
        """content is bytes, or the path of a file."""
        content = content.read_bytes() if isinstance(content, pathlib.Path) else content
        info = tarfile.TarInfo(name)
        info.mode, info.size = mode, len(content)
        self._add(info, content)

    def machine(self, paths) -> None:
        """Files and links of this machine, at the same places; /bin and its like are links as they are here."""
        for top in ("/bin", "/lib", "/lib64", "/sbin"):
            if os.path.islink(top):
                self.link(top[1:], os.readlink(top))
        self.bin = os.path.realpath("/bin")[1:]
        for path in paths:
            folder, name = os.path.split(path)
            real = os.path.join(os.path.realpath(folder), name)
            if os.path.islink(real):
                self.link(real[1:], os.readlink(real))
            elif os.path.isfile(real):
                self.file(real[1:], pathlib.Path(real), os.stat(real).st_mode & 0o7777)

    def users(self) -> None:
        self.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        self.file("etc/group", b"root:x:0:\n", 0o644)
        self.directory("root", 0o700)

    def close(self) -> bytes:
        self.tar.close()
        return self.archive.getvalue()


class Docker:
    # Words that run it in another network than ours.
    prefix = ()
    # What one of its own kind has otherwise (engine_lab.py).
    namespaces = ("--mount", "--pid")
    network = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
    keeper = OWN_PLACES

    def __init__(self, dir: pathlib.Path):
        self.dir = dir
        self.process = None
        self.images = {}
        self.cgroup = f"berth-{os.getpid()}-{dir.name}"
        self.made_etc = False

    # ---- the daemon

    def argv(self, *argv) -> list:
        """The client's command line."""
        return ["docker", "--host", f"unix://{self.dir}/socket", *map(str, argv)]

    def env(self) -> dict:
        return {**os.environ, "DOCKER_CONFIG": str(self.dir / "client"), "DOCKER_CLI_HINTS": "false"}

    def call(self, *argv, **more) -> harness.Result:
        return harness.run(self.argv(*argv), env=self.env(), **more)

    def start(self) -> "Docker":
        missing = [program for program in PROGRAMS if not slurm.find(program)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install {' '.join(PACKAGES)}")
        if not harness.IS_ROOT:
            raise Unavailable("dockerd runs as root here, and these tests do not")
        try:
            self._spawn()
            harness.until(self._answers, "answer of dockerd", limit=60, interval=0.05)
        except BaseException:
            self.stop()
            raise
        return self

    def _spawn(self) -> None:
        (self.dir / "daemon.json").write_text("{}\n")
        self.made_etc = not ETC_DOCKER.exists()
        ETC_DOCKER.mkdir(exist_ok=True)
        daemon = [slurm.find("dockerd"), f"--config-file={self.dir}/daemon.json", f"--data-root={self.dir}/data",
                  f"--exec-root={self.dir}/exec", f"--pidfile={self.dir}/pid", f"--host=unix://{self.dir}/socket",
                  *self.network, f"--cgroup-parent=/{self.cgroup}", "--exec-opt=native.cgroupdriver=cgroupfs",
                  "--shutdown-timeout=1"]
        with contextlib.suppress(Unavailable):
            daemon.append(f"--init-path={self.bundle}/berth-init")  # of `docker run --init`
        # Should this process be killed, unshare ends, and with it the namespace and everything in it.
        outer = [*self.prefix, "setpriv", "--pdeathsig=KILL", "unshare", *self.namespaces, "--fork", "--kill-child",
                 "--mount-proc", "tini", "--", "sh", "-c", self.keeper, "sh"]
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen([*outer, *daemon], env={**self.env(), "PATH": path},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

    def log(self) -> str:
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            lines = self.log().strip().splitlines()
            raise Unavailable(f"dockerd ended with {self.process.returncode}: {lines[-1] if lines else 'no word'}")
        return self.call("version").status == 0

    def stop(self) -> None:
        if not self.process:
            return
        if self.process.poll() is None:
            # Its first child is the first process of the namespace: when that ends, all ends.
            with contextlib.suppress(OSError, IndexError):
                os.kill(initrun.children(self.process.pid)[0], signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20 * harness.PATIENCE)
        harness.kill_session(self.process)
        self.process = None
        for root in pathlib.Path("/sys/fs/cgroup").glob(f"{self.cgroup}"), \
                pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.cgroup}"):
            for path in root:
                processes.remove_cgroup(path)
        if self.made_etc:
            with contextlib.suppress(OSError):
                ETC_DOCKER.rmdir()

    def host_pid(self, pid: int) -> int:
        """The process number here of a process that dockerd knows by another one; 0 when there is none."""
        for each in initrun.descendants(self.process.pid):
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{each}/status").read_text()
                numbers = re.search(r"^NSpid:(.*)$", status, re.MULTILINE)[1].split()
                if len(numbers) > 1 and int(numbers[1]) == pid:
                    return each
        return 0

    # ---- images

    @functools.cached_property
    def bundle(self) -> pathlib.Path:
        """What a job mounts, unpacked."""
        image = initrun.BUILD / "squashfs" / "berth.sqsh"
        if not image.exists():
            raise Unavailable("this build makes no image (only gcc without sanitizers makes static programs)")
        path = self.dir / "berth"
        harness.run(["unsquashfs", "-quiet", "-no-progress", "-dest", path, image]).ok()
        path.chmod(0o755)
        return path

    def probe(self, *options: str) -> pathlib.Path:
        return make_probe(self.dir, *options)

    def image(self, name: str, *packages: str) -> str:
        """The name to run an image by. Packages are Debian's, installed here, and go into `glibc` besides its own."""
        tag = "-".join((f"berth-{name}", *packages))
        if tag not in self.images:
            tree = Tree()
            MAKERS[name](self, tree, *packages)
            self.call("import", "-", tag, input=tree.close(), timeout=120).ok()
            self.images[tag] = True
        return tag

    def derive(self, tag: str, image: str, *changes: str) -> None:
        """An image like another one, with lines of a Dockerfile: 'CMD ["/probe"]'."""
        id = self.call("create", self.image(image), "none").ok().stdout.strip()
        self.call("commit", *(f"--change={line}" for line in changes), id, tag).ok()
        self.call("rm", id).ok()

    def _make_glibc(self, tree: Tree, *packages: str) -> None:
        tree.machine(installed_files(*with_dependencies([*GLIBC_PACKAGES, *packages])))
        tree.users()
        tree.link(f"{tree.bin}/sh", "dash")
        tree.file(f"{tree.bin}/probe", self.probe("-static"))

    def _make_tools(self, tree: Tree) -> None:
        missing = [path for path in (*TOOLS_FILES, "/usr/bin/rsync", "/usr/bin/tmux") if not os.path.exists(path)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install git openssh-client rsync tmux")
        tree.machine(TOOLS_FILES)
        self._make_glibc(tree, *TOOLS_PACKAGES)

    def _busybox(self, tree: Tree) -> None:
        program = shutil.which("busybox")
        if not program:
            raise Unavailable("no busybox: apt-get install busybox-static")
        tree.file(f"{tree.bin}/busybox", pathlib.Path(program))
        for applet in harness.run([program, "--list"]).ok().stdout.split():
            tree.link(f"{tree.bin}/{applet}", "busybox")

    def _make_busybox(self, tree: Tree) -> None:
        tree.file("bin/probe", self.probe("-static"))
        self._busybox(tree)

    def _make_musl(self, tree: Tree) -> None:
        tree.machine(installed_files("musl"))
        tree.file(f"{tree.bin}/probe", self.probe())
        self._busybox(tree)
        tree.users()

    def _make_scratch(self, tree: Tree) -> None:
        tree.file("probe", self.probe("-static"))

    # ---- containers

    def options(self, *, user=None, read_only=False, pts=True, network="none", memory=None, entrypoint=BERTH,
                init_options=(), mounts=(), env=None, more=()) -> list:
        """Options of `docker run` and `docker create`.

        entrypoint: berth-init with init_options, or what the image is to be run by ("": by nothing). With
        more=["--init"] it is dockerd that has it run by berth-init.
        mounts are --volume's SOURCE:TARGET[:ro]. pts=False: no devpts in it. network is "none" or "host".
        """
        argv = [f"--network={network}", "--pull=never", f"--volume={self.bundle}:{BERTH}:ro"]
        argv += [f"--user={user}"] if user else []
        argv += ["--read-only"] if read_only else []
        argv += [] if pts else ["--mount=type=tmpfs,destination=/dev/pts"]
        argv += [f"--memory={memory}", f"--memory-swap={memory}"] if memory else []
        argv += [f"--volume={mount}" for mount in mounts]
        argv += [f"--env={key}={value}" for key, value in (env or {}).items()]
        if entrypoint == BERTH:
            entrypoint = f"{BERTH}/berth-init"
        return [*argv, f"--entrypoint={entrypoint}", *more]

    def run_argv(self, image: str, *command, **how) -> list:
        """The command line of `docker run --rm`, for a terminal too: more=["-it"]."""
        inner = [*how.get("init_options", ()), "--"] if how.get("entrypoint", BERTH) == BERTH else []
        return self.argv("run", "--rm", *self.options(**how), self.image(image), *inner, *command)

    def run(self, image: str, *command, input=None, timeout=60, **how) -> harness.Result:
        """docker run --rm, to its end."""
        more = [*how.pop("more", ()), *(["--interactive"] if input is not None else [])]
        return harness.run(self.run_argv(image, *command, more=more, **how), env=self.env(), input=input,
                           timeout=timeout)

    def start_container(self, image: str, *command, **how) -> "Container":
        inner = [*how.get("init_options", ()), "--"] if how.get("entrypoint", BERTH) == BERTH else []
        created = self.call("create", *self.options(**how), self.image(image), *inner, *command).ok()
        container = Container(self, created.stdout.strip())
        self.call("start", container.id).ok()
        return container

    @contextlib.contextmanager
    def serve(self, tunnel, image: str, *command, user=None, mounts=(), init_options=(), network="host", **how):
        """Runs the command in a container with the job side of a tunnelrun.Tunnel; gives the Container.

        The tunnel's job directory is /job in there and belongs to the user that it runs as.
        """
        uid, _, gid = (user or "0").partition(":")
        for path in tunnel.job, *tunnel.job.iterdir():
            os.chown(path, int(uid), int(gid or 0))
        with self.start_container(image, *command, user=user, network=network, mounts=[f"{tunnel.job}:/job", *mounts],
                                  init_options=["--dir", "/job", *init_options], **how) as container:
            def listens():
                assert container.state()["Running"], f"the container ended: {container.logs()}"
                return tunnel.endpoint.exists()
            harness.until(listens, "endpoint file")
            yield container


MAKERS = {"glibc": Docker._make_glibc, "tools": Docker._make_tools, "musl": Docker._make_musl,
          "busybox": Docker._make_busybox, "scratch": Docker._make_scratch}


class Container:
    """A container that was started; removed at the end of `with`."""

    def __init__(self, docker: Docker, id: str):
        self.docker, self.id = docker, id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.docker.call("rm", "--force", "--volumes", self.id)

    def call(self, verb: str, *options, **more) -> harness.Result:
        """docker VERB OPTIONS CONTAINER"""
        return self.docker.call(verb, *options, self.id, **more)

    def exec(self, *argv, options=(), **more) -> harness.Result:
        """In a chroot, skips: there pivot_root(2) changes the root of processes and not of their mount namespace, so that
        who enters that comes out on the machine."""
        if self.docker.call("exec", self.id, "test", "-e", f"{BERTH}/berth-init").status == 1:
            pytest.skip("docker exec does not lead into a container: this is a chroot")
        return self.docker.call("exec", *options, self.id, *argv, **more)

    def wait(self, limit=60) -> int:
        """Its exit status."""
        return int(self.call("wait", timeout=limit).ok().stdout)

    def state(self) -> dict:
        return json.loads(self.call("inspect", "--format={{json .State}}").ok().stdout)

    def logs(self) -> str:
        result = self.call("logs").ok()
        return result.stdout + result.stderr

    def expect(self, text: str, limit=30) -> str:
        """Waits until it has printed this; returns all that it has printed."""
        def printed():
            logs = self.logs()
            return logs if text in logs else None
        return harness.until(printed, f"{text!r} from the container", limit, interval=0.05)

    @functools.cached_property
    def pid(self) -> int:
        """The number here of its first process."""
        return self.docker.host_pid(self.state()["Pid"])
