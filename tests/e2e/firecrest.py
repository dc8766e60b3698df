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

import base64
import contextlib
import email.parser
import email.policy
import hashlib
import http.server
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import harness

DESCRIPTION = "firecrest-openapi-2.5.4.yaml"
OUTPUT_MAX = 5 * 1024 * 1024
SYSTEM = "cluster"
JOB_FIELDS = ("JobArrayID", "NumNodes", "exit_code", "Account", "Name", "NodeList", "Partition", "PriorityLong", "State",
              "Reason", "StartTime", "EndTime", "UserName", "WorkDir")


class Unavailable(Exception):
    """Why there is no such server on this machine."""


def find_description() -> pathlib.Path:
    given = os.environ.get("BERTH_TEST_FIRECREST_OPENAPI")
    places = [pathlib.Path(given)] if given else [
        parent / "shared" / "reference" / DESCRIPTION for parent in harness.TOP.parents]
    for place in places:
        if place.exists():
            return place
    raise Unavailable(f"no {DESCRIPTION} beside the project: set BERTH_TEST_FIRECREST_OPENAPI to the published description")


class Violation(Exception):
    """What does not fit the description."""


class Description:
    """The published description: which operation a request is, and whether it and its answer fit."""

    def __init__(self, path: pathlib.Path):
        try:
            import jsonschema
            import yaml
        except ImportError as reason:
            raise Unavailable(f"{reason}: apt-get install python3-jsonschema python3-yaml") from None
        self.document = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.validator = jsonschema.Draft202012Validator
        self.resolver = jsonschema.RefResolver("", self.document)
        self.operations = []
        for template, methods in self.document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template)) + "$")
            for method, operation in methods.items():
                self.operations.append((method.upper(), pattern, template, operation))

    def find(self, method, path):
        for its, pattern, template, operation in self.operations:
            match = pattern.match(path)
            if its == method and match:
                return template, operation, {key: urllib.parse.unquote(value) for key, value in match.groupdict().items()}
        return None, None, None

    def check(self, value, schema, what):
        errors = sorted(self.validator(schema, resolver=self.resolver).iter_errors(value), key=str)
        if errors:
            raise Violation(f"{what}: {errors[0].message} at {list(errors[0].absolute_path)}")

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.resolver.resolve(schema["$ref"])[1]
        return schema

    def check_known(self, value, schema, what):
        """Requests say nothing that the description does not know."""
        schema = self.resolve(schema)
        for key, member in value.items() if isinstance(value, dict) and "properties" in schema else ():
            if key not in schema["properties"]:
                raise Violation(f"{what}: no '{key}' in the description")
            self.check_known(member, schema["properties"][key], what)

    def check_query(self, operation, query, what):
        known = {each["name"]: each for each in operation.get("parameters", ()) if each["in"] == "query"}
        for name, value in query.items():
            if name not in known:
                raise Violation(f"{what}: no parameter '{name}' in the description")
            types = str(known[name]["schema"])
            if "'integer'" in types and not re.fullmatch(r"-?\d+", value):
                raise Violation(f"{what}: {name}={value} is no integer")
            if "'boolean'" in types and value not in ("true", "false"):
                raise Violation(f"{what}: {name}={value} is no boolean")
        for name, each in known.items():
            if each.get("required") and name not in query:
                raise Violation(f"{what}: '{name}' is missing")

    def check_request(self, operation, query, kind, body, what):
        self.check_query(operation, query, what)
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            if body:
                raise Violation(f"{what}: a body where there is none")
        elif kind not in content:
            raise Violation(f"{what}: a body of type {kind}, not {list(content)}")
        elif kind == "application/json":
            self.check(body, content[kind]["schema"], what)
            self.check_known(body, content[kind]["schema"], what)

    def check_answer(self, operation, status, body, what):
        responses = operation["responses"]
        answer = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if not answer:
            raise Violation(f"{what}: no status {status} in the description")
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema and not isinstance(body, bytes):
            self.check(body, schema, f"{what}: answer")
        elif not answer.get("content") and body is not None:
            raise Violation(f"{what}: a body where there is none")


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def refuse_shell(result):
    """The statuses that the real server makes of what its commands complain of."""
    message = f"Remote process failed with exit status:{result.returncode} and error message:{result.stderr.decode().strip()}"
    for words, status in (("No such file or directory", 404), ("Permission denied", 403),
                          ("Operation not permitted", 403), ("File exists", 400)):
        if words in message:
            raise Refusal(status, message)
    raise Refusal(408 if result.returncode == 124 else 500, message)


class Server:
    def __init__(self, dir: pathlib.Path, slurm, direct_max=OUTPUT_MAX):
        self.dir, self.slurm, self.direct_max = dir, slurm, direct_max
        self.description = Description(find_description())
        self.system, self.user = SYSTEM, "root"
        self.scratch, self.users = dir / "scratch", dir / "users"
        self.token = "first-token"
        self.tokens = {self.token}
        self.requests, self.violations, self.faults = [], [], []
        self.connections = 0
        self.lock = threading.Lock()
        self.health = []
        self.data_transfer = None
        # Who has a store for large files answers "METHOD /path/{template}" here: handler(server, system, query, body).
        self.extra = {}

    def start(self) -> "Server":
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

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/firecrest/v2"
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
            self.violations.append(str(violation))
        self.send(handler, status, body, fault)

    def answer(self, handler, what, operation, names, query, raw):
        try:
            if not operation:
                raise Violation(f"{what}: not in the description")
            if handler.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                raise Refusal(401, "Invalid token")
            pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
            kind = (handler.headers.get("Content-Type") or "").split(";")[0]
            body = self.read_body(handler, kind, raw)
            self.description.check_request(operation, dict(pairs), kind, body, what)
            if names.get("system_name", self.system).lower() != self.system:
                raise Refusal(404, f"System {names['system_name']} not found")
            return self.dispatch(what, names, dict(pairs), body)
        except Refusal as refusal:
            return refusal.status, {"message": str(refusal), "errorType": "error"}
        except Violation as violation:
            self.violations.append(str(violation))
            return 500, {"message": f"violation: {violation}", "errorType": "validation"}

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
            "scheduler": {"type": "slurm", "version": "22.05.8"}, "probing": {"intervalCheck": 60},
            "servicesHealth": health, "fieldOfTheFuture": {"a": [1]},
            "fileSystems": [{"path": str(self.users), "dataType": "users", "defaultWorkDir": True},
                            {"path": str(self.scratch), "dataType": "scratch"}],
            "dataOperation": {"max_ops_file_size": self.direct_max, "data_transfer": self.data_transfer}}]}

    def get_status_userinfo(self, names, query, body):
        root = {"id": "0", "name": self.user}
        return 200, {"user": root, "group": root, "groups": [root],
                     "accounts": [{"name": "science", "default": True}]}

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
        return 200, {"reservations": []}

    # Jobs, by Slurm's commands as the real server has them.

    def post_compute_jobs(self, names, query, body):
        job = body["job"]
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

    def list_jobs(self, *options):
        form = ",".join(f"{field}:|" for field in JOB_FIELDS)
        result = harness.run(["squeue", "--noheader", "--states=all", f"--Format={form}", *options],
                             env={**self.slurm.env(), "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"})
        if result.status != 0:
            return []
        return [self.describe_job(line.split("|")) for line in result.stdout.splitlines()]

    def describe_job(self, fields):
        field = dict(zip(JOB_FIELDS, fields))

        def number(text):
            return int(text) if text.isdigit() else None
        status = field["exit_code"]
        code, signal = status.split(":") if ":" in status else (int(status or 0) >> 8, int(status or 0) & 0x7f)
        return {"jobId": field["JobArrayID"], "name": field["Name"], "allocationNodes": number(field["NumNodes"]) or 0,
                "cluster": "berth", "nodes": field["NodeList"] or "None assigned", "partition": field["Partition"],
                "user": field["UserName"], "workingDirectory": field["WorkDir"], "account": field["Account"],
                "priority": number(field["PriorityLong"]), "tasks": None, "aMemberOfTheFuture": 1,
                "status": {"state": field["State"], "stateReason": field["Reason"], "exitCode": int(code),
                           "interruptSignal": int(signal)},
                "time": {"start": number(field["StartTime"]), "end": number(field["EndTime"]), "elapsed": None,
                         "limit": None, "suspended": None}}

    def get_compute_jobs(self, names, query, body):
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
        fields = dict(re.findall(r"(Std\w+)=(\S*)", show.stdout))
        return 200, {"jobs": [{"jobId": names["job_id"], "script": script.stdout, "standardInput": fields.get("StdIn"),
                               "standardOutput": fields.get("StdOut"), "standardError": fields.get("StdErr")}]}

    def delete_compute_jobs(self, names, query, body):
        if not re.fullmatch("[a-zA-Z0-9]+", names["job_id"]):
            raise Refusal(400, "1 validation error")
        result = self.slurm.run("scancel", "--verbose", names["job_id"])
        if result.status != 0 or "error:" in result.stderr:
            raise Refusal(500, "Unexpected Slurm command response. "
                               f"exit_status:{result.status} std_err:{result.stderr}")
        return 204, None

    def put_compute_jobs_attach(self, names, query, body):
        line = f"srun --jobid='{names['job_id']}' --overlap {body['command']}"
        result = harness.run(["timeout", "5", "sh", "-c", line], env=self.slurm.env())
        if result.status != 0:
            raise Refusal(500, f"Unexpected Slurm command response. exit_status:{result.status} std_err:{result.stderr}")
        return 204, None

    # Files, by the commands of the real server.

    def shell(self, line, input=None):
        result = subprocess.run(["timeout", "5", "sh", "-c", line], input=input, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False)
        if result.returncode != 0:
            refuse_shell(result)
        if len(result.stdout) >= OUTPUT_MAX:
            raise Refusal(413, "Command output exceeded buffer limit.")
        return result.stdout

    def text(self, line):
        return self.shell(line).decode("utf-8", errors="replace")

    def list(self, options, path):
        entry = re.compile(r"^(\S)(\S+)\s+\d+\s+(\S+)\s+(\S+)\s+(\d+)\s+([-\dT:]+)\s+(.+)$")
        found, folder, root = [], "", None
        for line in self.text(f"ls -l --quoting-style=c --time-style='+%Y-%m-%dT%H:%M:%S' {options} -- '{path}'"
                              ).splitlines():
            if re.fullmatch(r'".+":', line):
                here = shlex.split(line[:-1])[0].rstrip("/") + "/"
                root = root or here
                folder = here.removeprefix(root)
                continue
            match = entry.match(line)
            if match:
                kind, permissions, user, group, size, changed, name = match.groups()
                words = shlex.split(name)
                found.append({"name": folder + words[0], "type": kind, "user": user, "group": group, "size": size,
                              "permissions": permissions, "lastModified": changed,
                              "linkTarget": words[2] if len(words) == 3 else None})
        return found

    def get_filesystem_ops_ls(self, names, query, body):
        options = " ".join(option for key, option in (("showHidden", "-A"), ("numericUid", "-n"), ("recursive", "-R"),
                                                      ("dereference", "-L")) if query.get(key) == "true")
        return 200, {"output": self.list(options, query["path"])}

    def get_filesystem_ops_stat(self, names, query, body):
        follow = "-L " if query.get("dereference") == "true" else ""
        fields = self.text(f"stat {follow}-c '%f %i %d %h %u %g %s %X %Z %Y' -- '{query['path']}'").split()
        keys = ("mode", "ino", "dev", "nlink", "uid", "gid", "size", "atime", "ctime", "mtime")
        return 200, {"output": dict(zip(keys, [int(fields[0], 16)] + [int(field) for field in fields[1:]]))}

    def get_filesystem_ops_file(self, names, query, body):
        return 200, {"output": "directory" if os.path.isdir(query["path"]) else "data"}

    def get_filesystem_ops_checksum(self, names, query, body):
        return 200, {"output": {"algorithm": "SHA256",
                                "checksum": self.text(f"sha256sum -- '{query['path']}'").split()[0].lstrip("\\")}}

    def part(self, program, sign, skip, query):
        options = []
        for key in "bytes", "lines":
            if query.get(key):
                options.append(f"--{key}='{sign if query.get(skip) == 'true' else ''}{query[key]}'")
        if len(options) > 1:
            raise Refusal(400, "Only one of `bytes` or `lines` can be specified.")
        content = self.text(f"{program} {' '.join(options)} -- '{query['path']}'")
        return 200, {"output": {"content": content, "contentType": "bytes" if query.get("bytes") else "lines",
                                "startPosition": 0, "endPosition": -1}}

    def get_filesystem_ops_head(self, names, query, body):
        return self.part("head", "-", "skipTrailing", query)

    def get_filesystem_ops_tail(self, names, query, body):
        return self.part("tail", "+", "skipHeading", query)

    def get_filesystem_ops_view(self, names, query, body):
        size, offset = int(query.get("size", self.direct_max)), int(query.get("offset", 0))
        if size > self.direct_max or size <= 0 or offset < 0:
            raise Refusal(400, f"`size` value must be less than {self.direct_max} bytes")
        text = self.text(f"dd if='{query['path']}' bs={size} skip={offset // size} count=2 2>/dev/null")
        return 200, {"output": text[offset % size:offset % size + size]}

    def get_filesystem_ops_download(self, names, query, body):
        content = base64.b64decode(self.shell(f"base64 --wrap=0 -- '{query['path']}'"))
        if len(content) > self.direct_max:
            raise Refusal(413, "File to download is too large.")
        return 200, content

    def post_filesystem_ops_upload(self, names, query, body):
        name, content = body
        if len(content) > self.direct_max:
            raise Refusal(413, "File to upload is too large.")
        self.shell(f"base64 -d > '{query['path']}/{name}'", base64.b64encode(content))
        return 204, None

    def post_filesystem_ops_mkdir(self, names, query, body):
        path = body["sourcePath"]
        self.shell(f"mkdir {'-p ' if body.get('parent') else ''}-- '{path}'")
        return 201, {"output": self.list("-d", path)[0]}

    def put_filesystem_ops_chmod(self, names, query, body):
        self.shell(f"chmod {shlex.quote(body['mode'])} -- '{body['sourcePath']}'")
        return 200, {"output": self.list("-d", body["sourcePath"])[0]}

    def post_filesystem_ops_symlink(self, names, query, body):
        self.shell(f"ln -s -- '{body['sourcePath']}' '{body['linkPath']}'")
        return 201, {"output": self.list("-d", body["linkPath"])[0]}

    def delete_filesystem_ops_rm(self, names, query, body):
        self.shell(f"rm -r --interactive=never -- '{query['path']}'")
        return 204, None

    def archive(self, body):
        return {"none": "", "bzip2": "j", "gzip": "z", "xz": "J"}[body.get("compression", "gzip")]

    def post_filesystem_ops_compress(self, names, query, body):
        source, target = body["sourcePath"], body["targetPath"]
        follow = "--dereference" if body.get("dereference") else ""
        self.shell(f"tar {follow} -c{self.archive(body)}f '{target}' -C '{os.path.dirname(source)}' "
                   f"'{os.path.basename(source)}'")
        return 204, None

    def post_filesystem_ops_extract(self, names, query, body):
        self.shell(f"tar -x{self.archive(body)}f '{body['sourcePath']}' -C '{body['targetPath']}'")
        return 204, None


def sha256(path) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def programs_missing() -> list:
    return [program for program in ("tar", "xz", "base64", "dd") if not shutil.which(program)]
