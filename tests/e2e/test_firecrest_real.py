# SPDX-License-Identifier: MIT
"""What only the real FirecREST server can show (ci/firecrest brings it): its own checks of tokens, with nobody in front
of it."""

import pytest

import firecrest_real
from firecrest_site import server, site  # noqa: F401

pytestmark = pytest.mark.skipif(not firecrest_real.place(), reason="no real FirecREST: ci/firecrest brings it")


def test_the_real_server_takes_what_a_login_gave(site, home):
    """Without the front that counts: its own checks of tokens, signed by the issuer."""
    secret, path = home.root / "secret", home.config_dir / "config.yaml"
    secret.write_text(site.server.issuer.clients["robot"] + "\n")
    secret.chmod(0o600)
    before = path.read_text()
    path.write_text(before + f"  straight:\n    backend: firecrest\n    url: http://127.0.0.1:{site.server.port}\n"
                    f"    system: cluster\n    oidc: {site.server.issuer.url}\n    client_id: robot\n"
                    f"    client_secret_file: {secret}\n")
    try:
        site("login", "straight").ok()
        assert "root" in site("whoami", "straight").ok().stdout
        name = site("run", "-q", "--cluster", "straight", "--", "echo", "signed").ok().stdout.strip()
        site.wait(name, "SUCCEEDED")
        assert site("logs", name).ok().stdout == "signed\n"
        site("logout", "straight").ok()
    finally:
        path.write_text(before)
