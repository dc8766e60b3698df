# SPDX-License-Identifier: MIT
"""The source tree as the checks see it: the files that are ours, and one way to report."""

import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
CODE = ("init", "tunnel", "controller", "squashfs", "tests")
FOLDERS = (*CODE, "ci", ".ci")


def is_script(path: pathlib.Path) -> bool:
    if path.suffix in (".sh", ".py"):
        return True
    if path.suffix or not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def files(*suffixes, folders=FOLDERS) -> list:
    """Files of ours with one of these suffixes, in a stable order; without suffixes all text files of ours."""
    found = []
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*")):
            if "__pycache__" in path.parts or "corpus" in path.parts or not path.is_file():
                continue
            if not suffixes or path.suffix in suffixes:
                found.append(path)
    return found


def name(path: pathlib.Path) -> str:
    return str(path.relative_to(TOP))


def finish(complaints: list, passed: str) -> None:
    """Prints every complaint, or what was found in order; ends the program."""
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(f"{pathlib.Path(sys.argv[0]).name}: {len(complaints)} to mend")
        sys.exit(1)
    print(passed)
    sys.exit(0)
