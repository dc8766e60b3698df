# SPDX-License-Identifier: MIT
"""A site with a FirECREST server and a real Slurm, and a berth that knows nothing else of it. Whoever imports the fixtures
has a server of their own."""

import pytest

import firecrest as firecrest_module
import harness

__all__ = ["server", "site", "start", "there"]

CONFIG = """\
context: site
clusters:
  site:
    backend: firecrest
    url: {server.url}
    system: cluster
    token_file: {token}
    max_age: 0s
    platform: HPC
"""


@pytest.fixture(scope="module")
def server(session_dir, slurm, request):
    missing = firecrest_module.programs_missing()
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    path = session_dir / request.module.__name__
    path.mkdir()
    try:
        server = firecrest_module.serve(path, slurm)
    except firecrest_module.Unavailable as reason:
        pytest.skip(f"no FirecREST: {reason}")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(server, berth, ssh, home):
    """berth without any of Slurm's commands' configuration: only the server is known."""
    token = home.root / "token"
    token.write_text(server.token + "\n")
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CONFIG.format(server=server, token=token))
    berth.ssh, berth.token, berth.server = ssh, token, server
    berth("run", "-q", "--", "true", timeout=300).ok()  # brings the programs, which takes its time
    yield berth
    berth.cancel_all()


def there(site, name):
    """The job directory on the cluster's file system."""
    return site.server.scratch / site.server.user / ".berth" / "jobs" / site.job(name)["uid"]


def start(site, *argv):
    name = site.submit(*argv)
    site.wait(name, "RUNNING")
    harness.until((there(site, name) / "endpoint.0.json").exists, f"endpoint of {name}")
    return name
