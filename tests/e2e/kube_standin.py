# SPDX-License-Identifier: MIT
"""A stand-in for the API server of Kubernetes, over plain HTTP: objects of any kind in memory, lists in pages, watches,
merge patches, removal with all that an object owns, and what the controller of Jobs does with pods. It has no nodes of
its own: tests say what a kubelet would. What the real one cannot be made to do, it does on demand: `faults`, `expire`,
`drop_watches`, `token`."""

import copy
import datetime
import http.server
import json
import re
import threading
import urllib.parse
import uuid

import kube

LABEL_INDEX = "batch.kubernetes.io/job-completion-index"
PATH = re.compile(r"/(?:api/v1|apis/[a-z0-9.]+/v1)(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?(?:/([a-z]+))?")


class Refused(Exception):
    """An answer that is a Status object."""

    def __init__(self, code: int, message: str, reason: str = ""):
        super().__init__(message)
        self.code = code
        self.body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
                     "code": code}


class Fault:
    """What is answered in the place of the next request whose path and query have `match` in them."""

    def __init__(self, code: int, body, match: str = "", headers: dict | None = None):
        self.code, self.body, self.match, self.headers = code, body, match, headers or {}


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    target = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merge(target.get(key), value)
    return target


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body, headers=None) -> None:
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def stream(self, events) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            line = json.dumps(event).encode() + b"\n" if not isinstance(event, bytes) else event
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        server = self.server.owner
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        try:
            with server.lock:
                server.seen.append((self.command, self.path, self.headers.get("Authorization")))
                server.headers = self.headers
                fault = server.next_fault(self.path)
                if fault:
                    return self.answer(fault.code, fault.body, fault.headers)
                if self.headers.get("Authorization") != f"Bearer {server.token}":
                    raise Refused(401, "Unauthorized", "Unauthorized")
                answer = None if "watch" in query or query.get("follow") == "true" else server.act(self.command, parts.path, query, body)
            if answer is None:
                events = server.watch(parts.path, query) if "watch" in query else server.follow(parts.path, query)
                return self.stream(events)
            self.answer(*answer)
        except Refused as refused:
            self.answer(refused.code, refused.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class StandIn(kube.Cluster):
    def __init__(self):
        self.lock = threading.Condition()
        self.objects, self.logs, self.history = {}, {}, []
        self.version, self.oldest, self.watches, self.bookmarks = 100, 0, 0, 0
        self.faults, self.seen, self.headers, self.token = [], [], {}, kube.TOKEN
        self.page = 0  # the largest page, whatever is asked for; 0: as large as is asked for

    def start(self) -> "StandIn":
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.drop_watches()
        self.server.shutdown()
        self.server.server_close()

    def kubeconfig(self, path):
        (path.parent / "kube-token").write_text(kube.TOKEN + "\n")
        return kube.write_kubeconfig(path, self.url, None, {"tokenFile": "kube-token"})

    # What tests make go wrong.

    def next_fault(self, path: str):
        for at, fault in enumerate(self.faults):
            fault = fault if isinstance(fault, Fault) else Fault(*fault)
            if fault.match in path:
                self.faults.pop(at)
                return fault
        return None

    def drop_watches(self) -> None:
        """Ends every watch, as a server that is restarted does."""
        with self.lock:
            self.watches += 1
            self.lock.notify_all()

    def expire(self) -> None:
        """Forgets what happened so far: whoever watches from there is told 410, in the stream or before it."""
        with self.lock:
            self.version += 1
            self.oldest = self.version
            self.history.clear()
            self.lock.notify_all()

    # Objects.

    def kind(self, kind: str) -> dict:
        return self.objects.setdefault(kind, {})

    def note(self, what: str, kind: str, item: dict) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, what, kind, copy.deepcopy(item)))
        self.lock.notify_all()

    def find(self, kind: str, name: str) -> dict:
        if name not in self.kind(kind):
            raise Refused(404, f'{kind} "{name}" not found', "NotFound")
        return self.kind(kind)[name]

    def make(self, kind: str, item: dict) -> dict:
        metadata = item["metadata"]
        name = metadata.setdefault("name", metadata.get("generateName", "") + uuid.uuid4().hex[:5])
        if name in self.kind(kind):
            raise Refused(409, f'{kind} "{name}" already exists', "AlreadyExists")
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ"))
        metadata.setdefault("namespace", "default")
        item.setdefault("status", {"phase": "Pending"} if kind == "pods" else {})
        self.kind(kind)[name] = item
        self.note("ADDED", kind, item)
        if kind == "jobs":
            self.make_pods(item)
        return item

    def remove(self, kind: str, name: str) -> None:
        item = self.kind(kind).pop(name, None)
        if not item:
            return
        self.note("DELETED", kind, item)
        uid = item["metadata"]["uid"]
        for other in list(self.objects):
            for owned in [key for key, value in self.kind(other).items() if any(
                    owner["uid"] == uid for owner in value["metadata"].get("ownerReferences", []))]:
                self.remove(other, owned)
        if kind == "pods":
            self.pod_ended(item, False)

    def selected(self, item: dict, query: dict) -> bool:
        labels = item["metadata"].get("labels", {})
        for term in filter(None, query.get("labelSelector", "").split(",")):
            key, _, value = term.partition("=")
            if key not in labels or (value and labels[key] != value):
                return False
        for term in filter(None, query.get("fieldSelector", "").split(",")):
            key, _, value = term.partition("!=" if "!=" in term else "=")
            found = item
            for part in key.split("."):
                found = (found or {}).get(part)
            if (found == value) == ("!=" in term):
                return False
        return True

    # The controller of Jobs.

    def pods_of(self, job: dict) -> list:
        return [pod for pod in self.kind("pods").values() if any(
            owner["uid"] == job["metadata"]["uid"] for owner in pod["metadata"].get("ownerReferences", []))]

    def make_pod(self, job: dict, index: int | None) -> None:
        name, pod = job["metadata"]["name"], copy.deepcopy(job["spec"]["template"])
        number = sum(1 for _ in self.pods_of(job)) + 1
        metadata = pod.setdefault("metadata", {})
        metadata["name"] = f"{name}-x{number}" if index is None else f"{name}-{index}-x{number}"
        metadata["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": name,
                                        "uid": job["metadata"]["uid"]}]
        if index is not None:
            metadata.setdefault("annotations", {})[LABEL_INDEX] = str(index)
            metadata.setdefault("labels", {})[LABEL_INDEX] = str(index)
        self.make("pods", pod)

    def make_pods(self, job: dict) -> None:
        """As many as may run: those of an indexed Job that have not been begun, in their order."""
        spec = job["spec"]
        if spec.get("suspend"):
            return
        if spec.get("completionMode") != "Indexed":
            if not self.pods_of(job):
                self.make_pod(job, None)
            return
        begun = {int(pod["metadata"]["annotations"][LABEL_INDEX]) for pod in self.pods_of(job)} | self.indexes(job)
        active = [pod for pod in self.pods_of(job) if pod["status"]["phase"] in ("Pending", "Running")]
        room = spec["parallelism"] - len(active)
        for index in [i for i in range(spec["completions"]) if i not in begun][:max(room, 0)]:
            self.make_pod(job, index)

    def suspend(self, job: dict) -> None:
        """Its pods go, or are made anew."""
        held = job["spec"].get("suspend", False)
        for pod in self.pods_of(job) if held else []:
            self.note("DELETED", "pods", self.kind("pods").pop(pod["metadata"]["name"]))
        job["status"]["conditions"] = [{"type": "Suspended", "status": str(held), "lastTransitionTime": kube.now(),
                                        "reason": "JobSuspended" if held else "JobResumed",
                                        "message": "Job suspended" if held else "Job resumed"}]
        self.note("MODIFIED", "jobs", job)
        self.make_pods(job)

    @staticmethod
    def indexes(job: dict) -> set:
        status = job["status"]
        return {int(i) for key in ("completedIndexes", "failedIndexes") for i in status.get(key, "").split(",") if i}

    def end_job(self, job: dict, how: str, reason: str = "", message: str = "") -> None:
        if any(condition["type"] in ("Complete", "Failed") for condition in job["status"].get("conditions", [])):
            return
        condition = {"type": how, "status": "True", "lastTransitionTime": kube.now()}
        if reason:
            condition.update(reason=reason, message=message)
        job["status"].setdefault("conditions", []).append(condition)
        if how == "Complete":
            job["status"]["completionTime"] = kube.now()
        self.note("MODIFIED", "jobs", job)

    def pod_ended(self, pod: dict, succeeded: bool) -> None:
        owners = pod["metadata"].get("ownerReferences", [])
        job = self.kind("jobs").get(owners[0]["name"]) if owners else None
        if not job or job["metadata"]["uid"] != owners[0]["uid"]:
            return
        spec, status = job["spec"], job["status"]
        if "backoffLimitPerIndex" in spec:
            index, key = pod["metadata"]["annotations"][LABEL_INDEX], "completedIndexes" if succeeded else "failedIndexes"
            if int(index) not in self.indexes(job):
                status[key] = ",".join(sorted(filter(None, [*status.get(key, "").split(","), index]), key=int))
                self.note("MODIFIED", "jobs", job)
            self.make_pods(job)
            if len(self.indexes(job)) == spec["completions"]:
                if status.get("failedIndexes"):
                    self.end_job(job, "Failed", "FailedIndexes", "Job has failed indexes")
                else:
                    self.end_job(job, "Complete")
            return
        pods = self.pods_of(job)
        if not succeeded:
            if sum(1 for one in pods if one["status"]["phase"] == "Failed") <= spec.get("backoffLimit", 6):
                return self.make_pod(job, None)
            self.end_job(job, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
            for other in [one for one in pods if one["status"]["phase"] in ("Pending", "Running")]:
                ended = {"exitCode": 143, "startedAt": kube.now(), "finishedAt": kube.now()}
                self.patch("pods", other["metadata"]["name"], "status", {"status": {
                    "phase": "Failed", "containerStatuses": [{"name": "main", "state": {"terminated": ended}}]}})
        elif sum(1 for one in pods if one["status"]["phase"] == "Succeeded") >= spec.get("completions", 1):
            self.end_job(job, "Complete")

    # Requests.

    def patch(self, kind: str, name: str, part: str | None, change: dict) -> dict:
        item = self.find(kind, name)
        wanted = change.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != item["metadata"]["resourceVersion"]:
            raise Refused(409, f'Operation cannot be fulfilled on {kind} "{name}": the object has been modified', "Conflict")
        before = item["status"].get("phase")
        merge(item, {"status": change["status"]} if part == "status" else change)
        self.note("MODIFIED", kind, item)
        if kind == "jobs" and "suspend" in change.get("spec", {}):
            self.suspend(item)
        phase = item["status"].get("phase")
        if kind == "pods" and phase != before and phase in ("Succeeded", "Failed"):
            self.pod_ended(item, phase == "Succeeded")
        return item

    def log_of(self, name: str, query: dict) -> str:
        self.find("pods", name)
        if name not in self.logs:
            raise Refused(400, f'container "main" in pod "{name}" is waiting to start', "BadRequest")
        text = self.logs[name]
        if not isinstance(text, str):  # lines and when they were printed
            text = "".join(line for moment, line in text if moment >= query.get("sinceTime", ""))
        return "".join(text.splitlines(True)[-int(query["tailLines"]):]) if "tailLines" in query else text

    def follow(self, path: str, query: dict):
        """A log as it grows, to the end of its pod or until streams are broken."""
        name, sent, mine = PATH.fullmatch(path).group(3), 0, self.watches
        while True:
            with self.lock:
                text = self.log_of(name, query).encode()
                is_over = self.find("pods", name)["status"]["phase"] in ("Succeeded", "Failed") or self.watches != mine
                if len(text) == sent and not is_over:
                    self.lock.wait(0.05)
            if len(text) > sent:
                yield text[sent:]
                sent = len(text)
            elif is_over:
                return

    def items_of(self, kind: str, query: dict) -> dict:
        """A page; the place in a list is a number of items and the version that it had."""
        start, version = (int(n) for n in query.get("continue", f"0:{self.version}").split(":"))
        if start and version < self.oldest:
            raise Refused(410, "The provided continue parameter is too old", "Expired")
        items = [item for _, item in sorted(self.kind(kind).items()) if self.selected(item, query)]
        limit = int(query.get("limit", 0)) or len(items)
        end = start + (min(limit, self.page) if self.page and int(query.get("limit", 0)) else limit)
        metadata = {"resourceVersion": str(version)}
        if end < len(items):
            metadata["continue"] = f"{end}:{version}"
        return {"kind": "List", "metadata": metadata, "items": items[start:end]}

    def act(self, method: str, path: str, query: dict, body):
        found = PATH.fullmatch(path)
        if not found:
            raise Refused(404, f'path "{path}" not found', "NotFound")
        _, kind, name, part = found.groups()
        if method == "POST" and part == "binding":
            self.patch("pods", name, None, {"spec": {"nodeName": body["target"]["name"]}})
            return 201, {"kind": "Status", "status": "Success"}
        if method == "POST":
            return 201, self.make(kind, body)
        if method == "DELETE":
            for key in [name] if name else [k for k, v in self.kind(kind).items() if self.selected(v, query)]:
                self.check(self.find(kind, key), (body or {}).get("preconditions", {}))
                self.remove(kind, key)
            return 200, {"kind": "Status", "status": "Success"}
        if method == "PATCH" and part == "ephemeralcontainers":
            return 200, self.add_ephemeral(name, body["spec"]["ephemeralContainers"])
        if method == "PATCH":
            return 200, self.patch(kind, name, part, body)
        if part == "log":
            return 200, self.log_of(name, query)
        return 200, self.find(kind, name) if name else self.items_of(kind, query)

    def add_ephemeral(self, name: str, containers: list) -> dict:
        """A strategic merge, whose key is the name: they are added, and never changed."""
        pod = self.find("pods", name)
        there = pod["spec"].setdefault("ephemeralContainers", [])
        for container in containers:
            if any(one["name"] == container["name"] for one in there):
                raise Refused(422, "existing ephemeral containers may not be changed", "Invalid")
            if not any(one["name"] == container["targetContainerName"] for one in pod["spec"]["containers"]):
                raise Refused(422, "targetContainerName: not found", "Invalid")
            there.append(container)
        self.note("MODIFIED", "pods", pod)
        return pod

    @staticmethod
    def check(item: dict, preconditions: dict) -> None:
        for key, value in preconditions.items():
            if item["metadata"][key] != value:
                raise Refused(409, f"the {key} in the precondition ({value}) does not match", "Conflict")

    def watch(self, path: str, query: dict):
        """Yields events from a version on, a bookmark when nothing happens, and 410 in words when it is too old."""
        kind = PATH.fullmatch(path).group(2)
        seen, mine = int(query.get("resourceVersion", 0)), self.watches
        while True:
            with self.lock:
                if self.watches != mine:
                    return
                is_old = seen < self.oldest
                events = [(v, what, item) for v, what, of, item in self.history
                          if v > seen and of == kind and self.selected(item, query)]
                if not events and not self.lock.wait(0.5) and "allowWatchBookmarks" in query and self.watches == mine:
                    seen, self.bookmarks = max(seen, self.version), self.bookmarks + 1
                    events = [(seen, "BOOKMARK", {"kind": "Bookmark", "metadata": {"resourceVersion": str(seen)}})]
            if is_old:
                yield {"type": "ERROR", "object": Refused(410, "too old resource version", "Expired").body}
                return
            for version, what, item in events:
                seen = version
                yield {"type": what, "object": item}
