/* SPDX-License-Identifier: MIT */
/* What jobs run on; see cluster.h. */
#include "cluster.h"

#include <fnmatch.h>

#include "controller/ops/internal.h"

static bool is_chosen(char *const *patterns, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++) {
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	}
	return len == 0;
}

static int none(const char *what, char *const *patterns, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "no %s is called '%.80s': 'berth get %ss' lists them",
		       what, patterns[0], what);
}

int ops_list_nodes(struct controller *c, const char *name, char *const *patterns, size_t len,
		   struct node_list *ret, struct err *err)
{
	cleanup(node_list_finish) struct node_list all = { 0 };
	struct backend *backend;

	if (controller_backend(c, name, &backend, err) < 0 ||
	    backend_list_nodes(backend, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.len; i++) {
		if (is_chosen(patterns, len, all.items[i].name))
			node_list_take(ret, &all.items[i]);
	}
	return len > 0 && ret->len == 0 ? none("node", patterns, err) : 0;
}

int ops_list_queues(struct controller *c, const char *name, char *const *patterns, size_t len,
		    struct queue_list *ret, struct err *err)
{
	cleanup(queue_list_finish) struct queue_list all = { 0 };
	struct backend *backend;

	if (controller_backend(c, name, &backend, err) < 0 ||
	    backend_list_queues(backend, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.len; i++) {
		if (is_chosen(patterns, len, all.items[i].name))
			queue_list_take(ret, &all.items[i]);
	}
	return len > 0 && ret->len == 0 ? none("queue", patterns, err) : 0;
}

int ops_list_reservations(struct controller *c, const char *name, char *const *patterns, size_t len,
			  struct reservation_list *ret, struct err *err)
{
	cleanup(reservation_list_finish) struct reservation_list all = { 0 };
	struct backend *backend;

	if (controller_backend(c, name, &backend, err) < 0 ||
	    backend_list_reservations(backend, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.len; i++) {
		if (is_chosen(patterns, len, all.items[i].name))
			reservation_list_take(ret, &all.items[i]);
	}
	return len > 0 && ret->len == 0 ? none("reservation", patterns, err) : 0;
}

int ops_cluster_health(struct controller *c, const char *cluster, bool *ret_is_well,
		       char ret[OPS_HEALTH_MAX], struct err *err)
{
	struct backend *backend;

	if (controller_backend(c, cluster, &backend, err) < 0)
		return -1;
	return backend_health(backend, ret_is_well, ret, OPS_HEALTH_MAX, err);
}

int ops_batch_script(struct controller *c, const struct job *job, struct batch_script *ret,
		     struct err *err)
{
	struct backend *backend;

	if (controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	return backend_batch_script(backend, job, ret, err);
}

int ops_find_nodes(struct controller *c, const char *name, const struct node_request *request,
		   struct fit_list *ret, struct err *err)
{
	cleanup(node_list_finish) struct node_list all = { 0 };
	struct backend *backend;

	if (fit_check(request, err) < 0 || controller_backend(c, name, &backend, err) < 0 ||
	    backend_list_nodes(backend, &all, err) < 0)
		return -1;
	fit_list_init(ret, &all, request);
	return 0;
}
