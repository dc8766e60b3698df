# SPDX-License-Identifier: MIT
"""The configuration as a user meets it: verbs, files, flags, environment."""

import json
import subprocess

import pytest

from terminal import Terminal


@pytest.fixture
def alone(fresh_home, berth):
    """berth as a user of their own, for one test."""
    return type(berth)(berth.program, fresh_home)


def current(berth, *argv, **more) -> str:
    clusters = json.loads(berth("get", "clusters", "-o", "json", *argv, **more).ok().stdout)
    (name,) = [cluster["name"] for cluster in clusters if cluster["current"]]
    return name


def test_a_first_configuration_is_written_once_and_changed_in_place(alone):
    path = alone("init").ok().stdout.strip()
    assert path == alone("config", "path").ok().stdout.strip()
    text = open(path).read()
    assert "# A cluster behind a login node" in text
    again = alone("init")
    assert again.status == 73 and "config set" in again.stderr and open(path).read() == text
    alone("config", "set", "clusters.hpc.login", "me@login1").ok()
    alone("config", "set", "clusters.hpc.paths", "direct", "login").ok()
    alone("use", "hpc").ok()
    assert alone("config", "get", "clusters.hpc.paths").ok().stdout == "direct\nlogin\n"
    assert current(alone) == "hpc"
    assert [line for line in text.splitlines() if line not in open(path).read()] in (["context: slurm"],
                                                                                     ["context: local"])
    wrong = alone("config", "set", "clusters.hpc.lgin", "x")
    assert wrong.status == 64 and "did you mean 'login'" in wrong.stderr


def test_init_asks_on_a_terminal_and_shows_what_it_is_going_to_write(alone):
    path = alone.home.config_dir / "config.yaml"
    with Terminal([alone.program, "init"], alone.env()) as screen:
        screen.expect("Where shall jobs run?")
        screen.expect("kind [")
        screen.type("nonsense\n")
        screen.expect("one of the first words")
        screen.type("login\n")
        screen.expect("called here [hpc]")
        screen.type("big\n")
        screen.expect("login node")
        for wrong, answer in ("", "an answer is needed"), ("-x", "no destination of ssh"):
            screen.type(f"{wrong}\n")
            screen.expect(answer)
        screen.type("me@login1\n")
        screen.expect("[~/.berth]")
        screen.type("$SCRATCH/berth\n")
        screen.expect("account")
        screen.type("\n")
        screen.expect("login: me@login1")
        screen.expect("yes or no [yes]")
        assert not path.exists()
        screen.type("\n")
        screen.expect(str(path))
        assert screen.end() == 0
    assert alone("config", "get", "clusters.big.login").ok().stdout == "me@login1\n"
    assert alone("config", "get", "clusters.big.home").ok().stdout == "$SCRATCH/berth\n"
    assert current(alone) == "big"
    with Terminal([alone.program, "init"], alone.env()) as screen:
        screen.expect("is there already")
        assert screen.end() == 73
    path.unlink()
    for words in ("no\n",), ("\x04",):
        with Terminal([alone.program, "init"], alone.env()) as screen:
            screen.expect("kind [")
            screen.type("local\n")
            screen.expect("yes or no")
            screen.type(*words)
            screen.expect("nothing was written")
            screen.end()
        assert not path.exists()


def test_init_takes_options_for_answers_and_finds_what_there_is(alone, short_dir):
    wrong = alone("init", "--login", "-x")
    assert wrong.status == 64 and "no destination of ssh" in wrong.stderr
    assert alone("init", "--name", "a b", "-b", "slurm").status == 64
    config, sbatch = short_dir / "kube", short_dir / "sbatch"
    config.write_text("")
    sbatch.write_text("#!/bin/sh\n")
    sbatch.chmod(0o755)
    found = {"KUBECONFIG": config, "PATH": f"{short_dir}:/nonexistent"}
    said = alone("init", "--dry-run", "--url", "https://api.example.org", "-b", "firecrest", env=found).ok().stdout
    assert "context: hpc" in said and "url: https://api.example.org" in said
    assert "Slurm's sbatch" in said and "a kubeconfig" in said and "no bwrap" in said
    with Terminal([alone.program, "init", "--login", "login1", "--account", "main"], alone.env()) as screen:
        screen.expect("config.yaml")
        assert screen.end() == 0
    assert alone("config", "get", "clusters.hpc").ok().stdout == "backend: slurm\nlogin: login1\njob:\n  account: main\n"


def test_flag_environment_project_and_user_choose_in_this_order(alone, short_dir):
    for name in "user", "project", "variable", "flag":
        alone("config", "set", f"clusters.{name}.backend", "slurm").ok()
    alone("use", "user").ok()
    assert current(alone) == "user"
    (short_dir / "below").mkdir()
    (short_dir / "berth.yaml").write_text("context: project\n")
    here = {"cwd": short_dir / "below"}
    assert current(alone, **here) == "project"
    assert current(alone, env={"BERTH_CONTEXT": "variable"}, **here) == "variable"
    assert current(alone, "--context", "flag", env={"BERTH_CLUSTER": "variable"}, **here) == "flag"
    assert current(alone, "--cluster=flag", env={"BERTH_CONTEXT": "variable"}, **here) == "flag"
    wrong = alone("get", "jobs", "--cluster", "flga")
    assert wrong.status == 66 and "did you mean 'flag'" in wrong.stderr


def test_a_project_cannot_run_programs_here(alone, short_dir):
    (short_dir / "berth.yaml").write_text("clusters: {hpc: {ssh_options: ['ProxyCommand touch bad']}}\n")
    refused = alone("run", "--cluster", "hpc", "--", "true", cwd=short_dir)
    assert refused.status == 77 and "berth.yaml:1:18: 'ssh_options'" in refused.stderr
    assert not (short_dir / "bad").exists()


def test_options_of_the_cluster_and_the_context_reach_the_job(alone, short_dir):
    (short_dir / "berth.yaml").write_text("context: small\n"
                                          "contexts: {small: {cluster: local, job: {env: [SIZE=small], time: 1h}}}\n"
                                          "clusters: {local: {job: {env: [SIZE=none, COLOUR=red], time: 2h}}}\n")
    name = alone.submit("-e", "SHAPE=round", "--", "sh", "-c", "echo $SIZE $COLOUR $SHAPE", cwd=short_dir)
    alone.wait(name, "SUCCEEDED")
    assert alone("logs", name).ok().stdout == "small red round\n"
    assert json.loads((alone.job_dir(name) / "spec.json").read_text())["time"] == 3600


def test_a_broken_configuration_is_said_and_local_jobs_go_on(alone):
    name = alone.start("--", "sleep", "100")
    path = alone("init").ok().stdout.strip()
    with open(path, "a") as file:
        file.write("colour: red\n")
    broken = alone("get", "clusters")
    assert broken.status == 64 and "config.yaml:" in broken.stderr and "'colour'" in broken.stderr
    assert alone("get", "jobs", "-o", "name").ok().stdout.strip() == name
    alone("cancel", name).ok()


def test_what_nobody_could_use_is_not_written(alone):
    alone("config", "set", "clusters.hpc.backend", "slurm").ok()
    for key, value, words in (("clusters.hpc.backend", "slrum", "there are docker,"), ("context", "hpx", "did you mean 'hpc'")):
        result = alone("config", "set", key, value)
        assert result.status != 0 and "nothing was changed" in result.stderr and words in result.stderr
    alone("config", "set", "context", "hpc").ok()
    assert current(alone) == "hpc"


def test_a_context_that_is_none_does_not_hide_what_there_is(alone, short_dir):
    (short_dir / "berth.yaml").write_text("context: nowhere\n")
    result = alone("get", "clusters", "-o", "json", cwd=short_dir).ok()
    assert "no context 'nowhere'" in result.stderr
    assert {cluster["current"] for cluster in json.loads(result.stdout)} == {False}
    assert alone("get", "clusters", "--cluster", "nowhere").status == 66
    assert alone("run", "--", "true", cwd=short_dir).status == 66


def test_who_changes_the_configuration_at_once_loses_nothing(alone):
    changes = [subprocess.Popen([alone.program, "config", "set", f"clusters.c{i}.login", "me@there"], env=alone.env())
               for i in range(20)]
    assert [change.wait(60) for change in changes] == [0] * 20
    names = alone("get", "clusters", "-o", "name").ok().stdout.split()
    assert {f"c{i}" for i in range(20)} <= set(names)


def test_examples_are_configurations(alone):
    names = [line.split()[0] for line in alone("config", "example").ok().stdout.splitlines()]
    assert "cscs" in names
    alone.home.config_dir.mkdir(parents=True)
    for name in names:
        (alone.home.config_dir / "config.yaml").write_text(alone("config", "example", name).ok().stdout)
        assert "client_id" in alone("config", "show").ok().stdout
    assert alone("config", "get", "clusters.daint.oidc").ok().stdout.startswith("https://auth.cscs.ch/")
    assert alone("config", "example", "nowhere").status == 66


KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def test_lists_and_relays_are_changed_and_the_rest_of_the_file_is_kept(alone):
    alone.home.config_dir.mkdir(parents=True)
    path = alone.home.config_dir / "config.yaml"
    before = "# mine\nclusters:\n  hpc:\n    login: me@login1 # why\n"
    path.write_text(before)
    alone("config", "add", "clusters.hpc.relays", "https://relay.example.org", f"key={KEY}", "token_file=~/token").ok()
    alone("config", "add", "clusters.hpc.relays", "url=https://other.example.org:8443", f"key={KEY}",
          "token_command=pass", "token_command=show relay").ok()
    said = alone("config", "get", "clusters.hpc.relays").ok().stdout
    assert said.count("- url:") == 2 and "token_file: ~/token" in said and 'token_command: [pass, "show relay"]' in said
    assert all(line in path.read_text() for line in before.splitlines())
    alone("config", "remove", "clusters.hpc.relays", "https://relay.example.org").ok()
    assert "relay.example.org" not in path.read_text()
    missing = alone("config", "remove", "clusters.hpc.relays", "https://relay.example.org")
    assert missing.status == 66 and "is not there" in missing.stderr
    alone("config", "remove", "clusters.hpc.relays").ok()
    assert path.read_text() == before
    for words in (("clusters.hpc.paths", "direct", "login"), ("clusters.hpc.job.env", "A=1"), ("clusters.hpc.job.env", "B=2")):
        alone("config", "add", *words).ok()
    alone("config", "remove", "clusters.hpc.paths", "direct").ok()
    assert alone("config", "get", "clusters.hpc.paths").ok().stdout == "login\n"
    assert alone("config", "get", "clusters.hpc.job.env").ok().stdout == "A=1\nB=2\n"
    for key in "clusters.hpc.paths", "clusters.hpc.job.env":
        alone("config", "remove", key).ok()
    assert path.read_text() == before
    wrong = alone("config", "add", "clusters.hpc.relays", "https://relay.example.org")
    assert wrong.status == 64 and "key=BASE64" in wrong.stderr and path.read_text() == before


def test_the_relays_of_the_configuration_are_checked(alone):
    none = alone("relay", "check")
    assert none.status == 66 and "config add" in none.stderr
    # A port that nobody listens on, for one of two clusters.
    alone("config", "add", "clusters.far.relays", "https://127.0.0.1:9", f"key={KEY}").ok()
    alone("config", "set", "clusters.near.backend", "local").ok()
    found = json.loads(alone("relay", "check", "-o", "json").stdout)
    assert found and all("127.0.0.1" in json.dumps(each) or "far" in json.dumps(each) for each in found)
    assert alone("relay", "check").status == 2
    assert alone("relay", "check", "--cluster", "near").status == 66
    assert alone("relay", "check", "--token", "/dev/null").status == 64
