# SPDX-License-Identifier: MIT
"""Very many jobs on a real Slurm: however many there are, Slurm is asked once about all of
them, by its commands and by slurmrestd."""

import http.server
import json
import shutil
import sqlite3
import threading
import urllib.error
import urllib.request

import pytest

COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel")
# slurmrestd is asked about few jobs one by one.
TASKS, ALONE = 3000, 20
# More than one command line can name, and no more than two.
FORGOTTEN = 20000


def counting(fresh_home, berth, short_dir, slurm):
    """berth, and Slurm's commands that it has called since the last look."""
    calls = short_dir / "calls"
    for name in COMMANDS:
        program = short_dir / name
        program.write_text(f'#!/bin/sh\necho {name} >>"{calls}"\nexec {shutil.which(name)} "$@"\n')
        program.chmod(0o755)

    def since():
        words = calls.read_text().split() if calls.exists() else []
        calls.write_text("")
        return words
    here = type(berth)(berth.program, fresh_home)
    return here.with_env(SLURM_CONF=slurm.config, PATH=f"{short_dir}:{fresh_home.env()['PATH']}"), since


@pytest.fixture
def counted(fresh_home, berth, short_dir, slurm):
    here, since = counting(fresh_home, berth, short_dir, slurm)
    yield here, since
    here("cancel", "--all", "--yes")


def test_slurm_is_asked_once_about_thousands_of_tasks_and_all_jobs(counted):
    berth, since = counted
    array = berth.submit("-b", "slurm", "--array", f"0-{TASKS - 1}", "--begin", "now+1hour", "--", "true")
    assert since().count("sbatch") == 1
    for _ in range(ALONE):
        berth.submit("-b", "slurm", "--begin", "now+1hour", "--", "true")
    since()
    jobs = json.loads(berth("get", "jobs", "-o", "json").ok().stdout)
    assert len(jobs) == ALONE + 1 and {job["state"] for job in jobs} == {"QUEUED"}
    assert since() == ["squeue"]
    runs = json.loads(berth("get", "job-runs", array, "-o", "json").ok().stdout)
    assert len(runs) == TASKS
    assert since().count("squeue") <= 1
    berth("cancel", "--all", "--yes").ok()
    assert since().count("scancel") == 1


def test_accounting_is_asked_about_thousands_of_jobs_by_few_commands(fresh_home, berth, short_dir, ledger):
    here, since = counting(fresh_home, berth, short_dir, ledger)
    here.submit("-b", "slurm", "--begin", "now+1hour", "--", "true")
    with sqlite3.connect(fresh_home.state_dir / "berth.db") as database:
        columns = [column[1] for column in database.execute("PRAGMA table_info(jobs)")]
        job = dict(zip(columns, database.execute("SELECT * FROM jobs").fetchone()))
        copies = ({**job, "id": i, "uid": f"{i:08x}-{i:016x}", "directory": f"/nowhere/{i}", "native_id": str(60000000 + i)}
                  for i in range(job["id"] + 1, job["id"] + 1 + FORGOTTEN))
        database.executemany(f"INSERT INTO jobs ({','.join(columns)}) VALUES ({','.join(f':{name}' for name in columns)})",
                             copies)
    database.close()
    since()
    listed = here("get", "jobs", "--limit", "0", "--no-headers").ok().stdout.splitlines()
    assert len(listed) == FORGOTTEN + 1 and sum("QUEUED" in line for line in listed) == 1
    asked = since()
    assert (asked.count("squeue"), asked.count("sacct")) == (1, 2), asked
    here("cancel", f"job-{job['id']}").ok()


class Counting(http.server.BaseHTTPRequestHandler):
    """Hands requests on to server.behind and notes them in server.asked."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.server.asked.append(f"{self.command} {self.path.split('/')[-1]}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        kept = {key: value for key, value in self.headers.items() if key.startswith(("X-SLURM", "Content-Type"))}
        request = urllib.request.Request(self.server.behind + self.path, body, kept, method=self.command)
        try:
            response = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as refusal:
            response = refusal
        with response:
            text = response.read()
        self.send_response(response.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *words):
        pass


@pytest.fixture
def asked(fresh_home, berth, slurmrest):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.daemon_threads, server.behind, server.asked = True, slurmrest.rest_url, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    slurmrest.configure(fresh_home, "rest")
    config = fresh_home.config_dir / "config.yaml"
    config.write_text(config.read_text().replace(slurmrest.rest_url, f"http://127.0.0.1:{server.server_port}"))
    here = type(berth)(berth.program, fresh_home)
    yield here, server.asked
    here("cancel", "--all", "--yes")
    server.shutdown()
    server.server_close()


def test_slurmrestd_is_asked_once_about_thousands_of_tasks_and_all_jobs(asked):
    berth, requests = asked
    berth.submit("-b", "rest", "--array", f"0-{TASKS - 1}", "--begin", "now+1hour", "--", "true")
    assert [each for each in requests if each.startswith("POST")] == ["POST submit"]
    for _ in range(ALONE):
        berth.submit("-b", "rest", "--begin", "now+1hour", "--", "true")
    requests.clear()
    jobs = json.loads(berth("get", "jobs", "-o", "json").ok().stdout)
    assert len(jobs) == ALONE + 1 and {job["state"] for job in jobs} == {"QUEUED"}
    assert requests.count("GET jobs") == 1 and not [each for each in requests if each[4:].isdigit()], requests
