# SPDX-License-Identifier: MIT
"""What a shell completes, asked of real shells: berth completion bash, zsh, fish."""

import os
import shutil

import pytest

import harness

# Presses Tab: sets what bash sets, calls the function, prints what it would offer.
PRESS = """
compopt() { echo "compopt $*"; }
source <("$0" completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_berth
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def press(berth):
    """press("logs", "tr") -> what bash offers for `berth logs tr<Tab>`."""
    def complete(*words):
        return set(harness.run(["bash", "-c", PRESS, berth.program, berth.program, *words],
                               env=berth.env()).ok().stdout.split("\n")) - {""}
    return complete


@pytest.fixture(scope="module")
def train(berth) -> str:
    return berth.start("train", "--", "sleep", "1000")


def test_bash_offers_verbs(press):
    assert press("logs") == {"logs"}
    assert press("log") == {"login", "logout", "logs"}
    assert {"run", "get", "cancel", "--help", "--version"} <= press("")
    assert "complete-jobs" not in press("c")


def test_bash_offers_the_options_of_the_verb(press, berth):
    for verb in press("") - {"--help", "--version"}:
        text = berth(verb, "--help").ok().stdout
        options = {word.strip(",") for line in text.splitlines() if line.startswith("  ")
                   for word in line[:28].split() if word.startswith("--")}
        assert press(verb, "--") == options | {"--help", "--context", "--cluster"}, verb
    assert press("logs", "--std") == {"--stderr"}


def test_bash_offers_jobs_by_number_and_name(press, train):
    assert press("logs", "") == {train, "train"}
    assert press("cancel", "tr") == {"train"}
    assert press("cancel", "--yes", "job-") == {train}
    assert press("keys", "ro") == {"rotate"}
    assert press("keys", "rotate", "ro") == set()
    assert press("get", "jo") >= {"jobs"}


def test_bash_offers_contexts_and_clusters(press):
    assert press("logs", "--clu") == {"--cluster"}
    assert press("get", "jobs", "--context", "") == {"docker", "local", "slurm"} == press("logs", "--cluster", "")
    assert press("logs", "--cluster", "sl") == {"slurm"}


def test_bash_offers_what_an_option_or_operand_can_be(press, train):
    assert press("get", "jobs", "--state", "RUN") == {"RUNNING"} == press("wait", "--for", "R")
    assert press("get", "jobs", "-o", "") == {"table", "wide", "json", "yaml", "csv", "name"}
    assert press("run", "--output", "x") == {"compopt -o default"}, "that one is a file"
    assert press("run", "-b", "") == press("use", "") == press("logout", "") == {"docker", "local", "slurm"}
    assert press("help", "log") == {"login", "logout", "logs"}
    assert press("describe", "job", "") == {train, "train"} and press("describe", "node", "") == set()
    assert press("schema", "") == set()


def test_bash_leaves_values_and_commands_to_files(press):
    assert press("run", "--workdir", "x") == {"compopt -o default"}
    assert press("run", "--", "l") == {"compopt -o default"}


def test_jobs_are_completed_without_asking_anybody(berth, train, short_dir):
    """No scheduler, and quickly: the best of some runs, since others use this machine too."""
    for program in "squeue", "sacct", "scontrol", "ssh":
        (short_dir / program).write_text(f"#!/bin/sh\ntouch {short_dir}/asked\n")
        (short_dir / program).chmod(0o755)
    alone = berth.with_env(PATH=short_dir)
    assert alone("complete-jobs").ok().stdout == f"{train}\ntrain\n"
    assert not (short_dir / "asked").exists()


def test_a_shell_that_is_not_known_is_refused(berth):
    result = berth("completion", "csh")
    assert result.status == 64 and "bash, zsh and fish" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_has_no_syntax_error(berth, shell, short_dir):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}: apt-get install {shell}")
    script = short_dir / "script"
    script.write_bytes(berth("completion", shell).ok().output)
    result = harness.run([shell, "-n", script])
    assert (result.status, result.stderr) == (0, "")


def test_fish_offers_verbs_options_and_jobs(berth, train):
    if not shutil.which("fish"):
        pytest.skip("no fish: apt-get install fish")

    def press(line):
        env = berth.env(PATH=f"{berth.program.parent}:{os.environ['PATH']}")
        return harness.run(["fish", "--no-config", "-c", f"berth completion fish | source; complete -C '{line}'"],
                           env=env).ok().stdout
    assert "logs\t" in press("berth lo")
    assert "--stderr\t" in press("berth logs --st")
    assert "RUNNING" in press("berth get jobs --state R") and "json" in press("berth get jobs -o j")
    assert "slurm" in press("berth use s")
    assert "train" in press("berth logs tr") and train in press("berth logs job-")


# What zsh would have set, and what it would offer.
PRESS_ZSH = """
program=$1; shift
compadd() { shift; print -l -- "$@" }
_default() { print default }
source <($program completion zsh)
words=($program "$@") CURRENT=$(($# + 1))
_berth
"""


def test_zsh_offers_verbs_options_and_jobs(berth, train):
    if not shutil.which("zsh"):
        pytest.skip("no zsh: apt-get install zsh")

    def press(*words):
        return harness.run(["zsh", "-f", "-c", PRESS_ZSH, "zsh", berth.program, *words],
                           env=berth.env()).ok().stdout.split()
    assert {"logs", "cancel", "--version"} <= set(press(""))
    assert "--stderr" in press("logs", "--") and "--partition" not in press("logs", "--")
    assert press("logs", "") == [train, "train"]
    assert "RUNNING" in press("get", "jobs", "--state", "") and "json" in press("get", "jobs", "-o", "")
    assert "slurm" in press("use", "") and "logs" in press("help", "")
    assert {"list", "rotate", "revoke"} <= set(press("keys", ""))
    assert press("run", "--", "l") == ["default"] and press("run", "--workdir", "") == ["default"]
