# SPDX-License-Identifier: MIT
"""A walk through all verbs as users meet them first: with nothing configured and no job, in a home that cannot be
written, on a full disk, and with words that would act on a terminal. Whatever happens is one line that says what to do.
"""

import contextlib
import re
import shutil
import sqlite3

import pytest

import harness

STATUSES = {0, 64, 66, 69, 70, 71, 73, 75, 76, 77}
HOSTILE = "\x1b[2J\x07"
# What asks all that this machine has, and takes its time.
SLOW = {"doctor"}


@pytest.fixture(scope="module")
def verbs(berth):
    text = berth("--help").ok().stdout
    found = re.findall(r"^  ([a-z-]+) {2,}\S", text.partition("verbs:")[2], re.M)
    assert {"run", "get", "cancel", "attach", "gc", "config"} <= set(found)
    return [verb for verb in found if verb not in SLOW]


@pytest.fixture
def alone(fresh_home, berth):
    # No Slurm of the machine has a part in this.
    return type(berth)(berth.program, fresh_home, {"SLURM_CONF": "/dev/null"})


def is_clear(result) -> bool:
    """One line, or output without one; nothing that a terminal would act on."""
    complaints = result.stderr.splitlines()
    return (result.status in STATUSES and "\x1b" not in result.stdout + result.stderr and
            all(line.startswith("berth: ") for line in complaints) and len(complaints) <= 2 and
            bool(complaints) >= (result.status != 0))


def test_each_verb_says_what_it_needs_where_nothing_is(alone, verbs, short_dir):
    for verb in verbs:
        for words in (), ("no-such-job-1",), (HOSTILE,):
            here = short_dir / f"{verb}-{len(''.join(words))}"
            here.mkdir()
            result = alone(verb, *words, cwd=here)
            assert is_clear(result), result
        assert alone(verb, "--help").ok().stdout.startswith(f"berth {verb}: ")
        wrong = alone(verb, "--no-such-option")
        assert wrong.status == 64 and "--help" in wrong.stderr and wrong.stderr.count("\n") == 1, wrong


def test_hostile_words_are_shown_harmless(alone, short_dir):
    name = alone.submit("--", "sh", "-c", "exit 3", HOSTILE, b"\xff\xfe")
    alone.wait(name, "FAILED")
    for words in (*(("get", "jobs", "-a", "-o", kind) for kind in ("table", "wide", "csv", "yaml", "json")),
                  ("describe", "job", name), ("get", "error", name)):
        result = alone(*words)
        assert result.status == 0 and not {"\x1b", "\x07"} & set(result.stdout + result.stderr), result
        result.output.decode()
    for words in (("attach", f"local:{HOSTILE}"), ("config", "set", "clusters.x.login", HOSTILE),
                  ("config", "add", HOSTILE, "x"), ("gc", "--keep-size", HOSTILE), ("init", "--login", HOSTILE),
                  ("keys", HOSTILE, name), ("relay", "check", HOSTILE), ("wait", "--for", HOSTILE, name),
                  ("signal", HOSTILE, name), ("run", HOSTILE, "--", "true"),
                  ("get", "jobs", "--state", HOSTILE), ("cp", f"{HOSTILE}:/a", "b"), ("export", name, f"/{HOSTILE}/x")):
        result = alone(*words, cwd=short_dir)
        assert result.status != 0 and not {"\x1b", "\x07"} & set(result.stdout + result.stderr), result


@contextlib.contextmanager
def small_disk(home, size: str):
    """The user's configuration, state and jobs are on it."""
    home.root.mkdir(exist_ok=True)
    if harness.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", home.root]).status != 0:
        pytest.skip("no right to mount a tmpfs")
    try:
        yield home.root
    finally:
        harness.run(["umount", "-l", home.root]).ok()


CHANGES = (("run", "--", "true"), ("init",), ("config", "set", "context", "local"),
           ("config", "add", "defaults.paths", "login"))


def test_a_home_that_cannot_be_written_is_said_and_reading_goes_on(alone):
    with small_disk(alone.home, "1m") as root:
        alone("get", "jobs").ok()
        harness.run(["mount", "-o", "remount,ro", root]).ok()
        for words in CHANGES:
            result = alone(*words)
            assert is_clear(result) and result.status == 77 and "Read-only" in result.stderr, result
        for words in ("get", "jobs"), ("config", "show"), ("gc",), ("gc", "--dry-run"), ("version",):
            assert is_clear(alone(*words).ok())


def test_a_full_disk_is_said_and_nothing_is_lost(alone):
    with small_disk(alone.home, "1m") as root:
        alone("config", "set", "clusters.hpc.login", "login1").ok()
        before = (alone.home.config_dir / "config.yaml").read_text()
        with contextlib.suppress(OSError), open(root / "filling", "wb", 0) as filling:
            while True:
                filling.write(bytes(4096))
        for words in CHANGES[:1] + CHANGES[2:]:
            result = alone(*words)
            assert is_clear(result) and result.status == 69 and re.search("full|No space", result.stderr), result
        assert (alone.home.config_dir / "config.yaml").read_text() == before
        (root / "filling").unlink()
        assert alone("config", "get", "clusters.hpc.login").ok().stdout == "login1\n"
        alone("config", "set", "context", "local").ok()


MANY = 300


def test_many_jobs_that_end_at_once_do_not_each_look_through_what_all_have(alone, short_dir):
    """Records of one job over and over, whose processes are gone, with a key, a Host block and a directory each."""
    if not shutil.which("strace"):
        pytest.skip("no strace: apt-get install strace")
    first = alone.start("--", "sleep", "1000")
    uid, state = alone.job(first)["uid"], alone.home.state_dir
    with contextlib.closing(sqlite3.connect(state / "berth.db")) as db, db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM jobs").fetchone())
        del row["id"]
        host = row["native_id"].partition("@")[2]
        for number in range(MANY):
            row.update(uid=f"6b019f50-{number:016x}", native_id=f"{400000 + number}.7@{host}")
            row["directory"] = str(alone.home.berth_home / "jobs" / row["uid"])
            (alone.home.berth_home / "jobs" / row["uid"]).mkdir()
            (state / "keys" / f"{row['uid']}.json").write_text("{}")
            db.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    block = (alone.home.ssh_dir / "berth" / f"{first}.conf").read_text()
    for number in range(2, MANY + 2):
        (alone.home.ssh_dir / "berth" / f"job-{number}.conf").write_text(block.replace(first, f"job-{number}"))
    assert f"job-{MANY}" in harness.run(["ssh", "-G", f"job-{MANY}"], env=alone.env()).ok().stdout
    trace = short_dir / "trace"
    harness.run(["strace", "-o", trace, "-e", "trace=getdents64", alone.program, "get", "jobs"], env=alone.env(),
                timeout=120).ok()
    assert sum(map(int, re.findall(r"(\d+) entries", trace.read_text()))) < 10 * MANY
    assert [path.name for path in (state / "keys").glob("*.json")] == [f"{uid}.json"]
    assert len(list((alone.home.ssh_dir / "berth").glob("job-*.conf"))) == 1
    assert f"{MANY - 3} job directories" in alone("gc", "--keep-jobs", "3").ok().stdout
    alone("cancel", first).ok()
