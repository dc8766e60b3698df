# SPDX-License-Identifier: MIT
"""Jobs in images that are directories, which bubblewrap makes the root of, as a container would be.

    with running(Kind("empty"), tunnel, bundle, dir):       tunnel is a tunnelrun.Tunnel, bundle the unpacked image
        tunnel.ssh("job-7", "true").ok()
"""

import contextlib
import dataclasses
import os
import shutil
import subprocess

import harness

BARE_DEVICES = ["--tmpfs", "/dev"] + [word for name in ("null", "zero", "urandom", "tty")
                                      for word in ("--dev-bind", f"/dev/{name}", f"/dev/{name}")]


@dataclasses.dataclass
class Kind:
    """An image and how it is entered."""

    name: str
    uid: int = 0
    files: dict = dataclasses.field(default_factory=dict)  # path -> content
    busybox: tuple = ()  # names that the image's own /bin has
    read_only: bool = False  # everything but the job directory
    pts: bool = True

    def __str__(self):
        return self.name


def make_image(root, kind, busybox) -> None:
    for name in ("proc", "dev", "tmp", "bin", "etc", "berth", "job", "work"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name, text in kind.files.items():
        (root / name).write_text(text)
    for name in kind.busybox:
        shutil.copy(busybox, root / "bin" / name)


def command(kind, root, bundle, tunnel, more) -> list:
    argv = ["setpriv", f"--reuid={kind.uid}", f"--regid={kind.uid}", "--clear-groups"] if kind.uid else []
    argv += ["bwrap", "--die-with-parent", "--unshare-pid", "--as-pid-1", "--clearenv", "--setenv", "MINE", "kept"]
    argv += ["--ro-bind" if kind.read_only else "--bind", root, "/", "--proc", "/proc"]
    argv += ["--dev", "/dev"] if kind.pts else BARE_DEVICES
    argv += [] if kind.read_only else ["--tmpfs", "/tmp"]
    argv += ["--ro-bind", bundle, "/berth", "--bind", tunnel.job, "/job", *more]
    return [*argv, "--", "/berth/berth-init", "--dir", "/job", "--", "/berth/bin/sleep", "1000"]


@contextlib.contextmanager
def running(kind, tunnel, bundle, folder, more=()):
    """The job in there; folder is for the image and a log, more are options of bwrap."""
    make_image(folder / "root", kind, bundle / "busybox")
    for path in tunnel.job, *tunnel.job.iterdir():
        os.chown(path, kind.uid, kind.uid)
    os.chown(folder / "root", kind.uid, kind.uid)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command(kind, folder / "root", bundle, tunnel, more),
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def listens():
        assert process.poll() is None, (folder / "log").read_text()
        return tunnel.endpoint.exists()
    try:
        harness.until(listens, "endpoint")
        yield
    finally:
        harness.kill_session(process)
