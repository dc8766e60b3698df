# SPDX-License-Identifier: MIT
"""Into jobs of a site whose machine only its REST API shows: a real Slurm behind the stand-in for FirecREST, the job in a
network of its own (lab.py), the workstation in another.

The batch script is made of a template that puts the job behind a NAT which lets nothing in. So nobody gets there but by a
relay to which the job dials out, or through the site's login node.
"""

import shutil

import pytest

import conftest
import firecrest
import harness
import lab
import loginnode
import ways

CONFIG = """\
context: site
clusters:
  site:
    backend: firecrest
    url: {url}
    system: cluster
    token_file: {dir}/token
    template: {dir}/{job}.template
{more}"""

TEMPLATE = """#!/bin/sh
{{{{{{lines}}}}}}{{{{{{setup}}}}}}exec nsenter --net={path} {{{{{{launch}}}}}}
"""

RELAY = """\
    paths: [relay, relay-tcp]
    relays:
      - url: {url}
        key: {key}
        token_file: {dir}/relay-token
"""


class Site:
    """The site, the networks, and a workstation in them."""

    def __init__(self, internet, slurm, dir, build, home):
        world = internet.world
        self.internet, self.home, self.dir = internet, home, dir
        self.server = firecrest.serve(dir, slurm, node=world.server("api"))
        self.uplink = world.uplink("site", "strict")
        self.compute = world.host("compute", self.uplink)
        self.laptop = world.host("laptop", world.uplink("home"))
        (dir / "token").write_text(f"{self.server.token}\n")
        self.nodes = {"compute": self.compute}
        program = dir / "berth"
        program.write_text(f"#!/bin/sh\nexec {' '.join(self.laptop.prefix)} {build}/controller/berth \"$@\"\n")
        program.chmod(0o755)
        self.berth, self.stock = conftest.Berth(program, home), conftest.Ssh(home)

    def configure(self, job="compute", more="") -> None:
        """The job's node, and how it is reached."""
        (self.dir / f"{job}.template").write_text(TEMPLATE.format(path=self.nodes[job].path))
        self.home.config_dir.mkdir(parents=True, exist_ok=True)
        (self.home.config_dir / "config.yaml").write_text(
            CONFIG.format(url=self.server.url, dir=self.dir, job=job, more=more))

    def use_relay(self, more="") -> None:
        relay = self.internet.relay.site()
        (self.dir / "relay-token").write_text(relay["token"])
        (self.dir / "relay-token").chmod(0o600)
        self.configure(more=RELAY.format(dir=self.dir, **relay) + more)

    def start(self, *argv) -> str:
        name = self.berth.submit(*argv)
        self.berth.wait(name, "RUNNING")
        return name

    def ssh(self, *argv, **more) -> harness.Result:
        return harness.run([*self.laptop.prefix, *self.stock.argv(*argv)], env=self.stock.env(), timeout=90, **more)


@pytest.fixture(scope="module")
def site(build_dir, session_dir, slurm, home):
    missing = firecrest.programs_missing()
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    directory = session_dir / "firecrest-ways"
    directory.mkdir()
    try:
        with ways.Internet(build_dir, directory, home) as internet:
            site = Site(internet, slurm, directory, build_dir, home)
            yield site
            site.berth.cancel_all()
            site.server.stop()
    except lab.Unavailable as reason:
        pytest.skip(f"no network of our own: {reason}")
    except firecrest.Unavailable as reason:
        pytest.skip(f"no FirecREST: {reason}")


def enter(site, name) -> None:
    """In once, however long it takes; then again, without a request to the site."""
    said = site.ssh(name, "echo $SLURM_JOB_ID; exit 7")
    assert said.status == 7 and said.stdout == f"{site.berth.job(name)['native_id']}\n", said
    with site.server.counting() as made:
        assert site.ssh(name, "cat", input="through").ok().stdout == "through"
        assert site.berth("exec", name, "--", "echo", "in").ok().stdout == "in\n"
    assert made == []


def test_a_job_that_only_dials_out_is_entered_through_a_relay(site):
    site.use_relay()
    name = site.start("--", "sleep", "1000")
    enter(site, name)
    assert site.laptop.run("ping", "-c1", "-W1", site.compute.address).status != 0, "there is another way"
    site.berth("cancel", name).ok()


def test_a_job_that_nothing_leaves_is_entered_through_the_sites_login_node(site):
    login = site.internet.login
    login.node.attach(site.uplink, default=False)
    site.uplink.seal()
    try:
        site.configure(more="    login: login\n")
        name = site.start("--", "sleep", "1000")
        enter(site, name)
        site.berth("cancel", name).ok()
    finally:
        site.uplink.open()


def test_the_sites_own_sshd_in_the_job_is_led_to(site):
    """As its hook starts one in a container: ssh logs in there as it is used to, through the relay and the tunnel."""
    place = site.dir / "hook"
    place.mkdir()
    for key in "host_key", "user_key":
        harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key]).ok()
    shutil.copy(place / "user_key.pub", place / "authorized_keys")
    port = 15263
    (place / "config").write_text(loginnode.SSHD.format(dir=place, port=port, home=place, scratch=place,
                                                        slurm=site.server.slurm.config))
    site.use_relay(f"    ssh_port: {port}\n    user: root\n")
    # A Slurm that watches over memory gives a job little where nobody asks for more.
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
    name = site.start("--mem", "128M", "--", sshd, "-D", "-e", "-f", place / "config")
    key = ["-o", f"IdentityFile={place}/user_key", "-o", "IdentitiesOnly=yes"]

    def entered():
        said = site.ssh(*key, name, "echo $SSH_CONNECTION")
        return said.stdout.split() if said.status == 0 else None
    assert harness.until(entered, "the sshd in the job", limit=60)[-1] == str(port)
    with site.server.counting() as made:
        site.ssh(*key, name, "true").ok()
    assert made == []
    # berth's own server is there all the same.
    assert site.berth("exec", name, "--", "sh", "-c", "echo $SSH_CONNECTION").ok().stdout.split()[-1:] != [str(port)]
    site.berth("cancel", name).ok()
