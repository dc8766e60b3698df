# SPDX-License-Identifier: MIT
"""What README.md tells people to type does what it says."""

import re

import harness


def commands() -> list:
    """The lines of README.md's blocks that are marked as sh."""
    text = (harness.TOP / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_every_command_of_the_readme_runs(fresh_home, build_dir):
    env = fresh_home.env()
    env["PATH"] = f"{build_dir / 'controller'}:{env['PATH']}"
    lines = commands()
    assert any(line.startswith("ssh ") for line in lines)
    outputs = {line: harness.run(["sh", "-c", line], env=env).ok().stdout for line in lines}
    assert any("berth-init" in output for output in outputs.values())
    assert "hello" in next(output for line, output in outputs.items() if line.startswith("berth logs"))


def test_the_map_names_every_folder():
    text = (harness.TOP / "README.md").read_text()
    for path in harness.TOP.iterdir():
        if path.is_dir() and not path.name.startswith((".", "build")):
            assert f"`{path.name}/`" in text, path.name


def test_every_folder_explains_itself():
    for name in ("init", "init/base", "tunnel", "controller", "squashfs", "tests", "ci"):
        assert (harness.TOP / name / "README.md").exists(), name


def test_every_test_that_stands_for_a_complaint_is_there():
    text = (harness.TOP / "tests" / "README.md").read_text().partition("## Complaints")[2]
    names = [name for name in re.findall(r"`([a-z0-9_]+)`", text) if name.count("_") > 2]
    files = [path for suffix in ("py", "c") for path in (harness.TOP / "tests").glob(f"*/*.{suffix}")]
    sources = "".join(path.read_text() for path in files)
    assert len(names) > 40
    assert [name for name in names if not re.search(rf"^(def|static void) {name}\(", sources, re.M)] == []


def test_every_row_of_the_table_of_slurms_commands_names_tests_that_have_its_command():
    """Each named file is there, and what the row says of berth stands in one of them."""
    table = (harness.TOP / "README.md").read_text().partition("| Slurm | berth | shown by |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    assert len(rows) > 25
    for slurm, ours, shown in rows:
        sources = ""
        for name in re.findall(r"`([^`]+)`", shown):
            path = harness.TOP / (name if "/" in name else f"tests/e2e/{name}")
            assert path.exists(), f"{slurm}: {name}"
            sources += path.read_text()
        # Its first verb, and what of: the files speak of one cell's other verbs in loops over them.
        words = re.search(r"`berth ([a-z]+)((?: [a-z]+-[a-z]+)?)|`ssh", ours)
        assert words and [word for word in re.findall(r"[a-z-]+", "".join(filter(None, words.groups())))
                          if f'"{word}"' not in sources and f".{word}(" not in sources] == [], slurm
