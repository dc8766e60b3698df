/* SPDX-License-Identifier: MIT */
/* What the verbs of files share; see files.h. */
#include "files.h"

#include <string.h>

#include "controller/cmd/get.h"

/* Places are opened when their first operand comes, and kept while the next is there too. */
struct visitor {
	struct controller *c;
	struct files_plan plan;
	struct notes notes;
	struct files *files;
	const char *at; /* the operand that it was opened for */
};

static void visitor_finish(struct visitor *v)
{
	files_close(v->files);
	controller_close(v->c);
	notes_finish(&v->notes);
}
DEFINE_CLEANUP_VALUE(struct visitor, visitor_finish)

static int visit(struct visitor *v, const char *operand, struct err *err)
{
	if (v->files && files_same_place(v->at, operand))
		return 0;
	v->files = files_close(v->files);
	if (ops_files_open(v->c, &v->plan, operand, &v->files, err) < 0)
		return -1;
	v->at = operand;
	cmd_show_notes(&v->notes);
	notes_finish(&v->notes);
	return 0;
}

static int visitor_open(struct visitor *v, const struct files_args *args, struct err *err)
{
	v->plan = (struct files_plan){ .wait_ns = cmd_wait_ns(args->wait_ns),
				       .carry_ns = args->wait_ns,
				       .progress = cmd_progress(),
				       .notes = &v->notes };
	return controller_open(&v->c, err);
}

int cmd_files_each(const struct files_args *args, int argc, char **argv,
		   int (*each)(void *arg, const struct files_visit *visit, struct err *err),
		   void *arg, struct err *err)
{
	cleanup(visitor_finish) struct visitor v = { 0 };

	if (visitor_open(&v, args, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		struct files_visit at = { .operand = argv[i], .path = files_path(argv[i]) };

		if (visit(&v, argv[i], err) < 0)
			return -1;
		at.c = v.c;
		at.files = v.files;
		if (each(arg, &at, err) < 0)
			return -1;
	}
	return 0;
}

int cmd_files_pair(const struct files_args *args, char **argv,
		   int (*pair)(void *arg, const struct files_visit *visit, const char *to,
			       struct err *err),
		   void *arg, struct err *err)
{
	cleanup(visitor_finish) struct visitor v = { 0 };
	struct files_visit at = { .operand = argv[0], .path = files_path(argv[0]) };

	if (!files_same_place(argv[0], argv[1]))
		return err_set(err, ERR_INVALID,
			       "'%s' and '%s' are in two places: 'berth cp' copies between them",
			       argv[0], argv[1]);
	if (visitor_open(&v, args, err) < 0 || visit(&v, argv[0], err) < 0)
		return -1;
	at.c = v.c;
	at.files = v.files;
	return pair(arg, &at, files_path(argv[1]), err);
}

int cmd_files_output(const char *format, struct output *ret, struct err *err)
{
	const struct get_args args = { .output = format };

	if (get_output(&args, ret, err) < 0)
		return -1;
	ret->width = 0;
	return 0;
}
