/* SPDX-License-Identifier: MIT */
/* Standard input and output to a subsystem of the job, `sftp` for example; see face.h. */
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/cmd/face_stream.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/process.h"

/* Less room than this is not worth a capsule. */
#define ROOM_MIN 4096

struct face_subsystem {
	struct face_stream stream;
	const char *name, *job; /* borrowed */
	struct capsule_reader reader;
};

static struct face_subsystem *face_subsystem_of(struct face_stream *stream)
{
	return container_of(stream, struct face_subsystem, stream);
}

/* START goes ahead; input follows once the process runs. */
static int request(struct face_stream *f, struct h3_conn *conn, const struct h3_stream_ops *ops,
		   struct err *err)
{
	static const struct h3_request request = { .method = "CONNECT",
						   .protocol = "berth-process",
						   .authority = "job",
						   .path = "/process" };
	cleanup(buf_finish) struct buf b = BUF_INIT(256);
	cleanup_free struct process_start *start = new_zero(struct process_start);

	start->kind = PROCESS_SUBSYSTEM;
	start->command = span_of_str(face_subsystem_of(f)->name);
	if (h3_conn_request(conn, &request, ops, f, &f->stream, err) < 0)
		return -1;
	if (!process_start_format(start, &b) || !h3_stream_write(f->stream, buf_span(&b)))
		return err_set(err, ERR_INVALID, "too long a name of a subsystem");
	return 0;
}

static size_t pack(struct h3_stream *stream, struct span bytes)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t room = h3_stream_room(stream), len;

	if (room <= ROOM_MIN)
		return 0;
	bytes.len = MIN(MIN(bytes.len, room - CAPSULE_HEAD_MAX), (size_t)PROCESS_DATA_MAX);
	len = capsule_put_head(PROCESS_STDIN, bytes.len, head);
	if (!h3_stream_write(stream, span_of(head, len)) || !h3_stream_write(stream, bytes))
		return 0;
	return bytes.len;
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	return type != PROCESS_EXIT && type != PROCESS_EXIT_SIGNAL;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	struct face_subsystem *f = user;
	struct err why = { 0 };

	if (type == PROCESS_STDOUT && face_stream_put(&f->stream, bytes, &why) < 0)
		face_stream_end(&f->stream, &why);
	if (type == PROCESS_STDERR)
		log_warn("%s: %.*s", f->name, (int)MIN(bytes.len, (size_t)512),
			 (const char *)bytes.ptr);
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct face_subsystem *f = user;
	struct process_exit how;

	if (process_exit_parse(type, value, &how, err) < 0)
		return -1;
	f->stream.done = true;
	/* Whoever talks to it leaves first, and then nobody waits for this. */
	return err_set(err, ERR_UNAVAILABLE, "%s: %s ended", f->job, f->name);
}

static const struct capsule_ops capsule_ops = { is_stream, on_piece, on_whole };

static int unpack(struct face_stream *f, struct span bytes, struct err *err)
{
	return capsule_reader_feed(&face_subsystem_of(f)->reader, bytes, err);
}

static void ended(struct face_stream *f)
{
	struct face_subsystem *subsystem = face_subsystem_of(f);
	struct err why = { 0 };

	if (f->done)
		return;
	err_set(&why, ERR_UNAVAILABLE, "%s: %s ended", subsystem->job, subsystem->name);
	face_stream_end(f, &why);
}

static void free_face(struct face_stream *f)
{
	capsule_reader_finish(&face_subsystem_of(f)->reader);
	free(face_subsystem_of(f));
}

static const struct face_stream_kind kind = { request, pack, unpack, ended, free_face };

struct face *face_subsystem_new(const char *name, const char *job)
{
	struct face_subsystem *f = new_zero(struct face_subsystem);

	face_stream_init(&f->stream, &kind);
	f->name = name;
	f->job = job ? job : "job";
	capsule_reader_init(&f->reader, &capsule_ops, f, PROCESS_VALUE_MAX);
	return &f->stream.face;
}
