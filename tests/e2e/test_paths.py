# SPDX-License-Identifier: MIT
"""Into a job by each way there is, while everything happens to it that happens to networks.

A transfer of 100 MiB goes to the job and comes back; meanwhile networks change, lose and go dark, relays are killed. Not
a byte is lost or repeated, and a session that was open all the time goes on.
"""

import os

import pytest

import lab
import ways
from sessions import Session
from transfers import MIB, Echo


@pytest.fixture(scope="module")
def internet(build_dir, session_dir, home):
    directory = session_dir / "paths"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            yield internet
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


# The ways that a build has.
HERE = ways.WAYS


@pytest.fixture(scope="module", params=HERE)
def way(internet, request) -> ways.Way:
    way = internet.way(request.param)
    way.shape(**ways.PERFECT)
    return way


def restart_relay(way) -> None:
    if way.relay:
        way.relay.kill()
        way.relay.start()


def move(way) -> None:
    way.laptop.move(way.home, way.hotel)


def move_back(way) -> None:
    way.laptop.move(way.hotel, way.home)


def rebind(way) -> None:
    way.home.rebind()
    if way.site.kinds != ("none",):
        way.site.rebind()


def lose(way) -> None:
    """More of what goes up than of what comes down."""
    way.home.link.shape("ab", loss=0.03)
    way.site.link.shape("ab", loss=0.005)


def narrow(way) -> None:
    way.home.mtu(1280)


def swallow(way) -> None:
    """A path MTU black hole: what is larger than 1280 bytes is lost, and nobody is told."""
    way.home.mtu(1500)
    way.home.link.shape(largest=1280)


def mend(way) -> None:
    way.home.link.shape(loss=0, largest=0)
    way.site.link.shape(loss=0)


FAULTS = (restart_relay, move, move_back, rebind, lose, narrow, swallow, mend)


def test_nothing_is_lost_whatever_happens_in_the_midst_of_a_transfer(way):
    """Where the session takes long to be there again, a transfer may be over by then: another one takes its place."""
    content = os.urandom(100 * MIB)
    with Session(way) as session:
        session.check()
        transfer = Echo(way.argv("job-7", "cat"), way.env(), content)
        try:
            transfer.until_received(MIB)
            for fault in FAULTS:
                if transfer.received > 90 * MIB:
                    transfer.check()
                    transfer = Echo(way.argv("job-7", "cat"), way.env(), content)
                    transfer.until_received(MIB)
                fault(way)
                transfer.until_received(transfer.received + 4 * MIB)
                session.check()
            transfer.check()
        finally:
            transfer.kill()
            mend(way)
        session.check()
        session.end()
