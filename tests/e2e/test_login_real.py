# SPDX-License-Identifier: MIT
"""Logging in with what people have: a real keyring of GNOME, and a real OpenID provider (glewlwyd.py)."""

import ctypes
import shutil
import subprocess

import pytest

import glewlwyd
import harness
from ports import free_ports
from test_login import DENIED, SECRET, end_access, here, issuer, whoami  # noqa: F401


@pytest.fixture
def keyring(short_dir):
    """A real GNOME keyring on a session bus of its own; what runs programs there."""
    for program in ("dbus-run-session", "gnome-keyring-daemon"):
        if not shutil.which(program):
            pytest.skip(f"no {program}: apt-get install dbus gnome-keyring")
    try:
        ctypes.CDLL("libsecret-1.so.0")
    except OSError:
        pytest.skip("no libsecret: apt-get install libsecret-1-0")
    runtime = short_dir / "run"
    runtime.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(runtime), "XDG_DATA_HOME": str(short_dir / "data")}
    unlock = "printf '\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; "
    return env, lambda script: ["dbus-run-session", "--", "sh", "-c", unlock + script]


def test_the_desktops_keyring_keeps_the_secret(here, issuer, keyring):
    env, within = keyring
    berth = here.program
    script = (f"echo {SECRET} | {berth} login robot --grant client-credentials && rm -f {here.tokens}/*.json && "
              f"{berth} whoami robot -o name && {berth} logout robot && {berth} whoami robot -o name")
    full = {**here.env(), **env}
    del full["DBUS_SESSION_BUS_ADDRESS"]
    result = harness.run(within(script), env=full)
    assert "the client's secret is in the keyring" in result.stdout, result
    assert "service-account-robot" in result.stdout
    assert result.status == DENIED and "not logged in" in result.stderr
    assert not list(here.tokens.glob("*.secret"))


def test_the_keyring_is_left_alone_when_that_is_asked_for(here, issuer, keyring):
    env, within = keyring
    script = (f"echo {SECRET} | {here.program} login robot --grant client-credentials --no-keyring && "
              f"rm -f {here.tokens}/*.json && {here.program} whoami robot -o name")
    full = {**here.env(), **env}
    del full["DBUS_SESSION_BUS_ADDRESS"]
    result = harness.run(within(script), env=full).ok()
    assert "in the keyring" not in result.stdout and "service-account-robot" in result.stdout
    kept, = here.tokens.glob("*.secret")
    assert kept.read_text().strip() == SECRET and kept.stat().st_mode & 0o777 == 0o600
    here("logout", "robot").ok()
    assert not kept.exists()


@pytest.fixture
def provider(short_dir):
    try:
        provider = glewlwyd.Provider(short_dir)
    except glewlwyd.Unavailable as reason:
        pytest.skip(str(reason))
    with provider:
        yield provider


def log_in(berth, provider, grant):
    """As its user, in a browser where they have logged in already."""
    argv = [berth.program, "login", "person", "--grant", grant, "--no-browser"]
    with subprocess.Popen(argv, env=berth.env(), stderr=subprocess.PIPE, text=True) as login:
        if grant == "device":
            page = f"{provider.url}/device?code={login.stderr.readline().split()[-1]}"
        else:
            login.stderr.readline()
            page = login.stderr.readline().strip()
        provider.visit(f"{page}&g_continue")
        assert login.wait(20 * harness.PATIENCE) == 0, login.stderr.read()


def test_a_real_provider(here, provider):
    port, = free_ports(1)
    provider.set_up(f"http://127.0.0.1:{port}/callback")
    for cluster in ("robot", "person"):
        here("config", "set", f"clusters.{cluster}.oidc", provider.url).ok()
        here("config", "set", f"clusters.{cluster}.scopes", "openid").ok()
    here("config", "set", "clusters.person.redirect_port", port).ok()
    assert whoami(here, "robot", env={"BERTH_CLIENT_SECRET_ROBOT": SECRET})["user"] == "robot"
    for grant in ("device", "code"):
        log_in(here, provider, grant)
        before = whoami(here, "person")
        end_access(here)
        after = whoami(here, "person")
        assert before["grant"] == after["grant"] == grant
        # Its tokens have names: this is another one, of the same user.
        assert before["claims"]["jti"] != after["claims"]["jti"] and before["user"] == after["user"]
    here("logout", "person").ok()
    assert "not logged in" in here("whoami", "person").stderr
