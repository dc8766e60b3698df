/* SPDX-License-Identifier: MIT */
/*
 * A network link between two namespaces: one TUN interface in each, and the model of
 * tests/sim/link.h between them in real time. For kernels without netem, and for faults that netem
 * cannot switch in the middle of a transfer.
 *
 *	shaper /proc/PID/ns/net:NAME /proc/PID/ns/net:NAME [SEED]
 *
 * The first is the end a, the second b. Packets pass freely until a line on standard input says
 * otherwise; each line is answered by one on standard output, and the end of the input ends the
 * program and its interfaces with it, so that nothing outlives a test that dies.
 *
 *	ab delay=25000000 rate=1000000000 queue=125000    from a to b: ns, bit/s, bytes
 *	ba loss=0.01 burst-begin=0.001 burst-end=0.1      from b to a: probabilities
 *	both cut=1                                        a black hole; cut=0 ends it
 *	stats                                             {"ab": {"sent": 7, ...}, "ba": {...}}
 *
 * What is honest: every packet passes alone and is written alone, as on a wire. The kernel cuts
 * super-segments (TSO, UDP_SEGMENT) before they reach a TUN device, since ours announces no
 * offload, so that loss and rate count real packets. Time is kept to about TICK_NS: in a busy
 * moment we look at the interfaces once a tick, as a card with interrupt coalescing does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"
#include "tests/sim/link.h"

#define PACKET_MAX 65535
#define TICK_NS 40000
/* Bounds one look at an interface, so that deliveries to the other one are not late. */
#define READS_MAX 256
#define LINE_MAX_LEN 4096

/* links[i] is from end i to the other one. */
struct shaper {
	int tuns[2];
	struct link *links[2];
	struct buf input;
	bool over;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Packets */

/* True when there was anything to take. */
static bool take_packets(struct shaper *s, int end, uint64_t now)
{
	static uint8_t packet[PACKET_MAX];
	static const struct link_head head;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t len = read(s->tuns[end], packet, sizeof(packet));

		if (len <= 0)
			return i > 0;
		link_send(s->links[end], now, &head, span_of(packet, (size_t)len));
	}
	return true;
}

/* A write that fails is a packet that the interface did not take: it was lost on the last metre. */
static bool give_packets(struct shaper *s, int end, uint64_t now)
{
	struct link_head head;
	struct span packet;
	bool any = false;

	while (link_receive(s->links[end], now, &head, &packet)) {
		any = true;
		if (write(s->tuns[!end], packet.ptr, packet.len) < 0 && errno == EBADFD)
			s->over = true;
	}
	return any;
}

/* Commands */

struct key {
	const char *name;
	enum { KEY_COUNT, KEY_SIZE, KEY_SHARE, KEY_SWITCH } type;
	size_t offset;
};

#define KEY(word, type, member)                                    \
	{                                                          \
		word, type, offsetof(struct link_settings, member) \
	}

static const struct key keys[] = {
	KEY("delay", KEY_COUNT, delay_ns),
	KEY("rate", KEY_COUNT, rate_bps),
	KEY("queue", KEY_SIZE, queue_max),
	KEY("largest", KEY_SIZE, datagram_max),
	KEY("loss", KEY_SHARE, loss),
	KEY("duplicate", KEY_SHARE, duplicate),
	KEY("corrupt", KEY_SHARE, corrupt),
	KEY("reorder", KEY_SHARE, reorder),
	KEY("reorder-delay", KEY_COUNT, reorder_delay_ns),
	KEY("burst-begin", KEY_SHARE, burst_begin),
	KEY("burst-end", KEY_SHARE, burst_end),
	KEY("cut", KEY_SWITCH, is_cut),
};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool parse_share(const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0 && value <= 1))
		return false;
	*ret = value;
	return true;
}

static bool set_key(struct link_settings *settings, const struct key *key, const char *text)
{
	void *member = (char *)settings + key->offset;
	uint64_t count;

	if (key->type == KEY_SHARE)
		return parse_share(text, member);
	if (!text_parse_uint(text, key->type == KEY_SWITCH ? 1 : INT64_MAX, &count))
		return false;
	if (key->type == KEY_COUNT)
		*(uint64_t *)member = count;
	else if (key->type == KEY_SIZE)
		*(size_t *)member = (size_t)count;
	else
		*(bool *)member = count == 1;
	return true;
}

/* All words of a line or none of them; NULL, or the word that is wrong. */
static const char *set_keys(struct link_settings *settings, char *words)
{
	struct link_settings new = *settings;
	char *rest = words;

	for (char *word; (word = strtok_r(rest, " ", &rest));) {
		char *value = strchr(word, '=');
		const struct key *key;

		if (!value)
			return word;
		*value = '\0';
		key = find_key(word);
		if (!key || !set_key(&new, key, value + 1))
			return word;
	}
	*settings = new;
	return NULL;
}

static void print_stats(const struct shaper *s)
{
	for (int i = 0; i < 2; i++) {
		const struct link_stats *stats = link_stats(s->links[i]);

		printf("%s\"%s\": {\"sent\": %llu, \"delivered\": %llu, \"lost\": %llu, "
		       "\"bytes\": %llu}%s",
		       i == 0 ? "{" : ", ", i == 0 ? "ab" : "ba", (unsigned long long)stats->sent,
		       (unsigned long long)stats->delivered, (unsigned long long)stats->lost,
		       (unsigned long long)stats->bytes, i == 0 ? "" : "}\n");
	}
}

static void obey(struct shaper *s, char *line)
{
	char *rest = line, *who = strtok_r(line, " ", &rest);
	bool first = who && (strcmp(who, "ab") == 0 || strcmp(who, "both") == 0);
	bool second = who && (strcmp(who, "ba") == 0 || strcmp(who, "both") == 0);
	struct link_settings settings;
	const char *wrong;

	if (who && strcmp(who, "stats") == 0) {
		print_stats(s);
		return;
	}
	if (!first && !second) {
		printf("error: '%s': say ab, ba, both or stats\n", who ? who : "");
		return;
	}
	for (int i = 0; i < 2; i++) {
		cleanup_free char *words = str_dup(rest);

		if (!(i == 0 ? first : second))
			continue;
		settings = *link_settings(s->links[i]);
		wrong = set_keys(&settings, words);
		if (wrong) {
			printf("error: '%s' is no key with a value\n", wrong);
			return;
		}
		*link_settings(s->links[i]) = settings;
	}
	printf("ok\n");
}

/* Reads what is there of the input and obeys its whole lines. */
static void read_commands(struct shaper *s)
{
	uint8_t *room = buf_reserve(&s->input, 512);
	ssize_t len = room ? read(STDIN_FILENO, room, 512) : 0;
	struct span all;

	if (len <= 0) {
		s->over = len == 0 || errno != EAGAIN;
		return;
	}
	buf_commit(&s->input, (size_t)len);
	for (;;) {
		cleanup_free char *line = NULL;
		const uint8_t *end;

		all = buf_span(&s->input);
		end = memchr(all.ptr, '\n', all.len);
		if (!end)
			break;
		line = str_dup_len((const char *)all.ptr, (size_t)(end - all.ptr));
		buf_consume(&s->input, (size_t)(end - all.ptr) + 1);
		obey(s, line);
	}
	fflush(stdout);
}

/* The loop */

static void sleep_ns(uint64_t ns)
{
	const struct timespec ts = { .tv_nsec = (long)ns };

	nanosleep(&ts, NULL);
}

/* Waits for a packet, a command, or the time of the next delivery. */
static void wait_for_work(struct shaper *s, uint64_t now)
{
	struct pollfd fds[] = {
		{ .fd = s->tuns[0], .events = POLLIN },
		{ .fd = s->tuns[1], .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	uint64_t next = MIN(link_deadline(s->links[0]), link_deadline(s->links[1]));
	uint64_t wait = next > now ? MAX(next - now, (uint64_t)TICK_NS) : TICK_NS;
	const struct timespec ts = {
		.tv_sec = (time_t)(wait / NSEC_PER_SEC),
		.tv_nsec = (long)(wait % NSEC_PER_SEC),
	};

	ppoll(fds, ARRAY_LEN(fds), next == QUIC_NEVER ? NULL : &ts, NULL);
}

static void run(struct shaper *s)
{
	uint64_t commands_at = 0;

	while (!s->over) {
		uint64_t now = now_ns();
		bool busy = false;

		for (int end = 0; end < 2; end++) {
			busy |= take_packets(s, end, now);
			busy |= give_packets(s, end, now_ns());
		}
		if (busy)
			sleep_ns(TICK_NS);
		else
			wait_for_work(s, now_ns());
		/* Standard input is non-blocking; a look at it each millisecond is enough. */
		if (now >= commands_at) {
			read_commands(s);
			commands_at = now + NSEC_PER_MSEC;
		}
	}
}

/* The interfaces */

static int open_tun(const char *name, struct err *err)
{
	cleanup_close int fd = fd_open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	if (fd < 0)
		return err_set_errno(err, errno, "open /dev/net/tun");
	if (strlen(name) >= sizeof(request.ifr_name))
		return err_set(err, ERR_INVALID, "'%s' is too long for an interface", name);
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return err_set_errno(err, errno, "make the interface %s", name);
	return take_fd(fd);
}

/* "NAMESPACE:NAME" -> an interface in that namespace. */
static int open_end(const char *text, struct err *err)
{
	const char *colon = strrchr(text, ':');
	cleanup_free char *path = colon ? str_dup_len(text, (size_t)(colon - text)) : NULL;
	cleanup_close int ns = path ? fd_open(path, O_RDONLY) : -1;

	if (!colon)
		return err_set(err, ERR_INVALID, "'%s' is not NAMESPACE:INTERFACE", text);
	if (ns < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (setns(ns, CLONE_NEWNET) < 0)
		return err_set_errno(err, errno, "enter %s", path);
	return open_tun(colon + 1, err);
}

static int start(struct shaper *s, int argc, char **argv, struct err *err)
{
	uint64_t seed = 1;

	if (argc < 3 || argc > 4 || (argc == 4 && !text_parse_uint(argv[3], UINT32_MAX, &seed)))
		return err_set(err, ERR_INVALID, "usage: shaper NETNS:NAME NETNS:NAME [SEED]");
	for (int i = 0; i < 2; i++) {
		static const struct link_settings free_pass;

		s->tuns[i] = open_end(argv[1 + i], err);
		if (s->tuns[i] < 0)
			return -1;
		s->links[i] = link_new(&free_pass, 2 * seed + (uint64_t)i);
	}
	return fd_set_nonblock(STDIN_FILENO, true, err);
}

int main(int argc, char **argv)
{
	struct shaper s = { .tuns = { -1, -1 }, .input = BUF_INIT(LINE_MAX_LEN) };
	struct err err;
	int status = 0;

	if (start(&s, argc, argv, &err) < 0) {
		fprintf(stderr, "shaper: %s\n", err.text);
		status = err_exit_status(&err);
	} else {
		/* Else the kernel adds 50 us to every sleep. */
		prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
		printf("ready\n");
		fflush(stdout);
		run(&s);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(s.tuns[i]);
		link_free(s.links[i]);
	}
	buf_finish(&s.input);
	return status;
}
