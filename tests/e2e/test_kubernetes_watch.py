# SPDX-License-Identifier: MIT
"""Waiting for jobs of Kubernetes by the server's events: few requests, and what a server or a network does to watches."""

import contextlib
import json
import subprocess
import sys

import pytest

import harness
import kube
import kube_standin
from kube_fixtures import cluster, here, stand_in_only, started  # noqa: F401

PLUGIN = """\
import json, pathlib
with open({count!r}, "ab") as count:
    count.write(b"x")  # one byte for each time
token = pathlib.Path({token!r}).read_text()
print(json.dumps({{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {{"token": token}}}}))
"""


@contextlib.contextmanager
def waiting(here, cluster, name, *argv):
    """A `berth wait` that has begun to watch."""
    before = len(getattr(cluster, "seen", []))
    process = subprocess.Popen([here.program, "wait", *argv, name], env=here.env(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if cluster.name != "real":
            harness.until(lambda: sum("watch=true" in path for _, path, _ in cluster.seen[before:]) >= 2, "watches")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ends(process, status):
    out, errors = process.communicate(timeout=60 * harness.PATIENCE)
    assert process.returncode == status, (out, errors)
    return out


def finish(cluster, pod, code):
    cluster.bind(pod)
    cluster.say(pod, "Running", {"running": {"startedAt": kube.now()}})
    cluster.end(pod, code)


def watches(cluster):
    return [path for _, path, _ in cluster.seen if "watch=true" in path]


@pytest.fixture
def quiet(cluster):
    cluster.seen.clear()
    yield cluster
    assert not cluster.faults
    cluster.token = kube.TOKEN


def test_an_end_is_heard_and_not_asked_for(here, cluster):
    name, _, pod = started(here, cluster, "--", "work")
    with waiting(here, cluster, name) as process:
        if cluster.name != "real":
            # Bookmarks pass by for longer than the pause between two questions.
            seen, version = len(cluster.seen), cluster.bookmarks
            harness.until(lambda: cluster.bookmarks >= version + 8, "bookmarks")
            assert not [path for _, path, _ in cluster.seen[seen:] if "events" not in path], cluster.seen[seen:]
        finish(cluster, pod, 5)
        assert "FAILED: exit status 5" in ends(process, 5)


def test_tasks_are_heard_of_too(here, cluster):
    name, uid, _ = started(here, cluster, "--array", "0-1", "--", "work")
    pods = harness.until(lambda: len(cluster.items(kube.PODS, uid)) == 2 and cluster.items(kube.PODS, uid), "two pods")
    with waiting(here, cluster, name) as process:
        for pod in pods:
            finish(cluster, pod["metadata"]["name"], 0)
        assert "SUCCEEDED" in ends(process, 0)


@stand_in_only
def test_a_watch_that_breaks_goes_on_where_it_was(here, quiet):
    name, _, pod = started(here, quiet, "--", "work")
    with waiting(here, quiet, name) as process:
        count = len(watches(quiet))
        quiet.drop_watches()
        harness.until(lambda: len(watches(quiet)) >= count + 2, "other watches")
        lists = [path for _, path, _ in quiet.seen if "limit=" in path]
        finish(quiet, pod, 0)
        ends(process, 0)
        # After the end the pods of the job are looked at once more; nothing was listed anew because of the break.
        assert len([path for _, path, _ in quiet.seen if "limit=" in path]) <= len(lists) + 1


@stand_in_only
def test_a_version_that_is_too_old_is_followed_by_a_list(here, quiet):
    name, _, pod = started(here, quiet, "--", "work")
    with waiting(here, quiet, name) as process:
        before = len([path for _, path, _ in quiet.seen if "limit=" in path and "events" not in path])
        # In the stream, and in the place of one; both watches, of Jobs and of pods.
        for _ in range(2):
            quiet.faults.append(kube_standin.Fault(410, {"kind": "Status", "message": "too old", "code": 410}, "watch=true"))
        quiet.expire()
        # Each is listed anew, for either reason.
        lists = lambda: [path for _, path, _ in quiet.seen if "limit=" in path and "events" not in path]  # noqa: E731
        harness.until(lambda: not quiet.faults and len(lists()) >= before + 4, "410 to be heard")
        finish(quiet, pod, 3)
        ends(process, 3)


@stand_in_only
def test_later_and_errors_are_waited_for(here, quiet):
    name, _, pod = started(here, quiet, "--", "work")
    busy = {"kind": "Status", "message": "too many requests", "reason": "TooManyRequests", "code": 429}
    with waiting(here, quiet, name) as process:
        quiet.faults += [kube_standin.Fault(429, busy, "watch=true", {"Retry-After": "1"}),
                         kube_standin.Fault(500, {"kind": "Status", "message": "etcd", "code": 500}, "watch=true"),
                         kube_standin.Fault(200, "this is no event\n", "watch=true")]
        quiet.drop_watches()
        harness.until(lambda: not quiet.faults, "all of that")
        finish(quiet, pod, 0)
        ends(process, 0)


@stand_in_only
def test_who_may_list_and_not_watch_waits_all_the_same(here, quiet):
    name, _, pod = started(here, quiet, "--", "work")
    with waiting(here, quiet, name) as process:
        quiet.faults.append(kube_standin.Fault(403, {"kind": "Status", "message": "may not watch", "code": 403}, "watch=true"))
        quiet.drop_watches()
        harness.until(lambda: not quiet.faults, "a refusal")
        seen = len(quiet.seen)
        harness.until(lambda: len([path for _, path, _ in quiet.seen[seen:] if "limit=" in path]) >= 4, "lists")
        finish(quiet, pod, 4)
        ends(process, 4)


@stand_in_only
def test_a_token_that_expires_in_between_is_asked_for_again(here, quiet):
    place = here.home.berth_home.parent
    (place / "token").write_text(kube.TOKEN)
    (place / "plugin.py").write_text(PLUGIN.format(count=str(place / "count"), token=str(place / "token")))
    config = place / f"kubeconfig-{quiet.name}"
    kept = config.read_text()
    kube.write_kubeconfig(config, quiet.url, None, {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(place / "plugin.py")],
        "interactiveMode": "Never"}})
    try:
        name, _, pod = started(here, quiet, "--", "work")
        with waiting(here, quiet, name) as process:
            asked = (place / "count").stat().st_size
            quiet.token = "another"
            (place / "token").write_text("another")
            quiet.drop_watches()
            harness.until(lambda: (place / "count").stat().st_size > asked, "the plugin to be asked")
            tests, kube.TOKEN = kube.TOKEN, "another"
            try:
                finish(quiet, pod, 0)
            finally:
                kube.TOKEN = tests
            ends(process, 0)
            # Each of the two watches was refused once at most.
            assert (place / "count").stat().st_size <= asked + 2
    finally:
        config.write_text(kept)


@stand_in_only
def test_a_conflict_with_the_controller_is_tried_again(here, quiet):
    name, uid, _ = started(here, quiet, "--array", "0-1", "--", "work")
    for pod in quiet.items(kube.PODS, uid):
        quiet.bind(pod["metadata"]["name"])
        quiet.say(pod["metadata"]["name"], "Running", {"running": {"startedAt": kube.now()}})
    here.wait(name, "RUNNING")
    for _ in range(3):
        quiet.faults.append(kube_standin.Fault(409, {"kind": "Status", "message": "has been modified", "code": 409}, "/jobs/"))
    here("cancel", f"{name}_1").ok()
    runs = json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)
    assert [run["state"] for run in runs if run["id"].endswith("_1")] == ["CANCELLED"]
    here("cancel", name).ok()


@stand_in_only
def test_a_hold_goes_on_after_a_conflict_with_the_controller(here, quiet):
    name, _, _ = started(here, quiet, "--", "work")
    for verb in "hold", "release":
        quiet.faults.append(kube_standin.Fault(409, {"kind": "Status", "message": "has been modified", "code": 409}, "/jobs/"))
        here(verb, name).ok()
        assert not quiet.faults
    here("cancel", name).ok()


@stand_in_only
def test_a_log_is_followed_and_not_read_again_and_again(here, quiet):
    name, _, pod = started(here, quiet, "--", "work")
    quiet.bind(pod)
    quiet.say(pod, "Running", {"running": {"startedAt": kube.now()}})
    here.wait(name, "RUNNING")
    # More than comes at once: what was printed before a break is passed over, however many pieces it comes in.
    quiet.logs[pod] = "line 0\n" + 300_000 * "." + "\n"
    process = subprocess.Popen([here.program, "logs", "-f", name], env=here.env(), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "line 0\n"
        assert process.stdout.readline() == 300_000 * "." + "\n"
        follows = lambda: [path for _, path, _ in quiet.seen if "follow=true" in path]  # noqa: E731
        harness.until(follows, "a stream")
        for n in range(1, 30):
            quiet.logs[pod] += f"line {n}\n"
            assert process.stdout.readline() == f"line {n}\n"
        assert len(follows()) == 1
        quiet.drop_watches()
        harness.until(lambda: len(follows()) == 2, "another stream")
        quiet.logs[pod] += "after the break\n"
        assert process.stdout.readline() == "after the break\n"
        quiet.logs[pod] += "the end\n"
        quiet.end(pod, 0)
        assert ends(process, 0) == "the end\n"
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
