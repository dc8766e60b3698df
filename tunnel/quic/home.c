/* SPDX-License-Identifier: MIT */
/*
 * Where a server's client is. ngtcp2 tells of a path that was validated just now, and says nothing
 * when a client comes back to one that had been validated before (RFC 9000 section 9.3.1 allows
 * that, and section 9.3.3 asks for it): from the hotel to the Wi-Fi where it was a minute ago. So
 * the last few validated addresses are kept, and the current path is looked at after each packet.
 */
#include "tunnel/quic/internal.h"

static bool is_known(const struct quic_conn *conn, const struct quic_addr *remote)
{
	for (size_t i = 0; i < ARRAY_LEN(conn->homes); i++)
		if (conn->homes[i].len > 0 && quic_addr_equal(&conn->homes[i], remote))
			return true;
	return false;
}

void quic_conn_note_home(struct quic_conn *conn, const struct quic_path *path)
{
	if (!is_known(conn, &path->remote))
		conn->homes[conn->home_next++ % ARRAY_LEN(conn->homes)] = path->remote;
	conn->home = path->remote;
}

void quic_conn_look_home(struct quic_conn *conn)
{
	struct quic_path path;

	if (!quic_conn_is_server(conn) || conn->state != QUIC_READY || conn->home.len == 0)
		return;
	quic_conn_path(conn, &path);
	if (quic_addr_equal(&path.remote, &conn->home) || !is_known(conn, &path.remote))
		return;
	conn->home = path.remote;
	if (conn->ops->moved)
		conn->ops->moved(conn->app, &path);
}
