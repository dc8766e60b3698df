# SPDX-License-Identifier: MIT
"""Logging in at an OpenID issuer: every grant, renewing by many processes at once, secrets in every place, faults; and
that no secret shows up anywhere. The issuer is a stand-in (oidc.py); test_login_real.py has a real one."""

import concurrent.futures
import http.server
import json
import shutil
import stat
import subprocess
import sys
import threading
import time

import pytest

import conftest
import harness
import oidc

DENIED, INVALID, UNAVAILABLE, PROTOCOL, UNSUPPORTED, TIMEOUT = 77, 64, 69, 76, 69, 75
SECRET = "robot-secret-1"

CLUSTERS = """\
clusters:
  robot:
    backend: slurmrest
    url: {server}
    oidc: {issuer}
    client_id: robot
    scopes: [openid, firecrest]
  person:
    backend: slurmrest
    url: {server}
    oidc: {issuer}
    client_id: person
  plain:
    backend: slurmrest
    url: {server}
    token_command: [echo, word]
"""

# What a browser does: opens the page, follows it back, and before that all that may come along: a connection that says
# nothing, another page, another state.
BROWSER = """\
import socket, sys, urllib.error, urllib.parse, urllib.request
url = sys.argv[-1]
back = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["redirect_uri"][0]
idle = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(back).port))
for other in (back + "?state=wrong&code=stolen", back.replace("callback", "favicon.ico")):
    try:
        urllib.request.urlopen(other)
        raise AssertionError(other)
    except urllib.error.HTTPError as refused:
        assert refused.code in (400, 404)
try:
    page = urllib.request.urlopen(url).read().decode()
except urllib.error.HTTPError as refused:
    page = refused.read().decode()
open({page!r}, "w").write(page)
"""


@pytest.fixture
def issuer():
    with oidc.Issuer() as issuer:
        yield issuer


@pytest.fixture
def here(fresh_home, build_dir, issuer):
    """berth of a user who has these clusters, never logged in, and has no desktop."""
    fresh_home.config_dir.mkdir(parents=True)
    (fresh_home.config_dir / "config.yaml").write_text(
        CLUSTERS.format(issuer=issuer.url, server="http://127.0.0.1:9"))
    berth = conftest.Berth(build_dir / "controller" / "berth", fresh_home,
                           {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "", "DBUS_SESSION_BUS_ADDRESS": "",
                            "XDG_RUNTIME_DIR": ""})
    berth.tokens = fresh_home.state_dir / "tokens"
    berth.config = fresh_home.config_dir / "config.yaml"
    return berth


def whoami(berth, cluster, **more) -> dict:
    return json.loads(berth("whoami", cluster, "-o", "json", **more).ok().stdout)[0]


def age(berth, **changes):
    """As if time had passed: changes what the cache says."""
    for path in berth.tokens.glob("*.json"):
        cached = json.loads(path.read_text())
        path.write_text(json.dumps({**cached, **changes}))


def end_access(berth):
    age(berth, obtained=int(time.time()) - 1000, ends=int(time.time()) - 700)


# The client's own secret

def test_a_secret_that_is_typed_in_is_tried_and_kept(here, issuer):
    wrong = here("login", "robot", "--grant", "client-credentials", input="wrong\n")
    assert wrong.status == DENIED and "invalid_client" in wrong.stderr and "\x1b" not in wrong.stderr
    assert not list(here.tokens.glob("*.secret"))
    done = here("login", "robot", "--grant", "client-credentials", input=f"{SECRET}\n").ok()
    assert "robot: logged in (client-credentials), for 5m00s, renewed by itself" in done.stdout
    for path in here.tokens.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(here.tokens.stat().st_mode) == 0o700
    who = whoami(here, "robot")
    assert (who["user"], who["grant"], who["scopes"]) == (
        "service-account-robot", "client-credentials", ["openid", "firecrest"])
    assert who["claims"]["azp"] == "robot" and who["renews"] is True
    # All of that was one request for the token that works, and none since.
    assert issuer.count("/token", grant_type="client_credentials") == 2
    assert issuer.seen[-1][1]["scope"] == "openid firecrest"
    end_access(here)
    whoami(here, "robot")
    assert issuer.count("/token") == 3 and issuer.count("/.well-known/openid-configuration") == 2


def test_a_kept_secret_that_is_refused_is_asked_for_anew(here, issuer):
    here("login", "robot", "--grant", "client-credentials", input=f"{SECRET}\n").ok()
    issuer.clients["robot"] = "robot-secret-2"
    end_access(here)
    stale = here("whoami", "robot")
    assert stale.status == DENIED and "a file of berth's" in stale.stderr and SECRET not in stale.stderr
    here("login", "robot", input="robot-secret-2\n").ok()
    end_access(here)
    assert whoami(here, "robot")["user"] == "service-account-robot"


@pytest.mark.parametrize("place", ["environment", "file", "command"])
def test_secrets_come_from_where_the_user_has_them(here, place, short_dir):
    path = short_dir / "secret"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    env = {}
    if place == "environment":
        env = {"BERTH_CLIENT_SECRET_ROBOT": SECRET}
    elif place == "file":
        here("config", "set", "clusters.robot.client_secret_file", path).ok()
    else:
        here("config", "set", "clusters.robot.client_secret_command", "cat", path).ok()
    # No login is needed, and none changes anything.
    assert whoami(here, "robot", env=env)["user"] == "service-account-robot"
    here("login", "robot", env=env).ok()
    assert not list(here.tokens.glob("*.secret"))
    if place == "file":
        end_access(here)
        path.chmod(0o640)
        refused = here("whoami", "robot")
        assert refused.status == DENIED and "chmod 600" in refused.stderr


def test_a_client_whose_issuer_wants_the_secret_in_the_form(here, issuer):
    issuer.methods = ["client_secret_post"]
    env = {"BERTH_CLIENT_SECRET_ROBOT": SECRET}
    here("login", "robot", env=env).ok()
    path, form, headers = issuer.seen[-1]
    assert form["client_secret"] == SECRET and "Authorization" not in headers


def test_a_secret_with_odd_characters_is_escaped(here, issuer):
    issuer.clients["robot"] = "a:b %c+d/e=ü"
    assert whoami(here, "robot", env={"BERTH_CLIENT_SECRET_ROBOT": issuer.clients["robot"]})["user"]


# Users

def test_a_device_is_let_in_on_another_screen(here, issuer):
    issuer.approve = ["authorization_pending", "slow_down"]
    done = here("login", "person").ok()
    assert f"open {issuer.url}/verify and enter the code WDJB-MJHT" in done.stderr
    assert "person: logged in (device)" in done.stdout
    who = whoami(here, "person")
    assert (who["user"], who["grant"], who["renews"]) == ("alice", "device", True)
    assert issuer.count("/token") == 3


def test_a_device_that_is_not_let_in(here, issuer):
    issuer.approve = False
    refused = here("login", "person")
    assert refused.status == DENIED and "refused on that page" in refused.stderr
    issuer.approve = ["expired_token"]
    late = here("login", "person")
    assert late.status == TIMEOUT and "log in again" in late.stderr
    # An issuer that is away for a moment is asked again.
    issuer.approve, issuer.faults = True, [("/token", 500)]
    here("login", "person").ok()
    assert whoami(here, "person")["user"] == "alice"


def browser_of(short_dir):
    page = short_dir / "page"
    script = short_dir / "browser.py"
    script.write_text(BROWSER.format(page=str(page)))
    return f"no-such-browser:{sys.executable} {script} %s", page


@pytest.mark.sanitize
def test_a_browser_logs_in_and_comes_back(here, issuer, short_dir):
    browser, page = browser_of(short_dir)
    done = here("login", "person", env={"BROWSER": browser}).ok()
    assert "person: logged in (code)" in done.stdout and "/authorize?response_type=code" in done.stderr
    harness.until(page.exists, "page")
    harness.until(page.read_text, "its text")
    assert "You can close this page" in page.read_text()
    assert whoami(here, "person")["grant"] == "code"
    issuer.approve = False
    refused = here("login", "person", env={"BROWSER": browser})
    assert refused.status == DENIED and "access_denied" in refused.stderr
    # The login that was there is still.
    assert whoami(here, "person")["user"] == "alice"


def test_a_page_can_be_opened_by_hand(here, short_dir):
    _, page = browser_of(short_dir)
    argv = [here.program, "login", "person", "--grant", "code", "--no-browser"]
    with subprocess.Popen(argv, env=here.env(BROWSER="false"), stderr=subprocess.PIPE, text=True) as login:
        assert "open this page on this machine" in login.stderr.readline()
        url = login.stderr.readline().strip()
        harness.run([sys.executable, short_dir / "browser.py", url]).ok()
        assert login.wait(10 * harness.PATIENCE) == 0
    assert whoami(here, "person")["grant"] == "code"


# Renewing

def test_of_many_processes_one_renews(here, issuer):
    here("login", "person").ok()
    end_access(here)
    before = len(issuer.seen)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        users = list(pool.map(lambda _: whoami(here, "person")["user"], range(8)))
    assert users == ["alice"] * 8
    assert [path for path, _, _ in issuer.seen[before:]] == ["/token"]


def test_a_login_that_has_ended_says_what_to_do(here, issuer):
    never = here("whoami", "person")
    assert never.status == DENIED and "not logged in: run 'berth login person'" in never.stderr
    here("login", "person").ok()
    end_access(here)
    issuer.refreshing.clear()
    for _ in range(2):
        ended = here("whoami", "person")
        assert ended.status == DENIED and "the login has ended: run 'berth login person'" in ended.stderr
    assert issuer.count("/token", grant_type="refresh_token") == 1
    here("login", "person").ok()
    age(here, ends=int(time.time()) - 1, refresh_ends=int(time.time()) - 1)
    assert "the login has ended" in here("whoami", "person").stderr
    assert issuer.count("/token", grant_type="refresh_token") == 1


def test_a_token_that_is_still_good_outlives_an_issuer_that_is_not(here, issuer):
    here("login", "person").ok()
    now = int(time.time())
    age(here, obtained=now - 290, ends=now + 10)
    issuer.faults = [("/token", 500)] * 4
    assert whoami(here, "person")["user"] == "alice"
    assert issuer.count("/token", grant_type="refresh_token") == 1
    # Set back, the clock says nothing about what was got in its future.
    issuer.faults = []
    age(here, obtained=now + 5000, ends=now + 5300)
    whoami(here, "person")
    assert issuer.count("/token", grant_type="refresh_token") == 2


def test_a_token_that_is_refused_is_renewed_once(here, issuer):
    """A server that knows nothing of tokens from before its start."""
    here("login", "person").ok()
    old, seen = set(issuer.valid), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            token = self.headers["X-SLURM-USER-TOKEN"]
            seen.append(token)
            self.send_response(401 if token in old else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here("config", "set", "clusters.person.url", f"http://127.0.0.1:{server.server_address[1]}").ok()
        here("config", "set", "clusters.person.api", "v0.0.40").ok()
        here("get", "nodes", "--cluster", "person").ok()
        server.shutdown()
    assert len(seen) == 2 and issuer.count("/token", grant_type="refresh_token") == 1


def test_an_issuer_that_has_moved_is_looked_for_again(here, issuer):
    here("login", "person").ok()
    end_access(here)
    issuer.faults = [("/token", 404)]
    assert whoami(here, "person")["user"] == "alice"
    assert issuer.count("/.well-known/openid-configuration") == 2


def test_a_cache_that_is_damaged_is_none(here, issuer):
    here("login", "person").ok()
    for text in ("", "{", '{"token_url": "http://evil.example/"}', '{"token_url": 7}'):
        next(here.tokens.glob("*.json")).write_text(text)
        assert "not logged in" in here("whoami", "person").stderr


# Faults of issuers

@pytest.mark.parametrize("fault, status, words", [
    ("junk", PROTOCOL, "not JSON"),
    (404, 66, "404"),
    (500, 71, "it failed"),
    ((302, {"Location": "http://127.0.0.1:1/"}), UNAVAILABLE, "302"),
])
def test_an_issuer_that_is_not_well(here, issuer, fault, status, words):
    env = {"BERTH_CLIENT_SECRET_ROBOT": SECRET}
    issuer.faults = [("/token", fault)]
    result = here("whoami", "robot", env=env)
    assert result.status == status and words in result.stderr and "leaked" not in result.stderr
    assert whoami(here, "robot", env=env)["user"]


def test_an_issuer_that_has_too_much_to_do_is_given_time(here, issuer):
    issuer.faults = [("/token", (429, {"Retry-After": "1"})), ("/token", 503), ("/token", "reset")]
    assert whoami(here, "robot", env={"BERTH_CLIENT_SECRET_ROBOT": SECRET})["user"]
    assert issuer.count("/token") == 4


def test_who_calls_itself_otherwise_gets_no_secret(here, issuer):
    issuer.name = "https://evil.example\x1b[2J"
    refused = here("whoami", "robot", env={"BERTH_CLIENT_SECRET_ROBOT": SECRET})
    assert refused.status == PROTOCOL and "it says that it is 'https://evil.example?[2J'" in refused.stderr
    assert issuer.count("/token") == 0
    here("config", "set", "clusters.robot.oidc", "http://auth.example.org").ok()
    plain = here("whoami", "robot", env={"BERTH_CLIENT_SECRET_ROBOT": SECRET})
    assert plain.status == INVALID and "https://" in plain.stderr


# Out again, and who one is

@pytest.mark.sanitize
def test_logging_out_takes_tokens_back_and_forgets(here, issuer):
    here("login", "robot", "--grant", "client-credentials", input=SECRET).ok()
    here("login", "person").ok()
    here("logout", "person").ok()
    assert [form["token_type_hint"] for path, form, _ in issuer.seen if path == "/revoke"] == [
        "refresh_token", "access_token"]
    assert not issuer.refreshing and "not logged in" in here("whoami", "person").stderr
    assert whoami(here, "robot")["user"]
    here("logout", "robot").ok()
    assert not issuer.valid
    assert not [path for path in here.tokens.iterdir() if path.suffix != ".lock"]
    assert "there was no login" in here("logout", "robot").ok().stderr
    # An issuer that does not answer keeps nobody in.
    here("login", "person").ok()
    issuer.faults = [("/revoke", 500)]
    assert "good until they end" in here("logout", "person").ok().stderr
    assert "not logged in" in here("whoami", "person").stderr


def test_tokens_from_elsewhere_need_no_login(here):
    who = whoami(here, "plain")
    assert (who["source"], who["user"], who["claims"]) == ("token_command", None, None)
    refused = here("login", "plain")
    assert refused.status == UNSUPPORTED and "oidc" in refused.stderr
    assert here("whoami", "local").status == UNSUPPORTED


def test_a_token_that_says_nothing_is_asked_about(here, issuer):
    issuer.is_jwt = False
    here("login", "person").ok()
    assert whoami(here, "person")["user"] == "alice"
    assert here("whoami", "person", "-o", "name").ok().stdout == "alice\n"
    shown = here("whoami", "person").ok().stdout
    assert "User:         alice" in shown and "renewed by itself" in shown


def test_clusters_with_the_same_login_share_it(here, issuer):
    text = here.config.read_text()
    here.config.write_text(text + text[text.index("  person:"):text.index("  plain:")].replace("person:", "second:"))
    here("login", "person").ok()
    assert whoami(here, "second")["user"] == "alice" and issuer.count("/device") == 1


# Secrets

def test_no_secret_shows_up_anywhere(here, issuer, short_dir):
    """Neither in what is printed, nor in the arguments or the environment of any program that berth runs."""
    if not shutil.which("strace"):
        pytest.skip("no strace: apt-get install strace")
    secret = short_dir / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    browser, _ = browser_of(short_dir)
    traces, said = [], ""
    here("config", "set", "clusters.robot.client_secret_command", "cat", secret).ok()
    for number, (env, argv) in enumerate([
            ({}, ["login", "robot"]), ({"BROWSER": browser}, ["login", "person"]),
            ({"BERTH_CLIENT_SECRET_PLAIN": SECRET}, ["whoami", "plain"]),
            ({}, ["whoami", "person", "-o", "json"]), ({}, ["config", "show"]), ({}, ["get", "clusters", "-o", "json"]),
            ({}, ["logout", "person"]), ({}, ["logout", "robot"])]):
        trace = short_dir / f"trace.{number}"
        result = harness.run(["strace", "-f", "-v", "-s", "100000", "-e", "trace=execve", "-o", trace, here.program,
                              *argv], env=here.env(**env)).ok()
        said += result.stdout + result.stderr
        # The first is berth itself, with the environment that we gave it.
        traces += trace.read_text().splitlines()[1:]
    secrets = {SECRET, *issuer.valid, *issuer.refreshing, *(form[field] for _, form, _ in issuer.seen for field in
               ("code", "code_verifier", "token", "refresh_token", "client_secret") if field in form)}
    assert len(traces) > 3 and len(secrets) >= 5
    for word in secrets:
        assert word not in said
        assert not [line for line in traces if word in line]


def test_a_project_cannot_send_secrets_elsewhere(here, short_dir, issuer):
    for line in ("oidc: https://evil.example", "client_id: me", "client_secret_file: /etc/passwd",
                 "client_secret_command: [cat, /etc/passwd]", "grant: code"):
        (short_dir / "berth.yaml").write_text(f"clusters: {{robot: {{{line}}}}}\n")
        refused = here("whoami", "robot", cwd=short_dir, env={"BERTH_CLIENT_SECRET_ROBOT": SECRET})
        assert refused.status == DENIED and "berth.yaml" in refused.stderr
    assert not issuer.seen
