/* SPDX-License-Identifier: MIT */
/* The workstation asks; see punch.h. A file of its own, since the job makes no requests. */
#include "init/base/secret.h"
#include "tunnel/net/punch_internal.h"
#include "tunnel/quic/conn.h"

struct punch *punch_request(struct punches *p, struct h3_conn *conn, const struct punch_ops *ops,
			    void *owner, struct err *err)
{
	const struct h3_request request = { .method = "POST",
					    .authority = "job",
					    .path = PUNCH_STREAM_PATH,
					    .urgency = H3_URGENCY_TYPED };
	cleanup(secret_finish) struct secret secret = { 0 };
	struct punch *punch;

	if (quic_conn_export(h3_conn_quic(conn), PUNCH_EXPORT_LABEL, &secret, err) < 0)
		return NULL;
	punch = punch_new(p, ICE_CONTROLLING, &secret, err);
	if (!punch)
		return NULL;
	if (h3_conn_request(conn, &request, &punch_stream_ops, punch, &punch->stream, err) < 0) {
		punch_free(punch);
		return NULL;
	}
	punch->ops = ops;
	punch->owner = owner;
	punch_settle(punch);
	return punch;
}
