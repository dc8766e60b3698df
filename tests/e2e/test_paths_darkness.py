# SPDX-License-Identifier: MIT
"""Two minutes of darkness in real time. They pass while other tests run: see the mark `last` in conftest.py."""

import os
import time

import pytest

import harness
import lab
import ways
from sessions import Session
from transfers import MIB, Echo

WAY = "direct"
LASTS_S = 120
SIZE = 40 * MIB


@pytest.fixture(scope="session", autouse=True)
def darkness(build_dir, session_dir):
    """Begins with the first test of this file, which ends nothing."""
    directory = session_dir / "darkness"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, harness.Home(session_dir / "darkness-home")) as internet:
            yield from begin(internet.way(WAY))
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


def begin(way):
    way.shape(**ways.PERFECT)
    with Session(way) as session:
        session.check()
        transfer = Echo(way.argv("job-7", "cat"), way.env(), os.urandom(SIZE))
        try:
            transfer.until_received(2 * MIB)
            way.home.link.cut()
            yield way, session, transfer, time.monotonic()
        finally:
            transfer.kill()


def test_nothing_gets_through(darkness):
    _, _, transfer, _ = darkness
    transfer.until_silent(1)
    assert transfer.received < SIZE, "nothing was left to do"


@pytest.mark.last
def test_two_minutes_cost_nothing_but_their_time(darkness):
    way, session, transfer, began = darkness
    before = transfer.received
    harness.until(lambda: time.monotonic() >= began + LASTS_S, "end of the darkness", limit=LASTS_S + 5)
    assert transfer.received == before
    way.home.link.mend()
    session.check()
    transfer.check()
    session.check()
    session.end()
