# SPDX-License-Identifier: MIT
"""A cluster behind FirecREST (stand-in server, real Slurm, stand-in S3 store) whose files are worked with. Whoever imports the
fixtures has a server of their own."""

import os
import pathlib

import pytest

import firecrest
import firecrest_real
import firecrest_transfer
import s3

__all__ = ["DIRECT", "at", "remote", "carriers", "server", "some", "store", "there", "transfers"]

DIRECT = 100_000


@pytest.fixture(scope="module")
def server(session_dir, slurm, store, request):
    path = session_dir / request.module.__name__
    path.mkdir(mode=0o755)
    missing = firecrest.programs_missing()
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    try:
        server = firecrest.serve(path, slurm, direct_max=DIRECT, store=store)
    except firecrest.Unavailable as reason:
        pytest.skip(f"no FirecREST: {reason}")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def store(session_dir, request):
    store = s3.S3(session_dir / f"{request.module.__name__}-store").start()
    if firecrest_real.place():
        store.part_min = 1 << 20  # its jobs make parts of whole MiB that are smaller than they may be
    yield store
    store.stop()


@pytest.fixture(scope="module")
def carriers(server, store):
    """The jobs that carry files; None: the real server has its own."""
    return None if server.is_real else firecrest_transfer.Transfers(server, store, server.scratch / "transfers")


@pytest.fixture(scope="module")
def transfers(carriers, server):
    server.only_here("jobs that carry files otherwise")
    return carriers


@pytest.fixture(scope="module")
def remote(berth, server, carriers, slurm):
    token = berth.home.root / "token"
    token.write_text(server.token + "\n")
    path = berth.home.config_dir / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"clusters:\n  alps:\n    backend: firecrest\n    url: {server.url}\n    system: {server.system}\n"
                    f"    token_file: {token}\n")
    return berth.with_env(SLURM_CONF=slurm.config)


@pytest.fixture
def there(server, tmp_path) -> pathlib.Path:
    path = server.users / server.user / tmp_path.name
    path.mkdir()
    return path


@pytest.fixture
def at(remote, there):
    """at("ls", "name", options=["-l"]): a verb on names in this test's directory of the cluster."""
    return lambda verb, *names, options=(), **more: remote(verb, *options, *(f"alps:{there}/{name}" for name in names), **more)


def some(size: int) -> bytes:
    return os.urandom(min(size, 1 << 20)) * (size // (1 << 20) + 1)
