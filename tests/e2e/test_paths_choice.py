# SPDX-License-Identifier: MIT
"""A job that has an address and a relay: the better way is used, and the other one when that dies."""

import json

import pytest

import harness
import lab
import ways
from sessions import Session


@pytest.fixture(scope="module")
def way(build_dir, session_dir, home):
    directory = session_dir / "choice"
    directory.mkdir(mode=0o700)
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            way = internet.ways["choice"] = ways.Way(internet, "relay", "choice", "none", "")
            way.tunnel.listed = True  # the workstation has the endpoint file, too
            way.tunnel.configure()
            way.shape(**ways.PERFECT)
            yield way
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")


def connections(way) -> list:
    berth = way.internet.build / "controller" / "berth"
    return json.loads(harness.run([berth, "get", "connections", "-o", "json"], env=way.env()).ok().stdout)


def until_by(way, *paths: str) -> dict:
    def found():
        return next((each for each in connections(way) if each["path"] in paths), None)
    return harness.until(found, f"connection by {' or '.join(paths)}")


def test_a_session_goes_where_there_is_a_way(way):
    """A line typed costs two seconds when the direct path dies; another network is reason to try it again at once."""
    job = next(each for each in way.tunnel.addresses() if each.startswith("198.51.")).rsplit(":", 1)[0]
    with Session(way) as session:
        session.check()
        first = until_by(way, "direct")
        assert first["job"] == "job-7" and first["remote"].startswith(job) and first["rtt_us"] > 0
        way.home.routers[0].limit(f"ip daddr {job} meta l4proto udp drop", f"ip saddr {job} meta l4proto udp drop")
        session.check()
        second = until_by(way, "relay")
        assert second["pid"] == first["pid"] and second["since"] == first["since"]
        way.laptop.move(way.home, way.hotel)
        session.check()
        # The checks that cross NATs find the job's own address, too, and may be the first to.
        third = until_by(way, "direct", "punched")
        assert third["remote"].startswith(job)
        assert third["pid"] == first["pid"] and third["bytes_received"] > second["bytes_received"]
        session.end()
    assert connections(way) == []
