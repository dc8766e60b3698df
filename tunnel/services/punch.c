/* SPDX-License-Identifier: MIT */
/*
 * POST /punch: the job takes part in looking for a way without a relay. All of it is in
 * net/punch.h; the stream has no descriptor, so that it is not among those that are counted.
 */
#include "tunnel/net/punch.h"

#include "service.h"

static void open_punch(struct service_env *env, struct h3_stream *stream,
		       const struct h3_request *request)
{
	struct err err;

	(void)request;
	if (env->config.punches) {
		punch_accept(env->config.punches, stream);
		return;
	}
	err_set(&err, ERR_UNSUPPORTED, "this job looks for no direct ways");
	service_reject(stream, &err);
}

const struct service service_punch = { .method = "POST", .path = "/punch", .open = open_punch };
