/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * TLS 1.3 for a byte stream whose bytes somebody else moves: what came from the other end goes in,
 * what is to be sent comes out of a buffer that the mover empties after every call.
 *
 *	tls_stream_feed(tls, bytes);
 *	while ((n = tls_stream_read(tls, plain, sizeof(plain), err)) > 0)
 *		...n bytes of the stream
 *	...send what is in *out, which is never empty while the handshake waits for the other end
 *
 * The handshake is driven by tls_stream_read(); tls_stream_is_ready() tells when it is done and the
 * peer's key was found to be the expected one. Nothing is kept in here but a record that is not
 * complete yet (RFC 8446 section 5.1: 16 KiB).
 */

#include <sys/types.h>

#include "init/base/buf.h"
#include "tunnel/crypto/tls.h"

struct tls_stream;

/*
 * The context and *out are borrowed; out->max has room for what one call makes. host is whom a
 * certificate has to name (tls_context_new_to_web()), and means nothing to other contexts.
 */
struct tls_stream *tls_stream_new(const struct tls_context *tls, const char *host, struct buf *out,
				  struct err *err) attr_must_use;
/* A stream that was ready says the end (close_notify) first, into *out. */
struct tls_stream *tls_stream_free(struct tls_stream *tls);

/* Borrowed until tls_stream_read() returned 0 or -1. */
void tls_stream_feed(struct tls_stream *tls, struct span bytes);
/*
 * How many bytes were put into *ret. 0: none before more is fed. -1: the handshake failed, a record
 * is broken, or the peer said the end (ERR_UNAVAILABLE).
 */
ssize_t tls_stream_read(struct tls_stream *tls, uint8_t *ret, size_t size, struct err *err)
	attr_must_use;
bool tls_stream_is_ready(const struct tls_stream *tls);

/* All of it, into *out. Only when ready. */
int tls_stream_write(struct tls_stream *tls, struct span bytes, struct err *err) attr_must_use;

/*
 * key_derive() with this label from tls_session_export(). Only when ready; ERR_UNSUPPORTED when the
 * other end is a proxy, with whom nobody shares anything.
 */
int tls_stream_export(const struct tls_stream *tls, const char *label, struct secret *ret,
		      struct err *err) attr_must_use;
