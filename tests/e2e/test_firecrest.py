# SPDX-License-Identifier: MIT
"""Jobs through a FirecREST server (firecrest.py), with a real Slurm and a real file system behind it: submission, states, logs,
ssh, and a server that is not well. The requests of each verb are counted."""

import json
import os
import stat
import time

import pytest

import firecrest as firecrest_module
import harness
from firecrest_site import server, site, start, there  # noqa: F401

DENIED, UNAVAILABLE, UNSUPPORTED, INVALID, NOT_FOUND = 77, 69, 69, 64, 66


@pytest.fixture(scope="module")
def job(site):
    return start(site, "-e", "WORD=two words", "--", "sh", "-c", 'echo "$WORD"; echo no >&2; exec sleep 1000')


def test_a_job_runs_and_ssh_leads_into_it(site, job):
    assert site.ssh(job, "echo $SLURM_JOB_ID; exit 7").status == 7
    assert site("logs", job).ok().stdout == "two words\n"
    assert site("logs", "--stderr", job).ok().stdout == "no\n"
    record = site.job(job)
    assert (record["state"], record["native_state"], record["node_list"]) == ("RUNNING", "RUNNING", "node1")
    directory = there(site, job)
    assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "tunnel.json").stat().st_mode) == 0o600
    assert "two words" not in (directory / "script.sh").read_text()
    assert not list(directory.parent.glob("*.tar")), "the archive is still there"


def test_a_warm_submission_makes_four_requests(site, job):
    with site.server.counting() as made:
        result = site("run", "-v", "--", "true").ok()
    assert [request.split("/")[-1] for request in made] == ["upload", "extract", "jobs", "rm"]
    assert "4 requests" in result.stderr


def test_looking_is_one_request_and_a_later_ssh_none(site, job):
    site.ssh(job, "true").ok()
    with site.server.counting() as made:
        site.ssh(job, "true").ok()
    assert made == []
    with site.server.counting() as made:
        site("get", "jobs").ok()
    assert made.count("GET /compute/{system_name}/jobs") <= 1 and len(made) <= 3, made
    with site.server.counting() as made:
        site("logs", job).ok()
    assert len(made) <= 2, made


def test_the_scheduler_is_asked_for_the_script_of_a_job(site, job):
    text = site("describe", "job", "--script", job).ok().stdout
    assert f"Output:       {there(site, job)}/stdout\n" in text
    assert text.partition("\n\n#!/bin/sh\n")[2] + "" == (there(site, job) / "script.sh").read_text().partition("\n")[2]
    (value,) = json.loads(site("describe", "job", "--script", job, "-o", "json").ok().stdout)
    assert value["script"]["text"] == (there(site, job) / "script.sh").read_text()
    assert value["script"]["input"] == "/dev/null"


def test_what_was_just_seen_is_not_asked_for_again(site, job, home):
    """Listing, describing, completing and finding by name share what one of them asked; what changed by us is asked for."""
    path = home.config_dir / "config.yaml"
    before = path.read_text()
    path.write_text(before.replace("max_age: 0s", "max_age: 10m"))

    def asked(*argv):
        with site.server.counting() as made:
            site(*argv).ok()
        return len(made)
    try:
        assert asked("get", "jobs", "--refresh") > 0
        for argv in (("get", "jobs"), ("get", "jobs", job), ("describe", "job", job), ("complete-jobs",),
                     ("get", "job-counts")):
            assert asked(*argv) == 0, argv
        assert asked("describe", "job", "--refresh", job) > 0
        name = site.submit("--", "sleep", "1000")
        assert asked("get", "jobs") > 0 and asked("get", "jobs") == 0
        site("cancel", name).ok()
        assert asked("get", "jobs") > 0
        path.write_text(before.replace("max_age: 0s", "max_age: soon"))
        assert "max_age" in site("get", "jobs").stderr
    finally:
        path.write_text(before)
    site.wait(name, "CANCELLED")


def test_ends_are_told_as_they_were(site):
    failed = site.submit("--", "sh", "-c", "exit 7")
    done = site.submit("-N", "1", "-c", "2", "-t", "10m", "--mem", "100M", "--comment", 'a "b" \\ # c', "--", "true")
    killed = site.submit("--", "sh", "-c", "kill -KILL $$")
    assert site.wait(failed, "FAILED")["exit_code"] == 7
    assert site.wait(done, "SUCCEEDED")["exit_code"] == 0
    assert site.wait(killed, "FAILED")["signal"] == 9
    fields = site.server.slurm.job(site.job(done)["native_id"])
    assert (fields["NumCPUs"], fields["TimeLimit"]) == ("2", "00:10:00")
    shown = site.server.slurm.run("scontrol", "show", "job", site.job(done)["native_id"]).ok().stdout
    assert 'Comment=a "b" \\ # c ' in shown


WORDS = ["a b", "$HOME", "`id`", "$(id)", "'", '"', "\\", "*", "", "ä€", "-n", "#x", "a\tb", "!x", "~", ";", "%s", "{{x}}"]


def test_quoting_survives_anything(site):
    env = [option for number, word in enumerate(WORDS) for option in ("-e", f"W{number}={word}")]
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], [os.environ[f'W{i}'] for i in range(%d)]]))" % len(WORDS)
    name = site.submit("odd-words", *env, "--", "python3", "-c", code, *WORDS)
    site.wait(name, "SUCCEEDED")
    assert json.loads(site("logs", name).ok().stdout) == [WORDS, WORDS]


def test_a_log_is_followed_in_pieces_and_byte_for_byte(site):
    code = r"printf 'eins \303\244\n'; printf '\377\376 raw\n'; sleep 1; echo last"
    name = site.submit("--", "sh", "-c", code)
    output = site("logs", "-f", name, timeout=60).ok().output
    assert output == b"eins \xc3\xa4\n\xff\xfe raw\nlast\n"
    big = site.submit("--", "sh", "-c", "seq 1 400000")
    site.wait(big, "SUCCEEDED")
    assert site("logs", "-n", "2", big).ok().stdout == "399999\n400000\n"
    whole = "".join(f"{n}\n" for n in range(1, 400001)).encode()
    assert site("logs", big).ok().output == whole
    if not site.server.is_real:
        site.server.direct_max = 300_000  # and so much of what a command shows
        try:
            assert site("logs", big).ok().output == whole
        finally:
            site.server.direct_max = firecrest_module.OUTPUT_MAX


def test_a_log_begins_at_a_moment(site, session_dir):
    """By what the tunnel of the job noted at the site."""
    go = session_dir / "firecrest-go"
    name = start(site, "--", "sh", "-c", 'echo early; until [ -e "$0" ]; do sleep 0.1; done; echo late; sleep 1000',
                 str(go))
    notes = there(site, name) / "stdout.times"

    def sizes() -> list:
        return notes.read_text().split()[1::2] if notes.exists() else []
    harness.until(lambda: sizes() == ["6"], "notes of what was printed early", limit=60)
    noted = time.time()
    harness.until(lambda: time.time() > noted + 3, "later seconds", interval=0.2)
    since = "--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(noted + 2))
    go.touch()
    harness.until(lambda: sizes() == ["6", "11"], "notes of what was printed late", limit=60)
    assert site("logs", *since, name).ok().stdout == "late\n"
    assert site("logs", "--since", "1h", name).ok().stdout == "early\nlate\n"
    site("cancel", name).ok()
    go.unlink()


def test_jobs_of_one_name_on_one_node_share_nothing(site, home):
    """Neither directory nor port, and ssh needs no configuration that was there when they were submitted."""
    older, newest = (start(site, "same", "--", "sleep", "1000") for _ in range(2))
    assert there(site, older) != there(site, newest)
    addresses = [json.loads((there(site, name) / "endpoint.0.json").read_text())["addresses"] for name in (older, newest)]
    assert addresses[0] != addresses[1]
    # Of another directory and another context.
    path = home.config_dir / "config.yaml"
    before = path.read_text()
    path.write_text(before.replace("context: site", "context: local"))
    try:
        for name in older, newest:
            result = site.ssh(name, "echo $SLURM_JOB_ID").ok()
            assert result.stdout.strip() == site.job(name)["native_id"]
            assert site("logs", name, cwd="/").ok().stdout == ""
        assert site.ssh("same.job", "echo $SLURM_JOB_ID").ok().stdout.strip() == site.job(newest)["native_id"]
    finally:
        path.write_text(before)
    site("cancel", older, newest).ok()


def test_jobs_are_cancelled_and_collected(site):
    name = start(site, "--", "sleep", "1000")
    directory = there(site, name)
    with site.server.counting() as made:
        site("cancel", name).ok()
    assert made.count("DELETE /compute/{system_name}/jobs/{job_id}") == 1
    assert site.wait(name, "CANCELLED")["native_state"].startswith("CANCELLED")
    assert not (directory / "tunnel.json").exists()
    site("gc", "--retention", "0s").ok()
    assert not directory.exists()


def test_a_signal_reaches_the_command(site):
    name = start(site, "--", "sh", "-c", "trap 'echo got it; exit 5' USR1; while :; do sleep 0.1; done")
    site("signal", "USR1", name).ok()
    assert site.wait(name, "FAILED")["exit_code"] == 5
    assert "got it" in site("logs", name).ok().stdout


def test_what_it_cannot_do_names_the_alternative(site, job):
    result = site("hold", job)
    assert result.status == UNSUPPORTED and "scontrol hold" in result.stderr
    result = site("run", "--export", "ALL", "--", "true")
    assert result.status == UNSUPPORTED and "--export=ALL" in result.stderr


def test_an_array_is_one_job(site):
    name = site.submit("--array", "0-3", "--", "sh", "-c", 'echo "$SLURM_ARRAY_TASK_ID"; exit "$SLURM_ARRAY_TASK_ID"')
    site.wait(name, "FAILED")
    assert site("logs", f"{name}_2").ok().stdout == "2\n"
    runs = json.loads(site("get", "job-runs", name, "-o", "json").ok().stdout)
    assert sorted(run["exit_code"] for run in runs) == [0, 1, 2, 3]


def test_single_tasks_are_cancelled(site):
    """By one that runs: those that run, among them the last, whose number is the array's, and one that waits."""
    name = site.submit("--array", "0-5%4", "--", "sleep", "1000")

    def states():
        runs = json.loads(site("get", "job-runs", name, "-o", "json").ok().stdout)
        return {run["task"]: run["state"] for run in runs}
    harness.until(lambda: list(states().values()).count("RUNNING") == 4, "four tasks that run")
    site("cancel", f"{name}_[1,2,5]").ok()
    harness.until(lambda: [states()[task] for task in (1, 2)] == ["CANCELLED"] * 2, "their end")
    harness.until(lambda: states().get(4) == "RUNNING", "one more")
    assert states().get(5) not in ("QUEUED", "RUNNING")  # one that never began, Slurm without accounting forgets
    assert [states()[task] for task in (0, 3)] == ["RUNNING"] * 2
    harness.until((there(site, name) / "endpoint.4.json").exists, "its tunnel")
    site("signal", "TERM", f"{name}_4").ok()
    harness.until(lambda: states()[4] not in ("RUNNING", "QUEUED"), "the end of one that was told to")
    site("cancel", name).ok()
    harness.until(lambda: "RUNNING" not in states().values(), "the end of all")


def test_the_machine_is_described(site):
    assert "node1" in site("get", "nodes").ok().stdout
    assert "debug" in site("get", "queues").ok().stdout
    result = site("doctor")
    assert "cluster as root, accounts science (default), root; scheduler" in result.stdout + result.stderr
    with site.server.slurm.reservation("later"):
        (kept,) = json.loads(site("get", "reservations", "-o", "json").ok().stdout)
        assert (kept["name"], kept["node_list"], kept["state"]) == ("later", "node1", "inactive")
        assert kept["starts"].startswith("2036-01-0") and kept["ends"] > kept["starts"]
        text = site("describe", "cluster", "site").ok().stdout
    for line in ("Cluster:      site (jobs go there)", "Platform:     HPC", "System:       cluster", "as root, accounts",
                 "Reservation:  later: node1 until 2036"):
        assert line in text, text
    assert site("get", "reservations", "-o", "name").ok().stdout == ""
    assert "HPC" in site("get", "clusters", "-o", "wide").ok().stdout
    assert "HPC" not in site("get", "clusters").ok().stdout
    if site.server.is_real:
        return  # it is well
    site.server.health = [{"serviceType": "ssh", "healthy": False, "message": "no route"}]
    result = site("doctor")
    site.server.health = []
    assert "ssh is not well: no route" in result.stdout + result.stderr


@pytest.mark.parametrize("fault", [{"kind": "503"}, {"kind": "429", "retry_after": 1}, {"kind": "reset"},
                                   {"kind": "truncated"}, {"kind": "half"}, {"kind": "502"},
                                   {"kind": "401"}, {"kind": "slow", "seconds": 1}], ids=lambda f: f["kind"])
def test_what_passes_is_tried_again(site, job, fault):
    site.server.fail(template="/compute/{system_name}/jobs", method="GET", **fault)
    site("describe", "job", job).ok()
    assert all(each["times"] == 0 for each in site.server.faults)


def test_a_submission_that_was_answered_by_nobody_is_found(site):
    before = len(json.loads(site("get", "jobs", "-o", "json").ok().stdout))
    site.server.fail("truncated", "/compute/{system_name}/jobs", "POST")
    name = site.submit("--", "true")
    site.wait(name, "SUCCEEDED")
    assert len(json.loads(site("get", "jobs", "-o", "json").ok().stdout)) == before + 1


def test_a_submission_survives_what_passes(site):
    """At each of its steps, what is safe to repeat is repeated: one job comes of it."""
    before = len(json.loads(site("get", "jobs", "-o", "json").ok().stdout))
    faults = ({"kind": "401"}, {"kind": "429", "retry_after": 1}, {"kind": "503"}, {"kind": "reset"}, {"kind": "truncated"})
    count = 0
    for step in "/ops/upload", "/ops/extract", "/ops/rm":
        for fault in faults:
            site.server.fail(template=step, **fault)
            name = site.submit("--begin", "now+1hour", "--", "true")
            assert site.server.take_fault("", step) is None, f"{step} did not meet {fault}"
            count += 1
            site("cancel", name).ok()
    assert len(json.loads(site("get", "jobs", "-o", "json").ok().stdout)) == before + count
    # A submission itself is sent once more only when it was refused before anything was done.
    for fault in {"kind": "401"}, {"kind": "429", "retry_after": 1}:
        site.server.fail(template="/compute/{system_name}/jobs", method="POST", **fault)
        with site.server.counting() as made:
            site("cancel", site.submit("--begin", "now+1hour", "--", "true")).ok()
        assert made.count("POST /compute/{system_name}/jobs") == 2


def test_what_stays_is_told_in_the_servers_words(site, job):
    site.server.fail("500", "/compute/{system_name}/jobs", "POST")
    result = site("run", "--", "true")
    assert result.status != 0 and "made to fail?[2J with 500" in result.stderr
    assert "\x1b" not in result.stderr
    site.server.fail("429", "/status", times=9, retry_after=1)
    result = site("get", "nodes", timeout=90)
    site.server.faults.clear()
    assert result.status == UNAVAILABLE and "too many requests" in result.stderr


def test_a_token_that_expires_is_replaced_once(site, job):
    site.token.write_text("second-token\n")
    site.server.tokens = {"second-token"}
    site("logs", job).ok()
    site.server.tokens = {"third"}
    result = site("logs", job)
    site.server.tokens = {"second-token"}
    assert result.status == DENIED
    assert "second-token" not in result.stderr and "third" not in result.stderr


def test_settings_that_are_missing_are_named(site, home):
    path = home.config_dir / "config.yaml"
    before = path.read_text()
    for old, new, words in (("    system: cluster\n", "", "set 'system'"),
                            ("system: cluster", "system: other", "system 'other'"),
                            (f"    url: {site.server.url}\n", "", "set 'url'")):
        path.write_text(before.replace(old, new))
        result = site.with_env(XDG_STATE_HOME=home.root / "fresh")("run", "--", "true")
        path.write_text(before)
        assert result.status != 0 and words in result.stderr, result


def test_programs_are_brought_once(site, home, build_dir):
    """Another workstation of the same user finds them by their checksums."""
    images = site.server.scratch / site.server.user / ".berth" / "images"
    assert len([each for each in images.iterdir() if not each.name.startswith(".")]) == 1
    assert not list(images.glob("*.tar"))
    with site.server.counting() as made:
        name = site.with_env(XDG_STATE_HOME=home.root / "second").submit("--", "true")
    assert made.count("POST /filesystem/{system_name}/ops/upload") == 1, made
    assert name == "job-1"
    tree = next(each for each in images.iterdir() if not each.name.startswith("."))
    assert os.access(tree / "berth-init", os.X_OK)
    if (build_dir / "squashfs" / "busybox").exists():
        assert os.readlink(tree / "bin" / "sh") == "../busybox"


def test_a_first_submission_brings_the_programs_in_few_requests(site, home):
    """Of a user who has nothing there yet, in archives that the server takes."""
    path = home.config_dir / "config.yaml"
    before = path.read_text()
    place = site.server.scratch / site.server.user / "cold"
    path.write_text(before + "    home: $SCRATCH/cold\n")
    fresh = site.with_env(XDG_STATE_HOME=home.root / "cold-state")
    try:
        with site.server.counting() as made:
            name = fresh.submit("--", "true")
        assert len(made) <= 22, made  # 20 where the programs are stripped
        fresh.wait(name, "SUCCEEDED")
        # One more workstation, where that directory is open to all: nothing secret is put into it.
        place.chmod(0o755)
        before_it = len(site.server.seen)
        site.with_env(XDG_STATE_HOME=home.root / "cold-state-2").submit("--", "true")
        where = [query["path"] for what, query in site.server.seen[before_it:] if what.endswith("/ops/upload")]
        assert where == [str(place / "jobs")]
        place.chmod(0o700)
        assert not list(place.rglob("*.tar")) and stat.S_IMODE(place.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in (place / "images", place / "jobs")} == {0o700}
    finally:
        path.write_text(before)


def test_a_second_workstation_enters_a_job(site, job, home):
    second = site.with_env(XDG_STATE_HOME=home.root / "other")
    with site.server.counting() as made:
        name = second("attach", f"site:{site.job(job)['native_id']}").ok().stdout.split()[0].rstrip(":,")
    assert len(made) <= 9, made
    assert second("ssh", name, "echo $SLURM_JOB_ID").ok().stdout.strip() == site.job(job)["native_id"]
    site("ssh", job, "true").ok()


def test_every_rank_is_entered_from_everywhere(site, home):
    """At once, by its name from a second workstation, and from a machine that has a file of the first one's and no login."""
    name = site.submit("by-name", "-n", "2", "--", "sleep", "1000")
    harness.until(lambda: all((there(site, name) / f"endpoint.{rank}.json").exists() for rank in (0, 1)), "both ranks", limit=60)
    site("wait", "--for", "running", name).ok()
    second = site.with_env(XDG_STATE_HOME=home.root / "by-name")
    known = second("attach", "site:by-name").ok().stdout.split()[0].rstrip(":,")
    second("export", known, home.root / "by-name.berth").ok()
    elsewhere = site.with_env(XDG_STATE_HOME=home.root / "imported", XDG_CONFIG_HOME=home.root / "nothing")
    imported = elsewhere("import", home.root / "by-name.berth").ok().stdout.split()[0]
    for berth, job in (site, name), (second, known), (elsewhere, imported):
        for rank in "0", "1":
            assert berth("exec", f"{job}.{rank}", "--", "printenv", "SLURM_PROCID").ok().stdout == f"{rank}\n"
    site("cancel", name).ok()


@pytest.mark.parametrize("known", (True, False), ids=("known", "elsewhere"))
def test_files_of_the_users_choice_are_where_they_were_asked_for(site, home, known):
    """In a file system that the server tells of, or in one that it lets nobody read."""
    work = (site.server.scratch if known else home.root) / "two words"
    work.mkdir()
    name = site.submit("-C", work, "--output", "out.%j", "--", "sh", "-c", "pwd; echo to err >&2")
    site.wait(name, "SUCCEEDED")
    text = (work / f"out.{site.job(name)['native_id']}").read_text()
    assert text == f"{work}\nto err\n"
    assert site("logs", name).ok().stdout == text


def test_an_environment_of_this_machine_goes_with_the_job(site, home):
    (home.root / "mine.toml").write_text('image = "ubuntu"\n')
    with site.server.counting() as made:
        name = site.submit("--edf", "mine.toml", "--", "true", cwd=home.root)
    assert len(made) == 4, made
    directory = there(site, name)
    assert (directory / "base.toml").read_text() == 'image = "ubuntu"\n'
    assert f'base_environment = "{directory}/base.toml"' in (directory / "environment.toml").read_text()


def test_scripts_and_environments_are_taken_from_where_they_are(site, home):
    remote = site.server.scratch / "it's here"
    remote.mkdir()
    (remote / "batch.sh").write_text("#!/bin/sh\n#SBATCH --job-name=from-there\necho from there\n")
    (remote / "mine.toml").write_text('image = "debian"\n')
    (site.server.scratch / "batch.sh").write_text((remote / "batch.sh").read_text())
    (site.server.scratch / "mine.toml").write_text((remote / "mine.toml").read_text())
    name = site("submit", "-f", f"site:{site.server.scratch}/batch.sh").ok().stdout.split()[0]
    site.wait(name, "SUCCEEDED")
    assert site("logs", name).ok().stdout == "from there\n" and site.job(name)["name"] == "from-there"
    # What lies on a cluster is submitted there, whatever the context is.
    other = site.with_env(BERTH_CONTEXT="local")("submit", "--dry-run", "-f", f"site:{site.server.scratch}/batch.sh")
    assert other.ok().stdout.startswith("# POST /compute/cluster/jobs")
    edf = site.submit("--edf", f"site:{site.server.scratch}/mine.toml", "--", "true")
    assert (there(site, edf) / "base.toml").read_text() == 'image = "debian"\n'
    assert site("submit", "-f", f"site:{site.server.scratch}/none.sh").status == NOT_FOUND


@pytest.mark.parametrize("properly", (False, True), ids=("plain", "proper"))
def test_single_quotes_in_paths_are_told_as_the_server_wants_them(site, home, properly):
    """One that puts paths between single quotes for a shell, and one that quotes them."""
    if properly:
        site.server.only_here("quoting")
    site.server.quotes_properly = properly
    place = site.server.scratch / f"it's {'proper' if properly else 'plain'}; touch 'oh no'"
    (home.root / "o'clock").write_text("here\n")
    try:
        site("mkdir", "-p", f"site:{place}/o'n").ok()
        result = site("cp", home.root / "o'clock", f"site:{place}/o'n/it's")
        assert result.status == (0 if properly else INVALID) and (properly or "rename it" in result.stderr)
        site("cp", home.root / "o'clock", f"site:{place}/o'n/its").ok()
        (place / "o'n" / "its").rename(place / "o'n" / "it's")
        assert (place / "o'n" / "it's").read_text() == "here\n"
        assert site("ls", f"site:{place}/o'n").ok().stdout == "it's\n"
        site("cp", f"site:{place}/o'n/it's", home.root / "back").ok()
        assert (home.root / "back").read_text() == "here\n"
        (place / "batch.sh").write_text("#!/bin/sh\necho quoted\n")
        name = site("submit", "-f", f"site:{place}/batch.sh").ok().stdout.split()[0]
        site.wait(name, "SUCCEEDED")
        assert site("logs", name).ok().stdout == "quoted\n"
        with site.server.counting() as made:
            site("rm", "-r", "--yes", f"site:{place}/o'n").ok()
        assert made.count("GET /filesystem/{system_name}/ops/stat") <= 4, made
        assert not (place / "o'n").exists() and place.exists()
    finally:
        site.server.quotes_properly = False


def test_dry_run_shows_what_would_be_sent(site, home):
    script = home.root / "batch.sh"
    script.write_text("#!/bin/sh\n#SBATCH --cpus-per-task=3\necho a\n")
    with site.server.counting() as made:
        text = site("submit", "--dry-run", "-f", script).ok().stdout
    assert made == []
    assert text.startswith("# POST /compute/cluster/jobs {") and "\n#SBATCH --cpus-per-task=3\n" in text
    name = site("submit", "-f", script).ok().stdout.split()[0]
    site.wait(name, "SUCCEEDED")
    assert site("logs", name).ok().stdout == "a\n"
    assert site.server.slurm.job(site.job(name)["native_id"])["NumCPUs"] == "3"
