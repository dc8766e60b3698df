/* SPDX-License-Identifier: MIT */
/* berth login: at the issuer of a cluster's tokens. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/login.h"
#include "init/base/fd.h"
#include "init/base/text.h"

struct args {
	const char *grant;
	bool no_browser;
	bool no_keyring;
};

static const struct opt opts[] = {
	OPT_STR(0, "grant", struct args, grant, "GRANT",
		"client-credentials, device or code (what can be done here)"),
	OPT_FLAG(0, "no-browser", struct args, no_browser, "print the page, open no browser"),
	OPT_FLAG(0, "no-keyring", struct args, no_keyring,
		 "keep the client's secret in a file, not in the desktop's keyring"),
	OPT_END,
};

static void show(void *owner, const struct login_page *page)
{
	(void)owner;
	if (page->user_code)
		fprintf(stderr, "berth: open %s and enter the code %s\n", page->url,
			page->user_code);
	if (page->complete_url)
		fprintf(stderr, "berth: or open %s\n", page->complete_url);
	if (!page->user_code && page->opens)
		fprintf(stderr,
			"berth: a browser opens to log you in; if none does, open this page on "
			"this machine:\n%s\n",
			page->url);
	else if (!page->user_code)
		fprintf(stderr, "berth: open this page on this machine to log in:\n%s\n",
			page->url);
}

/* One line. What the terminal shows is none of it. */
static int read_line(int fd, struct buf *ret, struct err *err)
{
	for (;;) {
		uint8_t byte;
		ssize_t n = read(fd, &byte, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read the secret");
		if (n == 0 || byte == '\n')
			return 0;
		if (byte != '\r' && !buf_append_u8(ret, byte))
			return err_set(err, ERR_LIMIT, "a secret has at most %d characters",
				       CLIENT_SECRET_MAX);
	}
}

static int read_hidden(int fd, const char *question, struct buf *ret, struct err *err)
{
	struct termios before, hidden;
	int result;

	if (tcgetattr(fd, &before) < 0)
		return err_set_errno(err, errno, "the terminal");
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &hidden) < 0)
		return err_set_errno(err, errno, "the terminal");
	fputs(question, stderr);
	result = read_line(fd, ret, err);
	tcsetattr(fd, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return result;
}

/* From standard input where that is no terminal: `pass show berth | berth login hpc`. */
static int ask(void *owner, const char *question, char **ret, struct err *err)
{
	cleanup(buf_wipe) struct buf secret = BUF_INIT(CLIENT_SECRET_MAX);
	bool is_terminal = isatty(STDIN_FILENO);

	(void)owner;
	if ((is_terminal ? read_hidden(STDIN_FILENO, question, &secret, err)
			 : read_line(STDIN_FILENO, &secret, err)) < 0)
		return -1;
	if (buf_len(&secret) == 0)
		return err_set(err, ERR_INVALID,
			       "no secret was given: type it, or give it on standard input");
	*ret = str_dup(buf_str(&secret));
	return 0;
}

static void print_done(const char *cluster, const struct login_done *done)
{
	time_t now = time(NULL);
	uint64_t now_s = now > 0 ? (uint64_t)now : 0;
	char span[32] = "";

	if (done->ends_s > now_s)
		text_format_duration((done->ends_s - now_s) * NSEC_PER_SEC, span, sizeof(span));
	printf("%s: logged in (%s)%s%s%s\n", cluster, login_grant_word(done->grant),
	       span[0] ? ", for " : "", span, done->renews ? ", renewed by itself" : "");
	if (done->kept != CLIENT_SECRET_NONE)
		printf("%s: the client's secret is in %s\n", cluster,
		       client_secret_place_word(done->kept));
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	struct login_plan plan = { .no_browser = args->no_browser,
				   .no_keyring = args->no_keyring,
				   .show = show,
				   .ask = ask };
	struct login_done done;
	const char *cluster;

	if (args->grant && !login_grant_parse(args->grant, &plan.grant))
		return err_set(err, ERR_INVALID,
			       "--grant: '%.40s' is none of client-credentials, device and code",
			       args->grant);
	if (controller_open(&c, err) < 0 ||
	    ops_login(c, argc > 0 ? argv[0] : NULL, &plan, &cluster, &done, err) < 0)
		return -1;
	print_done(cluster, &done);
	return 0;
}

const struct verb cmd_login = {
	.name = "login",
	.operands = "[CLUSTER]",
	.summary = "log in to a cluster that wants tokens",
	.details = "The cluster's settings say at which issuer (oidc, client_id); berth-config(5).",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_max = 1,
	.run = run,
};
