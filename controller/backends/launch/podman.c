/* SPDX-License-Identifier: MIT */
/*
 * The launcher podman; see launcher.h.
 *
 * The container is no child of podman's, and a podman command takes seconds on a busy node, where
 * Slurm waits KillWait between asking and killing. So podman is called once, and does not pass
 * signals on: a shell tells the container's first process, by its number. Output goes from the
 * container to the job's files (passthrough), and conmon removes what ended (--rm), whether or not
 * podman is there to see it: where Slurm tells each process of a job, podman dies of it.
 *
 * Whoever watches is told by the end of a pipe that the shell is gone. Where Slurm finds processes
 * by their parents, it outlives the job, and ends and removes what Slurm cannot see. Where Slurm
 * finds them by their control group, they all die together, and a record may be left in podman's
 * books: the next such job on the node removes it. Who owns a container is the shell with the
 * number at the end of its name, in the place (node, and space of numbers) of its label.
 */
#include <string.h>

#include "controller/backends/launch/launcher.h"

/*
 * What is said before the container has a process is kept until it has one. `wait` ends early when
 * a signal comes, and a shell that has collected its child meanwhile remembers its status. With
 * crun the container stays in the job's control group; other runtimes insist on one of their own.
 * The watcher closes its end for writing by exec: beside a command of its own, a shell would keep
 * a copy of it to have it back afterwards, and no end would ever come.
 * Without root, the user is who they are outside.
 */
static const char podman_run[] =
	"dir=$1\n"
	"shift\n"
	"name=berth-$SLURM_JOB_ID-${SLURM_STEP_ID:-batch}-${SLURM_PROCID:-0}-$$\n"
	"place=${SLURMD_NODENAME:-node}-$(readlink /proc/self/ns/pid)\n"
	"pid=$dir/$name.pid alive=$dir/$name.alive told= rough=\n"
	"tell() {\n"
	"\twhile [ -n \"$told\" ] && [ -s \"$pid\" ]; do\n"
	"\t\ts=${told%% *} told=${told#* }\n"
	"\t\tkill -s \"$s\" \"$(cat \"$pid\")\" 2>/dev/null ||\n"
	"\t\t\tpodman kill --signal \"$s\" \"$name\" >/dev/null 2>&1\n"
	"\tdone\n"
	"}\n"
	"for s in HUP INT QUIT TERM USR1 USR2 ALRM URG; do\n"
	"\ttrap \"told=\\\"\\${told}$s \\\" rough=yes; tell\" $s\n"
	"done\n"
	"watch() {\n"
	"\texec <\"$alive\" >/dev/null 2>&1 9>&-\n"
	"\trm -f \"$alive\"\n"
	"\ttrap '' HUP INT QUIT TERM USR1 USR2 ALRM URG\n"
	"\t[ \"${SLURM_LOCALID:-0}\" != 0 ] ||\n"
	"\t\tpodman ps --all --filter \"label=berth.place=$place\" --format '{{.Names}}' |\n"
	"\t\twhile read -r other; do\n"
	"\t\t\t[ -d \"/proc/${other##*-}\" ] || podman rm --force --time 0 \"$other\"\n"
	"\t\tdone\n"
	"\tread -r word\n"
	"\t[ \"$word\" = done ] || podman rm --force --time 0 --ignore \"$name\"\n"
	"\trm -f \"$pid\"\n"
	"}\n"
	"mkfifo \"$alive\" || exit 125\n"
	"exec 9<>\"$alive\"\n"
	"(watch &)\n"
	"[ \"$(id -u)\" = 0 ] || export PODMAN_USERNS=keep-id\n"
	"cgroups=disabled\n"
	"[ \"$(podman info --format '{{.Host.OCIRuntime.Name}}' 9>&-)\" = crun ] || cgroups=enabled\n"
	"case $told in *TERM*) exit 143 ;; esac\n"
	"podman run --rm --name \"$name\" --label \"berth.place=$place\" --pidfile \"$pid\" \\\n"
	"\t--log-driver=passthrough --sig-proxy=false --cgroups=$cgroups \"$@\" 9>&- &\n"
	"run=$!\n"
	"until [ -s \"$pid\" ] || ! kill -0 $run 2>/dev/null; do\n"
	"\tsleep 0.1\n"
	"done\n"
	"tell\n"
	"while wait $run; status=$?; kill -0 $run 2>/dev/null; do :; done\n"
	"wait $run 2>/dev/null\n"
	"again=$?\n"
	"[ $again = 127 ] || status=$again\n"
	"while [ -n \"$rough\" ] && kill -0 \"$(cat \"$pid\")\"; do\n"
	"\tstatus=143\n"
	"\tsleep 0.2\n"
	"done 2>/dev/null\n"
	"[ -n \"$rough\" ] || echo done >&9\n"
	"exit $status\n";

/*
 * The network is the node's, so that the tunnel is where it says. Variables of the image win over
 * the node's, and --env over both; without a value it is that of podman's own environment.
 */
int launcher_podman_add(const struct launcher *launcher, const struct submission *submission,
			struct launch_words *ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	const char *dir = submission->job->directory;
	struct argv *words = &ret->program;

	if (launcher_check_mounts(submission, LAUNCHER_SEPARATORS, err) < 0)
		return -1;
	argv_add_words(words, "sh", "-c", podman_run, launcher->program, dir, NULL);
	argv_add_words(words, "--network=host", "--ipc=host", "--env-host", NULL);
	for (size_t i = 0; i < spec->env.len; i++) {
		cleanup_free char *name = launcher_env_name(spec->env.items[i]);

		argv_addf(words, "--env=%s", name);
	}
	argv_addf(words, "--volume=%s:" LAUNCHER_BUNDLE ":ro", submission->bundle);
	argv_addf(words, "--volume=%s:%s", dir, dir);
	argv_addf(words, "--workdir=%s", spec->workdir);
	argv_add_words(words, "--entrypoint=", spec->image, NULL);
	return 0;
}
