# SPDX-License-Identifier: MIT
"""PBS as far as FirecREST shows it, for its stand-in (firecrest.py): there is no PBS in Debian. What qsub does with a script
from its standard input (its #PBS lines, PBS's variables, the home directory), the letters of states, qstat's history and
qdel are those of the manual pages; jobs are processes of this machine.

    queue = pbs.Queue(home)
    number = queue.submit(job)          the description of the API
    queue.describe(number)              a job as FirecREST makes it of `qstat -x -f -F json`
    queue.held = True                   what comes now waits
"""

import os
import re
import signal
import subprocess
import threading
import time

import harness

LINE = re.compile(r"#PBS -(\w) (.*)")


class Job:
    def __init__(self, number, description):
        self.number, self.description = number, description
        script = description["script"]
        head = re.match(r"(?:#.*\n|\n)*", script).group(0)
        self.lines = LINE.findall(head)
        self.letter, self.status, self.start, self.process = "Q", None, None, None
        self.deleted = False

    def resources(self) -> dict:
        return dict(each.split("=", 1) for flag, value in self.lines if flag == "l" for each in [value])


class Queue:
    def __init__(self, home):
        self.home, self.jobs, self.held, self.lock = home, {}, False, threading.Lock()

    def submit(self, description) -> str:
        if not re.fullmatch(r"[A-Za-z][\w.+-]{0,229}", description.get("name") or ""):
            raise ValueError("qsub: illegal -N value")
        with self.lock:
            job = Job(str(100 + len(self.jobs)), description)
            self.jobs[job.number] = job
        if not self.held:
            self.begin(job)
        return job.number

    def begin(self, job) -> None:
        where = job.description["workingDirectory"]
        env = {**os.environ, "PBS_JOBID": f"{job.number}.pbs", "PBS_O_WORKDIR": where, "PBS_JOBNAME": job.description["name"],
               "PBS_ENVIRONMENT": "PBS_BATCH", "HOME": str(self.home)}
        job.letter, job.start = "R", int(time.time())
        script = self.home / f".pbs.{job.number}"
        script.write_text(job.description["script"])
        job.process = subprocess.Popen(["sh", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, cwd=self.home, env=env, start_new_session=True)
        threading.Thread(target=self.follow, args=(job,), daemon=True).start()

    def follow(self, job) -> None:
        status = job.process.wait()
        # Of one that was deleted while it ran, OpenPBS tells that it ended well.
        job.status, job.letter = 0 if job.deleted else status if status >= 0 else 256 - status, "F"

    def delete(self, number) -> bool:
        job = self.jobs.get(number)
        if not job or job.letter == "F":
            return False
        job.deleted = True
        if job.letter == "R":
            os.killpg(job.process.pid, signal.SIGTERM)
        else:
            job.letter = "F"
        return True

    def stop(self) -> None:
        for job in self.jobs.values():
            if job.process and job.process.poll() is None:
                harness.kill_session(job.process)

    def describe(self, number) -> dict:
        job = self.jobs[number]
        return {"jobId": number, "name": job.description["name"], "allocationNodes": 1, "cluster": "pbs",
                "nodes": "None assigned", "partition": job.description.get("partition") or "workq", "user": "root",
                "workingDirectory": job.description["workingDirectory"], "priority": 0, "tasks": None,
                "account": job.description.get("account") or "_pbs_project_default",
                "status": {"state": job.letter, "stateReason": None, "exitCode": job.status or 0, "interruptSignal": None},
                "time": {"start": job.start, "end": None, "elapsed": None, "limit": None, "suspended": None}}
