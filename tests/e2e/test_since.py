# SPDX-License-Identifier: MIT
"""`berth logs --since`: what a job printed in the last minutes, by what its tunnel noted."""

import time

import harness

INVALID, UNSUPPORTED = 64, 69
TALKS = 'echo early; echo e1 >&2; until [ -e "$0" ]; do sleep 0.1; done; echo late; echo e2 >&2; ' \
        'until [ -e "$0.end" ]; do sleep 0.1; done'


def sizes(path) -> list:
    """The sizes that were noted beside a log, which grow."""
    return [int(line.split()[1]) for line in path.read_text().splitlines()] if path.exists() else []


def pause() -> str:
    """A moment that is some seconds after what was noted, and before what follows."""
    noted = time.time()
    harness.until(lambda: time.time() > noted + 3, "later seconds", interval=0.2)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - 1))
    return moment


def test_only_what_was_printed_since_then_is_shown(cluster, short_dir):
    berth, go = cluster.berth, short_dir / "go"
    name = berth.start(*cluster.options, "--", "sh", "-c", TALKS, str(go))
    out, err = (berth.job_dir(name) / f"{stream}.times" for stream in ("stdout", "stderr"))
    harness.until(lambda: sizes(out) == [6] and sizes(err) == [3], "notes of what was printed early")
    assert berth("logs", "--since", "1h", name).ok().stdout == "early\n"
    moment = pause()
    assert berth("logs", "--since", moment, name).ok().stdout == ""
    go.touch()
    harness.until(lambda: sizes(out) == [6, 11] and sizes(err) == [3, 6], "notes of what was printed late")
    for options, expected in ((), "late\n"), (("--stderr",), "e2\n"), (("--tail", "1"), "late\n"), (("-n0",), ""):
        assert berth("logs", "--since", moment, *options, name).ok().stdout == expected, options
    assert berth("logs", "--since", "1h", "--stderr", name).ok().stdout == "e1\ne2\n"
    (short_dir / "go.end").touch()
    berth.wait(name, "SUCCEEDED")
    assert berth("logs", "--since", moment, name).ok().stdout == "late\n"
    assert berth("logs", "-f", "--since", moment, name).ok().stdout == "late\n"
    # What had ended by then printed nothing since.
    harness.until(lambda: berth("logs", "--since", "1s", name).ok().stdout == "", "an end before that")


def test_what_nobody_noted_is_refused_in_words(berth):
    name = berth.start("--", "sh", "-c", "echo said; exec sleep 1000")
    notes = berth.job_dir(name) / "stdout.times"
    harness.until(lambda: sizes(notes) == [5], "notes")
    moment = pause()
    notes.unlink()
    result = berth("logs", "--since", moment, name)
    assert result.status == UNSUPPORTED and "leave --since out" in result.stderr and result.stdout == ""
    notes.write_text("no times\n")
    assert "stdout.times" in berth("logs", "--since", moment, name).stderr
    # All of the job is later than that, and to standard error nothing was printed at all.
    assert berth("logs", "--since", "1h", name).ok().stdout == "said\n"
    assert berth("logs", "--since", moment, "--stderr", name).ok().stdout == ""
    for word in "x", "25:00", "2999-01-01", "":
        result = berth("logs", "--since", word, name)
        assert result.status == INVALID and "--since" in result.stderr, word
    berth("cancel", name).ok()
