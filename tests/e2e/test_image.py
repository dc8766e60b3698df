# SPDX-License-Identifier: MIT
"""Images in registries: `berth describe image` against a stand-in that wants tokens, sends us elsewhere and fails, and
against Debian's docker-registry."""

import base64
import json
import platform
import shutil

import pytest

import harness
import registry
from test_login_real import keyring  # noqa: F401

NOT_FOUND, DENIED, UNSUPPORTED, PROTOCOL, INVALID = 66, 77, 69, 76, 64
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OTHER = "arm64" if HERE == "amd64" else "amd64"
RUN = {"Entrypoint": ["/bin/run it", "-x"], "Cmd": ["now"], "Env": ["A=b c"], "User": "7:7", "WorkingDir": "/w"}


@pytest.fixture
def stand():
    with registry.Stand() as stand:
        stand.push("team/tool", "1.0", {OTHER: registry.config(OTHER), HERE: registry.config(HERE, **RUN)})
        yield stand


@pytest.fixture
def tools(berth, short_dir):
    """berth of a user whose container tools keep their files in this directory."""
    here = berth.with_env(HOME=short_dir, REGISTRY_AUTH_FILE="", XDG_RUNTIME_DIR="", DOCKER_CONFIG="",
                          ENROOT_CONFIG_PATH="", XDG_CONFIG_HOME=short_dir / "config")
    here.dir = short_dir
    return here


def describe(berth, image) -> dict:
    return json.loads(berth("describe", "image", image, "-o", "json").ok().stdout)[0]


@pytest.mark.sanitize
def test_an_image_tells_what_it_runs_and_where(tools, stand):
    digest = stand.push("team/tool", "2", {OTHER: registry.config(OTHER), HERE: registry.config(HERE, **RUN)})
    stand.redirects = True
    image = describe(tools, f"{stand.host}/team/tool:2")
    assert image["platform"] == f"linux/{HERE}" and image["platforms"] == [f"linux/{OTHER}", f"linux/{HERE}"]
    assert (image["entrypoint"], image["command"], image["env"]) == (RUN["Entrypoint"], RUN["Cmd"], RUN["Env"])
    assert (image["user"], image["directory"]) == ("7:7", "/w")
    # One question too many (for the challenge), the token, index, manifest, configuration, where that lies.
    assert [path.split("/")[1] for path, _ in stand.seen] == ["v2", "token", "v2", "v2", "v2", "storage"]
    shown = tools("describe", "image", f"docker://{stand.host}/team/tool@{digest}").ok().stdout
    assert "Entrypoint:   '/bin/run it' -x" in shown and f"Of:           linux/{OTHER} linux/{HERE}" in shown


def test_an_image_for_one_machine(tools, stand):
    stand.push("one", "latest", {OTHER: registry.config(OTHER, Cmd=["sh"])}, as_index=False)
    image = describe(tools, f"{stand.host}/one")
    assert image["platforms"] == [f"linux/{OTHER}"] and image["command"] == ["sh"] and image["user"] is None


def test_what_is_not_there_says_so(tools, stand):
    missing = tools("describe", "image", f"{stand.host}/team/tool:9")
    assert missing.status == NOT_FOUND and "are its name and tag right" in missing.stderr
    assert tools("describe", "image", "./image.sqsh").status == UNSUPPORTED
    assert tools("describe", "image", "me/UPPER").status == INVALID


def test_credentials_are_those_of_a_real_helper(tools, stand):
    """Docker's own for pass(1): what `docker login` stores there, encrypted by gpg, is what the registry gets."""
    missing = [program for program in ("docker-credential-pass", "pass", "gpg") if not shutil.which(program)]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install golang-docker-credential-helpers pass")
    env = {"GNUPGHOME": tools.dir / "gnupg", "PASSWORD_STORE_DIR": tools.dir / "store"}
    env["GNUPGHOME"].mkdir(mode=0o700)

    def run(*argv, **more):
        return harness.run(argv, env=tools.env(**env), **more).ok()
    stand.users = {"me": "secret"}
    try:
        run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "tests", "default", "default", "never")
        run("pass", "init", "tests")
        secret = json.dumps({"ServerURL": stand.host, "Username": "me", "Secret": "secret"})
        run("docker-credential-pass", "store", input=secret)
        (tools.dir / ".docker").mkdir()
        (tools.dir / ".docker" / "config.json").write_text(json.dumps({"credsStore": "pass"}))
        assert describe(tools.with_env(**env), f"{stand.host}/team/tool:1.0")["user"] == "7:7"
        run("docker-credential-pass", "erase", input=stand.host)
        nobody = tools.with_env(**env)("describe", "image", f"{stand.host}/team/tool:1.0")
        assert nobody.status == NOT_FOUND and "docker login" in nobody.stderr
    finally:
        run("gpgconf", "--kill", "all")


def test_credentials_are_those_of_the_desktops_keyring(tools, stand, keyring):  # noqa: F811
    """Docker's own helper for the Secret Service, and a real keyring of GNOME behind it."""
    helper = shutil.which("docker-credential-secretservice")
    if not helper:
        pytest.skip("no docker-credential-secretservice: apt-get install golang-docker-credential-helpers")
    env, within = keyring
    full = {**tools.env(), **env}
    full.pop("DBUS_SESSION_BUS_ADDRESS", None)
    stand.users = {"me": "pass-5f7a2c"}
    (tools.dir / "secret").write_text(json.dumps({"ServerURL": stand.host, "Username": "me", "Secret": "pass-5f7a2c"}))
    (tools.dir / ".docker").mkdir()
    (tools.dir / ".docker" / "config.json").write_text(json.dumps({"credsStore": "secretservice"}))
    look = f"{tools.program} describe image {stand.host}/team/tool:1.0 -o json"
    forget = f"printf {stand.host} | {helper} erase"
    result = harness.run(within(f"{helper} store < {tools.dir}/secret && {look} && {forget} && {look}"), env=full)
    assert json.loads(result.stdout)[0]["user"] == "7:7" and "docker login" in result.stderr, result
    assert result.status == NOT_FOUND and "pass-5f7a2c" not in result.stdout + result.stderr


@pytest.mark.parametrize("where", ["docker", "podman", "runtime", "variable", "enroot", "helper", "identity", "basic"])
def test_credentials_are_those_of_the_container_tools(tools, stand, where):
    stand.users = {"me": "secret"}
    nobody = tools("describe", "image", f"{stand.host}/team/tool:1.0")
    assert nobody.status == NOT_FOUND and "docker login" in nobody.stderr
    entry = {"auth": base64.b64encode(b"me:secret").decode()}
    name, env = {"docker": (".docker/config.json", {}), "podman": ("config/containers/auth.json", {}),
                 "runtime": ("run/containers/auth.json", {"XDG_RUNTIME_DIR": tools.dir / "run"}),
                 "variable": ("auth.json", {"REGISTRY_AUTH_FILE": tools.dir / "auth.json"}),
                 "enroot": (".config/enroot/.credentials", {})}.get(where, (".docker/config.json", {}))
    text = json.dumps({"auths": {stand.host: entry}})
    if where == "enroot":
        text = f"machine {stand.host} login me password secret\n"
    elif where == "identity":
        stand.identity = "identity-1"
        text = json.dumps({"auths": {stand.host: {"identitytoken": "identity-1"}}})
    elif where == "basic":
        stand.is_basic = True
    elif where == "helper":
        text = json.dumps({"credHelpers": {stand.host: "test"}})
        helper = tools.dir / "docker-credential-test"
        helper.write_text('#!/bin/sh\n[ "$1" = get ] && [ -n "$(cat)" ] &&\n'
                          'echo \'{"Username": "me", "Secret": "secret"}\'\n')
        helper.chmod(0o755)
        env = {"PATH": f"{tools.dir}:/usr/bin:/bin"}
    path = tools.dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    described = tools("describe", "image", f"{stand.host}/team/tool:1.0", env=env).ok()
    assert "secret" not in described.stdout + described.stderr
    if where == "docker":
        stand.users = {"me": "another"}
        wrong = tools("describe", "image", f"{stand.host}/team/tool:1.0")
        assert wrong.status == DENIED and "is the login right" in wrong.stderr and "secret" not in wrong.stderr


@pytest.mark.parametrize("fault, status, words", [
    (("/v2/", 500), 71, "it failed"),
    (("/v2/team/tool/manifests/1.0", b"{"), PROTOCOL, "not JSON"),
    (("/v2/team/tool/manifests/sha256", b'{"schemaVersion": 2}'), PROTOCOL, "somebody changed it"),
    (("/v2/team/tool/blobs/", b'{"os": "linux"}'), PROTOCOL, "somebody changed it"),
    (("/token", b'{"token": "a b"}'), PROTOCOL, "gives no token"),
    (("/token", 500), 71, "a token for registry"),
])
def test_a_registry_that_is_not_well(tools, stand, fault, status, words):
    stand.faults = [fault]
    result = tools("describe", "image", f"{stand.host}/team/tool:1.0")
    assert result.status == status and words in result.stderr, result
    tools("describe", "image", f"{stand.host}/team/tool:1.0").ok()


def test_a_damaged_file_of_credentials_is_told(tools, stand):
    (tools.dir / ".docker").mkdir()
    (tools.dir / ".docker" / "config.json").write_text('{"auths": {"x": {"auth": "leaked')
    result = tools("describe", "image", f"{stand.host}/team/tool:1.0")
    assert result.status == INVALID and "config.json" in result.stderr and "leaked" not in result.stderr


def test_a_real_registry(tools, short_dir):
    try:
        real = registry.Real(short_dir)
    except registry.Unavailable as reason:
        pytest.skip(str(reason))
    with real:
        digest = real.push("team/tool", "1.0", {OTHER: registry.config(OTHER), HERE: registry.config(HERE, **RUN)})
        for name in (f"{real.host}/team/tool:1.0", f"{real.host}/team/tool@{digest}"):
            image = describe(tools, name)
            assert image["entrypoint"] == RUN["Entrypoint"] and len(image["platforms"]) == 2
        assert tools("describe", "image", f"{real.host}/team/tool:2").status == NOT_FOUND
