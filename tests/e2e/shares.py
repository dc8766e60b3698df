# SPDX-License-Identifier: MIT
"""Several pytest processes that share the test files among them: most tests wait, and some can do so at once.

Each process has a home directory, a Slurm, a Docker and networks of its own, so that they need not know of each other.
$BERTH_TEST_SHARE names a directory that they have in common. All collect the same tests in the same order, the longest
files first, so that at the end nobody is alone with one; whoever comes to a file first takes it, by making a file of its
name there. Tests marked `last` go with the file they are in.
"""

import itertools
import os
import pathlib

# What takes longest, as ci/count prints it. One that is missing here, or should not be here, costs time and nothing else.
LONGEST = (
    "test_paths_darkness", "test_package", "test_docker_backend", "test_paths", "test_docker_adopt", "test_bench",
    "test_firecrest", "test_files_firecrest", "test_swarm", "test_matrix", "test_kubernetes_adopt", "test_files_resume",
    "test_kubernetes_reach", "test_accounting", "test_job", "test_slurm_states", "test_sftp", "test_kubernetes_crash",
    "test_vscode", "test_docker_daemon", "test_firecrest_ways", "test_init_docker", "test_docker_exec", "test_cli",
)


def file_of(item) -> str:
    return item.nodeid.partition("::")[0]


def place(item) -> tuple:
    """For sorting: the longest files first, but what is marked `last` after all others."""
    stem = pathlib.PurePath(file_of(item)).stem
    return item.get_closest_marker("last") is not None, LONGEST.index(stem) if stem in LONGEST else len(LONGEST)


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
    for name, group in itertools.groupby(items, file_of):
        if name in taken or take(directory, name):
            taken.add(name)
            yield from group


def run(session, directory: pathlib.Path) -> bool:
    """As pytest's own loop (pytest_runtestloop), over those that are ours."""
    if session.testsfailed and not session.config.option.continue_on_collection_errors:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    items = ours(sorted(session.items, key=place), directory)
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
