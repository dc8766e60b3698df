/* SPDX-License-Identifier: MIT */
/*
 * Service request (RFC 4253 section 10) and authentication (RFC 4252): method "none". The pipe is
 * private to the user's own ssh process, and who may enter the job is decided by the keys of the
 * QUIC connection.
 */
#include "engine.h"

#define AUTH_ATTEMPTS_MAX 20
#define NAME_MAX_LEN 256

int on_service_request(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct span name = wire_string(&r, NAME_MAX_LEN);

	if (!wire_end(&r))
		return malformed(err, "SERVICE_REQUEST");
	if (!span_equal_str(name, "ssh-userauth"))
		return err_set(err, ERR_UNSUPPORTED, "no such service; ask for ssh-userauth");
	wire_put_string(message_begin(s, MSG_SERVICE_ACCEPT), name);
	message_send(s);
	s->state = STATE_AUTH;
	return 0;
}

int on_userauth_request(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct span service, method;
	struct buf *b;

	if (s->authenticated)
		return 0;
	wire_string(&r, NAME_MAX_LEN); /* whoever it is: the job has one user */
	service = wire_string(&r, NAME_MAX_LEN);
	method = wire_string(&r, NAME_MAX_LEN);
	wire_rest(&r); /* depends on the method; "none" has nothing */
	if (!wire_end(&r))
		return malformed(err, "USERAUTH_REQUEST");
	if (!span_equal_str(service, "ssh-connection"))
		return err_set(err, ERR_UNSUPPORTED, "no such service; ask for ssh-connection");
	if (span_equal_str(method, "none")) {
		s->authenticated = true;
		s->state = STATE_OPEN;
		message_begin(s, MSG_USERAUTH_SUCCESS);
		message_send(s);
		return 0;
	}
	if (++s->auth_attempts > AUTH_ATTEMPTS_MAX)
		return err_set(err, ERR_DENIED, "too many authentication attempts; use \"none\"");
	/* "none" must not be named in the list of methods that can continue. */
	b = message_begin(s, MSG_USERAUTH_FAILURE);
	wire_put_text(b, "");
	wire_put_u8(b, false);
	message_send(s);
	return 0;
}
