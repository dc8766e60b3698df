/* SPDX-License-Identifier: MIT */
#include "controller/backends/site_lock.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controller/run/remote.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define LOCK_STEP_MS 10
#define HOLDER_MAX 256

char *site_lock_path(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return str_printf("%.*s.%s.lock", (int)(name - path), path, name);
}

/* Where numbers of processes mean the same as to us: this boot, this namespace (namespaces(7)). */
static char *make_holder(void)
{
	cleanup(buf_finish) struct buf boot = BUF_INIT(64);
	char space[64];
	ssize_t len = readlink("/proc/self/ns/pid", space, sizeof(space) - 1);

	if (len < 0 || fs_read_file("/proc/sys/kernel/random/boot_id", 64, &boot, NULL) < 0)
		return str_printf("%d", (int)getpid());
	space[len] = '\0';
	return str_printf("%.36s %s %d", buf_str(&boot), space, (int)getpid());
}

/* Only a holder of whom we can tell; one who is not there any more. */
static bool is_dead(const char *holder, const char *self)
{
	const char *number = strrchr(self, ' ');
	size_t len = number ? (size_t)(number + 1 - self) : 0;
	uint64_t pid;

	return len > 0 && strncmp(holder, self, len) == 0 &&
	       text_parse_uint(holder + len, INT_MAX, &pid) && pid > 0 && kill((pid_t)pid, 0) < 0 &&
	       errno == ESRCH;
}

static bool is_old(const char *lock)
{
	struct stat st;

	return lstat(lock, &st) == 0 && time(NULL) - st.st_mtim.tv_sec >= SITE_LOCK_OLD_S;
}

static bool read_holder(const char *lock, char ret[HOLDER_MAX])
{
	ssize_t len = readlink(lock, ret, HOLDER_MAX - 1);

	ret[MAX(len, 0)] = '\0';
	return len > 0;
}

/*
 * Read again once its holder is known to be dead: who dropped it first and ended then has not left
 * it, and the lock is somebody else's by now.
 */
static bool is_left(const char *lock, const char *self)
{
	char before[HOLDER_MAX], after[HOLDER_MAX];

	return is_old(lock) || (read_holder(lock, before) && is_dead(before, self) &&
				read_holder(lock, after) && strcmp(before, after) == 0);
}

/*
 * Of all who see that it was left one may remove it, who looks once more: what was left then stays
 * so until that one has removed it.
 */
static void drop_left(const char *lock, const char *self)
{
	cleanup_free char *claim = str_printf("%s.drop", lock);

	if (!is_left(lock, self))
		return;
	if (symlink(self, claim) < 0) {
		if (is_old(claim))
			unlink(claim);
		return;
	}
	if (is_left(lock, self))
		unlink(lock);
	unlink(claim);
}

int site_lock_take(const char *lock, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_STEP_MS * 1000000 };
	cleanup_free char *self = make_holder();

	for (unsigned int ms = 0; ms < SITE_LOCK_PATIENCE_MS; ms += LOCK_STEP_MS) {
		if (symlink(self, lock) == 0)
			return 0;
		if (errno != EEXIST)
			return err_set_errno(err, errno, "create %s", lock);
		drop_left(lock, self);
		nanosleep(&pause, NULL);
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "%s: somebody else is changing what it guards: try again in a minute", lock);
}

void site_lock_drop(const char *lock)
{
	unlink(lock);
}

/*
 * The same in a shell, in steps of a tenth of a second: of those that a shell can sleep, and it
 * starts programs. Where no lock can be made, ln(1) says why.
 */
bool site_lock_append(struct buf *script, const char *lock, int status)
{
	return buf_printf(script, "l=") && remote_quote(script, lock) &&
	       buf_printf(
		       script,
		       "\nh=; { read -r h </proc/sys/kernel/random/boot_id; } 2>/dev/null\n"
		       "h=\"$h $(readlink /proc/self/ns/pid 2>/dev/null)\"\n"
		       "old() { [ -n \"$(find \"$1\" -prune -mmin +%d 2>/dev/null)\" ]; }\n"
		       "left() {\n"
		       "\told \"$l\" && return 0\n"
		       "\tcase $h in ' '*|*' ') return 1;; esac\n"
		       "\tw=$(readlink \"$l\" 2>/dev/null) || return 1\n"
		       "\tp=${w##* }\n"
		       "\tcase $p in ''|*[!0-9]*) return 1;; esac\n"
		       "\t[ \"$w\" = \"$h $p\" ] && ! kill -0 \"$p\" 2>/dev/null &&\n"
		       "\t[ ! -e \"/proc/$p\" ] && [ \"$(readlink \"$l\" 2>/dev/null)\" = \"$w\" ]\n"
		       "}\n"
		       "n=0\nuntil ln -s \"$h $$\" \"$l\" 2>/dev/null\n"
		       "do\tif left\n"
		       "\tthen\tif ln -s \"$h $$\" \"$l.drop\" 2>/dev/null\n"
		       "\t\tthen ! left || rm -f \"$l\"; rm -f \"$l.drop\"\n"
		       "\t\telse ! old \"$l.drop\" || rm -f \"$l.drop\"\n\t\tfi\n\tfi\n"
		       "\tn=$((n + 1))\n"
		       "\tif [ $n -ge %d ]\n"
		       "\tthen\tif [ -h \"$l\" ] || [ -e \"$l\" ]\n"
		       "\t\tthen echo \"$l: somebody else is changing what it guards: "
		       "try again in a minute\" >&2\n"
		       "\t\telse ln -s \"$h $$\" \"$l\" && break\n"
		       "\t\tfi\n\t\texit %d\n\tfi\n"
		       "\tsleep 0.1 2>/dev/null || sleep 1\ndone\n",
		       SITE_LOCK_OLD_S / 60, SITE_LOCK_PATIENCE_MS / 100, status);
}
