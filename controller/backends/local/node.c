/* SPDX-License-Identifier: MIT */
/* This machine as a node; see node.h. */
#include "node.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "controller/backends/local/process.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define MEMINFO_MAX 65536
#define AVAILABLE "MemAvailable:"
#define KILOBYTE 1024

uint64_t local_parse_available(const char *meminfo)
{
	const char *line = strstr(meminfo, AVAILABLE);
	cleanup_free char *digits = NULL;
	uint64_t kilobytes;

	if (!line)
		return 0;
	line += strlen(AVAILABLE);
	line += strspn(line, " ");
	digits = str_dup_len(line, strspn(line, "0123456789"));
	return text_parse_uint(digits, UINT64_MAX / KILOBYTE, &kilobytes) ? kilobytes * KILOBYTE
									  : 0;
}

/* Each GPU of the kinds that drivers number so; which jobs use them nobody knows. */
static char *list_gpus(void)
{
	glob_t found = { 0 };
	size_t len = glob("/dev/nvidia[0-9]*", 0, NULL, &found) == 0 ? found.gl_pathc : 0;

	globfree(&found);
	return len > 0 ? str_printf("gpu:%zu", len) : str_dup("");
}

static uint64_t busy_cpus(uint64_t cpus)
{
	double load;

	if (getloadavg(&load, 1) != 1 || load < 0)
		return 0;
	return MIN(cpus, (uint64_t)(load + 0.5));
}

int local_list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	cleanup(buf_finish) struct buf meminfo = BUF_INIT(MEMINFO_MAX);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char host[PROCESS_HOST_MAX] = "";
	struct sysinfo info;
	struct node node;

	(void)backend;
	if (cpus < 1 || sysinfo(&info) < 0 || gethostname(host, sizeof(host) - 1) < 0)
		return err_set(err, ERR_SYSTEM, "this machine does not tell what it has");
	if (fs_read_file("/proc/meminfo", MEMINFO_MAX, &meminfo, err) < 0)
		return -1;
	node = (struct node){
		.name = str_dup(host),
		.queues = str_dup(""),
		.reason = str_dup(""),
		.gres = list_gpus(),
		.gres_used = str_dup(""),
		.features = str_dup(""),
		.architecture = str_dup(architecture_here() ? architecture_here() : ""),
		.cpus = (uint64_t)cpus,
		.cpus_used = busy_cpus((uint64_t)cpus),
		.memory = (uint64_t)info.totalram * info.mem_unit,
	};
	node.memory_used = node.memory - MIN(node.memory, local_parse_available(buf_str(&meminfo)));
	node.state = str_dup(node.cpus_used == 0	   ? "idle"
			     : node.cpus_used == node.cpus ? "allocated"
							   : "mixed");
	node_list_take(ret, &node);
	return 0;
}
