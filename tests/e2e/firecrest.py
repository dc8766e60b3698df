# SPDX-License-Identifier: MIT
"""A stand-in for a FirecREST v2 server: the answers of the published description (OpenAPI), with a real Slurm and a real
file system behind them, and faults when they are asked for.

Every request and every answer is held against the description, which is not part of this project: it is read from
$BERTH_TEST_FIRECREST_OPENAPI, else from shared/reference beside the project. What does not fit is kept in `violations`,
answered with 500, and fails the test that stops the server. Files are handled as the real server has its shell do it: paths
between single quotes, text in UTF-8 with replacements, blocks of the size that is asked for.

    server = firecrest.Server(dir, slurm).start()      url, system, token, scratch, users
    with server.counting() as made: ...                made is a list of "METHOD /path/{template}"
    server.fail("429", "/compute/{system_name}/jobs", times=2, retry_after=1)
    server.tokens = {"new"}                             what it takes from now on
"""

import contextlib
import email.parser
import email.policy
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import socketserver
import struct
import threading
import time
import urllib.parse

import harness
import openapi
from firecrest_files import OUTPUT_MAX, Files, Refusal
from openapi import Unavailable, Violation  # noqa: F401

DESCRIPTION, VARIABLE = "firecrest-openapi-2.5.4.yaml", "BERTH_TEST_FIRECREST_OPENAPI"
SYSTEM = "cluster"
JOB_FIELDS = ("JobArrayID", "JobID", "NumNodes", "exit_code", "Account", "Name", "NodeList", "Partition", "PriorityLong", "State",
              "Reason", "StartTime", "EndTime", "UserName", "WorkDir")
IN_QUEUE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "COMPLETING", "STAGE_OUT")


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        """Without asking anybody for a name: there may be no name server where it listens."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address


def serve(dir, slurm, direct_max=OUTPUT_MAX, store=None, node=None):
    """The server that tests talk to, started: this one, or the real one where it is (firecrest_real.py)."""
    import firecrest_real  # which imports this
    if firecrest_real.place():
        return firecrest_real.Server(dir, slurm, direct_max, store).start(node)
    return Server(dir, slurm, direct_max).start(node)


class Server(Files):
    is_real = False

    def only_here(self, what: str) -> None:
        """Of a test that wants what only this one does when it is asked."""

    def __init__(self, dir: pathlib.Path, slurm, direct_max=OUTPUT_MAX):
        self.dir, self.slurm, self.direct_max = dir, slurm, direct_max
        self.description = openapi.Description(openapi.find_description(DESCRIPTION, VARIABLE))
        self.system, self.user = SYSTEM, "root"
        self.scratch, self.users = dir / "scratch", dir / "users"
        self.token = "first-token"
        self.tokens = {self.token}
        self.requests, self.violations, self.faults = [], [], []
        self.seen = []  # of requests that fit: METHOD /path/{template}, and their query
        self.connections = 0
        self.lock = threading.Lock()
        self.health = []
        self.data_transfer = None
        self.quotes_properly = False
        self.pbs = None  # a pbs.Queue in the place of Slurm
        # Who has a store for large files answers "METHOD /path/{template}" here: handler(server, system, query, body).
        self.extra = {}

    def start(self, node=None) -> "Server":
        """On loopback, or on a node of netns.py."""
        for place in self.scratch, self.users:
            (place / self.user).mkdir(parents=True)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                owner.connections += 1
                super().setup()

            def answer_any(self):
                owner.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer_any

            def log_message(self, *args):
                pass

        with node.entered() if node else contextlib.nullcontext():
            self.http = Listener((node.address if node else "127.0.0.1", 0), Handler)
        self.url = f"http://{self.http.server_name}:{self.http.server_port}/firecrest/v2"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        assert not self.violations, "\n".join(self.violations)

    @contextlib.contextmanager
    def counting(self):
        """What was asked in between, without what comes later."""
        made = []
        with self.lock:
            first = len(self.requests)
        yield made
        with self.lock:
            made.extend(self.requests[first:])

    def fail(self, kind, template="", method="", times=1, retry_after=None, seconds=0.0):
        """The next requests whose method and path hold these: a status, "slow", "truncated", "half" or "reset"."""
        self.faults.append({"kind": kind, "template": template, "method": method, "times": times,
                            "retry_after": retry_after, "seconds": seconds})

    def take_fault(self, method, template):
        with self.lock:
            for fault in self.faults:
                if fault["times"] > 0 and fault["template"] in template and fault["method"] in method:
                    fault["times"] -= 1
                    return fault
        return None

    # One request.

    def handle(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        address = urllib.parse.urlsplit(handler.path)
        path = address.path.removeprefix("/firecrest/v2")
        template, operation, names = self.description.find(handler.command, path)
        what = f"{handler.command} {template or path}"
        with self.lock:
            self.requests.append(what)
        fault = self.take_fault(handler.command, template or path)
        if fault and self.misbehave(handler, fault):
            return
        status, body = self.answer(handler, what, operation, names, address.query, raw)
        try:
            if operation:
                self.description.check_answer(operation, status, body, what)
        except Violation as violation:
            self.tell_violation(violation)
        self.send(handler, status, body, fault)

    def tell_violation(self, violation) -> None:
        """Of an answer of ours."""
        self.violations.append(str(violation))

    def admit(self, handler, what, operation, query, raw):
        """What a request that fits says, by who may."""
        if not operation:
            raise Violation(f"{what}: not in the description")
        if handler.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refusal(401, "Invalid token")
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        kind = (handler.headers.get("Content-Type") or "").split(";")[0]
        body = self.read_body(handler, kind, raw)
        self.description.check_request(operation, dict(pairs), kind, body, what)
        self.seen.append((what, dict(pairs)))
        return pairs, body

    def answer(self, handler, what, operation, names, query, raw):
        try:
            pairs, body = self.admit(handler, what, operation, query, raw)
            if names.get("system_name", self.system).lower() != self.system:
                raise Refusal(404, f"System {names['system_name']} not found")
            if self.quotes_properly:
                pairs, body = self.quote(dict(pairs), body)
            if "/filesystem/" in what:
                self.check_place(dict(pairs), body)
            return self.dispatch(what, names, dict(pairs), body)
        except Refusal as refusal:
            return refusal.status, {"message": str(refusal), "errorType": "error"}
        except Violation as violation:
            self.violations.append(str(violation))
            return 500, {"message": f"violation: {violation}", "errorType": "validation"}

    def check_place(self, query, body):
        """As the real server does it where it looks after its file systems: by the text of the path alone."""
        path = query.get("path") or (body if isinstance(body, dict) else {}).get("sourcePath") or ""
        if not path.startswith("/"):
            raise Refusal(400, f"The provided path ({path}) is not an absolute path.")
        path = os.path.normpath(path)
        if not any(f"{path}/".startswith(f"{place}/") for place in (self.users, self.scratch)):
            raise Refusal(400, f"The provided path ({path}) does not match any of the defined filesystem paths for the "
                               f"requested system ({self.system}).")

    @staticmethod
    def quote(query, body):
        """As a server does it that leaves nothing of a path to the shell between whose single quotes it stands."""
        def write(value):
            return value.replace("'", "'\\''") if isinstance(value, str) else value
        if isinstance(body, dict):
            body = {key: write(value) if key.endswith("Path") else value for key, value in body.items()}
        elif isinstance(body, tuple):
            body = write(body[0]), body[1]
        return {key: write(value) if key == "path" else value for key, value in query.items()}, body

    @staticmethod
    def read_body(handler, kind, raw):
        if kind == "application/json":
            return json.loads(raw)
        if kind != "multipart/form-data":
            return raw or None
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        message = parser.parsebytes(b"Content-Type: " + handler.headers["Content-Type"].encode() + b"\r\n\r\n" + raw)
        parts = [part for part in message.iter_parts() if part.get_param("name", header="content-disposition") == "file"]
        if len(parts) != 1:
            raise Violation("the form has no one 'file'")
        return parts[0].get_filename(), parts[0].get_payload(decode=True)

    def misbehave(self, handler, fault) -> bool:
        kind = fault["kind"]
        if kind == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
            handler.connection.close()
            return True
        if kind == "slow":
            time.sleep(fault["seconds"])
            return False
        if kind.isdigit():
            self.send(handler, int(kind), {"message": f"made to fail\x1b[2J with {kind}", "errorType": "error"}, fault)
            return True
        return False

    @staticmethod
    def send(handler, status, body, fault):
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = fault["kind"] if fault else ""
        if kind == "half":
            content = content[:len(content) // 2]
        handler.send_response(status)
        if isinstance(body, bytes):
            handler.send_header("Content-Type", "application/octet-stream")
        elif body is not None:
            handler.send_header("Content-Type", "application/json")
        if fault and fault["retry_after"] is not None:
            handler.send_header("Retry-After", str(fault["retry_after"]))
        if status != 204:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        try:
            if kind == "truncated":
                handler.wfile.write(content[:len(content) // 2])
                handler.close_connection = True
            else:
                handler.wfile.write(content)
        except OSError:
            handler.close_connection = True

    def dispatch(self, what, names, query, body):
        if what in self.extra:
            return self.extra[what](self, names, query, body)
        method, template = what.split(" ", 1)
        name = method.lower() + "_" + re.sub(r"\{\w+\}", "", template).strip("/").replace("/", "_").replace("__", "_")
        call = getattr(self, name, None)
        if not call:
            raise Refusal(501, f"{what}: not here")
        return call(names, query, body)

    # Status.

    def get_status_liveness(self, names, query, body):
        return 200, {"healthcheckRuns": {}, "lastUpdate": 0}

    def get_status_systems(self, names, query, body):
        health = self.health or [{"serviceType": "scheduler", "healthy": True},
                                 {"serviceType": "filesystem", "healthy": True, "path": str(self.scratch)}]
        return 200, {"systems": [{
            "name": self.system, "ssh": {"host": "localhost", "port": 22},
            "scheduler": {"type": "pbs" if self.pbs else "slurm", "version": "22.05.8"}, "probing": {"intervalCheck": 60},
            "servicesHealth": health, "fieldOfTheFuture": {"a": [1]},
            "fileSystems": [{"path": str(self.users), "dataType": "users", "defaultWorkDir": True},
                            {"path": str(self.scratch), "dataType": "scratch"}],
            "dataOperation": {"max_ops_file_size": self.direct_max, "data_transfer": self.data_transfer}}]}

    def get_status_userinfo(self, names, query, body):
        root = {"id": "0", "name": self.user}
        return 200, {"user": root, "group": root, "groups": [root],
                     "accounts": [{"name": "science", "default": True}, {"name": "root", "default": False}]}

    def get_status_nodes(self, names, query, body):
        lines = self.slurm.run("sinfo", "--noheader", "-N", "-o", "%N|%T|%c|%m|%P|%e").ok().stdout.splitlines()
        words = {"idle": "IDLE", "mixed": "MIXED", "allocated": "ALLOCATED"}
        nodes = []
        for line in lines:
            name, state, cpus, _, partition, free = line.split("|")
            nodes.append({"name": name, "state": [words.get(state.rstrip("*"), "UNKNOWN")], "cpus": int(cpus),
                          "allocCpus": 0, "freeMemory": int(free) if free.isdigit() else None, "allocMemory": 0,
                          "partitions": [partition.rstrip("*")]})
        return 200, {"nodes": nodes}

    def get_status_partitions(self, names, query, body):
        lines = self.slurm.run("sinfo", "--noheader", "-o", "%R|%a|%D|%C").ok().stdout.splitlines()
        found = []
        for line in lines:
            name, state, nodes, cpus = line.split("|")
            found.append({"name": name, "partition": [state.upper()], "totalNodes": int(nodes),
                          "cpus": int(cpus.split("/")[3])})
        return 200, {"partitions": found}

    def get_status_reservations(self, names, query, body):
        lines = harness.run(["scontrol", "--all", "--oneliner", "show", "reservation"],
                            env={**self.slurm.env(), "SLURM_TIME_FORMAT": "%s"}).ok().stdout.splitlines()
        found = []
        for line in lines:
            fields = dict(re.findall(r"(\w+)=(\S*)", line))
            if "ReservationName" in fields:
                found.append({"name": fields["ReservationName"], "nodeList": fields["Nodes"], "state": fields["State"],
                              "startTime": int(fields["StartTime"]), "endTime": int(fields["EndTime"]),
                              "features": None if fields["Features"] == "(null)" else fields["Features"]})
        return 200, {"reservations": found}

    # Jobs, by Slurm's commands as the real server has them.

    def post_compute_jobs(self, names, query, body):
        job = body["job"]
        if self.pbs:
            return self.submit_pbs(job)
        environment = ",".join(f"{key}={value}" for key, value in job.get("env", {"F7T_version": "v2.0.0"}).items())
        argv = ["sbatch", f"--export=ALL,{environment}", f"--chdir={job['workingDirectory']}"]
        for key, option in (("partition", "partition"), ("reservation", "reservation"), ("account", "account"),
                            ("name", "job-name"), ("standardError", "error"), ("standardOutput", "output"),
                            ("standardInput", "input"), ("constraints", "constraint")):
            if job.get(key):
                argv.append(f"--{option}={job[key]}")
        if job.get("scriptPath"):
            argv += ["--", job["scriptPath"]]
        result = harness.run(argv, env=self.slurm.env(), input=job.get("script"), cwd="/")
        found = re.search(r"Submitted batch job (\d+)", result.stdout)
        if result.status != 0 or not found:
            raise Refusal(500, f"Unexpected Slurm command response. exit_status:{result.status} std_err:{result.stderr}")
        return 201, {"jobId": found.group(1)}

    def submit_pbs(self, job):
        """`qsub -- SCRIPT` runs a file and reads no lines of it: only what comes inline gets what it asks for."""
        if "scriptPath" in job or not job.get("script"):
            raise Violation("a job for PBS has no script of its own")
        try:
            return 201, {"jobId": self.pbs.submit(job)}
        except ValueError as error:
            raise Refusal(500, f"Unexpected PBS command response. exit_status:1 std_err:{error} stdout:") from None

    def get_pbs_jobs(self, number):
        if number and number not in self.pbs.jobs:
            raise Refusal(500, f"Unexpected PBS qstat response. exit_status:153 std_err:qstat: Unknown Job Id {number}.pbs")
        return 200, {"jobs": [self.pbs.describe(each) for each in ([number] if number else self.pbs.jobs)]}

    def list_jobs(self, *options):
        """What accounting knows, tasks by their indices; then the queue, where each has a number of its own. What waits
        accounting may tell otherwise, and an array's rest only when it is asked for by its number."""
        form = ",".join(f"{field}:|" for field in JOB_FIELDS)
        result = harness.run(["squeue", "--noheader", "--states=all", f"--Format={form}", *options],
                             env={**self.slurm.env(), "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"})
        if result.status != 0:
            return []
        fields = [dict(zip(JOB_FIELDS, line.split("|"))) for line in result.stdout.splitlines()]
        by_id = any(option.startswith("--jobs") for option in options)
        jobs = {}
        for field in fields:
            if by_id or "[" not in field["JobArrayID"]:
                jobs[field["JobArrayID"]] = self.describe_job(field["JobArrayID"], field)
        for field in fields:
            if field["State"] in IN_QUEUE and (field["JobID"] not in jobs or field["State"] == "PENDING"):
                jobs[field["JobID"]] = self.describe_job(field["JobID"], {**field, "exit_code": ""})
        return list(jobs.values())

    def describe_job(self, id, field):
        def number(text):
            return int(text) if text.isdigit() else None
        status = field["exit_code"]
        code, signal = status.split(":") if ":" in status else (int(status or 0) >> 8, int(status or 0) & 0x7f)
        return {"jobId": id, "name": field["Name"], "allocationNodes": number(field["NumNodes"]) or 0,
                "cluster": "berth", "nodes": field["NodeList"] or "None assigned", "partition": field["Partition"],
                "user": field["UserName"], "workingDirectory": field["WorkDir"], "account": field["Account"],
                "priority": number(field["PriorityLong"]), "tasks": None, "aMemberOfTheFuture": 1,
                "status": {"state": field["State"], "stateReason": field["Reason"], "exitCode": int(code),
                           "interruptSignal": int(signal)},
                "time": {"start": number(field["StartTime"]), "end": number(field["EndTime"]), "elapsed": None,
                         "limit": None, "suspended": None}}

    def get_compute_jobs(self, names, query, body):
        if self.pbs:
            return self.get_pbs_jobs(names.get("job_id"))
        if not names.get("job_id"):
            return 200, {"jobs": self.list_jobs(*(() if query.get("allusers") == "true" else ("--user=root",)))}
        if not re.fullmatch("[a-zA-Z0-9]+", names["job_id"]):
            raise Refusal(400, "1 validation error")
        jobs = self.list_jobs(f"--jobs={names['job_id']}")
        if not jobs:
            raise Refusal(404, "Job not found.")
        return 200, {"jobs": jobs}

    def get_compute_jobs_metadata(self, names, query, body):
        show = self.slurm.run("scontrol", "--oneliner", "show", "job", names["job_id"])
        if show.status != 0:
            raise Refusal(404, "Job not found.")
        script = self.slurm.run("scontrol", "write", "batch_script", names["job_id"], "-")
        # Of an array one alone, by the number that was asked for: there is one script.
        fields = dict(re.findall(r"(\w+)=(\S*)", show.stdout.splitlines()[0]))
        return 200, {"jobs": [{"jobId": names["job_id"], "script": script.stdout, "standardInput": fields.get("StdIn"),
                               "standardOutput": fields.get("StdOut"), "standardError": fields.get("StdErr")}]}

    def delete_compute_jobs(self, names, query, body):
        if not re.fullmatch("[a-zA-Z0-9]+", names["job_id"]):
            raise Refusal(400, "1 validation error")
        if self.pbs:
            if not self.pbs.delete(names["job_id"]):
                raise Refusal(500, "Unexpected PBS qdel response. exit_status:35 std_err:qdel: Job has finished "
                                   f"{names['job_id']}.pbs")
            return 204, None
        result = self.slurm.run("scancel", "--verbose", names["job_id"])
        if result.status != 0 or "error:" in result.stderr:
            raise Refusal(500, "Unexpected Slurm command response. "
                               f"exit_status:{result.status} std_err:{result.stderr}")
        return 204, None

    def put_compute_jobs_attach(self, names, query, body):
        if self.pbs:
            raise Refusal(501, "Interactive attach is not supported in PBS CLI client")
        line = f"srun --jobid='{names['job_id']}' --overlap {body['command']}"
        result = harness.run(["timeout", "5", "sh", "-c", line], env=self.slurm.env())
        if result.status != 0:
            raise Refusal(500, f"Unexpected Slurm command response. exit_status:{result.status} std_err:{result.stderr}")
        return 204, None


def programs_missing() -> list:
    return [program for program in ("tar", "xz", "base64", "dd") if not shutil.which(program)]
