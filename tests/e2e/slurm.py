# SPDX-License-Identifier: MIT
"""A real Slurm of one node or more on loopback, from Debian's packages: munged, slurmctld, slurmd; with accounting also MariaDB and
slurmdbd.

Everything it has is its own: configuration, munge key and socket, ports, state, data, logs. It needs cgroups only where
that is asked for. Commands find it by $SLURM_CONF (Slurm.env()). stop() ends by pid what start() started.
"""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

import harness
import processes
from ports import free_ports

# Slurm calls itself Slurm 22.05 on Debian 12 and 24.11 on Debian 13.
CONFIG = """\
ClusterName=berth
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={dir}/munge/socket
CredType=cred/munge
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd-%n.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd-%n.log
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool/%n
ProctrackType=proctrack/{proctrack}
TaskPlugin=task/{task}
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters={select}
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
KillWait=5
MinJobAge=600
MaxJobCount=25000
MaxArraySize=10001
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=32 RealMemory=4096 Feature=rack1,fast State=UNKNOWN
Licenses=matlab:4
{more}PartitionName=debug Nodes={all} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES:32
"""

# Used by what does not fit on the first one.
SECOND_NODE = "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=4096 Weight=9 State=UNKNOWN\n"

WITHOUT_ACCOUNTING = """\
JobAcctGatherType=jobacct_gather/none
"""

WITH_ACCOUNTING = """\
PriorityType=priority/multifactor
PriorityWeightAge=1000
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={dir}/munge/socket
"""

# Slurm's own way, which looks every second; it wants to be the only one.
WITHOUT_CGROUPS = "JobAcctGatherParams=OverMemoryKill\n"

DBD_CONFIG = """\
AuthType=auth/munge
AuthInfo=socket={dir}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
PidFile={dir}/slurmdbd.pid
LogFile={dir}/slurmdbd.log
"""

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
# The jobs of most tests say nothing of memory, and are not to die of it.
MEMORY = """\
ConstrainRAMSpace=yes
MinRAMSpace=200
"""
TOKENS = """\
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={dir}/jwt.key
"""

# What verbs about nodes and queues tell apart: GPUs (devices that are everywhere, only looked at), a node that is down,
# a second queue, priorities that differ. Starts are foretold at once.
VARIED_NODES = """\
GresTypes=gpu
NodeName={node} Gres=gpu:a100:2,gpu:v100:1
NodeName=broken NodeAddr=127.0.0.1 Port=1 CPUs=64 RealMemory=8192 Gres=gpu:a100:4 State=DOWN Reason="a fan is broken"
PartitionName=long Nodes=broken MaxTime=2-0
PriorityType=priority/multifactor
PriorityWeightJobSize=1000
PriorityFavorSmall=NO
"""
VARIED_GPUS = """\
NodeName={node} Name=gpu Type=a100 File=/dev/zero,/dev/full
NodeName={node} Name=gpu Type=v100 File=/dev/urandom
NodeName=broken Name=gpu Type=a100 File=/dev/zero,/dev/full,/dev/urandom,/dev/random
"""

ACCOUNTING_PROGRAMS = ("mariadbd", "mariadb-install-db", "slurmdbd", "sacct", "sacctmgr")
ACCOUNTING_PACKAGES = ("mariadb-server", "slurmdbd", "slurm-client")


class Unavailable(Exception):
    """Why there is no Slurm on this machine."""


def find(program: str) -> str:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def why_no_memory() -> str:
    """Why the kernel cannot limit the memory of jobs here, or nothing."""
    for root in pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup"):
        if (root / "memory.limit_in_bytes").exists() or has_memory(root / "cgroup.subtree_control"):
            return "" if os.access(root, os.W_OK) else f"{root} is read-only"
    return "no control group here has a limit of memory"


def has_memory(controllers: pathlib.Path) -> bool:
    return controllers.exists() and "memory" in controllers.read_text().split()


def rest_needs_accounting() -> bool:
    """That version refuses everything where there is none."""
    return os.environ.get("BERTH_TEST_SLURMREST") == "v0.0.39"


class Slurm:
    """dir must be readable by all on its whole path: munged insists on it for its socket."""

    def __init__(self, dir: pathlib.Path, proctrack="linuxproc", accounting=False, tokens=False, varied=False, memory=False,
                 second=False):
        """proctrack decides how processes are told signals: "cgroup" is what most sites have, and needs cgroups. tokens:
        it takes JSON web tokens too, which token() makes. varied: with VARIED_NODES. memory: the kernel kills jobs that
        need more than they asked for, where this machine lets it; else why_no_memory says why not. second: with another node."""
        self.dir = dir
        self.why_no_memory = why_no_memory() if memory else "nobody asked for it"
        self.memory = not self.why_no_memory
        self.varied = varied
        self.tokens = tokens
        self.accounting = accounting
        self.proctrack = proctrack
        # Control groups are called by it, for all Slurms of the machine.
        self.node = f"{dir.name}{os.getpid()}" if self.memory or proctrack == "cgroup" else "node1"
        self.second = f"{self.node}b" if second else None
        self.nodes = [self.node] + [self.second] * second
        self.config = dir / "slurm.conf"
        self.processes = []
        self.is_up = False
        self.ctld = self.slurmd = None
        self.first_id = 0

    def env(self, base=None) -> dict:
        return {**(os.environ if base is None else base), "SLURM_CONF": str(self.config)}

    def start(self) -> "Slurm":
        missing = [program for program in PROGRAMS if not find(program)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install {' '.join(PACKAGES)}")
        missing = [program for program in ACCOUNTING_PROGRAMS if self.accounting and not find(program)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install {' '.join(ACCOUNTING_PACKAGES)}")
        if not harness.IS_ROOT:
            raise Unavailable("slurmctld and slurmd run as root here, and these tests do not")
        try:
            self._write_config()
            self._start_munged()
            if self.accounting:
                self._start_accounting()
            self._start_daemons()
        except BaseException:
            self.stop()
            raise
        return self

    @contextlib.contextmanager
    def reservation(self, name: str):
        """One for root in a far year, which keeps no job of today from its nodes."""
        self.run("scontrol", "create", "reservation", f"ReservationName={name}", "StartTime=2036-01-02T03:04:00",
                 "Duration=60", "Users=root", f"Nodes={self.node}", "Flags=IGNORE_JOBS").ok()
        try:
            yield
        finally:
            self.run("scontrol", "delete", f"ReservationName={name}").ok()

    def stop(self) -> None:
        """Jobs are cancelled first; everything of it is ended by pid, also when they do not end, which is told then."""
        try:
            if self.is_up:
                self.run("scancel", "--user=root", timeout=20)
                harness.until(lambda: not self.run("squeue", "--noheader").stdout.strip(),
                              "empty queue after scancel", limit=40)
        finally:
            self.is_up = False
            for process in reversed(self.processes):
                harness.stop(process)
            self.processes.clear()
            self._end_steps()
            for node in self.nodes:
                for pattern in f"*/slurm_{node}", f"system.slice/{node}_slurmstepd.scope":
                    for path in pathlib.Path("/sys/fs/cgroup").glob(pattern):
                        processes.remove_cgroup(path)

    def _end_steps(self) -> None:
        """slurmd leaves slurmstepd behind on purpose, and with that its job; what is of this Slurm has its configuration
        in its environment."""
        ours = f"SLURM_CONF={self.config}".encode()
        for pid in processes.all_pids():
            if processes.read(pid, "comm").startswith(b"slurmstepd") and ours in processes.read(pid, "environ").split(b"\0"):
                processes.end_tree(pid)

    def run(self, *argv, timeout=30) -> harness.Result:
        return harness.run(argv, env=self.env(), timeout=timeout)

    def submit(self, script: str, *options) -> int:
        """sbatch --wrap; returns the job id."""
        result = self.run("sbatch", "--parsable", "--output=/dev/null", *options, "--wrap", script).ok()
        return int(result.stdout.split(";")[0])

    def job(self, id: int) -> dict:
        """Fields of `scontrol show job`, in Slurm's own words."""
        result = self.run("scontrol", "--oneliner", "show", "job", str(id)).ok()
        return dict(re.findall(r"(\w+(?:/\w+)?)=(\S*)", result.stdout))

    def wait(self, id: int, *states: str, limit=60) -> dict:
        """Waits until the job is in one of these states; returns its fields."""
        def reached():
            job = self.job(id)
            return job if job["JobState"] in states else None
        return harness.until(reached, f"Slurm job {id} in {' or '.join(states)}", limit, interval=0.1)

    def log(self, name: str) -> str:
        path = self.dir / name
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def _write_config(self) -> None:
        for name, mode in ("state", 0o755), ("spool", 0o755), ("munge", 0o755):
            (self.dir / name).mkdir(mode=mode)
        ctld_port, slurmd_port, second_port, self.dbd_port, self.sql_port = free_ports(5)
        host = socket.gethostname().split(".")[0]
        accounting = WITH_ACCOUNTING if self.accounting else WITHOUT_ACCOUNTING
        if self.accounting and not self.memory:
            accounting += WITHOUT_CGROUPS
        self.config.write_text((CONFIG + accounting).format(
            dir=self.dir, host=host, ctld_port=ctld_port, slurmd_port=slurmd_port, proctrack=self.proctrack,
            task="cgroup" if self.memory else "none",
            select="CR_CPU_Memory\nDefMemPerCPU=20" if self.accounting or self.memory or self.varied else "CR_CPU",
            node=self.node, all=",".join(self.nodes), dbd_port=self.dbd_port,
            more=SECOND_NODE.format(node=self.second, host=host, port=second_port) if self.second else ""))
        if self.varied:
            self._vary()
        # Since 23.11 slurmd sets up cgroups, which a container rarely allows, unless it is told not to, which 24.05 allows.
        result = harness.run([find("slurmd"), "-V"])
        if result.status != 0:
            raise Unavailable(f"slurmd does not start: {result.stderr.strip()}")
        version = tuple(int(number) for number in re.search(r"(\d+)\.(\d+)", result.stdout).groups())
        self.version = version
        if (23, 11) <= version < (24, 5):
            # Without accounting its first scheduler finds no account for arrays, and the second looks twice a minute.
            text = self.config.read_text()
            self.config.write_text(text.replace("sched_interval=1\n", "sched_interval=1,bf_interval=1\n"))
        if self.memory or self.proctrack == "cgroup" or (23, 11) <= version < (24, 5):
            cgroup = "IgnoreSystemd=yes\n"
        else:
            cgroup = "CgroupAutomount=no\n" if version < (23, 11) else "CgroupPlugin=disabled\n"
        (self.dir / "cgroup.conf").write_text(cgroup + (MEMORY if self.memory else ""))
        if self.tokens:
            with self.config.open("a") as config:
                config.write(TOKENS.format(dir=self.dir))
            (self.dir / "jwt.key").write_bytes(os.urandom(32))
            (self.dir / "jwt.key").chmod(0o600)
        key = self.dir / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)

    def _vary(self) -> None:
        text = self.config.read_text().replace("sched_interval=1", "sched_interval=1,bf_interval=1")
        nodes = VARIED_NODES.format(node=self.node)
        own = f"NodeName={self.node} "
        gpus, = (line for line in nodes.splitlines() if line.startswith(own))
        # One line a node.
        text = text.replace(own, gpus + " ").replace(f"Nodes={self.node} ", f"Nodes={self.node},broken ")
        self.config.write_text(text + nodes.replace(gpus + "\n", ""))
        (self.dir / "gres.conf").write_text(VARIED_GPUS.format(node=self.node))

    def _spawn(self, name: str, *argv) -> subprocess.Popen:
        with open(self.dir / f"{name}.out", "wb") as out:
            process = subprocess.Popen([find(argv[0]), *map(str, argv[1:])], env=self.env(),
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       start_new_session=True)
        self.processes.append(process)
        return process

    def _start_munged(self) -> None:
        munge = self.dir / "munge"
        process = self._spawn("munged", "munged", "--foreground", f"--socket={munge}/socket",
                              f"--key-file={munge}/key", f"--pid-file={munge}/pid",
                              f"--log-file={munge}/log", f"--seed-file={munge}/seed", "--num-threads=4")

        def ready():
            if process.poll() is not None:
                raise Unavailable(f"munged ended with {process.returncode}: {self.log('munged.out').strip()}")
            return (munge / "socket").exists()
        harness.until(ready, "munge socket", limit=20)

    def _start_accounting(self) -> None:
        data, admin = self.dir / "data", self.dir / "sql.sock"
        harness.run([find("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db",
                     "--auth-root-authentication-method=normal"], timeout=60).ok()
        self._spawn("mariadbd", "mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", f"--socket={admin}",
                    "--bind-address=127.0.0.1", f"--port={self.sql_port}", "--skip-name-resolve",
                    "--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=900")
        sql = ("CREATE USER slurm@127.0.0.1 IDENTIFIED BY 'slurm'; "
               "GRANT ALL ON slurm.* TO slurm@127.0.0.1; CREATE DATABASE slurm;")
        harness.until(lambda: harness.run(["mariadb", "--no-defaults", f"--socket={admin}", "--user=root", "-e", sql]
                                          ).status == 0, "a database", limit=30)
        path = self.dir / "slurmdbd.conf"
        config = DBD_CONFIG + (TOKENS if self.tokens else "")
        path.write_text(config.format(dir=self.dir, host=socket.gethostname().split(".")[0],
                                      dbd_port=self.dbd_port, sql_port=self.sql_port))
        path.chmod(0o600)
        dbd = self._spawn("slurmdbd", "slurmdbd", "-D")

        def answers():
            if dbd.poll() is not None:
                raise Unavailable(f"slurmdbd ended with {dbd.returncode}: {self.log('slurmdbd.log')}")
            return self.run("sacctmgr", "-i", "add", "cluster", "berth").status == 0
        harness.until(answers, "slurmdbd", limit=60)

    def token(self, seconds=3600, user="root") -> str:
        """A JSON web token of slurmctld's."""
        result = self.run("scontrol", "token", f"username={user}", f"lifespan={seconds}").ok()
        return result.stdout.strip().removeprefix("SLURM_JWT=")

    def start_rest(self) -> None:
        """slurmrestd of an ordinary user, on TCP and on a Unix socket, with tokens: rest_url, rest_socket."""
        if not find("slurmrestd"):
            raise Unavailable("no slurmrestd: apt-get install slurmrestd slurm-wlm-jwt-plugin")
        nobody = pwd.getpwnam("nobody")
        (self.dir / "rest").mkdir(mode=0o755)
        os.chown(self.dir / "rest", nobody.pw_uid, nobody.pw_gid)
        port, = free_ports(1)
        self.rest_url, self.rest_socket = f"http://127.0.0.1:{port}", f"unix:{self.dir}/rest/socket"
        with open(self.dir / "slurmrestd.out", "wb") as out:
            self.rest = subprocess.Popen(
                [find("slurmrestd"), "-u", str(nobody.pw_uid), "-g", str(nobody.pw_gid), "-a", "rest_auth/jwt",
                 "-s", self._rest_plugins(), f"127.0.0.1:{port}", self.rest_socket],
                env={**self.env(), "SLURM_JWT": ""}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        self.processes.append(self.rest)

        def ready():
            if self.rest.poll() is not None:
                raise Unavailable(f"slurmrestd ended with {self.rest.returncode}: {self.log('slurmrestd.out').strip()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        harness.until(ready, "slurmrestd", limit=20)

    def configure(self, home: harness.Home, name: str) -> None:
        """The configuration of a user with this cluster alone, by its slurmrestd on TCP."""
        home.config_dir.mkdir(parents=True, exist_ok=True)
        (home.config_dir / "token").write_text(self.token())
        (home.config_dir / "config.yaml").write_text(
            f"clusters: {{{name}: {{backend: slurmrest, url: '{self.rest_url}', token_file: {home.config_dir}/token}}}}\n")

    def oldest_rest(self) -> str:
        """The oldest version of its interface that slurmrestd has; tests may ask for another one."""
        oldest = "v0.0.38" if self.version < (23, 11) else "v0.0.39" if self.version < (24, 11) else "v0.0.40"
        return os.environ.get("BERTH_TEST_SLURMREST", oldest)

    def _rest_plugins(self) -> str:
        # 23.11 has the newest in one plugin, and each older version in another.
        names = [("slurmctld", "slurmdbd")] if self.version >= (23, 11) else []
        if self.version < (24, 5):
            names.append(tuple(f"openapi/{db}{self.oldest_rest()}" for db in ("", "db")))
        return ",".join(name for pair in names for name in (pair if self.accounting else pair[:1]))

    def node_is_up(self) -> bool:
        states = self.run("sinfo", "--noheader", f"--nodes={','.join(self.nodes)}", "--format=%T").stdout.split()
        return bool(states) and set(states) <= {"idle", "mixed", "allocated"}

    def node_down(self) -> None:
        self.run("scontrol", "update", f"NodeName={self.node}", "State=DOWN", "Reason=cable").ok()

    def node_up(self) -> None:
        """With ReturnToService=2 it may have come back by itself, and then refuses to."""
        self.run("scontrol", "update", f"NodeName={self.node}", "State=RESUME")
        harness.until(self.node_is_up, "node up", limit=60, interval=0.1)

    def forget(self) -> None:
        """A new slurmctld that has never heard of a job; accounting has."""
        harness.stop(self.ctld)
        self.processes.remove(self.ctld)
        self.first_id += 1000
        with self.config.open("a") as config:
            config.write(f"FirstJobId={self.first_id}\n")
        self._start_controller("-c")

    def _start_controller(self, *options) -> None:
        self.ctld = self._spawn("slurmctld", "slurmctld", "-D", *options, "-f", self.config)
        harness.until(lambda: self.run("scontrol", "ping").stdout.find(" UP") >= 0, "slurmctld", limit=30)

    def _start_daemons(self) -> None:
        ctld = self.ctld = self._spawn("slurmctld", "slurmctld", "-D", "-i", "-f", self.config)
        daemons = {"slurmctld": ctld}
        for node in self.nodes:
            daemons[f"slurmd-{node}"] = self._spawn(f"slurmd-{node}", "slurmd", "-D", "-f", self.config, "-N", node)
        self.slurmd = daemons[f"slurmd-{self.node}"]

        def idle():
            for name, process in daemons.items():
                if process.poll() is not None:
                    raise Unavailable(f"{name} ended with {process.returncode}: "
                                      f"{self.log(name + '.out').strip() or self.log(name + '.log').strip()}")
            return self.node_is_up()
        harness.until(idle, "idle Slurm node", limit=60, interval=0.1)
        self.is_up = True
