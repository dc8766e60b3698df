# SPDX-License-Identifier: MIT
"""A stand-in for an OpenID issuer, on 127.0.0.1: discovery, client credentials, device code, authorization code with
PKCE, refreshing with rotation, revocation, userinfo; with faults on demand. It checks what clients send as a strict
issuer does, and is no example of how to write one.

    with oidc.Issuer() as issuer:
        issuer.faults.append(("/token", 429))    # the next request to /token
        ...
        assert issuer.count("/token") == 2
"""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import time
import urllib.parse

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Refused(Exception):
    """What the token endpoint says no with (RFC 6749, section 5.2)."""

    def __init__(self, word, status=400):
        super().__init__(word)
        self.word, self.status = word, status


class Issuer:
    """clients: id -> secret, None for a public one. user: who logs in wherever a user does."""

    def __init__(self):
        self.clients = {"robot": "robot-secret-1", "person": None}
        self.user = "alice"
        self.lifetime, self.refresh_lifetime, self.interval = 300, 1800, 1
        self.is_jwt = True
        self.key = None  # (its name, bytes): tokens are signed with it (HS256, RFC 7518, section 3.2)
        self.service_user = None  # whom clients act for with their own credentials, when that is not themselves
        self.methods = ["client_secret_basic", "client_secret_post"]
        self.name = None  # what it calls itself, when that is not its address
        self.approve = True  # what users answer: True, False, or a list of words that devices get before
        self.faults = []  # (path, status | "junk" | "reset" | (status, headers))
        self.seen = []  # (path, fields, headers)
        self.codes, self.devices, self.refreshing, self.valid = {}, {}, {}, {}
        self.lock = threading.Lock()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                issuer.answer(self, {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                assert self.headers["Content-Type"].split(";")[0] == "application/x-www-form-urlencoded"
                issuer.answer(self, dict(urllib.parse.parse_qsl(body, strict_parsing=True)))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/realms/test"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def count(self, path, **fields) -> int:
        return sum(1 for seen, form, _ in self.seen if seen == path and fields.items() <= form.items())

    # Answers

    def answer(self, handler, form):
        url = urllib.parse.urlsplit(handler.path)
        path = url.path.removeprefix("/realms/test")
        form = form or dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            self.seen.append((path, form, dict(handler.headers)))
            fault = next((fault for fault in self.faults if fault[0] == path), None)
            if fault:
                self.faults.remove(fault)
                return self.fail(handler, fault[1])
            action = {"/.well-known/openid-configuration": self.configuration, "/token": self.token,
                      "/authorize": self.authorize, "/device": self.device, "/revoke": self.revoke,
                      "/userinfo": self.userinfo}.get(path)
            if not action:
                return self.send(handler, 404, {})
            try:
                action(handler, form)
            except Refused as no:
                self.send(handler, no.status, {"error": no.word, "error_description": f"because \x1b[31m{no.word}"})

    def fail(self, handler, what):
        if what == "reset":
            handler.close_connection = True
            handler.connection.close()
        elif what == "junk":
            self.send_bytes(handler, 200, b'{"access_token": "leaked')
        else:
            status, headers = what if isinstance(what, tuple) else (what, {})
            self.send(handler, status, {}, headers)

    def send(self, handler, status, value, headers=None):
        self.send_bytes(handler, status, json.dumps(value).encode(), headers)

    def send_bytes(self, handler, status, body, headers=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def configuration(self, handler, _form):
        self.send(handler, 200, {
            "issuer": self.name or self.url, "token_endpoint": f"{self.url}/token",
            "authorization_endpoint": f"{self.url}/authorize", "device_authorization_endpoint": f"{self.url}/device",
            "revocation_endpoint": f"{self.url}/revoke", "userinfo_endpoint": f"{self.url}/userinfo",
            "token_endpoint_auth_methods_supported": self.methods,
            "authorization_response_iss_parameter_supported": True})

    def client(self, handler, form) -> str:
        """The client that asks, proven (RFC 6749, section 2.3.1)."""
        basic = handler.headers["Authorization"]
        name, secret = form.get("client_id"), form.get("client_secret")
        if basic:
            assert secret is None and "client_secret_basic" in self.methods
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":")
            name, secret = map(urllib.parse.unquote, pair)
        if name not in self.clients or self.clients[name] != secret:
            raise Refused("invalid_client", 401)
        return name

    def give(self, handler, client, user, refresh):
        now = int(time.time())
        claims = {"iss": self.url, "sub": user, "preferred_username": user, "azp": client, "iat": now,
                  "exp": now + self.lifetime, "jti": secrets.token_hex(4)}
        access = secrets.token_urlsafe(24)
        if self.is_jwt:
            access = self.sign(claims, access)
        self.valid[access] = user
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        if refresh:
            answer["refresh_token"] = secrets.token_urlsafe(24)
            answer["refresh_expires_in"] = self.refresh_lifetime
            self.refreshing[answer["refresh_token"]] = (client, user, now + self.refresh_lifetime)
        self.send(handler, 200, answer)

    def sign(self, claims: dict, unsigned="") -> str:
        """A JSON web token (RFC 7519); without a key, one that nobody can check, with some words in the signature's place."""
        name, key = self.key or (None, None)
        header = {"alg": "HS256", "kid": name, "typ": "JWT"} if key else {"alg": "none"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{base64url(hmac.digest(key, text.encode(), 'sha256')) if key else unsigned}"

    def token(self, handler, form):
        client = self.client(handler, form)
        grant = form["grant_type"]
        if grant == "client_credentials":
            if self.clients[client] is None:
                raise Refused("unauthorized_client")
            self.give(handler, client, self.service_user or f"service-account-{client}", False)
        elif grant == "refresh_token":
            # Each is good for once.
            owner, user, end = self.refreshing.pop(form["refresh_token"], (None, None, 0))
            if owner != client or end < time.time():
                raise Refused("invalid_grant")
            self.give(handler, client, user, True)
        elif grant == "authorization_code":
            owner, redirect, challenge = self.codes.pop(form["code"], (None, None, None))
            proof = base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
            if owner != client or redirect != form["redirect_uri"] or proof != challenge:
                raise Refused("invalid_grant")
            self.give(handler, client, self.user, True)
        elif grant == DEVICE_GRANT:
            self.poll(handler, client, form["device_code"])
        else:
            raise Refused("unsupported_grant_type")

    def authorize(self, handler, form):
        """A user who says yes, or no, at once."""
        assert form["response_type"] == "code" and form["code_challenge_method"] == "S256" and len(form["state"]) >= 16
        answer = {"state": form["state"], "iss": self.url}
        if self.approve is True:
            answer["code"] = secrets.token_urlsafe(24)
            self.codes[answer["code"]] = (form["client_id"], form["redirect_uri"], form["code_challenge"])
        else:
            answer["error"] = "access_denied"
        self.send(handler, 302, {}, {"Location": f"{form['redirect_uri']}?{urllib.parse.urlencode(answer)}"})

    def device(self, handler, form):
        client = self.client(handler, form)
        code = secrets.token_urlsafe(24)
        self.devices[code] = client
        self.send(handler, 200, {
            "device_code": code, "user_code": "WDJB-MJHT", "verification_uri": f"{self.url}/verify",
            "verification_uri_complete": f"{self.url}/verify?user_code=WDJB-MJHT", "expires_in": 60,
            "interval": self.interval})

    def poll(self, handler, client, code):
        if self.devices.get(code) != client:
            raise Refused("invalid_grant")
        if isinstance(self.approve, list) and self.approve:
            raise Refused(self.approve.pop(0))
        if self.approve is False:
            raise Refused("access_denied")
        del self.devices[code]
        self.give(handler, client, self.user, True)

    def revoke(self, handler, form):
        self.client(handler, form)
        self.refreshing.pop(form["token"], None)
        self.valid.pop(form["token"], None)
        self.send(handler, 200, {})

    def userinfo(self, handler, _form):
        user = self.valid.get(handler.headers["Authorization"].removeprefix("Bearer "))
        if not user:
            raise Refused("invalid_token", 401)
        self.send(handler, 200, {"sub": user, "preferred_username": user})
