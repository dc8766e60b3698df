# SPDX-License-Identifier: MIT
"""The file operations of the stand-in for FirecREST (firecrest.py), as the real server has its shell do them: paths between
single quotes, text in UTF-8 with replacements, blocks of the size that is asked for, at most so much output."""

import base64
import os
import re
import shlex
import subprocess

OUTPUT_MAX = 5 * 1024 * 1024


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


class Files:
    """Methods of the server: each is a call of the API, with names in its path, its query and its body."""

    direct_max = OUTPUT_MAX

    def shell(self, line, input=None):
        result = subprocess.run(["timeout", "5", "sh", "-c", line], input=input, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False)
        if result.returncode != 0:
            refuse_shell(result)
        if len(result.stdout) >= self.direct_max:
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
        text = self.text(f"sha256sum -- '{query['path']}'")
        words = text.split()
        if len(words) != 2:  # a path with a blank
            raise Refusal(500, f"Invalid output: {text} ")
        return 200, {"output": {"algorithm": "SHA256", "checksum": words[0]}}

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
        if not content:  # the real server gives its command nothing, not even an end
            raise Refusal(408, "Command execution timeout limit exceeded.")
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
