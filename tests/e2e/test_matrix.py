# SPDX-License-Identifier: MIT
"""Every client in every place: the programs that people have, on jobs in any image, as any user, in Docker and bare.

places.py has the columns and clients.py the rows, with what cannot work and how that is said. The table is printed at
the end of the tests and left in the build directory as results/matrix.txt.
"""

import pytest

import docker as docker_module
import tables
from clients import CLIENTS, Ansible, cannot
from places import KINDS, Failed, Places

NAMES = {client: client.__name__.replace("_", " ") for client in CLIENTS}


def fixture_or_reason(request, name: str):
    try:
        return request.getfixturevalue(name)
    except pytest.skip.Exception as reason:
        return reason.msg


@pytest.fixture(scope="module")
def table(request, build_dir):
    """Footnotes are what cannot work by nature."""
    table = tables.Table([kind.name for kind in KINDS], list(NAMES.values()))
    yield table
    folder = build_dir / "results"
    folder.mkdir(exist_ok=True)
    (folder / "matrix.txt").write_text(table.text())
    request.config.stash.setdefault(tables.KEY, []).append(("clients and places", table.text()))


@pytest.fixture(scope="module")
def places(request, session_dir, build_dir, berth):
    items = [item.callspec.params for item in request.session.items if item.module is request.module]
    wanted = {params["kind"].name for params in items}
    dir = session_dir / "places"
    dir.mkdir(mode=0o755)
    docker = fixture_or_reason(request, "docker")
    try:
        bundle = docker if isinstance(docker, str) else docker.bundle
    except docker_module.Unavailable as reason:
        bundle = str(reason)
    with Places([kind for kind in KINDS if kind.name in wanted], dir, build_dir, docker, bundle, berth) as places:
        by_ansible = places if any("ansible" in params["client"].__name__ for params in items) else {}
        with Ansible(by_ansible, dir) as ansible:
            for place in places.values():
                place.ansible = ansible
            yield places


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("client", CLIENTS, ids=NAMES.values())
def test_it_works_or_says_why_not(table, places, short_dir, kind, client):
    if kind.name in places.missing:
        pytest.skip(places.missing[kind.name])
    place, expected = places[kind.name], cannot(client, kind)
    with table.cell(NAMES[client], kind.name, expected and expected.reason):
        if not expected:
            client(place, short_dir)
            return
        with pytest.raises(Failed) as failure:
            client(place, short_dir)
        result = failure.value.result
        said = result.stdout + result.stderr
        assert result.status in expected.statuses and all(word in said for word in expected.words), result
