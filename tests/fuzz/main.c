/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over its corpus without libFuzzer, so that what was once found stays fixed in
 * every build. Arguments are files and directories of files. Each file is tried whole and cut short
 * at every one of its first bytes: a parser that reads past the end is caught by the sanitizers.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "init/base/fs.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (4 * 1024 * 1024)
#define CUTS_MAX 2048

static size_t inputs;

/* A copy of exactly the size, so that reading one byte too many is out of bounds. */
static void run_one(struct span input)
{
	uint8_t *copy = malloc(input.len ? input.len : 1);

	if (!copy)
		abort();
	if (input.len > 0)
		memcpy(copy, input.ptr, input.len);
	LLVMFuzzerTestOneInput(copy, input.len);
	free(copy);
	inputs++;
}

static bool run_file(const char *path)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(INPUT_MAX);
	struct err err = { 0 };
	struct span all;

	if (fs_read_file(path, INPUT_MAX, &b, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	all = buf_span(&b);
	for (size_t len = 0; len < MIN(all.len, (size_t)CUTS_MAX); len++)
		run_one(span_of(all.ptr, len));
	run_one(all);
	return true;
}

static bool run_path(const char *path)
{
	struct stat st;
	struct dirent *entry;
	bool ok = true;
	DIR *dir;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return run_file(path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			ok = run_file(name) && ok;
	}
	if (dir)
		closedir(dir);
	return ok && dir;
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;

	for (int i = 1; i < argc; i++)
		ok = run_path(argv[i]) && ok;
	printf("%zu inputs\n", inputs);
	return ok && inputs > 0 ? 0 : 1;
}
