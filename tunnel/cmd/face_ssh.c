/* SPDX-License-Identifier: MIT */
/* The SSH server that ssh talks to; see face.h. */
#include "face.h"

#include "init/base/alloc.h"
#include "tunnel/ssh/bridge.h"

struct face_ssh {
	struct face face;
	struct bridge *bridge;
	bool lost;
};

static struct face_ssh *face_ssh_of(struct face *face)
{
	return container_of(face, struct face_ssh, face);
}

static void input(struct face *face, struct span bytes)
{
	/* An error ends the server, and ssh_server_ended() tells it to is_over(). */
	(void)!ssh_server_input(bridge_server(face_ssh_of(face)->bridge), bytes, NULL);
}

static bool wants_input(struct face *face)
{
	return ssh_server_wants_input(bridge_server(face_ssh_of(face)->bridge));
}

static struct span output(struct face *face)
{
	return ssh_server_output(bridge_server(face_ssh_of(face)->bridge));
}

static void output_taken(struct face *face, size_t len)
{
	ssh_server_output_taken(bridge_server(face_ssh_of(face)->bridge), len);
}

static void connected(struct face *face, struct h3_conn *conn)
{
	bridge_connect(face_ssh_of(face)->bridge, conn);
}

/*
 * What is still on its way to ssh gets there, and then the program ends with one line that says
 * why. An SSH_MSG_DISCONNECT would say it a second time.
 */
static void lost(struct face *face)
{
	bridge_disconnect(face_ssh_of(face)->bridge);
	face_ssh_of(face)->lost = true;
}

static void turn(struct face *face)
{
	bridge_tidy(face_ssh_of(face)->bridge);
}

static bool is_over(struct face *face, struct err *why)
{
	const struct err *ended = ssh_server_ended(bridge_server(face_ssh_of(face)->bridge));

	if (ended)
		*why = *ended;
	return ended || face_ssh_of(face)->lost;
}

static void free_face(struct face *face)
{
	bridge_free(face_ssh_of(face)->bridge);
	free(face_ssh_of(face));
}

static const struct face_ops ops = {
	.input = input,
	.wants_input = wants_input,
	.output = output,
	.output_taken = output_taken,
	.connected = connected,
	.moved = connected,
	.lost = lost,
	.turn = turn,
	.is_over = is_over,
	.free = free_face,
};

struct face *face_ssh_new(const struct key_pair *host_key)
{
	struct face_ssh *f = new_zero(struct face_ssh);

	f->face.ops = &ops;
	f->bridge = bridge_new(host_key);
	return &f->face;
}
