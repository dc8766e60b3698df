/* SPDX-License-Identifier: MIT */
/* A first configuration; see setup.h. */
#include "setup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/docker/address.h"
#include "controller/ops/internal.h"
#include "init/base/fs.h"

#define EDIT_MAX (2 * CONFIG_FILE_MAX)
#define BEHIND_LOGIN "hpc"

void setup_found_finish(struct setup_found *found)
{
	free(found->engine);
	free(found->kubeconfig);
	*found = (struct setup_found){ 0 };
}

static bool has_program(const char *name)
{
	cleanup_free char *path = str_dup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	char *rest = path;

	for (char *dir; (dir = strsep(&rest, ":"));) {
		cleanup_free char *program = fs_join(dir, name);

		if (access(program, X_OK) == 0)
			return true;
	}
	return false;
}

static char *find_kubeconfig(const struct controller *c)
{
	const char *set = getenv("KUBECONFIG");
	cleanup_free char *usual = fs_join(c->paths.home, ".kube/config");
	cleanup_free char *first = set ? str_dup_len(set, strcspn(set, ":")) : NULL;
	const char *path = first && first[0] ? first : usual;

	return access(path, R_OK) == 0 ? str_dup(path) : NULL;
}

void ops_setup_look(struct controller *c, struct setup_found *ret)
{
	cleanup(address_finish) struct address engine = { 0 };

	*ret = (struct setup_found){ .has_slurm = has_program("sbatch"),
				     .has_sandbox = has_program("bwrap") };
	if (address_find(NULL, NULL, &engine, NULL) == 0)
		ret->engine = str_dup(engine.name ? engine.name : engine.url);
	ret->kubeconfig = find_kubeconfig(c);
}

static const char *backend_of(const struct setup_found *found, const struct setup *setup)
{
	if (setup->backend)
		return setup->backend;
	return setup->login || found->has_slurm ? "slurm" : "local";
}

static const char *name_of(const struct setup_found *found, const struct setup *setup)
{
	const char *backend = backend_of(found, setup);

	if (setup->name)
		return setup->name;
	return setup->login || setup->url ? BEHIND_LOGIN : backend;
}

/* What is not there is left in as a comment, to be made something of. */
static bool write_example(const struct setup_found *found, const char *name, const char *backend,
			  struct buf *b)
{
	bool has_other = strcmp(name, BEHIND_LOGIN) == 0;

	return buf_printf(
		       b,
		       "# Where berth runs jobs; berth-config(5) has every key.\n"
		       "# Found on this machine: %s, %s%s%s.\n\n"
		       "context: %s\n\n"
		       "# The clusters 'local' (this machine), 'slurm' (Slurm's commands here) and "
		       "'docker' (an engine here)\n# need no entry.\n"
		       "clusters:\n"
		       "  %s:\n"
		       "    backend: %s\n"
		       "    # job:\n"
		       "    #   time: 1h\n"
		       "    #   partition: debug\n",
		       found->has_slurm ? "Slurm's sbatch" : "no sbatch",
		       found->has_sandbox ? "bwrap, for sandboxes of local jobs"
					  : "no bwrap: local jobs run without a sandbox",
		       found->engine ? ", an engine of containers" : "",
		       found->kubeconfig ? ", a kubeconfig" : "", name, name, backend) &&
	       buf_printf(b,
			  "  # A cluster behind a login node, with the name that ssh has for it:\n"
			  "  # %s:\n"
			  "  #   backend: slurm\n"
			  "  #   login: me@login1\n"
			  "  #   home: $SCRATCH/berth\n"
			  "  #   job:\n"
			  "  #     account: my-project\n"
			  "  #   relays:\n"
			  "  #     - url: https://relay.example.org\n"
			  "  #       key: what 'berth-tunnel relay key' printed\n"
			  "  #       token_file: ~/.config/berth/relay-token\n\n"
			  "# Two accounts on one cluster:\n"
			  "# contexts:\n"
			  "#   thesis:\n"
			  "#     cluster: %s\n"
			  "#     job:\n"
			  "#       account: other-project\n",
			  has_other ? "other" : BEHIND_LOGIN, BEHIND_LOGIN);
}

/* The settings go in as `berth config set` puts them, which looks whether they make sense. */
int ops_setup_render(const struct setup_found *found, const struct setup *setup, struct buf *ret,
		     struct err *err)
{
	const char *name = name_of(found, setup), *backend = backend_of(found, setup);
	const struct {
		const char *key, *value;
	} settings[] = { { "job.account", setup->account },
			 { "url", setup->url },
			 { "home", setup->home },
			 { "login", setup->login } };
	cleanup(buf_finish) struct buf text = BUF_INIT(EDIT_MAX);

	if (config_check_name(name, err) < 0 || config_check_name(backend, err) < 0)
		return -1;
	if (!write_example(found, name, backend, &text))
		return err_set(err, ERR_INTERNAL, "the example is too large");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		cleanup(buf_finish) struct buf before = text;
		cleanup_free char *key = str_printf("clusters.%s.%s", name, settings[i].key);
		const struct config_edit change = { CONFIG_SET, key, &settings[i].value, 1 };

		text = BUF_INIT(EDIT_MAX);
		if (!settings[i].value) {
			text = before;
			before = BUF_INIT(EDIT_MAX);
		} else if (config_edit("config.yaml", buf_span(&before), &change, &text, err) < 0) {
			return -1;
		}
	}
	return buf_append_span(ret, buf_span(&text)) ? 0 : err_set(err, ERR_LIMIT, "too long");
}

int ops_setup_check(const struct controller *c, struct err *err)
{
	if (!fs_exists(c->paths.config_file))
		return 0;
	return err_set(err, ERR_EXISTS, "%s is there already: 'berth config set' changes it",
		       c->paths.config_file);
}

int ops_setup_write(const struct controller *c, struct span text, struct err *err)
{
	if (ops_setup_check(c, err) < 0 || fs_make_dirs(c->paths.config_dir, 0700, err) < 0)
		return -1;
	return fs_create_file(c->paths.config_file, text, 0600, err);
}
