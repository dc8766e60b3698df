/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead log of the database. Whoever opens the file with nobody else there reads the
 * whole log first (https://www.sqlite.org/walformat.html, section 4.5), which is 10 ms with a
 * thousand frames: so it is kept short, after the user has what was asked for.
 */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "controller/store/statement.h"

#define BUSY_PAUSE_MS 5
#define FRAMES_LONG 64
/* A process that lives for long and writes does it by itself, as SQLite would. */
#define FRAMES_MAX 1000

static int note_len(void *owner, sqlite3 *db, const char *name, int frames)
{
	struct store *store = owner;

	store->wal_len = frames;
	if (frames >= FRAMES_MAX)
		sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

/*
 * A file system without shared memory (NFS) keeps the older journal: that is slower, not wrong.
 * While another process makes the same change, SQLite says "busy" at once instead of waiting as
 * elsewhere.
 */
int wal_use(struct store *store, struct err *err)
{
	for (int waited_ms = 0;; waited_ms += BUSY_PAUSE_MS) {
		int result = sqlite3_exec(store->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);

		if (result == SQLITE_OK) {
			sqlite3_wal_hook(store->db, note_len, store);
			return 0;
		}
		if (result != SQLITE_BUSY || waited_ms >= STORE_BUSY_TIMEOUT_MS)
			return statement_fail(store, err);
		sqlite3_sleep(BUSY_PAUSE_MS);
	}
}

/* Others may go on writing meanwhile, but for the moment in which the log becomes empty. */
static void put_into_place(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK) {
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_exec(db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
		sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
		sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	sqlite3_close(db);
}

/*
 * This forces bytes to the disk, which may take as long as a submission, so that nobody waits for
 * it: a child does, which has nothing of ours open, no lock and no standard stream. That it fails,
 * or is killed, is no harm.
 */
void wal_shorten(const char *path, int len)
{
	if (len < FRAMES_LONG || fork() != 0)
		return;
	setsid();
	close_range(0, UINT_MAX, 0);
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (open("/dev/null", O_RDWR) != fd)
			_exit(1);
	}
	put_into_place(path);
	_exit(0);
}
