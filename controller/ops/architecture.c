/* SPDX-License-Identifier: MIT */
/* What nodes are; see architecture.h. */
#include "architecture.h"

#include <stdio.h>
#include <string.h>

#include "init/base/log.h"

#define ANSWER_MAX 256

static const char *setting(struct controller *c, const struct where *where, const char *name)
{
	return where->settings ? config_text(c->config, where->settings, name) : NULL;
}

/* Another cluster may get the same name: what leads there is a part of what is remembered. */
static char *what_leads_there(struct controller *c, const struct where *where)
{
	const char *url = setting(c, where, "url"), *machine = setting(c, where, "system");

	return str_printf("%s %s %s %s:", where->backend, where->login ? where->login : "",
			  url ? url : "", machine ? machine : "");
}

/* "WHAT_LEADS_THERE:amd64,arm64" */
static bool take_note(const char *note, const char *what, struct architectures *ret)
{
	size_t len = strlen(what);

	if (!note || strncmp(note, what, len) != 0)
		return false;
	for (const char *p = note + len; *p; p += strspn(p, ",")) {
		cleanup_free char *word = str_dup_len(p, strcspn(p, ","));

		architectures_add(ret, word);
		p += strlen(word);
	}
	return true;
}

static void put_note(struct controller *c, const char *key, const char *what,
		     const struct architectures *list)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(strlen(what) + ANSWER_MAX);
	bool ok = buf_printf(&text, "%s", what);
	struct err err;

	if (!c->store)
		return;
	for (size_t i = 0; ok && i < list->len; i++)
		ok = buf_printf(&text, "%s%s", i ? "," : "", list->items[i]);
	if (ok && store_put_note(c->store, key, buf_str(&text), &err) < 0)
		log_debug("%s: %s", key, err.text);
}

/* A server that does not answer now may tell later; one that cannot tell never will. */
static bool is_passing(const struct err *err)
{
	return err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_DENIED;
}

static int ask(struct controller *c, const struct where *where, struct backend *backend,
	       const char *queue, struct architectures *ret, struct err *err)
{
	cleanup_free char *key = str_printf("architecture %s%s%s", where->cluster, queue ? " " : "",
					    queue ? queue : "");
	cleanup_free char *what = what_leads_there(c, where), *note = NULL;
	struct err own;

	/* doctor has no database. */
	if (c->store && store_get_note(c->store, key, &note, err) < 0)
		return -1;
	if (take_note(note, what, ret) || !backend)
		return 0;
	if (backend_architectures(backend, queue, ret, &own) == 0) {
		put_note(c, key, what, ret);
	} else {
		log_debug("what the nodes of '%s' are is not known: %s", where->cluster, own.text);
		*ret = (struct architectures){ 0 };
		if (!is_passing(&own))
			put_note(c, key, what, ret);
	}
	return 0;
}

int architecture_find(struct controller *c, const struct where *where, struct backend *backend,
		      const char *queue, struct architecture *ret, struct err *err)
{
	const char *set = setting(c, where, "architecture"), *here = architecture_here();
	struct architecture found = { 0 };

	if (set) {
		/* config_check_architecture() has let it pass. */
		*ret = (struct architecture){ .name = architecture_name(set) };
		return 0;
	}
	/* Of several queues nobody knows which it will be. */
	if (queue && strchr(queue, ','))
		queue = NULL;
	if (strcmp(where->backend, "local") != 0 &&
	    ask(c, where, backend, queue, &found.all, err) < 0)
		return -1;
	if (found.all.len > 0) {
		bool has_here = here && architectures_have(&found.all, here);

		found.name = has_here ? here : found.all.items[0];
		found.source = ARCHITECTURE_TOLD;
	} else if (here) {
		found.name = here;
		found.source = ARCHITECTURE_TAKEN;
	} else {
		return err_set(err, ERR_UNSUPPORTED,
			       "this machine is of no architecture that has a name here: set "
			       "'architecture' of cluster '%s'",
			       where->cluster);
	}
	*ret = found;
	return 0;
}

int architecture_bundle(struct controller *c, const struct where *where,
			const struct architecture *found, struct bundle *ret, struct err *err)
{
	cleanup_free char *path = paths_expand(&c->paths, setting(c, where, "bundle"));

	if (bundle_find_for(c->paths.program, found->name, path, ret, err) < 0)
		return err_wrap(err, "cluster '%s'", where->cluster);
	return 0;
}

int architecture_find_bundle(struct controller *c, const struct where *where,
			     struct backend *backend, struct bundle *ret, struct err *err)
{
	struct architecture found;

	if (architecture_find(c, where, backend, NULL, &found, err) < 0)
		return -1;
	return architecture_bundle(c, where, &found, ret, err);
}

void architecture_describe(const struct architecture *found, char ret[OPS_ARCHITECTURE_MAX])
{
	static const char *const words[] = {
		[ARCHITECTURE_SET] = "as configured",
		[ARCHITECTURE_TOLD] = "as the cluster says",
		[ARCHITECTURE_TAKEN] = "as this machine is: nobody says it, 'architecture' can",
	};

	snprintf(ret, OPS_ARCHITECTURE_MAX, "%s, %s%s", found->name, words[found->source],
		 found->all.len > 1 ? "; it has others too" : "");
}

const char *ops_cluster_architecture(struct controller *c, const char *cluster,
				     char ret_words[OPS_ARCHITECTURE_MAX])
{
	struct architecture found;
	struct backend *backend;
	struct where where;
	struct err err;

	if (ops_choose(c, cluster, &where, &err) == 0 &&
	    controller_backend(c, where.cluster, &backend, &err) == 0 &&
	    architecture_find(c, &where, backend, NULL, &found, &err) == 0) {
		architecture_describe(&found, ret_words);
		return found.name;
	}
	log_debug("%s", err.text);
	ret_words[0] = '\0';
	return "";
}
