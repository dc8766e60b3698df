/* SPDX-License-Identifier: MIT */
/* Small programs in a container; see ask.h. */
#include "ask.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define PIECE 65536
#define COMPLAINT_MAX 4096
#define WORDS_MAX 300

/* A file that is nowhere but in memory. */
static int open_memory(struct span content, struct err *err)
{
	cleanup_close int fd = memfd_create("berth", MFD_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, errno, "memfd_create");
	if (fd_write_all(fd, content, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set_errno(err, errno, "lseek");
	return take_fd(fd);
}

static int read_memory(int fd, struct buf *ret, struct err *err)
{
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set_errno(err, errno, "lseek");
	do {
		size_t len = MIN((size_t)PIECE, buf_room(ret));
		uint8_t *room = buf_reserve(ret, len);

		if (len == 0 || !room)
			return err_set(err, ERR_LIMIT, "its answer is longer than %zu bytes",
				       ret->max);
		n = read(fd, room, len);
		if (n < 0)
			return err_set_errno(err, errno, "read");
		buf_commit(ret, (size_t)n);
	} while (n > 0);
	return 0;
}

static int complain(const char *program, int status, int said, struct err *err)
{
	cleanup(buf_finish) struct buf words = BUF_INIT(COMPLAINT_MAX);
	char *text;

	/* Of a long complaint the beginning is enough. */
	if (read_memory(said, &words, NULL) < 0 && buf_len(&words) == 0)
		return err_set(err, ERR_UNAVAILABLE, "%.80s ended with status %d", program, status);
	text = (char *)(uintptr_t)buf_str(&words);
	text_make_printable(text);
	return err_set(err, ERR_UNAVAILABLE, "%.80s ended with status %d: %.*s", program, status,
		       WORDS_MAX, text);
}

int kube_ask(struct kube *kube, const struct kube_target *target,
	     const struct kube_question *question, struct buf *ret, struct err *err)
{
	cleanup_close int in = question->input.len > 0 ? open_memory(question->input, err) : -1;
	cleanup_close int out = open_memory((struct span){ 0 }, err);
	cleanup_close int said = open_memory((struct span){ 0 }, err);
	const struct backend_exec exec = {
		.argv = question->argv, .in = in, .out = out, .err_fd = said
	};
	int status, result;

	if (out < 0 || said < 0 || (question->input.len > 0 && in < 0))
		return -1;
	result = kube_exec(kube, target, &exec, &status, err);
	if (result == 0 && status != 0)
		result = complain(question->argv[0], status, said, err);
	return read_memory(out, ret, result == 0 ? err : NULL) < 0 ? -1 : result;
}

int kube_put_file(struct kube *kube, const struct kube_target *target, const char *programs,
		  const char *path, struct span content, struct err *err)
{
	static const char script[] =
		"umask 077; f=\"$0.new\"; \"$2\" head -c \"$1\" >\"$f\" && \"$2\" mv \"$f\" \"$0\"";
	cleanup_free char *busybox = str_printf("%s/busybox", programs);
	cleanup_free char *len = str_printf("%zu", content.len);
	cleanup(buf_finish) struct buf nothing = BUF_INIT(COMPLAINT_MAX);
	const char *const argv[] = { busybox, "sh", "-c", script, path, len, busybox, NULL };
	const struct kube_question question = { .argv = argv, .input = content };

	return kube_ask(kube, target, &question, &nothing, err);
}
