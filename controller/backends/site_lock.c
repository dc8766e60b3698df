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
#include "init/base/log.h"
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

static bool is_left(const char *lock, const char *self)
{
	char holder[HOLDER_MAX];
	struct stat st;
	ssize_t len;

	if (lstat(lock, &st) < 0)
		return false;
	if (time(NULL) - st.st_mtim.tv_sec >= SITE_LOCK_OLD_S)
		return true;
	len = readlink(lock, holder, sizeof(holder) - 1);
	if (len < 0)
		return false;
	holder[len] = '\0';
	return is_dead(holder, self);
}

/* Moved aside first: of several who see that it was left, one removes it, and no newer one. */
static void drop_left(const char *lock, const char *self)
{
	cleanup_free char *aside = str_printf("%s.%d", lock, (int)getpid());

	if (!is_left(lock, self) || rename(lock, aside) < 0)
		return;
	if (!is_left(aside, self) && link(aside, lock) < 0)
		log_debug("%s: %s", lock, strerror(errno));
	unlink(aside);
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

/* In steps of a tenth of a second: of those that a shell can sleep, and it starts programs. */
bool site_lock_append(struct buf *script, const char *lock, int status)
{
	return buf_printf(script, "l=") && remote_quote(script, lock) &&
	       buf_printf(script,
			  "\nh=; { read -r h </proc/sys/kernel/random/boot_id; } 2>/dev/null\n"
			  "h=\"$h $(readlink /proc/self/ns/pid 2>/dev/null)\"\n"
			  "left() {\n"
			  "\t[ -z \"$(find \"$1\" -prune -mmin +%d 2>/dev/null)\" ] || return 0\n"
			  "\tcase $h in ' '*|*' ') return 1;; esac\n"
			  "\tw=$(readlink \"$1\" 2>/dev/null) || return 1\n"
			  "\tp=${w##* }\n"
			  "\tcase $p in ''|*[!0-9]*) return 1;; esac\n"
			  "\t[ \"$w\" = \"$h $p\" ] && ! kill -0 \"$p\" 2>/dev/null && "
			  "[ ! -e \"/proc/$p\" ]\n}\n"
			  "n=0\nuntil ln -s \"$h $$\" \"$l\" 2>/dev/null\n"
			  "do\tif left \"$l\" && mv \"$l\" \"$l.$$\"\n"
			  "\tthen left \"$l.$$\" || ln \"$l.$$\" \"$l\"; rm -f \"$l.$$\"\n\tfi\n"
			  "\tn=$((n + 1)); [ $n -lt %d ] || { "
			  "[ ! -h \"$l\" ] && [ ! -e \"$l\" ] && ln -s \"$h $$\" \"$l\" || "
			  "echo \"$l: somebody else is changing what it guards: try again in a "
			  "minute\" >&2; exit %d; }\n"
			  "\tsleep 0.1 2>/dev/null || sleep 1\ndone\n",
			  SITE_LOCK_OLD_S / 60, SITE_LOCK_PATIENCE_MS / 100, status);
}
