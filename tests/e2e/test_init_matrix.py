# SPDX-License-Identifier: MIT
"""berth-init beside tini, dumb-init and catatonit, in everything that an init can get wrong: ours is right.

matrix.py has the rows. What the others do is written down and not demanded; the table is left in the build directory
as init-matrix.txt, with a star where something is not right.
"""

import pytest

import docker
import harness
import initrun
import matrix
from matrix_run import candidates

CASES = [(row, mode) for row in matrix.ROWS for mode in row.modes]


@pytest.fixture(scope="module")
def probe(session_dir):
    try:
        return docker.make_probe(session_dir, "-static")
    except docker.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def table(build_dir):
    table = matrix.Table(candidates())
    yield table
    (build_dir / "init-matrix.txt").write_text(table.text())
    print(table.text())


@pytest.mark.parametrize("row, mode", CASES, ids=[f"{row.watch.__name__}-{mode}" for row, mode in CASES])
def test_ours_is_right(table, probe, row, mode):
    if mode == "pid1" and not initrun.namespace():
        pytest.skip("this machine allows no PID namespaces")
    if row.needs_root and not harness.IS_ROOT:
        pytest.skip("needs root, to run the command as another user")
    assert matrix.fill(table, row, mode, probe) == row.right


def test_the_others_were_there(table):
    missing = {"tini", "tini -g", "dumb-init", "catatonit"} - {candidate.name for candidate in table.columns}
    if missing:
        pytest.skip(f"not compared with {', '.join(sorted(missing))}: apt-get install tini dumb-init catatonit")
