/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The options of a job, said once. `berth run` makes its options of this table, a job file its
 * keys, the Slurm backend the options of sbatch, a backend without a scheduler its refusals;
 * spec.json is written from it, and the manual is checked against it.
 *
 *	X(kind, letter, name, member, value, check, sbatch, local, help)
 *
 * kind    STR, UINT, SIZE (bytes), DURATION (ns), FLAG or LIST, as in opt.h
 * letter  short option, or 0
 * name    long option of `berth run`, and key in a file
 * member  of struct spec
 * check   check_CHECK() in spec_check.c, which sees the value as text; numbers are not_text
 * sbatch  the option of sbatch that gets the value; NULL: none, or slurm/submit.c composes it
 * local   NULL: one machine can do it; otherwise what the user is told to do instead
 *
 * Those in SPEC_CONTAINER_OPTIONS are known to backends that run containers alone (backend.h).
 *
 * To add one: a line here, a member in spec.h, a paragraph in berth.1.scd, and tests/golden/check
 * --update. Slurm's own names for what is called otherwise here are in SPEC_ALIASES; they are taken
 * silently.
 */

#define SPEC_SLURM "use --backend slurm, or leave it out"
#define SPEC_NO_LAUNCHER "--image is a directory here: leave it out"
#define SPEC_NO_QUEUE "jobs here wait for nothing: leave it out"
#define SPEC_ENGINE "use a cluster with backend docker, kubernetes or swarm, or leave it out"
#define SPEC_PODS "use a cluster with backend kubernetes, or leave it out"

/* clang-format off */
#define SPEC_OPTIONS(X) \
	X(UINT, 'N', "nodes", nodes, "COUNT", not_text, "nodes", NULL, "number of nodes") \
	X(UINT, 'n', "tasks", tasks, "COUNT", not_text, NULL, NULL, "number of tasks, one rank each") \
	X(UINT, 0, "ntasks-per-node", tasks_per_node, "COUNT", not_text, "ntasks-per-node", SPEC_SLURM, "number of tasks on each node") \
	X(UINT, 'c', "cpus", cpus, "COUNT", not_text, "cpus-per-task", NULL, "CPUs for each task") \
	X(SIZE, 0, "mem", memory, "SIZE", not_text, "mem", NULL, "memory on each node, such as 4G") \
	X(SIZE, 0, "mem-per-cpu", memory_per_cpu, "SIZE", not_text, "mem-per-cpu", "say --mem", "memory for each CPU") \
	X(STR, 'G', "gpus", gpus, "[TYPE:]COUNT", word, "gpus", "jobs here see all GPUs: leave it out", "number of GPUs of the job") \
	X(STR, 0, "gpus-per-node", gpus_per_node, "[TYPE:]COUNT", word, "gpus-per-node", "jobs here see all GPUs: leave it out", "number of GPUs on each node") \
	X(STR, 0, "gpus-per-task", gpus_per_task, "[TYPE:]COUNT", word, "gpus-per-task", "jobs here see all GPUs: leave it out", "number of GPUs of each task") \
	X(STR, 0, "gres", gres, "LIST", word, "gres", SPEC_SLURM, "generic resources on each node") \
	X(STR, 0, "constraint", constraint, "FEATURES", word, "constraint", SPEC_SLURM, "features that the nodes must have") \
	X(STR, 'w', "nodelist", nodelist, "NODES", word, "nodelist", SPEC_SLURM, "nodes that the job must have") \
	X(STR, 'x', "exclude", exclude, "NODES", word, "exclude", SPEC_SLURM, "nodes that the job must not have") \
	X(FLAG, 0, "exclusive", exclusive, NULL, not_text, "exclusive", "other programs run here too: leave it out", "share the nodes with no other job") \
	X(STR, 'L', "licenses", licenses, "LIST", word, "licenses", SPEC_SLURM, "licences that the job needs") \
	X(DURATION, 't', "time", time_ns, "DURATION", not_text, "time", NULL, "time limit, such as 90m") \
	X(STR, 0, "hold", hold, "DURATION[,on-failure]", hold, NULL, NULL, "keep the job that long after the command's end, or failure") \
	X(STR, 0, "array", array, "INDICES", array, "array", SPEC_SLURM, "one task for each index, such as 0-9 or 0-99:2%4 (4 at a time)") \
	X(STR, 0, "begin", begin, "TIME", words, "begin", SPEC_NO_QUEUE, "start it then or later, such as now+1hour") \
	X(STR, 'd', "dependency", dependency, "LIST", word, "dependency", SPEC_SLURM, "start it after other jobs, such as afterok:job-7") \
	X(FLAG, 0, "requeue", requeue, NULL, not_text, "requeue", SPEC_NO_QUEUE, "it may be started again after its node failed") \
	X(FLAG, 0, "no-requeue", no_requeue, NULL, not_text, "no-requeue", NULL, "it must never be started again") \
	X(STR, 0, "signal", signal, "SIGNAL[@SECONDS]", signal, NULL, SPEC_SLURM, "send the command a signal before the time limit") \
	X(STR, 'p', "partition", partition, "NAME", word, "partition", SPEC_SLURM, "partition to run in") \
	X(STR, 'A', "account", account, "NAME", word, "account", SPEC_SLURM, "account to charge") \
	X(STR, 0, "jobset", jobset, "NAME", word, NULL, NULL, "a name for jobs that belong together") \
	X(STR, 0, "qos", qos, "NAME", word, "qos", SPEC_SLURM, "quality of service") \
	X(STR, 0, "reservation", reservation, "NAME", word, "reservation", SPEC_SLURM, "reservation to run in") \
	X(STR, 0, "priority", priority, "NUMBER", number, "priority", SPEC_NO_QUEUE, "priority, for operators") \
	X(STR, 0, "nice", nice, "NUMBER", signed_number, "nice", SPEC_NO_QUEUE, "lower the priority by so much") \
	X(STR, 0, "mail-type", mail_type, "LIST", word, "mail-type", SPEC_SLURM, "send mail when, such as END,FAIL") \
	X(STR, 0, "mail-user", mail_user, "ADDRESS", word, "mail-user", SPEC_SLURM, "where mail goes") \
	X(STR, 0, "comment", comment, "TEXT", words, "comment", SPEC_SLURM, "a remark for the scheduler's records") \
	X(LIST, 'e', "env", env, "KEY=VALUE", env, NULL, NULL, "set a variable (repeatable)") \
	X(STR, 0, "export", export_list, "LIST", word, NULL, SPEC_SLURM, "which variables of here the job has: ALL or names") \
	X(STR, 'C', "workdir", workdir, "DIR", any, NULL, NULL, "directory to run in") \
	X(STR, 0, "output", output, "PATTERN", words, NULL, "'berth logs' shows it: leave it out", "file for standard output, such as out.%j") \
	X(STR, 0, "error", error, "PATTERN", words, NULL, "'berth logs' shows it: leave it out", "file for standard error") \
	X(STR, 0, "image", image, "IMAGE", any, NULL, NULL, "container to run in; locally a root directory") \
	X(STR, 0, "launcher", launcher, "NAME", word, NULL, SPEC_NO_LAUNCHER, "what starts the container, such as apptainer") \
	X(STR, 0, "edf", edf, "FILE", words, NULL, SPEC_NO_LAUNCHER, "environment definition of yours, for the launcher edf") \
	X(LIST, 0, "allow", allow, "HOST:PORT", allow, NULL, NULL, "let ssh forward there from inside the job (repeatable)") \
	X(STR, 0, "shell", shell, "PATH", absolute, NULL, NULL, "shell of sessions in the job") \
	X(FLAG, 0, "plain-shell", plain_shell, NULL, not_text, NULL, NULL, "sessions without a command get no login shell") \
	X(FLAG, 0, "no-motd", no_motd, NULL, not_text, NULL, NULL, "greet nobody at login") \
	X(FLAG, 0, "no-vscode-folder", no_vscode_folder, NULL, not_text, NULL, NULL, "let editors keep their server in the home directory") \
	SPEC_CONTAINER_OPTIONS(X)

/* Those of jobs that are containers: a backend that runs none refuses them. */
#define SPEC_CONTAINER_OPTIONS(X) \
	X(STR, 0, "entrypoint", entrypoint, "PROGRAM", anything, NULL, SPEC_ENGINE, "what runs the command, in place of the image's own; empty: nothing") \
	X(STR, 0, "pull", pull, "WHEN", pull, NULL, SPEC_ENGINE, "fetch the image: always, missing (the default) or never") \
	X(STR, 0, "user", user, "UID[:GID]", user, NULL, SPEC_ENGINE, "whom it runs as; a number may be a range, such as 1000-1999") \
	X(STR, 0, "cpu-limit", cpu_limit, "CPUS", cpu_limit, NULL, SPEC_ENGINE, "most CPU time it gets, such as 0.5, or 500m") \
	X(SIZE, 0, "shm-size", shm_size, "SIZE", not_text, NULL, SPEC_ENGINE, "size of its /dev/shm") \
	X(LIST, 0, "mount", mounts, "SOURCE:TARGET[:ro]", mount, NULL, SPEC_ENGINE, "mount a directory, a volume, or tmpfs (repeatable)") \
	X(STR, 0, "input-dir", input_dir, "DIR[:TARGET]", bound_dir, NULL, SPEC_ENGINE, "directory to read from, at /share/incoming") \
	X(STR, 0, "output-dir", output_dir, "DIR[:TARGET]", bound_dir, NULL, SPEC_ENGINE, "directory to write to, at /share/outgoing") \
	X(STR, 0, "network", network, "MODE", word, NULL, SPEC_ENGINE, "network of the container, such as host or none") \
	X(STR, 0, "restart", restart, "POLICY", restart, NULL, SPEC_ENGINE, "start it again: no, on-failure[:TIMES], unless-stopped, always") \
	X(LIST, 0, "label", labels, "KEY=VALUE", label, NULL, SPEC_ENGINE, "label of the container (repeatable)") \
	X(STR, 0, "pod", pod, "YAML", any, NULL, SPEC_PODS, "what else its pod has, in Kubernetes' words")

/* X(kind, name, member) */
#define SPEC_ALIASES(X) \
	X(UINT, "ntasks", tasks) \
	X(UINT, "tasks-per-node", tasks_per_node) \
	X(UINT, "cpus-per-task", cpus) \
	X(STR, "queue", partition) \
	X(STR, "licences", licenses) \
	X(STR, "chdir", workdir)
/* clang-format on */
