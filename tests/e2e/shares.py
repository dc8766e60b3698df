# SPDX-License-Identifier: MIT
"""Several pytest processes that share the test files among them: most tests wait, and two can do so at once.

Each process has a home directory, a Slurm, a Docker and networks of its own, so that they need not know of each other.
$BERTH_TEST_SHARE names a directory that they have in common. All collect the same tests in the same order; whoever
comes to a file first takes it, by making a file of its name there. Tests marked `last` go with the file they are in.
"""

import itertools
import os
import pathlib


def take(directory: pathlib.Path, name: str) -> bool:
    """Whether nobody was faster."""
    try:
        os.close(os.open(directory / name.replace("/", ":"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def note_failure(directory: pathlib.Path, name: str) -> None:
    """Adds a test to those that ci/test runs once more."""
    names = directory / "failed"
    if not names.exists() or name not in names.read_text().splitlines():
        with names.open("a") as file:
            file.write(name + "\n")


def ours(items, directory: pathlib.Path):
    """Those of the items that fall to this process, file by file, as late as it can be said."""
    taken = set()
    for name, group in itertools.groupby(items, lambda item: item.nodeid.partition("::")[0]):
        if name in taken or take(directory, name):
            taken.add(name)
            yield from group


def run(session, directory: pathlib.Path) -> bool:
    """As pytest's own loop (pytest_runtestloop), over those that are ours."""
    if session.testsfailed and not session.config.option.continue_on_collection_errors:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    items = ours(session.items, directory)
    item = next(items, None)
    while item:
        following = next(items, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True
