# SPDX-License-Identifier: MIT
"""What a cluster has, what its scheduler does and why jobs failed: on a real Slurm with GPUs, a node that is down and two
queues, by its commands and through slurmrestd."""

import csv
import io
import json
import os

import pytest

import harness
import slurm as slurm_module

INVALID, NOT_FOUND, UNSUPPORTED = 64, 66, 69
GIGABYTE = 1 << 30


@pytest.fixture(scope="module")
def server(session_dir):
    path = session_dir / "varied"
    path.mkdir(mode=0o755)
    cluster = slurm_module.Slurm(path, tokens=True, varied=True)
    try:
        cluster.start().start_rest()
    except slurm_module.Unavailable as reason:
        cluster.stop()
        pytest.skip(f"no Slurm with slurmrestd: {reason}")
    yield cluster
    cluster.stop()


CLUSTERS = """\
clusters:
  commands:
    backend: slurm
  rest:
    backend: slurmrest
    url: {url}
    token_command: [cat, {token}]
"""


@pytest.fixture(scope="module")
def here(server, berth, home):
    token = home.berth_home.parent / "varied-token"
    token.write_text(server.token())
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CLUSTERS.format(url=server.rest_url, token=token))
    return berth.with_env(SLURM_CONF=server.config)


@pytest.fixture(scope="module")
def busy(here, server):
    """16 of 32 CPUs, both a100 and 1000 of 4096 MB are taken."""
    ids = [server.submit("sleep 1000", "-n8", "--gpus=a100:1", "--mem=500", "-t30") for _ in range(2)]
    for id in ids:
        server.wait(id, "RUNNING")
    return ids


@pytest.fixture(params=["commands", "rest"])
def via(request, here, busy):
    cluster = here.with_env(BERTH_CLUSTER=request.param)
    cluster.name = request.param
    cluster.json = lambda *argv: json.loads(cluster(*argv, "-o", "json").ok().stdout)
    return cluster


@pytest.mark.parametrize("options, field, expected", [
    (("-G", "a100:2"), "TresPerJob", "gpu:a100:2"), (("--gpus-per-node", "v100:1"), "TresPerNode", "gpu:v100:1"),
    (("-n", "2", "--gpus-per-task", "a100:1"), "TresPerTask", "gpu:a100:1"), (("--gres", "gpu:a100:1"), "TresPerNode", "gpu:a100:1"),
    (("--exclude", "broken"), "ExcNodeList", "broken"), (("--nodelist", "broken"), "ReqNodeList", "broken")])
def test_what_a_job_asks_for_is_what_slurm_heard(via, server, options, field, expected):
    name = via.submit("--begin", "now+1hour", *options, "--", "true")
    heard = server.job(via.job(name)["native_id"])
    assert expected in heard.get(field, "").replace("=", ":"), heard
    via("cancel", name).ok()


def test_resources_are_added_up_by_queue_and_in_all(via):
    debug, long, total = via.json("get", "resources")
    assert [each["queue"] for each in (debug, long, total)] == ["debug", "long", None]
    assert (total["nodes"], total["nodes_used"], total["nodes_idle"]) == (2, 1, 0)
    assert (total["cpus"], total["cpus_used"], total["cpus_free"]) == (96, 16, 16)
    assert (total["memory"], total["memory_free"]) == (12 * GIGABYTE, 3096 << 20)
    assert (total["gpus"], total["gpus_used"], total["gpus_free"]) == (7, 2, 1)
    assert {"type": "a100", "gpus": 6, "gpus_used": 2, "gpus_free": 0} in total["gpu_types"]
    # The only node of this queue is down: it has something, and nothing is free.
    assert (long["cpus"], long["cpus_free"], long["gpus"], long["gpus_free"]) == (64, 0, 4, 0)
    assert [each["queue"] for each in via.json("get", "resources", "l*")] == ["long"]
    table = via("get", "resources").ok().stdout.splitlines()
    assert table[0].split()[:3] == ["QUEUE", "NODES", "IDLE"] and "a100 0/6, v100 1/1" in table[-1]
    assert via("get", "resources", "-o", "name").ok().stdout == "debug\nlong\n"
    row = list(csv.DictReader(io.StringIO(via("get", "resources", "-o", "csv").ok().stdout)))[0]
    assert row["cpus"] == "96" and {"type": "v100", "gpus": 1, "gpus_used": 0, "gpus_free": 1} in json.loads(row["gpu_types"])
    assert "gpus_free: 1\n" in via("get", "resources", "-o", "yaml").ok().stdout
    assert via("get", "resources", "nosuch").status == NOT_FOUND and via("get", "resources", "--all").status == INVALID
    broken, node = via.json("get", "nodes")
    assert (broken["reason"], node["features"], node["gpus"], node["gpus_used"]) == ("a fan is broken", "rack1,fast", 3, 2)


def test_nodes_that_can_take_something_are_found(via, server):
    def found(*options):
        return {each["name"]: each["fits"] for each in via.json("find", "node-with", *options)}
    assert found("--cpus", "16", "--mem", "3G") == {server.node: "now", "broken": "out-of-order"}
    assert found("--cpus", "17") == {server.node: "later", "broken": "out-of-order"}
    assert found("--gpus", "a100:1", "--constraint", "rack1&!slow") == {server.node: "later"}
    assert found("--gpus", "V100:1", "--constraint", "[(slow|fast)*2&rack7*1]", "--queue", "deb*") == {server.node: "now"}
    assert found("--gpus", "1", "--state", "mixed") == {server.node: "now"}
    assert found("--cpus", "16", "--limit", "1") == {server.node: "now"}
    result = via("find", "node-with", "--mem", "1G")
    assert result.ok().stdout.split()[:2] == ["NODE", "FITS"] and "of 2 nodes 1 can take it now" in result.stderr
    for options in (("--cpus", "60"), ("--queue", "long"), ("--state", "idle"), ("--constraint", "slow")):
        result = via("find", "node-with", *options)
        assert result.status == NOT_FOUND and "none of 2 nodes" in result.stderr
    for options in (("--gpus", "x"), ("--by", "cpus"), ("--cpus", "many"), ("-o", "xml")):
        assert via("find", "node-with", *options).status == INVALID
    assert via("find", "node-with", "--constraint", "((a))").status == INVALID
    assert via("find", "nodes").status == INVALID


def test_the_largest_node_is_found(via, server):
    def largest(*options):
        return via("find", "largest-node", *options, "-o", "name").ok().stdout
    for options in ((), ("--by", "mem"), ("--by", "gpus:v100"), ("--by", "cpus", "--total"), ("--limit", "5")):
        assert largest(*options) == f"{server.node}\n"
    result = via("find", "largest-node", "--by", "gpus:a100")
    assert result.status == NOT_FOUND and "a100" in result.stderr
    assert largest("--by", "gpus:a100", "--total") == f"{server.node}\n"
    assert via("find", "largest-node", "--by", "disk").status == INVALID
    assert via("find", "largest-node", "--cpus", "1").status == INVALID


def test_why_jobs_failed_is_told_with_the_last_lines(here, server):
    run = here.with_env(BERTH_CLUSTER="commands")
    ends = {"bad": "seq 20 >&2; exit 3", "missing": "nosuchprogram", "killed": "kill -SEGV $$", "good": "true"}
    names = {name: run.submit(name, "--", "sh", "-c", script) for name, script in ends.items()}
    array = run.submit("--array", "0-2", "--", "sh", "-c", 'echo "task $SLURM_ARRAY_TASK_ID" >&2; exit $SLURM_ARRAY_TASK_ID')
    for name in (*names.values(), array):
        run.wait(name, "FAILED", "SUCCEEDED")
    errors = {each["id"]: each for each in json.loads(run("get", "error", "--tail", "2", "-o", "json").ok().stdout)}
    bad = errors[names["bad"]]
    assert (bad["state"], bad["exit_code"], bad["signal"], bad["node_list"]) == ("FAILED", 3, None, server.node)
    assert bad["stderr"] == "19\n20\n" and "exit status 3" in bad["explanation"] and bad["native_state"] == "FAILED"
    assert "not found" in errors[names["missing"]]["explanation"] and "nosuchprogram" in errors[names["missing"]]["stderr"]
    assert (errors[names["killed"]]["signal"], errors[names["killed"]]["stderr"]) == (11, None)
    assert errors[f"{array}_2"]["stderr"] == "task 2\n" and errors[f"{array}_1"]["exit_code"] == 1
    assert names["good"] not in errors and f"{array}_0" not in errors
    text = run("get", "error", names["bad"]).ok().stdout
    assert f"Nodes:        {server.node}\n" in text and "  11\n  12\n" in text and "  10\n" not in text
    assert "Command:" not in text and "Command:" in run("get", "error", "-o", "wide", names["bad"]).ok().stdout
    result = run("get", "error", names["good"])
    assert result.ok().stdout == "" and "has not failed: it is SUCCEEDED" in result.stderr
    assert run("get", "error", "--name", "kill*", "-o", "name").ok().stdout == names["killed"] + "\n"
    assert "task 1" in run("get", "error", f"{array}_1").ok().stdout
    assert "Standard error" not in run("get", "error", names["bad"], "-n", "0").ok().stdout
    for options in (("--tail", "x"), ("--sort-by", "id")):
        assert run("get", "error", *options).status == INVALID
    assert run("get", "jobs", "--tail", "3").status == INVALID


def test_the_scheduler_reports_on_its_work(via):
    report, = via.json("get", "scheduling-report")
    assert report["since"].startswith("20") and report["jobs_submitted"] >= 2 and report["jobs_started"] >= 2
    assert report["cycles"] >= 1 and report["cycle_max_us"] >= report["cycle_last_us"] > 0
    assert report["server_threads"] >= 1 and report["backfill_cycles"] >= 0
    text = via("get", "scheduling-report").ok().stdout
    assert "Main scheduling:\n" in text and "Backfill:\n" in text and "  Submitted  " in text and " ago)" in text
    assert "jobs_submitted" in via("get", "scheduling-report", "-o", "csv").ok().stdout.splitlines()[0]
    for options in (("-o", "name"), ("debug",), ("--state", "queued")):
        assert via("get", "scheduling-report", *options).status == INVALID
    assert via("get", "scheduling-report", "-b", "local").status == UNSUPPORTED


def test_queues_and_jobs_are_reported_on(via, server, busy):
    first = via.submit("first", "-n", "32", "-t", "5m", "--", "true")
    second = via.submit("second", "-n", "31", "-t", "5m", "--", "true")
    after = via.submit("after", "--dependency", f"afterok:{busy[0]}", "--", "true")

    def planned():
        reports = {each["name"]: each for each in via.json("get", "job-report")}
        first, second = reports["first"], reports["second"]
        return reports if first["expected_start"] and (first["reason"], second["reason"]) == ("Resources", "Priority") else None
    reports = harness.until(planned, "a plan for the first job", limit=30, interval=0.2)
    assert (reports["first"]["position"], reports["first"]["waiting"], reports["second"]["position"]) == (1, 2, 2)
    assert reports["first"]["priority"] > reports["second"]["priority"] > 0
    assert "its turn" in reports["first"]["explanation"]
    assert "higher priority" in reports["second"]["explanation"]
    assert reports["first"]["expected_start"] > reports["first"]["eligible"] >= reports["first"]["submitted"]
    assert list(reports["first"]["factors"]) == (["job_size"] if via.name == "commands" else [])
    assert reports["after"]["position"] is None and str(busy[0]) in reports["after"]["dependency"]
    text = via("get", "job-report", first).ok().stdout
    assert f"Job:          {first} first\n" in text and "In line:      1 of 2\n" in text and "(in 2" in text
    assert via("get", "job-report", "--name", "sec*", "-o", "name").ok().stdout == second + "\n"
    queues = {each["queue"]: each for each in via.json("get", "queue-report")}
    debug = queues["debug"]
    assert (debug["waiting"], debug["blocked"], debug["running"]) == (2, 1, 2)
    assert (debug["cpus_waiting"], debug["cpus_running"]) == (63, 16)
    assert debug["oldest"] and debug["next_start"] and queues["long"]["waiting"] == 0
    table = via("get", "queue-report", "deb*").ok().stdout.splitlines()
    assert table[0].split()[:3] == ["QUEUE", "STATE", "WAITING"] and table[1].split()[:5] == ["debug", "up", "2", "1", "2"]
    assert via("get", "queue-report", "nosuch").status == NOT_FOUND
    via("hold", second).ok()
    report, = via.json("get", "job-report", second)
    assert report["position"] is None and "berth release" in report["explanation"]
    via("cancel", first, second, after).ok()
    via.wait(first, "CANCELLED")
    assert "CANCELLED" in via("get", "job-report", first).ok().stdout


def test_a_machine_without_a_queue_says_what_to_do_instead(here):
    name = here.submit("-b", "local", "--", "true")
    for argv in (("get", "job-report", name), ("get", "queue-report", "-b", "local")):
        result = here(*argv)
        assert result.status == UNSUPPORTED and "at once" in result.stderr
    assert here("get", "job-report", "--cluster", "local").ok().stdout == ""


def test_this_machine_is_a_node_of_its_own(here):
    node, = json.loads(here("get", "nodes", "-b", "local", "-o", "json").ok().stdout)
    assert (node["name"], node["cpus"]) == (os.uname().nodename, os.sysconf("SC_NPROCESSORS_ONLN"))
    assert 0 < node["memory_used"] < node["memory"] and node["state"] in ("idle", "mixed", "allocated")
    total, = json.loads(here("get", "resources", "-b", "local", "-o", "json").ok().stdout)
    assert (total["queue"], total["cpus"], total["memory"]) == (None, node["cpus"], node["memory"])
    largest = ("find", "largest-node", "-b", "local", "--by", "mem", "--total", "-o", "name")
    assert here(*largest).ok().stdout == node["name"] + "\n"
    assert here("find", "node-with", "-b", "local", "--cpus", str(node["cpus"] + 1)).status == NOT_FOUND


def test_reservations_are_listed(via, server):
    with server.reservation("maintenance"):
        (kept,) = via.json("get", "reservations", "main*")
        assert (kept["name"], kept["node_list"], kept["users"]) == ("maintenance", server.node, "root")
        assert kept["starts"] == "2036-01-02T03:04:00.000Z" and kept["ends"] == "2036-01-02T04:04:00.000Z"
        assert "maintenance" in via("get", "reservations").ok().stdout
        assert via("get", "reservations", "other").status == NOT_FOUND
    assert via.json("get", "reservations") == []


def strict(schema):
    """The same, which lets no member pass that it does not know."""
    if isinstance(schema, dict):
        more = {"additionalProperties": False} if "properties" in schema else {}
        return {key: strict(value) for key, value in schema.items()} | more
    return [strict(each) for each in schema] if isinstance(schema, list) else schema


def test_everything_for_programs_keeps_its_schema(here, busy):
    jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema: apt-get install python3-jsonschema")
    run = here.with_env(BERTH_CLUSTER="commands")
    fails = run.submit("fails", "--", "sh", "-c", "echo why >&2; exit 3")
    run.wait(fails, "FAILED")
    waits = run.submit("waits", "-n", "32", "-t", "5m", "--", "true")
    outputs = {
        "jobs": ("get", "jobs"), "job-counts": ("get", "job-counts", "--group-by", "state,queue,user,backend"),
        "job-runs": ("get", "job-runs"), "error": ("get", "error"), "clusters": ("get", "clusters"),
        "nodes": ("get", "nodes"), "node-with": ("find", "node-with", "--cpus", "1"), "queues": ("get", "queues"),
        "resources": ("get", "resources"), "connections": ("get", "connections"),
        "scheduling-report": ("get", "scheduling-report"), "queue-report": ("get", "queue-report"),
        "job-report": ("get", "job-report"), "reservations": ("get", "reservations"),
    }
    every = json.loads(run("schema").ok().stdout)
    jsonschema.Draft202012Validator.check_schema(every)
    assert set(every["$defs"]) == {*outputs, "job-file"}
    for resource, argv in outputs.items():
        schema = strict(json.loads(run("schema", resource).ok().stdout))
        check = jsonschema.Draft202012Validator(schema)
        value = json.loads(run(*argv, "-o", "json").ok().stdout)
        assert [error.message for error in check.iter_errors(value)] == [], resource
        assert value or resource in ("connections", "reservations"), resource
        if value:
            assert not check.is_valid([{}]) and not check.is_valid([{**value[0], "more": 1}]) and not check.is_valid({})
    value = json.loads(run("describe", "job", waits, "-o", "json").ok().stdout)
    jsonschema.validate(value, every["$defs"]["jobs"])
    run("cancel", waits).ok()
    result = run("schema", "pods")
    assert result.status == INVALID and "job-report" in result.stderr


def test_the_schema_of_a_job_file_says_what_submit_takes(here, short_dir):
    jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema: apt-get install python3-jsonschema")
    check = jsonschema.Draft202012Validator(json.loads(here("schema", "job-file").ok().stdout))
    jobs = {
        '{"command": ["true"]}': True, '{"command": "true", "cpus-per-task": 2, "time": "1h", "mem": "1G"}': True,
        '{"command": "true", "env": {"A": 1}, "exclusive": true, "array": "0-3"}': True,
        '{"command": "true", "env": ["A=1"], "allow": "host:1", "time": 60, "backend": "commands"}': True,
        '{"command": []}': False, '{"name": "x"}': False, '{"command": "true", "node": 2}': False,
        '{"command": "true", "nodes": "many"}': False, '{"command": "true", "exclusive": "perhaps"}': False,
        '{"command": "true", "env": [["A"]]}': False,
    }
    for text, is_right in jobs.items():
        path = short_dir / "job.json"
        path.write_text(text)
        result = here("submit", "--dry-run", "-b", "commands", "-f", path)
        assert (result.status == 0) == is_right == check.is_valid(json.loads(text)), (text, result.stderr)
