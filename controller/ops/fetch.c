/* SPDX-License-Identifier: MIT */
/* Whole files; see fetch.h. */
#include "fetch.h"

#include <string.h>

#include "controller/ops/files.h"
#include "init/base/fs.h"

#define WAIT_NS (10 * NSEC_PER_SEC) /* for a job that does not run yet */
#define AT_ONCE ((size_t)1024 * 1024)

bool fetch_is_elsewhere(const char *operand)
{
	return files_place_len(operand) > 0 && !strstr(operand, "://") && !fs_exists(operand);
}

static int read_all(struct files *files, size_t max, struct buf *ret, struct err *err)
{
	for (size_t before = buf_len(ret), done = 0;; done = buf_len(ret) - before) {
		size_t len = buf_len(ret);

		/* One byte more than allowed shows that there are more. */
		if (fs_read(files->fs, files->path, done, MIN(AT_ONCE, max + 1 - done), ret, err) <
		    0)
			return -1;
		if (buf_len(ret) == len)
			return 0;
		if (buf_len(ret) - before > max)
			return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", files->path,
				       max);
	}
}

int ops_fetch(struct controller *c, const char *operand, size_t max, struct buf *ret,
	      char **ret_cluster, struct err *err)
{
	const struct progress quiet = { 0 };
	const struct files_plan plan = { .wait_ns = WAIT_NS, .progress = &quiet };
	cleanup(files_close) struct files *files = NULL;

	if (ret_cluster)
		*ret_cluster = NULL;
	if (!fetch_is_elsewhere(operand))
		return fs_read_file(operand, max, ret, err);
	if (ops_files_open(c, &plan, operand, &files, err) < 0 ||
	    read_all(files, max, ret, err) < 0)
		return -1;
	if (ret_cluster && files->cluster)
		*ret_cluster = str_dup(files->cluster);
	return 0;
}
