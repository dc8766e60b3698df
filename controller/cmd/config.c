/* SPDX-License-Identifier: MIT */
/* berth config: what is configured, and changing it. */
#include <errno.h>
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/examples.h"
#include "controller/ops/where.h"

static int print(struct buf *text)
{
	fwrite(buf_str(text), 1, buf_len(text), stdout);
	return 0;
}

static int get(struct controller *c, int argc, char **argv, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const struct config *config;

	if (argc != 1)
		return err_set(err, ERR_INVALID, "usage: berth config get KEY");
	if (ops_config(c, &config, err) < 0 || config_print(config, argv[0], &text, err) < 0)
		return -1;
	return print(&text);
}

static int change(struct controller *c, enum config_change how, int argc, char **argv,
		  struct err *err)
{
	const struct config_edit edit = { how, argv[0], (const char *const *)argv + 1,
					  (size_t)argc - 1 };

	return ops_config_change(c, &edit, err);
}

static int set(struct controller *c, int argc, char **argv, struct err *err)
{
	if (argc < 2)
		return err_set(err, ERR_INVALID, "usage: berth config set KEY VALUE...");
	return change(c, CONFIG_SET, argc, argv, err);
}

static int add(struct controller *c, int argc, char **argv, struct err *err)
{
	if (argc < 2)
		return err_set(err, ERR_INVALID, "usage: berth config add KEY VALUE...");
	return change(c, CONFIG_ADD, argc, argv, err);
}

static int remove_value(struct controller *c, int argc, char **argv, struct err *err)
{
	if (argc < 1)
		return err_set(err, ERR_INVALID, "usage: berth config remove KEY [VALUE...]");
	return change(c, CONFIG_REMOVE, argc, argv, err);
}

static int show(struct controller *c, int argc, char **argv, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const struct config *config;
	bool ok = true;

	(void)argv;
	if (argc != 0)
		return err_set(err, ERR_INVALID, "usage: berth config show");
	if (ops_config(c, &config, err) < 0)
		return -1;
	for (size_t i = 0; ok && i < config->files.len; i++)
		ok = buf_printf(&text, "# %s\n", config->files.items[i]);
	if (!ok)
		return err_set(err, ERR_LIMIT, "too long");
	if (config_print_all(config, &text, err) < 0)
		return -1;
	return print(&text);
}

static int path(struct controller *c, int argc, char **argv, struct err *err)
{
	(void)argv;
	if (argc != 0)
		return err_set(err, ERR_INVALID, "usage: berth config path");
	puts(ops_config_file(c));
	return 0;
}

static int example(struct controller *c, int argc, char **argv, struct err *err)
{
	(void)c;
	if (argc > 1)
		return err_set(err, ERR_INVALID, "usage: berth config example [NAME]");
	for (const struct example *e = ops_examples; e->name; e++) {
		if (argc == 0)
			printf("%-8s %s\n", e->name, e->summary);
		else if (strcmp(argv[0], e->name) == 0)
			return fputs(e->text, stdout) < 0 ? err_set_errno(err, errno, "write") : 0;
	}
	if (argc == 0)
		return 0;
	return err_set(err, ERR_NOT_FOUND, "no example '%.40s': 'berth config example' names them",
		       argv[0]);
}

static const struct {
	const char *name;
	int (*run)(struct controller *c, int argc, char **argv, struct err *err);
} actions[] = {
	{ "get", get },	  { "set", set },   { "add", add },	    { "remove", remove_value },
	{ "show", show }, { "path", path }, { "example", example },
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;

	(void)opaque;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(argv[0], actions[i].name) != 0)
			continue;
		if (controller_open(&c, err) < 0)
			return -1;
		return actions[i].run(c, argc - 1, argv + 1, err);
	}
	return err_set(err, ERR_INVALID,
		       "config '%.40s': there are get, set, add, remove, show, path and example",
		       argv[0]);
}

const struct verb cmd_config = {
	.name = "config",
	.operands =
		"get KEY | set|add KEY VALUE... | remove KEY [VALUE...] | show | path | example [NAME]",
	.summary = "show or change what is configured",
	.details =
		"KEY is written like context or clusters.hpc.login; see berth-config(5). 'add' and\n"
		"'remove' change lists; 'remove' without a value removes the key. A relay is url=...\n"
		"key=... and token_file=..., and removed by its URL.",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
