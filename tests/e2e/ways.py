# SPDX-License-Identifier: MIT
"""The ways into a job, each with what forces it: real parties at the places of lab.py.

    with Internet(build_dir, dir, home) as internet:
        way = internet.way("relay")
        harness.run(way.argv("echo there"), env=way.env()).ok()
        way.laptop.move(way.home, way.hotel)
        internet.relay.kill()
        internet.relay.start()

    direct      the job listens in public; the workstation is behind a NAT
    relay       both are behind NATs, and meet at a relay over UDP
    relay-tcp   the same where the workstation's networks let no UDP pass
    proxy       the same where nothing passes but HTTP's CONNECT by a proxy that asks for a password (tinyproxy)
    login       nothing passes but ssh to a login node (sshd), which alone reaches the job

A way has two uplinks of the workstation, home and hotel, with the same restrictions; the job's one is `site`.
"""

import json
import os
import pathlib
import subprocess

import harness
import lab
import slurm
import tunnelrun

WAYS = ("direct", "relay", "relay-tcp", "proxy", "login")

# What the links of a way begin with.
PERFECT = {"delay_ms": 5, "rate_mbit": 400, "queue": 500_000, "loss": 0, "largest": 0, "cut": 0}

RELAY_PORT = 443
PROXY_PORT = 8888

TINYPROXY = """\
Port {port}
Listen {address}
Timeout 600
MaxClients 100
LogLevel Warning
LogFile "{dir}/log"
PidFile "{dir}/pid"
ConnectPort 443
BasicAuth user password
"""

SSHD = """\
Port 22
ListenAddress {address}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
"""

SSH = """\
Host login
HostName {address}
User root
IdentityFile {dir}/key
IdentitiesOnly yes
UserKnownHostsFile {dir}/known_hosts
StrictHostKeyChecking yes
BatchMode yes
"""


class Server:
    """A program on a node of its own, which may be killed and come back."""

    def __init__(self, dir: pathlib.Path, node):
        self.dir, self.node, self.process = dir, node, None
        dir.mkdir(mode=0o700)

    def start(self) -> "Server":
        with open(self.dir / "output", "ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen([*self.node.prefix, *map(str, self.words())], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.dir, start_new_session=True)

        def listens():
            said = (self.dir / "output").read_bytes()[begin:].decode()
            assert self.process.poll() is None, f"{self.words()[0]} ended: {said}"
            return self.listens(said)
        harness.until(listens, f"listener on port {self.port}")
        return self

    def listens(self, said: str) -> bool:
        """Whether it does, from what it has said, or not."""
        return f":{self.port} " in self.node.run("ss", "-Htln").ok().stdout

    def kill(self) -> None:
        """With all that it started, at once."""
        harness.kill_session(self.process)

    def stop(self) -> int:
        return harness.stop(self.process) if self.process else 0


class Relay(Server):
    """`berth-tunnel relay` with a token for everybody here."""

    port = RELAY_PORT

    def __init__(self, dir: pathlib.Path, build: pathlib.Path, node, *more):
        super().__init__(dir, node)
        self.program, self.more = build / "tunnel" / "berth-tunnel", more
        self.address, self.listen_port = node.addresses[0], RELAY_PORT
        self.key = self._make("key", dir / "key").split()[-1]
        self.token, line = self._new_token("tests")
        (dir / "tokens").write_text(f"{line}\n")
        (dir / "tokens").chmod(0o600)

    def _make(self, *words) -> str:
        return harness.run([self.program, "relay", *words]).ok().stdout

    def _new_token(self, name: str) -> tuple:
        """The token, and its line for the file."""
        lines = self._make("token", name).splitlines()
        line = next(each for each in lines if each.startswith(f"{name} "))
        return next(each for each in lines if each and each != line).split()[-1], line

    def words(self) -> list:
        second = [f"--listen2={self.node.addresses[1]}:{self.listen_port}"] if len(self.node.addresses) > 2 else []
        return [self.program, "relay", "--listen", f"{self.address}:{self.listen_port}", "--key", self.dir / "key",
                "--tokens", self.dir / "tokens", *second, *self.more]

    def listens(self, said: str) -> bool:
        return "relay: listens on" in said

    def site(self) -> dict:
        """What a job and its workstation need to know of it, as in tunnel.json."""
        return {"url": f"https://{self.node.addresses[0]}:{RELAY_PORT}", "key": self.key, "token": self.token}


class Proxy(Server):
    port = PROXY_PORT
    url = "http://user:p%61ssword@{address}:{port}"

    def __init__(self, dir: pathlib.Path, node):
        super().__init__(dir, node)
        (dir / "conf").write_text(TINYPROXY.format(port=self.port, address=node.addresses[0], dir=dir))

    def words(self) -> list:
        return ["tinyproxy", "-d", "-c", self.dir / "conf"]

    def env(self) -> dict:
        return {"https_proxy": self.url.format(address=self.node.addresses[0], port=self.port)}


class Login(Server):
    """An sshd, and the stock client's configuration for `login` in the home directory of the tests."""

    port = 22

    def __init__(self, dir: pathlib.Path, node, home: harness.Home):
        super().__init__(dir, node)
        for name in "host_key", "key":
            harness.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir / name]).ok()
        public = (dir / "host_key.pub").read_text()
        (dir / "known_hosts").write_text(f"{node.addresses[0]} {public}")
        (dir / "sshd_config").write_text(SSHD.format(address=node.addresses[0], dir=dir))
        with open(home.ssh_dir / "config", "a", encoding="utf-8") as config:
            config.write(SSH.format(address=node.addresses[0], dir=dir))
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)

    def words(self) -> list:
        return [slurm.find("sshd"), "-D", "-e", "-f", self.dir / "sshd_config"]


class Tunnel(tunnelrun.Tunnel):
    """A job's side on one node and its workstation's side on another."""

    def __init__(self, dir: pathlib.Path, build: pathlib.Path, job, laptop, *keygen, listed=True):
        self.keygen, self.listed, self.job_node, self.laptop = keygen, listed, job, laptop
        dir.mkdir(mode=0o700)
        super().__init__(dir, build)
        self.prefix = job.prefix

    def run(self, *argv, **more) -> harness.Result:
        if argv[:2] == ("keygen", "--job-file"):
            argv = (*argv, *self.keygen)
        return super().run(*argv, **more)

    def configure(self, more="") -> None:
        super().configure(f"--verbose {more}")
        if not self.listed:  # it knows the job's key and its relays, and nothing of where it runs
            path = self.dir / "config"
            path.write_text(path.read_text().replace(str(self.endpoint), f"{self.dir}/no-endpoint.json"))

    def argv(self, *argv) -> list:
        return [*self.laptop.prefix, "ssh", "-F", str(self.dir / "config"), *map(str, argv)]


class Way:
    """One job, one workstation, and what is between them."""

    def __init__(self, internet: "Internet", name: str, label: str, nat: str, paths: str):
        self.internet, self.name, self.label, self.paths = internet, name, label, paths
        world = internet.world
        self.home, self.hotel = world.uplink(f"{label}-home"), world.uplink(f"{label}-hotel")
        self.site = world.uplink(f"{label}-site", "none" if name == "direct" else nat)
        self.laptop, job = world.host(f"{label}-laptop", self.home), world.host(f"{label}-job", self.site)
        self.relay = internet.relay if name in ("relay", "relay-tcp", "proxy") else None
        self.tunnel = self._restrict(job).start()

    def _restrict(self, job) -> Tunnel:
        """Closes all other ways, and gives both sides their keys."""
        keygen, env, listed = [], {}, self.name in ("direct", "login")
        if self.relay:
            keygen = ["--relays", self.internet.relays_file, *(["--paths", self.paths] if self.paths else [])]
        if self.name == "relay-tcp":
            self._both(lambda uplink: uplink.block_udp())
        if self.name == "proxy":
            proxy = self.internet.proxy
            self._both(lambda uplink: uplink.allow_only(proxy.node.addresses[0], proxy.port))
            env = proxy.env()
        if self.name == "login":
            login = self.internet.login
            self._both(lambda uplink: uplink.allow_only(login.node.addresses[0], login.port))
            login.node.attach(self.site, default=False)
            self.site.seal()
            keygen = ["--paths", "login", "--login", "login"]
        self.more_env = env
        return Tunnel(self.internet.dir / self.label, self.internet.build, job, self.laptop, *keygen, listed=listed)

    def _both(self, restrict) -> None:
        for uplink in self.home, self.hotel:
            restrict(uplink)

    def env(self) -> dict:
        return self.internet.home.env(**self.more_env)

    def argv(self, *argv) -> list:
        return self.tunnel.argv(*argv)

    def ssh(self, *argv, **more) -> harness.Result:
        return harness.run(self.argv("job-7", *argv), env=self.env(), **more)

    def links(self) -> list:
        return [self.home.link, self.hotel.link, self.site.link]

    def shape(self, **more) -> None:
        for link in self.links():
            link.shape(**more)


class Internet:
    """A world with the servers that ways need, each started when the first way asks for it."""

    def __init__(self, build: pathlib.Path, dir: pathlib.Path, home: harness.Home):
        self.build, self.dir, self.home = build, dir, home
        self.world, self.ways, self.servers = lab.World(build), {}, {}

    def __enter__(self) -> "Internet":
        return self

    def __exit__(self, *_) -> None:
        for each in [*(way.tunnel for way in self.ways.values()), *self.servers.values()]:
            each.stop()
        self.world.__exit__()

    def way(self, name: str, label="", nat="strict", paths="relay,relay-tcp") -> Way:
        """The one of a kind, or another one of that kind under a label of its own.

        nat is the job's where there is a relay; paths is what those two may use there, all if empty.
        """
        label = label or name
        if label not in self.ways:
            self.ways[label] = Way(self, name, label, nat, paths)
        return self.ways[label]

    def _server(self, name: str, make) -> Server:
        if name not in self.servers:
            node = self.world.server(name, addresses=2)
            self.servers[name] = make(self.dir / f"server-{name}", node).start()
        return self.servers[name]

    @property
    def relay(self) -> Relay:
        return self._server("relay", lambda dir, node: Relay(dir, self.build, node))

    @property
    def proxy(self) -> Proxy:
        return self._server("proxy", Proxy)

    @property
    def login(self) -> Login:
        return self._server("login", lambda dir, node: Login(dir, node, self.home))

    @property
    def relays_file(self) -> pathlib.Path:
        path = self.dir / "relays.json"
        if not path.exists():
            path.write_text(json.dumps([self.relay.site()]))
            path.chmod(0o600)
        return path
