# SPDX-License-Identifier: MIT
"""A stand-in for an S3 store, with the semantics that multi-part uploads have in the real one.

Requests are let in by presigned URLs (Signature Version 4 in the query), whose signature and expiry are checked; who has the
secret signs its headers instead, as a server does that makes buckets and begins uploads. A part has a number, at least 5 MiB unless it is the last, and its MD5 as ETag; an upload is an object only after a list of
its parts, in order and with their ETags, was posted. Objects are files below a directory. What goes wrong in real stores
goes wrong here when a test asks for it:

    store = S3(path).start()
    upload = store.initiate("me", "file")
    url = store.presign("PUT", "me", "file", {"uploadId": upload, "partNumber": 1}, expires=60)
    store.fail("PUT", "reset", part=2)      # once; also: 403, 500, 503, expired, slow, hang, truncate, bad-etag, no-etag, error-200
    store.requests                          # what came: method, bucket/key, query, status, Range
"""

import contextlib
import datetime
import hashlib
import hmac
import http.server
import os
import pathlib
import re
import shutil
import socket
import struct
import threading
import urllib.parse
import xml.etree.ElementTree

PART_MIN = 5 * 1024 * 1024
PARTS_MAX = 10000
ALGORITHM = "AWS4-HMAC-SHA256"
ACCESS = "stand-in"
REGION = "here"
CHUNK = 1024 * 1024
REFUSALS = {"403": "AccessDenied", "500": "InternalError", "503": "SlowDown", "expired": "AccessDenied"}
LOOK = "bytes=0-0"  # whether an object is there; no fault is spent on that


def quote(text: str, safe="") -> str:
    return urllib.parse.quote(text, safe=safe + "-_.~")


class Refusal(Exception):
    """An error as S3 says it."""

    def __init__(self, status: int, code: str, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code

    def body(self) -> bytes:
        return f'<?xml version="1.0"?><Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>'.encode()


class Signer:
    """AWS Signature Version 4 in the query of a URL."""

    def __init__(self, secret: str):
        self.secret = secret

    def signature(self, method: str, host: str, path: str, query: dict) -> str:
        return self.sign(method, path, query, {"host": host}, "UNSIGNED-PAYLOAD", query["X-Amz-Date"],
                         query["X-Amz-Credential"].partition("/")[2])

    def sign(self, method, path, query, headers, payload, date, scope) -> str:
        listed = "&".join(f"{quote(key)}={quote(value)}" for key, value in sorted(query.items()) if key != "X-Amz-Signature")
        lines = [f"{name}:{' '.join(value.split())}" for name, value in sorted(headers.items())]
        request = "\n".join([method, path, listed, *lines, "", ";".join(sorted(headers)), payload])
        text = "\n".join([ALGORITHM, date, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def presign(self, method: str, host: str, path: str, query: dict, expires: int, now=None) -> str:
        now = now or datetime.datetime.now(datetime.timezone.utc)
        query = {**{key: str(value) for key, value in query.items()}, "X-Amz-Algorithm": ALGORITHM,
                 "X-Amz-Credential": f"{ACCESS}/{now:%Y%m%d}/{REGION}/s3/aws4_request", "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
                 "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}
        query["X-Amz-Signature"] = self.signature(method, host, path, query)
        return f"http://{host}{path}?" + "&".join(f"{quote(key)}={quote(value)}" for key, value in query.items())

    def is_owner(self, method: str, path: str, query: dict, headers) -> bool:
        """Whether the headers are signed by who has the secret."""
        found = re.fullmatch(rf"{ALGORITHM} Credential={ACCESS}/(\S+), SignedHeaders=(\S+), Signature=(\w+)",
                             headers["Authorization"] or "")
        if not found:
            return False
        scope, names, signature = found.groups()
        signed = {name: headers[name] or "" for name in names.split(";")}
        return hmac.compare_digest(signature, self.sign(method, path, query, signed, headers["X-Amz-Content-SHA256"] or "",
                                                        headers["X-Amz-Date"] or "", scope))

    def check(self, method: str, host: str, path: str, query: dict) -> None:
        try:
            begin = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
            end = begin + datetime.timedelta(seconds=int(query["X-Amz-Expires"]))
            right = hmac.compare_digest(self.signature(method, host, path, query), query["X-Amz-Signature"])
        except (KeyError, ValueError):
            raise Refusal(403, "AccessDenied", "no presigned URL") from None
        if not right:
            raise Refusal(403, "SignatureDoesNotMatch")
        if datetime.datetime.now(datetime.timezone.utc) >= end:
            raise Refusal(403, "AccessDenied", "Request has expired")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do(self) -> None:
        store = self.server.store
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        is_owner = "Authorization" in self.headers  # nothing of what it does is spoiled, nor listed
        fault = store.take_fault(self.command, query) if self.headers.get("Range") != LOOK and not is_owner else None
        self.left = int(self.headers.get("Content-Length") or 0)
        try:
            with store.counted(self.command):
                status, headers, body = self.answer(store, path, query, fault)
        except Refusal as refusal:
            self.drain()
            status, headers, body = refusal.status, {"Content-Type": "application/xml"}, refusal.body()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        if not is_owner:
            store.requests.append((self.command, urllib.parse.unquote(path).lstrip("/"), query, status, self.headers.get("Range")))
        with contextlib.suppress(ConnectionError):
            self.send(status, headers, body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do

    def drain(self) -> None:
        while self.left > 0 and (chunk := self.rfile.read(min(self.left, CHUNK))):
            self.left -= len(chunk)

    def read_to(self, file) -> str:
        """The body into a file; its MD5."""
        digest = hashlib.md5(b"a key" if self.server.store.encrypts else b"")
        while self.left > 0:
            chunk = self.rfile.read(min(self.left, CHUNK))
            if not chunk:
                raise ConnectionError("the body ended")
            self.left -= len(chunk)
            digest.update(chunk)
            file.write(chunk)
        return digest.hexdigest()

    def answer(self, store, path, query, fault):
        if fault == "reset":
            self.rfile.read(min(self.left, 1000))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionError("asked for")
        if fault == "slow":
            store.stopped.wait(store.slow_s)
        if fault == "hang":
            store.resumed.wait()
            raise ConnectionError("nobody waits any more")
        if fault in REFUSALS:
            raise Refusal(403 if fault == "expired" else int(fault), REFUSALS[fault], "Request has expired" if fault == "expired" else "")
        bucket, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
        if store.signer.is_owner(self.command, path, query, self.headers):
            if not key:
                return self.manage(store, bucket, query)
        else:
            store.signer.check(self.command, self.headers["Host"], path, query)
        if not bucket or not key or ".." in key.split("/"):
            raise Refusal(404, "NoSuchKey")
        if self.command == "PUT":
            return self.put(store, bucket, key, query, fault)
        if self.command == "POST":
            return self.post(store, bucket, key, query, fault)
        if self.command == "DELETE":
            store.abort(query.get("uploadId", ""))
            return 204, {}, b""
        return self.get(store, bucket, key)

    def manage(self, store, bucket, query):
        """Buckets: are listed, made, and told how long to keep what is in them."""
        self.drain()
        if self.command == "GET" and not bucket:
            return 200, {"Content-Type": "application/xml"}, b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"
        if self.command != "PUT":
            raise Refusal(405, "MethodNotAllowed")
        if "lifecycle" not in query:
            try:
                store.object(bucket, "").mkdir(parents=True)
            except FileExistsError:
                raise Refusal(409, "BucketAlreadyOwnedByYou") from None
        return 200, {}, b""

    def put(self, store, bucket, key, query, fault):
        if "uploadId" in query:
            etag = store.put_part(bucket, key, query, self.read_to)
        else:
            store.object(bucket, key).parent.mkdir(parents=True, exist_ok=True)
            with open(store.object(bucket, key), "wb") as file:
                etag = self.read_to(file)
        headers = {"ETag": f'"{"0" * 32 if fault == "bad-etag" else etag}"'}
        return 200, {} if fault == "no-etag" else headers, b""

    def post(self, store, bucket, key, query, fault):
        body = self.rfile.read(self.left)
        self.left = 0
        if "uploads" in query:
            upload = store.initiate(bucket, key)
            return 200, {}, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode()
        # A store that has begun to answer cannot take its 200 back.
        if fault == "error-200":
            return 200, {"Content-Type": "application/xml"}, Refusal(200, "InternalError").body()
        etag = store.complete(bucket, key, query.get("uploadId", ""), body)
        return 200, {"Content-Type": "application/xml"}, (
            f'<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"{etag}"</ETag></CompleteMultipartUploadResult>').encode()

    def get(self, store, bucket, key):
        path = store.object(bucket, key)
        if not path.is_file():
            raise Refusal(404, "NoSuchKey")
        size = path.stat().st_size
        begin, end = 0, size - 1
        if (wanted := self.headers.get("Range", "")).startswith("bytes="):
            first, _, last = wanted[len("bytes="):].partition("-")
            begin, end = int(first), min(int(last or size - 1), size - 1)
            if begin >= size:
                raise Refusal(416, "InvalidRange")
        headers = {"ETag": f'"{store.etag(path)}"', "Accept-Ranges": "bytes"}
        if wanted:
            headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
        return (206 if wanted else 200), headers, (path, begin, end - begin + 1)

    def send(self, status, headers, body, fault) -> None:
        length = body[2] if isinstance(body, tuple) else len(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        if fault == "truncate":
            length //= 2
            self.close_connection = True
        self.wfile.flush()
        with open(body[0], "rb") as file:
            at = body[1]
            while length > 0 and (sent := os.sendfile(self.connection.fileno(), file.fileno(), at, min(length, 16 * CHUNK))):
                at, length = at + sent, length - sent


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


class S3:
    def __init__(self, dir: pathlib.Path):
        self.dir = dir
        self.signer = Signer("not a secret")
        self.requests, self.faults, self.uploads, self.etags = [], [], {}, {}
        self.lock = threading.Lock()
        self.stopped, self.resumed = threading.Event(), threading.Event()
        self.slow_s = 2.0
        self.running = self.most = self.initiated = 0
        self.part_min = PART_MIN
        self.encrypts = False  # ETags are of what it keeps, not of what it got

    def start(self) -> "S3":
        (self.dir / "parts").mkdir(parents=True)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.store = self
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def resume(self) -> None:
        """What hangs ends."""
        self.resumed.set()
        self.resumed = threading.Event()

    def stop(self) -> None:
        self.stopped.set()
        self.resumed.set()
        self.server.shutdown()
        self.server.server_close()

    def fail(self, method: str, how: str, times=1, part=None, after=0) -> None:
        """The next requests of this method, or of this part; after so many of it that do not fail."""
        self.faults.append({"method": method, "how": how, "times": times, "part": part, "after": after})

    def take_fault(self, method: str, query: dict):
        with self.lock:
            for fault in self.faults:
                if fault["times"] > 0 and fault["method"] == method and fault["part"] in (None, int(query.get("partNumber", 0))):
                    if fault["after"] > 0:
                        fault["after"] -= 1
                        continue
                    fault["times"] -= 1
                    return fault["how"]
        return None

    @contextlib.contextmanager
    def counted(self, method: str):
        """How many requests of data run at the same time, at most, is self.most."""
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            yield
        finally:
            with self.lock:
                self.running -= 1

    def object(self, bucket: str, key: str) -> pathlib.Path:
        return self.dir / "objects" / bucket / key

    def etag(self, path: pathlib.Path) -> str:
        """Of one that came past the API: as of an upload in parts, which is no MD5 of what is in it."""
        if path not in self.etags:
            seen = path.stat()
            self.etags[path] = hashlib.md5(f"{seen.st_ino} {seen.st_size} {seen.st_mtime_ns}".encode()).hexdigest() + "-1"
        return self.etags[path]

    def presign(self, method: str, bucket: str, key: str, query=None, expires=3600, now=None) -> str:
        return self.signer.presign(method, self.host, f"/{quote(bucket)}/{quote(key, '/')}", query or {}, expires, now)

    def initiate(self, bucket: str, key: str) -> str:
        with self.lock:
            self.initiated += 1
            upload = f"upload-{self.initiated}"
            self.uploads[upload] = {"name": (bucket, key), "parts": {}}
        (self.dir / "parts" / upload).mkdir()
        return upload

    def find(self, bucket: str, key: str, upload: str) -> dict:
        found = self.uploads.get(upload)
        if not found or found["name"] != (bucket, key):
            raise Refusal(404, "NoSuchUpload")
        return found

    def put_part(self, bucket, key, query, read_to) -> str:
        upload = query["uploadId"]
        found = self.find(bucket, key, upload)
        number = int(query.get("partNumber", 0))
        if not 1 <= number <= PARTS_MAX:
            raise Refusal(400, "InvalidArgument", "Part number must be between 1 and 10000")
        path = self.dir / "parts" / upload / str(number)
        mine = path.with_suffix(f".{threading.get_ident()}")
        try:
            with open(mine, "wb") as file:
                etag = read_to(file)
            # A part that comes again replaces the one before.
            os.rename(mine, path)
        finally:
            mine.unlink(missing_ok=True)
        found["parts"][number] = etag
        return etag

    def complete(self, bucket, key, upload, body) -> str:
        found = self.find(bucket, key, upload)
        try:
            root = xml.etree.ElementTree.fromstring(body)
            listed = [(int(part.findtext("{*}PartNumber")), part.findtext("{*}ETag").strip('"')) for part in root.iter()
                      if part.tag.rpartition("}")[2] == "Part"]
        except (xml.etree.ElementTree.ParseError, TypeError, ValueError, AttributeError):
            raise Refusal(400, "MalformedXML") from None
        if not listed:
            raise Refusal(400, "MalformedXML")
        if [number for number, _ in listed] != sorted({number for number, _ in listed}):
            raise Refusal(400, "InvalidPartOrder")
        paths = [self.dir / "parts" / upload / str(number) for number, _ in listed]
        if any(found["parts"].get(number) != etag for number, etag in listed):
            raise Refusal(400, "InvalidPart")
        if any(path.stat().st_size < self.part_min for path in paths[:-1]):
            raise Refusal(400, "EntityTooSmall")
        target = self.object(bucket, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        # An object is there as a whole or not at all.
        whole = paths[0]
        if len(paths) > 1:
            whole = paths[0].with_name(f"whole.{threading.get_ident()}")
            with open(whole, "wb") as file:
                for path in paths:
                    with open(path, "rb") as part:
                        while os.copy_file_range(part.fileno(), file.fileno(), 256 * CHUNK):
                            pass
        digests = b"".join(bytes.fromhex(etag) for _, etag in listed)
        self.etags[target] = f"{hashlib.md5(digests).hexdigest()}-{len(listed)}"
        os.rename(whole, target)
        self.abort(upload)
        return self.etags[target]

    def abort(self, upload: str) -> None:
        with self.lock:
            if self.uploads.pop(upload, None):
                shutil.rmtree(self.dir / "parts" / upload, ignore_errors=True)
