/* SPDX-License-Identifier: MIT */
/* Trees of files in place of /proc and /sys/fs/cgroup. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/services/stat_read.h"

struct files {
	char dir[64], proc[80], cgroup[80];
	struct stat_source source;
};

static void put(const struct files *f, const char *name, const char *text)
{
	cleanup_free char *path = fs_join(f->dir, name);
	cleanup_free char *dir = str_dup(path);

	*strrchr(dir, '/') = '\0';
	assert_int_equal(fs_make_dirs(dir, 0755, NULL), 0);
	assert_int_equal(fs_write_file(path, span_of_str(text), 0644, NULL), 0);
}

static void put_process(const struct files *f, int pid, int parent, int ticks)
{
	char name[64], text[256];

	snprintf(name, sizeof(name), "proc/%d/stat", pid);
	snprintf(text, sizeof(text),
		 "%d (x) %c %d 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 2 0 5 4096 3 0\n", pid,
		 pid == 11 ? 'R' : 'S', parent, ticks);
	put(f, name, text);
}

static int make_files(void **state)
{
	struct files *f = new_zero(struct files);

	snprintf(f->dir, sizeof(f->dir), "/tmp/berth-stat-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->proc, sizeof(f->proc), "%s/proc", f->dir);
	snprintf(f->cgroup, sizeof(f->cgroup), "%s/cgroup", f->dir);
	f->source = (struct stat_source){ f->proc, f->cgroup, 10 };
	put_process(f, 1, 0, 5000);
	put_process(f, 10, 1, 1);
	put_process(f, 11, 10, 2);
	put_process(f, 300, 11, 4);
	put_process(f, 12, 1, 8);
	put(f, "proc/11/io", "rchar: 9\nread_bytes: 100\nwrite_bytes: 7\n");
	put(f, "proc/300/io", "read_bytes: 11\nwrite_bytes: 1\n");
	put(f, "proc/cpuinfo", "x\n");
	*state = f;
	return 0;
}

static int drop_files(void **state)
{
	struct files *f = *state;

	assert_int_equal(fs_remove_tree(f->dir, NULL), 0);
	free(f);
	return 0;
}

static void the_tree_is_what_is_below_the_root(void **state)
{
	const struct files *f = *state;
	struct stat_sample sample;

	stat_read(&f->source, &sample);
	assert_int_equal(sample.processes, 3);
	assert_int_equal(sample.threads, 6);
	assert_int_equal(sample.running, 1);
	assert_int_equal(sample.cpu_ns * (uint64_t)sysconf(_SC_CLK_TCK), 7 * NSEC_PER_SEC);
	assert_int_equal(sample.rss, 9 * sysconf(_SC_PAGESIZE));
	assert_int_equal(sample.read, 111);
	assert_int_equal(sample.written, 8);
	assert_int_equal(sample.cgroup.version, 0);
	assert_false(sample.truncated);
}

/* Parents change while one reads. */
static void a_ring_of_parents_is_outside_and_does_not_hang(void **state)
{
	struct files *f = *state;
	struct stat_sample sample;

	put_process(f, 20, 21, 1);
	put_process(f, 21, 22, 1);
	put_process(f, 22, 20, 1);
	put_process(f, 23, 23, 1);
	stat_read(&f->source, &sample);
	assert_int_equal(sample.processes, 3);
	f->source.root = 4711; /* gone */
	stat_read(&f->source, &sample);
	assert_int_equal(sample.processes, 0);
}

static void a_cgroup_of_version_2_is_read(void **state)
{
	const struct files *f = *state;
	struct stat_sample sample;

	put(f, "proc/10/cgroup", "0::/slurm/job_7\n");
	put(f, "cgroup/slurm/job_7/memory.current", "1000\n");
	put(f, "cgroup/slurm/job_7/memory.peak", "2000\n");
	put(f, "cgroup/slurm/job_7/memory.max", "max\n");
	put(f, "cgroup/slurm/job_7/pids.current", "3\n");
	put(f, "cgroup/slurm/job_7/cpu.stat", "usage_usec 5000000\nuser_usec 1\n");
	put(f, "cgroup/slurm/job_7/io.stat", "8:0 rbytes=4 wbytes=5\n");
	stat_read(&f->source, &sample);
	assert_int_equal(sample.cgroup.version, 2);
	assert_int_equal(sample.cgroup.memory, 1000);
	assert_int_equal(sample.cgroup.memory_peak, 2000);
	assert_true(sample.cgroup.memory_max == UINT64_MAX);
	assert_int_equal(sample.cgroup.cpu_ns, 5 * NSEC_PER_SEC);
	assert_int_equal(sample.cgroup.read, 4);
	assert_int_equal(sample.cgroup.written, 5);
	assert_int_equal(sample.cgroup.processes, 3);
}

static void in_a_container_the_root_stands_for_a_path_that_is_not_seen(void **state)
{
	const struct files *f = *state;
	struct stat_sample sample;

	put(f, "proc/10/cgroup", "0::/docker/3f\n");
	put(f, "cgroup/memory.current", "77\n");
	stat_read(&f->source, &sample);
	assert_int_equal(sample.cgroup.version, 2);
	assert_int_equal(sample.cgroup.memory, 77);
	assert_true(sample.cgroup.memory_peak == UINT64_MAX);
}

static void a_cgroup_of_version_1_is_read(void **state)
{
	const struct files *f = *state;
	struct stat_sample sample;

	put(f, "proc/10/cgroup", "4:memory:/j\n3:cpu,cpuacct:/j\n2:blkio:/j\n1:name=systemd:/x\n");
	put(f, "cgroup/memory/j/memory.usage_in_bytes", "4096\n");
	put(f, "cgroup/memory/j/memory.limit_in_bytes", "9223372036854771712\n");
	put(f, "cgroup/cpuacct/j/cpuacct.usage", "123\n");
	put(f, "cgroup/blkio/j/blkio.throttle.io_service_bytes_recursive", "8:0 Read 6\n");
	stat_read(&f->source, &sample);
	assert_int_equal(sample.cgroup.version, 1);
	assert_int_equal(sample.cgroup.memory, 4096);
	assert_true(sample.cgroup.memory_max == UINT64_MAX);
	assert_int_equal(sample.cgroup.cpu_ns, 123);
	assert_int_equal(sample.cgroup.read, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_files, drop_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_tree_is_what_is_below_the_root),
		TEST(a_ring_of_parents_is_outside_and_does_not_hang),
		TEST(a_cgroup_of_version_2_is_read),
		TEST(in_a_container_the_root_stands_for_a_path_that_is_not_seen),
		TEST(a_cgroup_of_version_1_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
