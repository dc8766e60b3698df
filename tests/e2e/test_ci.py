# SPDX-License-Identifier: MIT
"""The scripts that judge everything else: what is wrong they call wrong, and they count to the end."""

import json
import shutil

import pytest

import harness
import shares

CI = harness.TOP / "ci"
CMOCKA = """[==========] tests: Running 3 test(s).
[  PASSED  ] 2 test(s).
[  FAILED  ] tests: 1 test(s), listed below:
"""
JUNIT = """<testsuites><testsuite><testcase classname="a" name="works"/>
<testcase classname="tests.e2e.slow" name="works" time="61.2"/><testcase classname="tests.e2e.slow" name="too" time="2"/>
<testcase classname="a" name="lacks"><skipped message="no such thing here"/></testcase>
<testcase classname="a" name="breaks"><failure message="it broke">trace</failure></testcase>
</testsuite></testsuites>"""


def meson_line(name, result, **more) -> str:
    return json.dumps({"name": name, "result": result, "stdout": "", "stderr": "", **more}) + "\n"


def count(folder) -> harness.Result:
    return harness.run([CI / "count", folder])


def test_cases_of_all_suites_are_added_up(tmp_path):
    (tmp_path / "meson.json").write_text(
        meson_line("one", "OK") + meson_line("cases", "FAIL", stderr=CMOCKA)
        + meson_line("rule", "SKIP", stdout="skipped: no tool\n") + meson_line("late", "TIMEOUT"))
    (tmp_path / "e2e.xml").write_text(JUNIT)
    result = count(tmp_path)
    assert result.status == 1
    assert result.stdout.splitlines()[-1] == "6 passed, 3 failed, 2 skipped"
    assert "longest: e2e slow 63 s\n" in result.stdout
    assert "no tool" in result.stdout and "no such thing here" in result.stdout and "trace" in result.stdout


def test_the_longest_files_are_there():
    """Else they would not be begun first."""
    assert [name for name in shares.LONGEST if not (harness.TOP / "tests" / "e2e" / f"{name}.py").exists()] == []


def test_a_report_of_a_sanitizer_is_a_failure(tmp_path):
    (tmp_path / "meson.json").write_text(meson_line("one", "OK"))
    assert count(tmp_path).status == 0
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "asan.12").write_text("heap-use-after-free")
    result = count(tmp_path)
    assert result.status == 1 and result.stdout.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


def test_nothing_at_all_is_not_success(tmp_path):
    assert count(tmp_path).status == 1


# rule -> a file that breaks it, and what it says
BREAKS = {
    "layers-up": ("check-layers", "init/x.c", '#include "tunnel/y.h"\n', "init may not use tunnel/y.h"),
    "layers-library": ("check-layers", "tunnel/wire/x.c", "#include <ngtcp2/ngtcp2.h>\n", "may not use <ngtcp2/"),
    "layers-unknown": ("check-layers", "tunnel/new/x.c", "\n", "no layer"),
    "sizes-file": ("check-sizes", "init/x.c", "\n" * 501, "501 lines"),
    "sizes-function": ("check-sizes", "init/x.c", "int f(void)\n{\n" + "\t;\n" * 61 + "}\n", "f: 61 lines"),
    "words-unfinished": ("check-words", "init/x.c", "/* TO" "DO: later */\n", "unfinished work"),
    "words-path": ("check-words", "init/x.c", '"/home' '/me/x"\n', "a path of one machine"),
}


@pytest.fixture
def tree(tmp_path):
    """A source tree with the rules and nothing to complain about."""
    shutil.copytree(CI, tmp_path / "ci")
    for folder in ("init", "tunnel/wire", "tunnel/new", "controller", "squashfs", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tunnel" / "y.h").write_text("#pragma once\n")
    return tmp_path


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_rule_is_named_with_its_place(tree, name):
    rule, file, text, words = BREAKS[name]
    harness.run([tree / "ci" / rule]).ok()
    (tree / file).write_text(text)
    result = harness.run([tree / "ci" / rule])
    assert result.status == 1 and words in result.stdout and file in result.stdout, result


def test_an_unknown_suite_is_refused():
    result = harness.run([CI / "test", "nonsense"])
    assert result.status == 1 and "nonsense" in result.stderr and "sanitize" in result.stderr
