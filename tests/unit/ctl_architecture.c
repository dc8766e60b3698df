/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/slurm/cluster.h"
#include "controller/config/bundle.h"
#include "controller/model/architecture.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

/* The beginnings of programs: e_ident, e_type, e_machine. */
static const uint8_t amd64_head[ARCHITECTURE_HEAD] = "\x7f"
						     "ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\x3e";
static const uint8_t arm64_head[ARCHITECTURE_HEAD] = "\x7f"
						     "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\xb7";
static const uint8_t s390x_head[ARCHITECTURE_HEAD] = "\x7f"
						     "ELF\2\2\1\0\0\0\0\0\0\0\0\0\0\3\0\x16";

static void an_architecture_has_one_name(void **state)
{
	(void)state;
	assert_string_equal(architecture_name("x86_64"), "amd64");
	assert_string_equal(architecture_name("X86-64"), "amd64");
	assert_string_equal(architecture_name("amd64"), "amd64");
	assert_string_equal(architecture_name("aarch64"), "arm64");
	assert_string_equal(architecture_name("arm64"), "arm64");
	assert_string_equal(architecture_name("i686"), "386");
	assert_null(architecture_name(""));
	assert_null(architecture_name("arm46"));
	assert_null(architecture_name("arm64,amd64"));
}

static void the_names_in_messages_are_those_of_the_table(void **state)
{
	cleanup_free char *names = str_dup(ARCHITECTURE_NAMES);
	char *rest = NULL;
	size_t len = 0;

	(void)state;
	for (char *word = strtok_r(names, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		if (strcmp(word, "and") == 0)
			continue;
		assert_string_equal(architecture_name(word), word);
		len++;
	}
	assert_int_equal(len, ARCHITECTURES_MAX);
}

static void a_program_tells_what_it_is_for(void **state)
{
	uint8_t damaged[ARCHITECTURE_HEAD];

	(void)state;
	assert_string_equal(architecture_of_program(span_of(amd64_head, sizeof(amd64_head))),
			    "amd64");
	assert_string_equal(architecture_of_program(span_of(arm64_head, sizeof(arm64_head))),
			    "arm64");
	assert_string_equal(architecture_of_program(span_of(s390x_head, sizeof(s390x_head))),
			    "s390x");
	assert_null(architecture_of_program(span_of(arm64_head, sizeof(arm64_head) - 1)));
	assert_null(architecture_of_program(span_of_str("#!/bin/sh\necho twenty bytes and more")));
	/* x32: the machine is amd64, and its programs are not. */
	memcpy(damaged, amd64_head, sizeof(damaged));
	damaged[4] = 1;
	assert_null(architecture_of_program(span_of(damaged, sizeof(damaged))));
}

static void a_list_has_each_once(void **state)
{
	struct architectures list = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		architectures_add(&list, "x86_64");
		architectures_add(&list, "arm64");
		architectures_add(&list, "nothing");
	}
	assert_int_equal(list.len, 2);
	assert_true(architectures_have(&list, "amd64"));
	assert_false(architectures_have(&list, "s390x"));
}

/* As printed by Slurm 22.05 and 24.11. */
#define NODES                                                                                  \
	"NodeName=n1 Arch=x86_64 CoresPerSocket=1  OS=Linux State=IDLE Partitions=cpu,all \n"  \
	"NodeName=n2 Arch=aarch64 CPUTot=288 State=MIXED Partitions=gpu,all Reason=Arch=vax\n" \
	"NodeName=n3 CPUTot=288 State=DOWN* Partitions=new \n"

static struct architectures of_queue(const char *queue)
{
	struct architectures list = { 0 };
	struct span text = span_of_str(NODES);

	while (slurm_next_architecture(&text, queue, &list) == 0)
		;
	return list;
}

static void slurm_tells_it_of_each_queue(void **state)
{
	struct architectures list = of_queue("gpu");

	(void)state;
	assert_int_equal(list.len, 1);
	assert_string_equal(list.items[0], "arm64");
	assert_int_equal(of_queue("all").len, 2);
	assert_int_equal(of_queue(NULL).len, 2);
	/* A node that never registered does not tell, nor does a queue that is not there. */
	assert_int_equal(of_queue("new").len, 0);
	assert_int_equal(of_queue("g").len, 0);
}

static void make_program(const char *dir, const char *name, const uint8_t *head)
{
	cleanup_free char *path = fs_join(dir, name);

	assert_int_equal(fs_write_file(path, span_of(head, ARCHITECTURE_HEAD), 0755, NULL), 0);
}

static void make_bundle(const char *dir, const uint8_t *head)
{
	assert_int_equal(fs_make_dirs(dir, 0755, NULL), 0);
	make_program(dir, "berth-init", head);
	make_program(dir, "berth-tunnel", head);
}

/* Neither of them is this machine's wherever this runs. */
static const char *other(const uint8_t **ret_head)
{
	bool is_arm64 = strcmp(architecture_here(), "arm64") == 0;

	*ret_head = is_arm64 ? amd64_head : arm64_head;
	return is_arm64 ? "amd64" : "arm64";
}

static void find(const char *named, const char *name, enum err_kind kind, const char *words)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	struct err err;

	assert_int_equal(bundle_find_for("/nowhere/controller/berth", name, named, &bundle, &err),
			 -1);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.text, words));
}

static void a_bundle_is_found_by_its_architecture(void **state)
{
	char top[] = "/tmp/unit-bundle-XXXXXX";
	cleanup_free char *tree = NULL, *inner = NULL, *mixed = NULL;
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	const uint8_t *head;
	const char *name = other(&head);

	(void)state;
	assert_non_null(mkdtemp(top));
	tree = fs_join(top, "tree");
	inner = fs_join(tree, name);
	mixed = fs_join(top, "mixed");
	make_bundle(inner, head);
	assert_int_equal(setenv("BERTH_BUNDLE", tree, 1), 0);
	assert_int_equal(bundle_find_for("/nowhere/berth", name, NULL, &bundle, NULL), 0);
	assert_string_equal(bundle.architecture, name);
	assert_int_equal(strncmp(bundle.init, inner, strlen(inner)), 0);
	assert_null(bundle.image);
	bundle_finish(&bundle);
	/* The setting wins: a directory of them, or one of each. */
	assert_int_equal(setenv("BERTH_BUNDLE", "/nowhere", 1), 0);
	assert_int_equal(bundle_find_for("/nowhere/berth", name, tree, &bundle, NULL), 0);
	bundle_finish(&bundle);
	assert_int_equal(bundle_find_for("/nowhere/berth", name, inner, &bundle, NULL), 0);
	find(NULL, name, ERR_NOT_FOUND, "ci/build --arch");
	find(top, name, ERR_NOT_FOUND, "'bundle'");
	make_bundle(mixed, s390x_head);
	make_program(mixed, "berth-init", head);
	find(mixed, name, ERR_INVALID, "berth-tunnel is a program for s390x");
	assert_int_equal(unsetenv("BERTH_BUNDLE"), 0);
	assert_int_equal(fs_remove_tree(top, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_architecture_has_one_name),
		cmocka_unit_test(the_names_in_messages_are_those_of_the_table),
		cmocka_unit_test(a_program_tells_what_it_is_for),
		cmocka_unit_test(a_list_has_each_once),
		cmocka_unit_test(slurm_tells_it_of_each_queue),
		cmocka_unit_test(a_bundle_is_found_by_its_architecture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
