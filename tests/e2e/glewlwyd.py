# SPDX-License-Identifier: MIT
"""A real OpenID provider for tests: Debian's glewlwyd, with SQLite, its files in a directory; one user (admin), a client
with a secret and one without."""

import http.cookiejar
import json
import pathlib
import shutil
import sqlite3
import subprocess
import urllib.error
import urllib.request

import harness
from ports import free_ports

SCHEMA = pathlib.Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
USER, PASSWORD = "admin", "password"  # those of its schema

SETTINGS = """\
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
log_mode="file"
log_level="WARNING"
log_file="{path}/log"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database = {{ type="sqlite3"; path="{path}/database" }};
"""


class Unavailable(Exception):
    pass


class Provider:
    def __init__(self, path: pathlib.Path):
        if not shutil.which("glewlwyd") or not SCHEMA.exists():
            raise Unavailable("no glewlwyd: apt-get install glewlwyd")
        self.path = path
        self.port, = free_ports(1)
        self.server = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.server}/api/oidc"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def __enter__(self):
        with sqlite3.connect(self.path / "database") as database:
            database.executescript(SCHEMA.read_text())
        (self.path / "config").write_text(SETTINGS.format(port=self.port, path=self.path))
        self.process = subprocess.Popen(["glewlwyd", "-c", self.path / "config"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        harness.until(self.answers, "glewlwyd")
        return self

    def __exit__(self, *_):
        harness.stop(self.process)

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.path / "log").read_text()
        try:
            self.call("/config")
            return True
        except OSError:
            return False

    def call(self, path, value=None, method=None):
        """Its own interface, as the user who has logged in."""
        request = urllib.request.Request(f"{self.server}{path}", None if value is None else json.dumps(value).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        with self.opener.open(request) as answer:
            return answer.read()

    def visit(self, page):
        """What the user's browser does; where it ends is of no matter."""
        try:
            self.opener.open(page).close()
        except urllib.error.HTTPError:
            pass

    def set_up(self, redirect: str):
        self.call("/api/auth/", {"username": USER, "password": PASSWORD})
        self.call(f"/api/user/{USER}", {"name": "Alice", "enabled": True, "scope": ["g_admin", "g_profile", "openid"]},
                  "PUT")
        self.call("/api/mod/plugin/", {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": {
            "iss": self.url, "jwt-type": "sha", "jwt-key-size": "256", "key": "a-key-for-tests-only",
            "access-token-duration": 300, "refresh-token-duration": 3600, "code-duration": 60,
            "refresh-token-rolling": True, "refresh-token-one-use": "always", "allow-non-oidc": True,
            "auth-type-code-enabled": True, "auth-type-client-enabled": True, "auth-type-refresh-enabled": True,
            "auth-type-device-enabled": True, "device-authorization-expiration": 60,
            "device-authorization-interval": 1, "pkce-allowed": True, "pkce-method-plain-allowed": False,
            "pkce-required": True, "revoke-allowed": True, "revoke-client-public": True,
            "introspection-revocation-allowed": True, "introspection-revocation-allow-target-client": True,
            "subject-type": "public", "client-pubkey-parameter": "pubkey", "client-jwks-parameter": "jwks",
            "client-jwks_uri-parameter": "jwks_uri", "scope": [{"name": "openid", "refresh-token-rolling": True}]}})
        for client, more in {"robot": {"confidential": True, "client_secret": "robot-secret-1",
                                       "token_endpoint_auth_method": ["client_secret_basic"]},
                             "person": {"confidential": False, "token_endpoint_auth_method": ["none"]}}.items():
            self.call("/api/client/", {
                "client_id": client, "name": client, "enabled": True, "scope": ["openid"], "redirect_uri": [redirect],
                "authorization_type": ["code", "client_credentials", "refresh_token", "device_authorization",
                                       "delete_token"], **more})
        self.call("/api/auth/grant/person", {"scope": "openid"}, "PUT")
