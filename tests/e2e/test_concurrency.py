# SPDX-License-Identifier: MIT
"""Many berths at once: one database, one ssh configuration."""

import concurrent.futures
import re
import threading

import harness

SUBMISSIONS = 50
AT_ONCE = 10


def test_fifty_submissions_and_collections_at_once_leave_ssh_a_valid_configuration(fresh_home, berth):
    here = type(berth)(berth.program, fresh_home)
    here("run", "-q", "--", "true").ok()
    done, wrong = threading.Event(), []

    def collect():
        while not done.is_set():
            result = here("gc", "--retention", "0s")
            if result.status != 0:
                wrong.append(f"{result}")

    def look():
        while not done.is_set():
            result = harness.run(["ssh", "-G", "job-1"], env=here.env())
            if result.status != 0:
                wrong.append(f"{result}")

    threads = [threading.Thread(target=target) for target in (collect, collect, look)]
    for thread in threads:
        thread.start()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda _: here("run", "-q", "--", "sh", "-c", "exit 0"), range(SUBMISSIONS)))
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    assert not [result for result in results if result.status != 0]
    names = [result.stdout.strip() for result in results]
    assert len(set(names)) == SUBMISSIONS and all(re.fullmatch(r"job-\d+", name) for name in names)
    assert here("wait", *names, "--timeout", "60s").status == 0
    here("gc", "--retention", "0s").ok()
    assert not list((here.home.ssh_dir / "berth").glob("*.conf"))
