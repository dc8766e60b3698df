# SPDX-License-Identifier: MIT
"""Jobs through a real slurmrestd with JSON web tokens, on TCP and on its Unix socket; and through servers that are not
well: down, slow, talking nonsense."""

import http.server
import json
import threading

import pytest

import harness

DENIED, UNAVAILABLE, PROTOCOL, UNSUPPORTED = 77, 69, 76, 69


@pytest.fixture(scope="module")
def server(slurmrest):
    return slurmrest


CLUSTERS = """\
clusters:
  tcp:
    backend: slurmrest
    url: {url}
    token_file: {token}
  socket:
    backend: slurmrest
    url: {socket}
    token_command: [cat, {token}]
    api: {api}
"""


def write_config(home, text):
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(text)


@pytest.fixture(scope="module")
def token(server, home):
    path = home.berth_home.parent / "slurm-token"
    path.write_text(f"SLURM_JWT={server.token()}\n")
    return path


@pytest.fixture(scope="module", params=["tcp", "socket"])
def rest(request, server, berth, ssh, home, token):
    """berth without any of Slurm's commands' configuration: only the server is known."""
    write_config(home, CLUSTERS.format(url=server.rest_url, socket=server.rest_socket, token=token,
                                               api=server.oldest_rest()))
    here = berth.with_env(BERTH_CLUSTER=request.param)
    here.ssh, here.via = ssh, request.param
    return here


def test_a_job_runs_and_ssh_leads_into_it(rest, server):
    name = rest.start("-e", "WORD=two words", "--", "sh", "-c", 'echo "$WORD"; exec sleep 1000')
    assert rest.ssh(name, "echo $SLURM_JOB_ID; exit 7").status == 7
    assert rest("logs", name).ok().stdout == "two words\n"
    job = rest.job(name)
    assert (job["state"], job["native_state"], job["node_list"]) == ("RUNNING", "RUNNING", server.node)
    rest("cancel", name).ok()
    assert rest.wait(name, "CANCELLED")["native_state"].startswith("CANCELLED")


def test_ends_are_told_as_they_were(rest):
    failed = rest.submit("--", "sh", "-c", "exit 7")
    done = rest.submit("-N", "1", "-c", "2", "-t", "10m", "--mem", "100M", "--comment", "a b", "--", "true")
    killed = rest.submit("--", "sh", "-c", "kill -KILL $$")
    assert rest.wait(failed, "FAILED")["exit_code"] == 7
    assert rest.wait(done, "SUCCEEDED")["exit_code"] == 0
    assert rest.wait(killed, "FAILED")["signal"] == 9
    rest("gc").ok()


def test_collection_leaves_alone_what_it_cannot_ask_about(rest, home, server):
    """A job that ended behind our back: its directory stays while nobody answers, and goes when somebody does."""
    name = rest.start("--", "sleep", "1000")
    directory, block = rest.job_dir(name), home.ssh_dir / "berth" / f"{name}.conf"
    server.run("scancel", rest.job(name)["native_id"]).ok()
    config = (home.config_dir / "config.yaml").read_text()
    write_config(home, config.replace(server.rest_url, "http://127.0.0.1:9").replace(server.rest_socket, "unix:/nonexistent/socket"))
    try:
        assert rest("gc", "--retention", "0s").status == UNAVAILABLE
        assert directory.exists() and block.exists()
    finally:
        write_config(home, config)
    rest.wait(name, "CANCELLED")
    foreign = directory.with_name("not-ours")
    foreign.mkdir()
    rest("gc", "--retention", "0s").ok()
    assert not directory.exists() and not block.exists() and foreign.exists()
    foreign.rmdir()


def test_an_array_is_one_submission(rest):
    name = rest.submit("--array", "0-4%2", "--", "sh", "-c", "exit $((SLURM_ARRAY_TASK_ID == 3))")
    assert rest.wait(name, "FAILED")["exit_code"] == 1
    runs = json.loads(rest("get", "job-runs", name, "-o", "json").ok().stdout)
    assert [run["state"] for run in runs] == ["SUCCEEDED"] * 3 + ["FAILED", "SUCCEEDED"]


def test_jobs_are_held_changed_released_and_signalled(rest, server):
    name = rest.submit("--begin", "now+1hour", "--", "sh", "-c",
                       "trap 'echo got it; exit 0' USR1; while :; do sleep 0.1; done")
    native = rest.job(name)["native_id"]
    rest("hold", name).ok()
    assert server.job(native)["Reason"].startswith("JobHeld")
    rest("release", name).ok()
    assert not server.job(native)["Reason"].startswith("JobHeld")
    rest("update", name, "--time", "7m", "--begin", "now").ok()
    assert server.job(native)["TimeLimit"] == "00:07:00"
    rest.wait(name, "RUNNING")
    harness.until((rest.job_dir(name) / "endpoint.0.json").exists, f"endpoint of {name}")
    rest("signal", "USR1", name).ok()
    rest.wait(name, "SUCCEEDED", "FAILED", "CANCELLED")
    assert "got it" in rest("logs", name).ok().stdout


def test_what_cannot_be_done_is_said_with_the_alternative(rest):
    name = rest.submit("--begin", "now+1hour", "--", "true")
    result = rest("requeue", name)
    assert result.status == UNSUPPORTED and "scontrol requeue" in result.stderr
    rest("cancel", name).ok()
    rest("cancel", name)
    result = rest("run", "--partition", "nowhere", "--", "true")
    assert result.status != 0 and "partition" in result.stderr.lower()


def test_scripts_are_submitted_with_what_they_say(rest, server, short_dir):
    script = short_dir / "job.sh"
    script.write_text("#!/bin/sh\n#SBATCH --job-name=fine -c 2\n#SBATCH --time=00:09:00\necho from the script\n")
    name = rest("submit", "-b", rest.via, "-q", "-f", script).ok().stdout.strip()
    assert server.job(rest.job(name)["native_id"])["TimeLimit"] == "00:09:00"
    rest.wait(name, "SUCCEEDED")
    assert rest("logs", name).ok().stdout == "from the script\n"
    script.write_text("#!/bin/sh\n#SBATCH --bb=x\ntrue\n")
    result = rest("submit", "-b", rest.via, "-f", script)
    assert result.status == UNSUPPORTED and "bb" in result.stderr


def test_nodes_and_queues_are_listed(rest, server):
    assert server.node in rest("get", "nodes").ok().stdout
    queue, = json.loads(rest("get", "queues", "-o", "json").ok().stdout)
    # v0.0.39 does not tell.
    state = "" if rest.via == "socket" and server.oldest_rest() == "v0.0.39" else "up"
    assert (queue["name"], queue["state"], queue["nodes"], queue["cpus"]) == ("debug", state, 1, 32)


# Servers that are not well.

class Odd(http.server.BaseHTTPRequestHandler):
    """Answers every request with (status, text)."""
    answer = 200, ""

    def do_GET(self):
        status, text = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_DELETE(self):
        self.server.deleted.append(self.path)
        self.do_GET()

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def odd(fresh_home, berth, token):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.answer, server.deleted = (200, ""), []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    write_config(fresh_home, CLUSTERS.format(url=f"http://127.0.0.1:{server.server_port}", token=token, api="v0.0.38",
                                             socket=f"unix:{fresh_home.berth_home}/nowhere"))
    server.berth = type(berth)(berth.program, fresh_home).with_env(BERTH_CLUSTER="tcp")
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status, text, expected, words", [
    (200, "<html>login</html>", PROTOCOL, "answer"),
    (200, "{" * 100000, PROTOCOL, "answer"),
    (404, "", UNSUPPORTED, "v0.0.38"),
    (401, "Authentication failure", DENIED, "token"),
    (500, '{"errors": [{"error": "Unable to contact slurm controller"}]}', UNAVAILABLE, "slurmctld"),
    (500, '{"errors": [{"error": "Unable to connect to database"}]}', DENIED, "set 'api'"),
    (200, '{"job_id": "x\\u001b[2J", "errors": 7}', PROTOCOL, "job id"),
])
def test_odd_answers_are_errors_that_say_what_they_are(odd, status, text, expected, words):
    odd.answer = status, text
    result = odd.berth("run", "--", "true")
    assert result.status == expected and words in result.stderr and "\x1b" not in result.stderr


def test_a_job_that_was_taken_is_no_failure_whatever_is_said_beside(odd):
    """v0.0.39 of a Slurm without accounting takes it, and answers so."""
    odd.answer = 500, '{"job_id": 4711, "errors": [{"error": "Unable to connect to database"}]}'
    name = odd.berth("run", "-q", "--", "true").ok().stdout.strip()
    assert json.loads(odd.berth("get", "jobs", name, "-o", "json").stdout)[0]["native_id"] == "4711"


@pytest.mark.parametrize("release, expected", [((23, 11), UNSUPPORTED), ((24, 11), 0)])
def test_a_task_is_not_cancelled_where_that_would_be_the_array(odd, release, expected):
    """slurmrestd of 23.02, 23.11 and 24.05 takes DELETE of 4711_3 for one of 4711."""
    meta = {"Slurm": {"version": {"major": release[0], "minor": release[1]}}}
    job = {"job_id": 4711, "array_job_id": 4711, "array_task_string": "0-9", "job_state": "PENDING"}
    odd.answer = 200, json.dumps({"job_id": 4711, "meta": meta, "jobs": [job]})
    name = odd.berth("run", "-q", "--array", "0-9", "--", "true").ok().stdout.strip()
    result = odd.berth("cancel", f"{name}_3")
    assert result.status == expected and len(odd.deleted) == (expected == 0), result
    assert expected == 0 or "scancel 4711_3" in result.stderr
    odd.berth("cancel", name).ok()
    assert odd.deleted[-1].split("?")[0].endswith("/job/4711")


def test_a_server_that_is_down_is_named(odd):
    result = odd.berth("run", "--", "true", env={"BERTH_CLUSTER": "socket"})
    assert result.status == UNAVAILABLE and "/nowhere" in result.stderr
    assert odd.berth("get", "jobs").ok().stdout.count("job-") <= 1


def test_an_expired_token_is_told_from_a_wrong_one(server, odd, token):
    """The real server; the time of the token is over as soon as it is used."""
    old = odd.berth.home.berth_home.parent / "old-token"
    old.write_text(server.token(seconds=1))
    write_config(odd.berth.home, CLUSTERS.format(url=server.rest_url, socket=server.rest_socket, token=old, api="v0.0.38"))

    def refused():
        result = odd.berth("get", "nodes")
        return result if result.status != 0 and "expired" in result.stderr else None
    result = harness.until(refused, "a refusal of the old token", limit=20)
    assert result.status == DENIED and "token_command" in result.stderr
    old.write_text("nonsense")
    result = odd.berth("get", "nodes")
    assert result.status == DENIED and "expired" not in result.stderr
