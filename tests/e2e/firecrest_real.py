# SPDX-License-Identifier: MIT
"""The real FirecREST v2 server (its public repository, eth-cscs/firecrest-v2) in the place of the stand-in: its own programs
beside a real Slurm with accounting, a real sshd, and the stand-ins for what it needs from others: an OpenID issuer (oidc.py)
and an S3 store (s3.py).

It is not part of this project: $BERTH_FIRECREST names a directory with its source (src/) and a Python that has what it needs
(venv/), which `ci/firecrest` makes. Requests go through the stand-in's own front, so that tests count them, spoil them, and
hold both sides against the published description all the same. What the real server answers and the description does not
know is kept in `differences`, which is printed at the end and fails nothing.
"""

import base64
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

import firecrest
import harness
import loginnode
import oidc
import s3
from firecrest_files import Refusal
from openapi import Violation
from ports import free_ports

VARIABLE = "BERTH_FIRECREST"
ACCOUNT = "science"
KEY = ("signing", b"a key of tests and of nothing else")
PART_MAX = s3.PART_MIN
PROBED = ("scheduler", "filesystem", "ssh", "storage")


def place():
    """Where it is, or None: then the stand-in is what tests talk to."""
    return pathlib.Path(os.environ[VARIABLE]).resolve() if os.environ.get(VARIABLE) else None


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Server(firecrest.Server):
    """The stand-in's front with the real server behind it."""

    is_real = True

    def __init__(self, dir: pathlib.Path, slurm, direct_max=firecrest.OUTPUT_MAX, store=None):
        super().__init__(dir, slurm, direct_max)
        self.store, self.own_store = store, None
        self.process = None
        self.differences = []
        self.login = loginnode.LoginNode(dir, slurm.config, variables=f"BASH_ENV={dir}/hurry")
        # Its jobs look once a minute whether a file has come to the store: bash reads this first.
        self.dir.joinpath("hurry").write_text('sleep() { [ "$1" = 60 ] && set -- 0.5; command sleep "$@"; }\n')
        self.issuer = oidc.Issuer()
        self.issuer.key, self.issuer.user, self.issuer.service_user = KEY, self.user, self.user

    def only_here(self, what: str) -> None:
        pytest.skip(f"the real server cannot be asked for it: {what}")

    # Its start, and its end.

    def start(self, node=None) -> "Server":
        try:
            self.start_all(node)
        except BaseException:
            self.stop_all()
            raise
        return self

    def start_all(self, node) -> None:
        self.issuer.__enter__()
        self.login.start()
        # Its commands' answers are read: a start-up file that talks would be taken for one.
        (self.login.home / ".bashrc").unlink()
        if not self.store:
            self.store = self.own_store = s3.S3(self.dir / "store").start()
        self.add_account()
        (self.port,) = free_ports(1)
        self.write_configuration()
        super().start(node)
        self.log = open(self.dir / "server.log", "wb")
        self.process = subprocess.Popen(
            [place() / "venv" / "bin" / "python", "-m", "uvicorn", "firecrest.main:app", "--host", "127.0.0.1", "--port", str(self.port)],
            cwd=place() / "src" / "src", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
            env={**os.environ, "YAML_CONFIG_FILE": str(self.dir / "server.yaml"), "PYTHONDONTWRITEBYTECODE": "1"})
        harness.until(self.is_well, "the real FirecREST", limit=120)

    def is_well(self) -> bool:
        """It answers, and has looked at all that it looks after."""
        assert self.process.poll() is None, (self.dir / "server.log").read_text()[-3000:]
        try:
            status, body = self.ask("GET", "/status/systems")
        except OSError:
            return False
        (system,) = body["systems"] if status == 200 else ({},)
        return all(each["healthy"] for each in system.get("servicesHealth") or ({"healthy": False},))

    def stop_all(self) -> None:
        if self.process:
            harness.stop(self.process)
            self.log.close()
        self.login.stop()
        if self.own_store:
            self.own_store.stop()
        self.issuer.__exit__()

    def stop(self) -> None:
        self.stop_all()
        for line in sorted(set(self.differences)):
            print(f"the real server and the description: {line}", file=sys.__stderr__)
        super().stop()

    def add_account(self) -> None:
        def manage(*words):
            harness.run(["sacctmgr", "--immediate", "add", *words], env=self.slurm.env())  # 1: it is there already
        manage("account", ACCOUNT)
        manage("user", f"name={self.user}", f"account={ACCOUNT}", f"defaultaccount={ACCOUNT}")

    def write_configuration(self) -> None:
        keys = {"keys": [{"kty": "oct", "kid": KEY[0], "alg": "HS256", "k": base64url(KEY[1])}]}
        (self.dir / "keys.json").write_text(json.dumps(keys))
        version = self.slurm.run("sinfo", "--version").ok().stdout.split()[1]
        store = f"http://{self.store.host}"
        system = {
            "name": self.system,
            "ssh": {"host": "127.0.0.1", "port": self.login.port, "max_clients": 100,
                    "timeout": {"connection": 60, "login": 60, "command_execution": 20, "idle_timeout": 300, "keep_alive": 30}},
            "scheduler": {"type": "slurm", "connection_mode": "ssh", "version": re.sub(r"[^\d.]", "", version), "timeout": 60},
            "service_account": {"client_id": "robot", "secret": self.issuer.clients["robot"]},
            "probing": {"interval_check": 5, "services": {name: {"timeout": 60} for name in PROBED}},
            "file_systems": [{"path": str(self.users), "data_type": "users", "default_work_dir": True},
                             {"path": str(self.scratch), "data_type": "scratch"}],
            "data_operation": {
                "max_ops_file_size": self.direct_max, "datatransfer_jobs_directives": ["#SBATCH --nodes=1", "#SBATCH --mem=512M"],
                "data_transfer": {"service_type": "s3", "name": "store", "private_url": store, "public_url": store,
                                  "access_key_id": s3.ACCESS, "secret_access_key": self.store.signer.secret,
                                  "region": s3.REGION, "ttl": 600,
                                  "multipart": {"use_split": False, "max_part_size": PART_MAX, "parallel_runs": 3,
                                                "tmp_folder": "tmp"}}}}
        (self.dir / "server.yaml").write_text(json.dumps({
            "apis_root_path": "",
            "auth": {"authentication": {"tokenUrl": f"{self.issuer.url}/token", "usernameClaim": "preferred_username",
                                        "publicCerts": [f"file://{self.dir}/keys.json"]}},
            "ssh_credentials": {"type": "SSHStaticKeys",
                                "keys": {self.user: {"private_key": f"secret_file:{self.dir}/user_key"}}},
            "clusters": [system]}))

    # One request.

    def bearer(self) -> str:
        now = int(time.time())
        return self.issuer.sign({"iss": self.issuer.url, "sub": self.user, "preferred_username": self.user, "iat": now,
                                 "exp": now + 300})

    def ask(self, method, target, raw=b"", kind=None):
        """What it says: the status, and JSON, bytes or None."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            headers = {"Authorization": f"Bearer {self.bearer()}", **({"Content-Type": kind} if kind else {})}
            connection.request(method, target, raw, headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 204:
                return 204, None
            is_json = answer.getheader("Content-Type", "").startswith("application/json")
            return answer.status, json.loads(body) if is_json else body
        finally:
            connection.close()

    def answer(self, handler, what, operation, names, query, raw):
        try:
            self.admit(handler, what, operation, query, raw)
        except Refusal as refusal:
            return refusal.status, {"message": str(refusal), "errorType": "error"}
        except Violation as violation:
            self.violations.append(str(violation))
            return 500, {"message": f"violation: {violation}", "errorType": "validation"}
        return self.ask(handler.command, handler.path.removeprefix("/firecrest/v2"), raw, handler.headers["Content-Type"])

    def tell_violation(self, violation) -> None:
        self.differences.append(str(violation))
