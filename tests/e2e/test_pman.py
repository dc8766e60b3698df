# SPDX-License-Identifier: MIT
"""What pman's jobs say, said to berth: each of its fields, limits and kinds of storage, and what an engine is asked for
then. The table of berth-backends(7), "FROM PMAN", says the same to people. No engine is needed: what would be sent to
one is printed; test_docker_backend.py has containers see what they are given."""

import json
import re

import pytest

import harness

MIB = 1 << 20


def host(*keys):
    def look(body):
        value = body["HostConfig"]
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else value[key]
        return value
    return look


def mounted(body) -> list:
    """Without berth's own."""
    return [(mount["Type"], mount["Source"], mount["Target"], mount.get("ReadOnly", False))
            for mount in body["HostConfig"]["Mounts"] if mount["Target"] != "/berth"]


# (pman's field or setting, and its value; the same in a job file; what of the request; its value)
SAME = [
    ("args", ["--in", "a b"], {"command": ["--in", "a b"], "entrypoint": "/bin/x"}, lambda body: body["Cmd"], ["--in", "a b"]),
    ("entrypoint", ["/bin/x"], {"entrypoint": "/bin/x"}, lambda body: body["Entrypoint"][-1], "/bin/x"),
    ("image", "debian:12", {"image": "debian:12"}, lambda body: body["Image"], "debian:12"),
    ("env", ["A=b c"], {"env": ["A=b c"]}, lambda body: body["Env"], ["A=b c"]),
    ("cpu_limit", 1001, {"cpu-limit": "1001m"}, host("NanoCpus"), 1001 * 10**6),
    ("memory_limit", 200, {"mem": "200M"}, host("Memory"), 200 * MIB),
    ("memory_limit", 200, {"mem": "200M"}, host("MemorySwap"), 200 * MIB),
    ("gpu_limit", 2, {"gpus": 2}, lambda body: body["HostConfig"]["DeviceRequests"][0]["Count"], 2),
    ("gpu_limit", 0, {"gpus": 0}, host("DeviceRequests"), None),
    ("input_dir", "in", {"input-dir": "/store/in"}, mounted, [("bind", "/store/in", "/share/incoming", True)]),
    ("output_dir", "out", {"output-dir": "/store/out"}, mounted, [("bind", "/store/out", "/share/outgoing", False)]),
    ("STORAGE_TYPE", "host", {"mount": ["/store/in:/share/incoming:ro"]}, mounted,
     [("bind", "/store/in", "/share/incoming", True)]),
    ("STORAGE_TYPE", "docker_local_volume", {"mount": ["store:/share/outgoing"]}, mounted,
     [("volume", "store", "/share/outgoing", False)]),
    ("SHM_SIZE", 64, {"shm-size": "64M"}, host("ShmSize"), 64 * MIB),
    ("CONTAINER_USER", "1000:2000", {"user": "1000:2000"}, lambda body: body["User"], "1000:2000"),
    ("JOB_LABELS", "a=b", {"label": ["a=b"]}, lambda body: body["Labels"]["a"], "b"),
    ("ENABLE_HOME_WORKAROUND", "yes", {"env": ["HOME=/tmp"]}, lambda body: body["Env"], ["HOME=/tmp"]),
    ("IGNORE_LIMITS", "yes", {}, host("NanoCpus"), None),
    ("TIMELIMIT_MINUTES", 60, {"time": "60m"}, lambda body: body["Entrypoint"][-3:-1], ["--limit", "3600s"]),
]

# Fields that are answered elsewhere than in a request to an engine.
ELSEWHERE = ("jid", "args_path_flags", "auid", "number_of_workers", "type", "JOB_LOGS_TAIL", "REMOVE_JOBS",
             "STORAGE_TYPE=kubernetes_pvc", "NODE_SELECTOR", "IMAGE_PULL_SECRETS", "JOB_NAMESPACE")


@pytest.fixture(scope="module")
def request_of(berth, session_dir):
    def render(fields: dict) -> harness.Result:
        path = session_dir / "pman.json"
        path.write_text(json.dumps({"image": "x", "command": ["y"], **fields}))
        return berth("submit", "--dry-run", "-b", "docker", "-f", path)
    return render


def test_each_field_is_one_of_ours(request_of):
    for field, value, ours, look, expected in SAME:
        seen = look(json.loads(request_of(ours).ok().stdout))
        assert seen == expected, f"{field} {value!r} as {ours}: {seen!r}"


def test_a_user_of_a_range_is_chosen_anew_each_time(request_of):
    users = {json.loads(request_of({"user": "1000-1999:3000-3001"}).ok().stdout)["User"] for _ in range(6)}
    assert len(users) > 1 and all(re.fullmatch(r"1\d\d\d:300[01]", user) for user in users), users


@pytest.mark.parametrize("fields, said", [
    ({"env": ["A"]}, "KEY=VALUE"), ({"command": []}, "command"), ({"tasks": 2}, "--tasks"), ({"user": "0-x"}, "--user"),
    ({"cpu-limit": "-1"}, "--cpu-limit"), ({"input-dir": "in"}, "--input-dir"), ({"mem": "lots"}, "'mem'")])
def test_what_pman_refuses_or_takes_for_something_else_is_refused_in_a_line(request_of, fields, said):
    result = request_of(fields)
    assert result.status != 0 and said in result.stderr and len(result.stderr.splitlines()) == 1, f"{result}"


def test_every_field_is_in_the_manual():
    text = (harness.TOP / "controller" / "berth-backends.7.scd").read_text()
    table = text[text.index("# FROM PMAN"):]
    for field in (*ELSEWHERE, *(row[0] for row in SAME)):
        assert field.split("=")[-1].replace("_", "\\_") in table, field
