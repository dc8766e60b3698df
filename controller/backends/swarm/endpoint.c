/* SPDX-License-Identifier: MIT */
/* Where the tunnel of a task listens; see endpoint.h. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include "controller/backends/docker/container.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/service.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define ENDPOINT_MAX 65536
#define PORTS_MAX 16

/* "10.1.2.3:20007" or "[2001:db8::1]:20007"; NULL when it is no address. */
static json_t *make_address(const char *ip, json_int_t port)
{
	struct in6_addr parsed;

	if (port <= 0 || port > UINT16_MAX)
		return NULL;
	if (inet_pton(AF_INET, ip, &parsed) == 1)
		return json_sprintf("%s:%d", ip, (int)port);
	if (inet_pton(AF_INET6, ip, &parsed) == 1)
		return json_sprintf("[%s]:%d", ip, (int)port);
	return NULL;
}

/* One for each protocol: the Swarm may say the same port several times. */
static json_t *make_addresses(const json_t *task, const char *protocol, const char *ip,
			      uint16_t agreed)
{
	const json_t *ports = swarm_ports(task), *port;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(ports, i, port) {
		json_t *address;

		if (i >= PORTS_MAX || strcmp(swarm_text(port, "Protocol"), protocol) != 0 ||
		    json_integer_value(json_object_get(port, "TargetPort")) != agreed)
			continue;
		address = make_address(ip,
				       json_integer_value(json_object_get(port, "PublishedPort")));
		if (address) {
			json_array_append_new(list, address);
			return list;
		}
	}
	if (json_array_size(ports) == 0) {
		json_t *address = make_address(ip, agreed);

		if (address)
			json_array_append_new(list, address);
	}
	return list;
}

bool swarm_format_endpoint(const json_t *task, const char *host, const char *address,
			   const struct job *job, unsigned int rank, struct buf *ret)
{
	uint16_t port = jobdir_port(job);
	cleanup(json_release) json_t *udp = make_addresses(task, "udp", address, port);
	cleanup(json_release) json_t *tcp = make_addresses(task, "tcp", address, port);
	cleanup(json_release) json_t *file = NULL;
	cleanup_free char *text = NULL;
	struct swarm_task seen;

	if (!swarm_read_task(task, &seen) || strcmp(seen.state, "running") != 0 ||
	    json_array_size(udp) + json_array_size(tcp) == 0)
		return false;
	file = json_pack("{s:i, s:i, s:s, s:i, s:O, s:O, s:f}", "version", 1, "rank", (int)rank,
			 "host", host, "uid", 0, "addresses", udp, "tcp", tcp, "started",
			 (double)(seen.changed_ns / NSEC_PER_SEC));
	text = file ? json_dumps(file, JSON_COMPACT) : NULL;
	return text && buf_printf(ret, "%s\n", text);
}

/* What the tunnel itself wrote. 1; 0: it cannot be read. */
static int fetch(struct swarm *swarm, const struct swarm_task *task, unsigned int rank,
		 struct buf *ret)
{
	cleanup_free char *name = str_printf(SWARM_JOB_SUBDIR "/endpoint.%u.json", rank);
	struct err own;

	if (!swarm_is_here(swarm, task))
		return 0;
	return docker_get_job_file(swarm->engine, task->container, name, ret, &own) == 0;
}

/* A manager may know itself by the address that means all of them. */
static char *find_address(struct swarm *swarm, const char *node, struct err *err)
{
	cleanup_free char *path = str_printf("/nodes/%s", node);
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;
	const char *address;
	char *manager;

	if (engine_call(swarm->engine, &call, &answer, err) < 0)
		return NULL;
	address = swarm_text(json_object_get(answer, "Status"), "Addr");
	if (address[0] && strcmp(address, "0.0.0.0") != 0)
		return str_dup(address);
	manager = str_dup(swarm_text(json_object_get(answer, "ManagerStatus"), "Addr"));
	if (strrchr(manager, ':'))
		*strrchr(manager, ':') = '\0';
	return manager;
}

static int make(struct swarm *swarm, const struct job *job, unsigned int rank, struct buf *ret,
		struct err *err)
{
	cleanup(json_release) json_t *tasks = NULL;
	cleanup_free char *address = NULL;
	struct swarm_task task;

	if (swarm_find_task(swarm, job, rank, &tasks, &task, err) < 0)
		return -1;
	if (strcmp(task.state, "running") != 0)
		return err_set(err, ERR_NOT_FOUND, "the task does not run");
	if (!task.is_published && fetch(swarm, &task, rank, ret) > 0)
		return 0;
	buf_clear(ret);
	address = find_address(swarm, task.node, err);
	if (!address)
		return -1;
	if (!swarm_format_endpoint(json_array_get(tasks, task.position),
				   swarm_node_name(swarm, task.node), address, job, rank, ret))
		return err_set(err, ERR_NOT_FOUND, "the task has no port on its node yet");
	return 0;
}

int swarm_endpoint(struct swarm *swarm, const struct job *job, unsigned int rank, char **ret,
		   struct err *err)
{
	cleanup_free char *file = str_printf("%s/endpoint.%u.json", job->directory, rank);
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);

	if (make(swarm, job, rank, &text, err) < 0 ||
	    fs_write_file_unsynced(file, buf_span(&text), 0600, err) < 0)
		return -1;
	*ret = take_ptr(file);
	return 0;
}
