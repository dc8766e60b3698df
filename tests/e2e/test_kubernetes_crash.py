# SPDX-License-Identifier: MIT
"""`berth run` killed at each of its steps, many jobs at once, and long lists: nothing of ours is left on Kubernetes
that no record knows of."""

import concurrent.futures
import json
import shutil

import pytest

import harness
import kube
import test_crash
from kube_fixtures import CONFIG, cluster  # noqa: F401

KINDS = [f"/api/v1/namespaces/default/{kind}" for kind in ("pods", "services", "secrets")]
LABEL = "berth.uid"


class Place:
    """What test_crash.traced() wants to know."""
    name = "kube"
    # With a Service beside the Job.
    waiting = ("--cluster", "kube", "--image", "busybox", "-n", "2", "--", "work")


def uids(cluster, path) -> set:
    """Those of objects of ours that nobody is removing."""
    items = cluster.request("GET", f"{path}?labelSelector={LABEL}")["items"]
    return {item["metadata"]["labels"][LABEL] for item in items if "deletionTimestamp" not in item["metadata"]}


@pytest.fixture
def alone(cluster, berth, fresh_home):
    """A user whose database nobody else has, on a cluster where nothing is ours."""
    path = cluster.kubeconfig(fresh_home.berth_home.parent / f"kubeconfig-{cluster.name}")
    fresh_home.config_dir.mkdir(parents=True, exist_ok=True)
    (fresh_home.config_dir / "config.yaml").write_text(CONFIG.format(path=path, template=path))
    (fresh_home.config_dir / "config.yaml").chmod(0o600)
    yield type(berth)(berth.program, fresh_home).with_env(BERTH_CLUSTER="kube")
    for kind in [kube.JOBS, *KINDS]:
        cluster.request("DELETE", f"{kind}?labelSelector={LABEL}&propagationPolicy=Background&gracePeriodSeconds=0")
        harness.until(lambda kind=kind: not uids(cluster, kind), f"no {kind}", 60)


def collect(here) -> None:
    for _ in range(2):
        test_crash.make_old(here)
        here("gc", "--retention", "0s").ok()


def test_a_run_killed_at_any_step_leaves_a_job_that_works_or_nothing(alone, cluster, short_dir):
    if not shutil.which("strace"):
        pytest.skip("needs strace, to kill at a system call")
    alone("run", "-q", *Place.waiting).ok()
    table = list(test_crash.points(test_crash.count_steps(alone, Place, short_dir / "trace")))
    assert {"mkdir", "sendto", "recvfrom"} <= {step for step, _ in table}, table
    for step, n in table:
        result = test_crash.traced(alone, Place, "/dev/null", "-e", f"trace={step}", "-e",
                                   f"inject={step}:signal=KILL:when={n}")
        assert result.status in (-9, test_crash.KILLED, 0), f"{step} {n}: {result}"
    unrecorded = {job["uid"] for job in test_crash.records(alone) if job["state"] == "DEFINED"}
    collect(alone)
    jobs = test_crash.open_jobs(alone)
    assert unrecorded & set(jobs) and unrecorded - set(jobs), "nothing was handed over and not recorded"
    assert uids(cluster, kube.JOBS) == set(jobs)
    # A Job that was taken and whose Service was not made yet gets it when it is found; others go with their Jobs.
    harness.until(lambda: uids(cluster, KINDS[1]) == set(jobs), "a Service for each job", 60)
    for kind in KINDS:
        harness.until(lambda kind=kind: uids(cluster, kind) <= set(jobs), f"{kind} of known jobs", 60)
    home = alone.home
    assert {path.name for path in (home.berth_home / "jobs").iterdir()} == set(jobs)
    keys = {path.name for path in (home.state_dir / "keys").iterdir()}
    assert keys - {"spare"} == {f"{uid}.json" for uid in jobs}
    alone("cancel", "--all", "--yes").ok()
    collect(alone)
    for kind in [kube.JOBS, *KINDS]:
        harness.until(lambda kind=kind: not uids(cluster, kind), f"no {kind}", 60)


def test_many_jobs_at_once_are_all_there_and_listed_in_pages(alone, cluster):
    if cluster.name != "real":
        cluster.seen.clear()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        names = list(pool.map(lambda _: alone.submit("--image", "busybox", "--", "work"), range(50)))
    assert len(set(names)) == 50 and len(uids(cluster, kube.JOBS)) == 50
    if cluster.name != "real":
        # The first of them brought the programs, for which the others waited.
        maps = cluster.request("GET", "/api/v1/namespaces/default/configmaps")["items"]
        brought = [path for method, path, _ in cluster.seen if method == "POST" and path.endswith("/configmaps")]
        assert len(brought) == len(maps) > 1
        cluster.page = 20
        cluster.seen.clear()
    states = {job["state"] for job in json.loads(alone("get", "jobs", "-o", "json").ok().stdout)}
    assert states == {"QUEUED"}
    if cluster.name != "real":
        lists = [path.split("?")[0].rsplit("/", 1)[1] for _, path, _ in cluster.seen]
        assert (lists.count("jobs"), lists.count("pods")) == (3, 3) and len(lists) <= 9, lists
        cluster.page = 0
    alone("cancel", *names, timeout=120).ok()
    collect(alone)
    for kind in [kube.JOBS, *KINDS]:
        harness.until(lambda kind=kind: not uids(cluster, kind), f"no {kind}", 60)
