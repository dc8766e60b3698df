/* SPDX-License-Identifier: MIT */
/* berth get connections: by which paths this workstation is in its jobs at the moment. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/connections.h"
#include "controller/output/connections.h"

int get_connections(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(connection_list_finish) struct connection_list list = { 0 };
	struct filter filter = { .args = &args->filter };
	struct output output;

	if (!filter_is_empty(&filter) || args->sort_by || args->group_by || args->limit ||
	    args->all || args->backend)
		return err_set(err, ERR_INVALID,
			       "connections are chosen by patterns behind the resource: only "
			       "--output, --no-headers and --watch go with them");
	if (get_output(args, &output, err) < 0 ||
	    ops_list_connections(argv, (size_t)argc, &list, err) < 0)
		return -1;
	return output_connections(&list, &output, err);
}
