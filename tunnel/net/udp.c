/* SPDX-License-Identifier: MIT */
/* UDP sockets with segmentation offload on a libuv loop; see udp.h. */
#include "udp.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "init/base/fd.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"

/* What one turn receives: BBR wants to see acknowledgements within a millisecond. */
#define TURN_CALLS_MAX 16
#define TURN_DATAGRAMS_MAX 64
#define TURN_NS NSEC_PER_MSEC
/*
 * Large, since the sender's bursts have to fit while we are not scheduled. Capped by
 * net.core.rmem_max.
 */
#define SOCKET_BUFFER (7 * 1024 * 1024)
/*
 * A shorter datagram is no QUIC packet (RFC 9000 section 10.3), and a zero segment size would never
 * end.
 */
#define SEGMENT_MIN 21
/*
 * A question or an answer, and no bulk: mostly it comes alone. Asking for more is then in vain;
 * when it is not, the loop comes back.
 */
#define ALONE_BELOW 1200

union control {
	struct cmsghdr align;
	char bytes[256];
};

static void set_option(int fd, int level, int option, int value)
{
	/* Every option here has a fallback, or only makes things faster. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_buffer(int fd, int force, int plain)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		set_option(fd, SOL_SOCKET, plain, size);
}

static void set_options(int fd, int family)
{
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set_option(fd, SOL_UDP, UDP_GRO, 1);
	/* An IPv6 socket that also carries IPv4 takes the options of both. */
	set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	if (family == AF_INET6) {
		set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	}
}

static int open_bound(const struct quic_addr *listen, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	cleanup_close int fd =
		socket(addr_family(listen), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);

	addr_format(listen, text);
	if (fd < 0)
		return err_set_errno(err, errno, "socket for %s", text);
	if (addr_family(listen) == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !addr_is_any(listen));
	if (bind(fd, &listen->any, listen->len) < 0) {
		if (errno == EADDRINUSE)
			return err_set(err, ERR_EXISTS, "%s is in use", text);
		return err_set_errno(err, errno, "listen on %s", text);
	}
	return take_fd(fd);
}

static int open_connected(const struct quic_addr *remote, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	cleanup_close int fd =
		socket(addr_family(remote), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);

	addr_format(remote, text);
	if (fd < 0)
		return err_set_errno(err, errno, "socket for %s", text);
	if (connect(fd, &remote->any, remote->len) < 0)
		return err_set_errno(err, errno, "no route to %s", text);
	return take_fd(fd);
}

/* Both families on one socket where IPv6 exists, IPv4 alone where it was switched off. */
static int open_any(uint16_t port, struct err *err)
{
	struct quic_addr v6 = addr_any(AF_INET6, port), v4 = addr_any(AF_INET, port);
	struct err why;
	int fd = open_bound(&v6, &why);

	if (fd < 0 && why.kind == ERR_EXISTS) {
		if (err)
			*err = why;
		return -1;
	}
	return fd < 0 ? open_bound(&v4, err) : fd;
}

static int open_socket(const struct udp_config *config, struct err *err)
{
	if (config->remote.len)
		return open_connected(&config->remote, err);
	if (config->listen.len == 0 || addr_is_any(&config->listen))
		return open_any(addr_port(&config->listen), err);
	return open_bound(&config->listen, err);
}

/* Receiving */

static void read_control(struct udp *udp, struct msghdr *m, struct udp_datagrams *d)
{
	uint16_t port = addr_port(&udp->local);
	int value;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			d->segment = value > 0 ? (size_t)value : d->segment;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
			uint32_t dropped;

			memcpy(&dropped, CMSG_DATA(c), sizeof(dropped));
			udp->dropped = dropped;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			d->ecn = *CMSG_DATA(c) & IPTOS_ECN_MASK;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			d->ecn = (uint8_t)(value & IPTOS_ECN_MASK);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			d->path.local = addr_any(AF_INET, port);
			d->path.local.v4.sin_addr = info.ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct quic_addr local = addr_any(AF_INET6, port);
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local.v6.sin6_addr = info.ipi6_addr;
			d->path.local = addr_from_sockaddr(&local.any);
		}
	}
}

/*
 * 1: one call's worth was handed over and *ret_count says how many datagrams; 0: nothing more now,
 * or hardly.
 */
static int receive_once(struct udp *udp, size_t *ret_count)
{
	struct quic_addr from = { 0 };
	union control control;
	struct iovec iov = { udp->received, sizeof(udp->received) };
	struct msghdr m = {
		.msg_name = &from.v6,
		.msg_namelen = sizeof(from.v6),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct udp_datagrams d = { .path.local = udp->local };
	ssize_t len = recvmsg(udp->fd, &m, 0);

	*ret_count = 1;
	if (len < 0) {
		if (errno == ECONNREFUSED && udp->connected)
			udp->ops->refused(udp, udp->owner);
		/*
		 * Every error but an empty queue is news about one datagram: go on with the next.
		 */
		return errno != EAGAIN && errno != EBADF && errno != ENOTSOCK;
	}
	if (m.msg_flags & MSG_TRUNC)
		return 1;
	d.segment = (size_t)len;
	read_control(udp, &m, &d);
	d.path.remote = addr_from_sockaddr(&from.any);
	d.bytes = span_of(udp->received, (size_t)len);
	if (len < SEGMENT_MIN || d.segment < SEGMENT_MIN || d.path.remote.len == 0)
		return 1;
	*ret_count = (d.bytes.len + d.segment - 1) / d.segment;
	udp->ops->received(udp, udp->owner, &d);
	return len >= ALONE_BELOW;
}

static void receive(struct udp *udp)
{
	uint64_t until = clock_now() + TURN_NS;
	size_t count = 0, one;

	for (int calls = 0; calls < TURN_CALLS_MAX && udp->open; calls++) {
		if (receive_once(udp, &one) == 0)
			break;
		count += one;
		if (count >= TURN_DATAGRAMS_MAX || clock_now() >= until)
			break;
	}
	if (udp->open)
		udp->ops->turn(udp, udp->owner);
}

/* Sending */

static struct cmsghdr *add_control(struct msghdr *m, int level, int type, const void *value,
				   size_t len)
{
	struct cmsghdr *c = (void *)((char *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	m->msg_controllen += CMSG_SPACE(len);
	return c;
}

static void add_source(struct msghdr *m, const struct quic_addr *local)
{
	if (addr_is_any(local))
		return;
	if (addr_family(local) == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst = local->v4.sin_addr };

		add_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else if (addr_family(local) == AF_INET6) {
		struct in6_pktinfo info = { .ipi6_addr = local->v6.sin6_addr };

		add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

/* Where something goes, and with what mark. */
struct envelope {
	const struct quic_path *path;
	uint8_t ecn;
};

/* One sendmsg(2); segment 0: a single datagram. */
static ssize_t send_bytes(const struct udp *udp, const struct envelope *envelope, struct span bytes,
			  size_t segment)
{
	const struct quic_path *path = envelope->path;
	struct quic_addr to = udp->family == AF_INET6 ? addr_mapped(&path->remote) : path->remote;
	bool v4 = addr_family(&path->remote) == AF_INET;
	union control control = { 0 };
	/* sendmsg(2) does not write to it. */
	struct iovec iov = { (void *)(uintptr_t)bytes.ptr, bytes.len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	int ecn = envelope->ecn;

	if (!udp->connected) {
		m.msg_name = &to.v6;
		m.msg_namelen = to.len;
		add_source(&m, &path->local);
	}
	if (ecn)
		add_control(&m, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &ecn,
			    sizeof(ecn));
	if (segment) {
		uint16_t size = (uint16_t)segment;

		add_control(&m, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	}
	return sendmsg(udp->fd, &m, 0);
}

/* The first len bytes of the unsent part of the batch. */
static ssize_t send_once(const struct udp *udp, size_t len, size_t segment)
{
	const struct quic_batch *batch = udp->sending;
	const struct envelope envelope = { udp->along, batch->ecn };

	return send_bytes(udp, &envelope, span_of(batch->bytes + batch->len - udp->unsent, len),
			  segment);
}

bool udp_pass(struct udp *udp, const struct quic_path *path, uint8_t ecn, size_t segment,
	      struct span bytes)
{
	const struct envelope envelope = { path, ecn };

	while (bytes.len > 0) {
		bool many = udp->gso && bytes.len > segment;
		size_t len = many ? bytes.len : MIN(bytes.len, segment);

		if (send_bytes(udp, &envelope, span_of(bytes.ptr, len), many ? segment : 0) < 0) {
			if (errno == EIO && many)
				udp->gso = false;
			else if (errno != EINTR)
				return false;
			continue;
		}
		(void)span_cut(&bytes, len);
	}
	return true;
}

/* Sends what is unsent; false: the socket is full. */
static bool send_unsent(struct udp *udp)
{
	size_t segment = udp->sending->segment;
	/* An error that an earlier datagram caused is reported instead of sending: once. */
	bool again = true;

	while (udp->unsent > 0) {
		bool many = udp->gso && udp->unsent > segment;
		size_t len = many ? udp->unsent : MIN(udp->unsent, segment);

		if (send_once(udp, len, many ? segment : 0) < 0) {
			if (errno == EAGAIN)
				return false;
			if (errno == EIO && many) {
				udp->gso = false;
				continue;
			}
			if (errno == ECONNREFUSED && udp->connected) {
				udp->ops->refused(udp, udp->owner);
				if (!udp->open)
					return true;
			}
			if (errno == EINTR || (errno == ECONNREFUSED && again)) {
				again = false;
				continue;
			}
			/* Too large, no route, a full queue: lost, and QUIC will notice. */
		}
		udp->unsent -= len;
	}
	return true;
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct udp *udp, int events)
{
	if (events != udp->events)
		uv_poll_start(&udp->poll, events, on_event);
	udp->events = events;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct udp *udp = poll->data;

	/*
	 * A pending socket error (an ICMP message) stops the poll; receiving takes the error away.
	 */
	if (status < 0) {
		udp->events = 0;
		watch(udp, UV_READABLE | (udp->unsent ? UV_WRITABLE : 0));
	}
	if ((events & UV_WRITABLE) && udp->unsent > 0 && send_unsent(udp) && udp->open) {
		watch(udp, UV_READABLE);
		udp->ops->writable(udp, udp->owner);
	}
	if (udp->open && ((events & UV_READABLE) || status < 0))
		receive(udp);
}

static struct quic_addr local_of(int fd)
{
	struct quic_addr local = { .len = sizeof(local.v6) };

	if (getsockname(fd, &local.any, &local.len) < 0)
		return (struct quic_addr){ 0 };
	return addr_from_sockaddr(&local.any);
}

struct quic_addr udp_source(const struct quic_addr *remote)
{
	cleanup_close int fd = open_connected(remote, NULL);
	struct quic_addr local = { 0 };

	if (fd >= 0)
		local = local_of(fd);
	addr_set_port(&local, 0);
	return local;
}

struct quic_batch *udp_batch(struct udp *udp)
{
	return &udp->batch;
}

bool udp_send(struct udp *udp)
{
	return udp_send_batch(udp, &udp->batch);
}

bool udp_send_batch(struct udp *udp, const struct quic_batch *batch)
{
	udp->sending = batch;
	udp->along = &batch->path;
	udp->unsent = batch->len;
	if (send_unsent(udp))
		return true;
	watch(udp, UV_READABLE | UV_WRITABLE);
	return false;
}

bool udp_send_along(struct udp *udp, const struct quic_path *path, const struct quic_batch *batch)
{
	struct quic_batch *own = &udp->batch;

	udp->sending = batch;
	udp->along = path;
	udp->unsent = batch->len;
	if (send_unsent(udp))
		return true;
	own->path = *path;
	own->ecn = batch->ecn;
	own->segment = batch->segment;
	own->len = udp->unsent;
	memmove(own->bytes, batch->bytes + batch->len - udp->unsent, udp->unsent);
	udp->sending = own;
	udp->along = &own->path;
	watch(udp, UV_READABLE | UV_WRITABLE);
	return false;
}

bool udp_is_blocked(const struct udp *udp)
{
	return udp->unsent > 0;
}

int udp_open(struct udp *udp, uv_loop_t *loop, const struct udp_config *config, struct err *err)
{
	cleanup_close int fd = open_socket(config, err);
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);

	udp->open = false;
	udp->owner = config->owner;
	if (fd < 0)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		return err_set_errno(err, errno, "getsockname");
	udp->family = bound.ss_family;
	udp->local = addr_from_sockaddr((const struct sockaddr *)&bound);
	set_options(fd, udp->family);
	if (uv_poll_init(loop, &udp->poll, fd) < 0)
		return err_set(err, ERR_SYSTEM, "cannot watch a socket");
	udp->poll.data = udp;
	udp->fd = take_fd(fd);
	udp->open = true;
	udp->connected = config->remote.len > 0;
	udp->gso = true;
	udp->ops = config->ops;
	udp->events = 0;
	udp->unsent = 0;
	udp->dropped = 0;
	watch(udp, UV_READABLE);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct udp *udp = handle->data;

	udp->fd = fd_close(udp->fd);
	if (udp->closed)
		udp->closed(udp, udp->owner);
}

void udp_close(struct udp *udp, void (*closed)(struct udp *udp, void *owner))
{
	if (!udp->open) {
		if (closed)
			closed(udp, udp->owner);
		return;
	}
	udp->open = false;
	udp->unsent = 0;
	udp->closed = closed;
	uv_poll_stop(&udp->poll);
	uv_close((uv_handle_t *)&udp->poll, on_closed);
}
