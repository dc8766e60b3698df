/* SPDX-License-Identifier: MIT */
/* Programs that print secrets; see secret.h. */
#include "secret.h"

#include "controller/run/child.h"

#define TIMEOUT_MS 60000
#define WHY_MAX 240

int secret_print(const char *what, const char *const *argv, struct buf *ret, struct err *err)
{
	const struct child_plan plan = { .argv = argv, .timeout_ms = TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };
	char why[WHY_MAX];

	if (child_run(&plan, &child, err) < 0)
		return err_wrap(err, "%s", what);
	if (child.status != 0) {
		child_complaint(&child, why, sizeof(why));
		return err_set(err, ERR_UNAVAILABLE, "%s ended with status %d: %s", what,
			       child.status, why);
	}
	if (!buf_append_span(ret, buf_span(&child.output)))
		return err_set(err, ERR_LIMIT, "%s printed too much", what);
	return 0;
}
