# SPDX-License-Identifier: MIT
"""Large files for the stand-in FirecREST: the calls below /transfer, with a stand-in S3 store (s3.py) and jobs of the real
Slurm that carry files between that and the file system, as the real server's jobs do with curl."""

import itertools
import pathlib
import shlex

import firecrest_files
import s3

TEMPLATE = "/filesystem/{system_name}/transfer/"
BUCKET = "root"


class Transfers:
    """Answers for a server's `extra`; store is an s3.S3."""

    def __init__(self, server, store, dir: pathlib.Path, part_max=s3.PART_MIN, ttl=600):
        self.server, self.store, self.dir, self.part_max, self.ttl = server, store, dir, part_max, ttl
        self.numbers = itertools.count(1)
        self.method = "s3"
        self.expired = 0  # so many of the next URLs are too old already
        dir.mkdir()
        # Secrets are shown as the real server shows them.
        hidden = dict.fromkeys(("privateUrl", "accessKeyId", "secretAccessKey"), "**********")
        server.data_transfer = {"serviceType": "s3", "name": "store", "publicUrl": f"http://{store.host}", "region": s3.REGION,
                                "ttl": ttl, **hidden}
        for method, call in ("POST", "upload"), ("POST", "download"), ("POST", "mv"), ("POST", "cp"), ("POST", "compress"), ("POST", "extract"):
            server.extra[f"{method} {TEMPLATE}{call}"] = getattr(self, call)

    def presign(self, *what) -> str:
        if self.expired > 0:
            self.expired -= 1
            return self.store.presign(*what, expires=-1)
        return self.store.presign(*what, expires=self.ttl)

    def job(self, script: str) -> dict:
        number = next(self.numbers)
        log = self.dir / f"{number}.err"
        out = self.server.slurm.run("sbatch", "--parsable", "-J", "transfer", "-o", self.dir / f"{number}.out", "-e", log,
                                    f"--wrap={script}").ok()
        return {"jobId": out.stdout.strip().split(";")[0], "system": self.server.system, "workingDirectory": str(self.dir),
                "logs": {"outputLog": str(self.dir / f"{number}.out"), "errorLog": str(log)}}

    def other(self, directives) -> bool:
        """A server may carry files in another way than it was asked for, or refuse."""
        if self.server.data_transfer["serviceType"] != directives["transferMethod"]:
            raise firecrest_files.Refusal(400, "Requested transfer method is not available.")
        return self.method != "s3" or directives["transferMethod"] != "s3"

    def upload(self, server, names, query, body):
        size, path = body["transferDirectives"].get("fileSize", 0), body["sourcePath"]
        if self.other(body["transferDirectives"]):
            return 201, {"transferJob": self.job("true"), "transferDirectives": {"transferMethod": self.method}}
        key = f"up-{next(self.numbers)}"
        upload = self.store.initiate(BUCKET, key)
        urls = [self.presign("PUT", BUCKET, key, {"uploadId": upload, "partNumber": number + 1})
                for number in range(max(1, -(-size // self.part_max)))]
        source = shlex.quote(str(self.store.object(BUCKET, key)))
        script = f"until [ -f {source} ]; do sleep 0.05; done; mv -- {source} {shlex.quote(path)}"
        return 201, {"transferJob": self.job(script), "transferDirectives": {
            "transferMethod": "s3", "partsUploadUrls": urls, "maxPartSize": self.part_max,
            "completeUploadUrl": self.store.presign("POST", BUCKET, key, {"uploadId": upload}, expires=self.ttl)}}

    def download(self, server, names, query, body):
        if self.other(body["transferDirectives"]):
            return 201, {"transferJob": self.job("true"), "transferDirectives": {"transferMethod": self.method}}
        key = f"down-{next(self.numbers)}"
        target = self.store.object(BUCKET, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        # An object is there as a whole or not at all.
        part = shlex.quote(f"{target}.part")
        script = f"cp -- {shlex.quote(body['sourcePath'])} {part} && mv -- {part} {shlex.quote(str(target))}"
        return 201, {"transferJob": self.job(script), "transferDirectives": {
            "transferMethod": "s3", "downloadUrl": self.presign("GET", BUCKET, key)}}

    def mv(self, server, names, query, body):
        return 201, {"transferJob": self.job(f"mv -- {shlex.quote(body['sourcePath'])} {shlex.quote(body['targetPath'])}")}

    def cp(self, server, names, query, body):
        follow = "L" if body.get("dereference") else "d"
        return 201, {"transferJob": self.job(f"cp --force -R{follow} --preserve=all -- {shlex.quote(body['sourcePath'])} "
                                             f"{shlex.quote(body['targetPath'])}")}

    def compress(self, server, names, query, body):
        source = pathlib.Path(body["sourcePath"])
        return 201, {"transferJob": self.job(f"tar -czf {shlex.quote(body['targetPath'])} -C {shlex.quote(str(source.parent))} "
                                             f"-- {shlex.quote(source.name)}")}

    def extract(self, server, names, query, body):
        return 201, {"transferJob": self.job(f"tar -xzf {shlex.quote(body['sourcePath'])} -C {shlex.quote(body['targetPath'])}")}
