/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/backends/launch/launcher.h"
#include "controller/backends/slurm/submit.h"
#include "controller/run/child.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/text.h"

static const char *const command[] = { "true", NULL };

/* Whatever a shell, a list of mounts, TOML or JSON could take for its own. */
static const char *const words[] = { "a b", "it's",	"\"q\"", "$HOME;`x`",	"a\nb",
				     "*",   "\\",	"",	 "-x",		"${x}",
				     "#",   "\x01\x7f", "\xff",	 "caf\xc3\xa9", NULL };

struct world {
	struct spec spec;
	struct job job;
	struct submission submission;
};

static void make(struct world *world, const char *launcher, const char *image)
{
	*world = (struct world){ 0 };
	world->spec = (struct spec){
		.command = command, .workdir = "/w", .image = image, .launcher = launcher
	};
	job_init(&world->job);
	world->job.id = 7;
	job_set(&world->job, directory, "/j");
	world->submission = (struct submission){
		.spec = &world->spec, .job = &world->job, .bundle = "/b", .has_squashfs = true
	};
}

static void assert_script(const char *launcher, const char *image, const char *expected)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	struct world world;
	struct err err;

	make(&world, launcher, image);
	world.spec.env = (struct opt_list){ { "A=1", "B=$x" }, 2 };
	if (slurm_write_script(&world.submission, &script, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strstr(buf_str(&script), "job-7.\n") + strlen("job-7.\n"), expected);
	job_finish(&world.job);
}

static void each_launcher_has_a_line_of_its_own(void **state)
{
	static const char apptainer[] = "export APPTAINERENV_A=\"$A\"\n"
					"export APPTAINERENV_B=\"$B\"\n"
					"exec apptainer exec --no-eval --bind ";

	(void)state;
	for (int tree = 0; tree < 2; tree++) {
		cleanup_free char *line = str_printf(
			"%s%s --bind /j:/j --pwd /w docker://x /berth/berth-init --dir /j -- "
			"true\n",
			apptainer, tree ? "/b:/berth:ro" : "/b/berth.sqsh:/berth:image-src=/,ro");

		assert_script(tree ? "apptainer-tree" : "apptainer", "docker://x", line);
	}
	assert_script("singularity-tree", "/x.sif",
		      "export SINGULARITYENV_A=\"$A\"\nexport SINGULARITYENV_B=\"$B\"\n"
		      "exec singularity exec --no-eval --bind /b:/berth:ro --bind /j:/j --pwd /w "
		      "/x.sif /berth/berth-init --dir /j -- true\n");
	assert_script("pyxis", "x:1",
		      "exec srun --ntasks=1 --container-image=x:1 "
		      "--container-mounts=/b:/berth:ro,/j:/j --container-workdir=/w "
		      "--no-container-entrypoint --container-env=A,B /berth/berth-init --dir /j "
		      "-- true\n");
	for (int new = 0; new < 2; new ++) {
		cleanup_free char *line = str_printf(
			"export BERTH_ENV_B=\"$B\"\n"
			"exec srun --ntasks=1 --%s=/j/environment.toml /berth/busybox sh -c "
			"'export B=\"$BERTH_ENV_B\"; unset BERTH_ENV_B; exec \"$@\"' sh "
			"/berth/berth-init --dir /j -- true\n",
			new ? "edf" : "environment");

		assert_script(new ? "skybox" : "edf", "x:1", line);
	}
	assert_script(
		"oci", "/root",
		"bundle=/j/container\n"
		"image=/root\n"
		"mkdir -p \"$bundle\"\n"
		"conf=${SLURM_CONF:-$(scontrol show config | sed -n 's/^SLURM_CONF *= //p')}\n"
		"if grep -qs '^ *RunTime.*runc ' \"${conf%/*}/oci.conf\"; then\n"
		"\tmkdir -p \"$bundle/rootfs\"\n"
		"\tover=/\n"
		"else\n"
		"\tln -sfn \"$image\" \"$bundle/rootfs\"\n"
		"\tover=/tmp\n"
		"fi\n"
		"sed -e \"s/\\\"@UID@\\\"/$(id -u)/\" -e \"s/\\\"@GID@\\\"/$(id -g)/\" "
		"-e \"s|@ROOT@|$over|\" /j/container.json "
		">\"$bundle/$SLURM_JOB_ID.part\" &&\n"
		"\tmv \"$bundle/$SLURM_JOB_ID.part\" \"$bundle/config.json\" || exit 125\n"
		"exec srun --ntasks=1 --container=/j/container /berth/berth-init --dir /j "
		"-- true\n");
}

static void a_value_of_several_lines_is_no_variable_of_enroots(void **state)
{
	static const char program[] =
		" --no-container-entrypoint --container-env=B /berth/busybox sh -c "
		"'export A=\"$BERTH_ENV_A\"; unset BERTH_ENV_A; exec \"$@\"' sh /berth/berth-init ";
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	struct world world;

	(void)state;
	make(&world, "pyxis", "x:1");
	world.spec.env = (struct opt_list){ { "A=said twice", "B=b", "A=a\nPATH=/b" }, 3 };
	assert_int_equal(slurm_write_script(&world.submission, &script, NULL), 0);
	assert_non_null(strstr(buf_str(&script), "\nexport BERTH_ENV_A=\"$A\"\nexec srun "));
	assert_non_null(strstr(buf_str(&script), program));
	job_finish(&world.job);
}

static void a_separator_of_srun_goes_through_it_marked(void **state)
{
	static const char *const separated[] = { "a b", ":", "", NULL };
	static const struct {
		const char *launcher;
		uint64_t tasks;
		const char *end;
	} cases[] = {
		{ "pyxis", 1, " --marked -- '+a b' +: +\n" },
		{ NULL, 2, " --marked -- '+a b' +: +\n" },
		{ "apptainer", 1, " -- 'a b' : ''\n" },
		{ NULL, 1, " -- 'a b' : ''\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
		struct world world;
		const char *text;

		make(&world, cases[i].launcher, cases[i].launcher ? "x:1" : NULL);
		world.spec.command = separated;
		world.spec.tasks = cases[i].tasks;
		assert_int_equal(slurm_write_script(&world.submission, &script, NULL), 0);
		text = buf_str(&script);
		assert_true(strlen(text) > strlen(cases[i].end));
		assert_string_equal(text + strlen(text) - strlen(cases[i].end), cases[i].end);
		job_finish(&world.job);
	}
}

static void assert_inferred(const char *image, const char *edf, const char *expected)
{
	struct spec spec = { .command = command, .image = image, .edf = edf };
	const struct launcher *launcher;
	int result = launcher_choose(&spec, &launcher, NULL);

	assert_int_equal(result, expected ? 0 : -1);
	if (expected)
		assert_string_equal(launcher ? launcher->name : "none", expected);
}

static void an_image_says_what_starts_it_where_only_one_can(void **state)
{
	(void)state;
	assert_inferred(NULL, NULL, "none");
	assert_inferred("docker://ubuntu", NULL, "apptainer");
	assert_inferred("/images/x.sif", NULL, "apptainer");
	assert_inferred("/images/x.sqsh", NULL, "pyxis");
	assert_inferred("/images/root", NULL, "oci");
	assert_inferred("x:1", "mine", "edf");
	assert_inferred(NULL, "/mine.toml", "edf");
	assert_inferred("ubuntu:24.04", NULL, NULL);
	assert_inferred("x.sif", NULL, NULL);
	assert_inferred("-x", NULL, NULL);
	assert_inferred("a\nb", NULL, NULL);
}

static void what_cannot_be_mounted_is_refused(void **state)
{
	static const struct {
		const char *launcher, *directory;
	} cases[] = {
		{ "apptainer", "/a:b" }, { "apptainer", "/a,b" }, { "apptainer", "/a\nb" },
		{ "pyxis", "/a:b" },	 { "pyxis", "/a,b" },	  { "pyxis", "/$(a)" },
		{ "pyxis", "/`a`" },	 { "podman", "/a:b" },	  { "podman", "/a,b" },
		{ "edf", "/a:b" },	 { "edf", "/a,b" },	  { "edf", "/$a" },
		{ "edf", "/a b" },	 { "skybox", "/a;b" },	  { "skybox", "/`a`" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(launch_words_finish) struct launch_words line = { 0 };
		cleanup(buf_finish) struct buf text = BUF_INIT(LAUNCHER_FILE_MAX);
		const struct launcher *launcher;
		struct world world;
		struct err err;

		make(&world, cases[i].launcher, "x");
		job_set(&world.job, directory, cases[i].directory);
		assert_int_equal(launcher_choose(&world.spec, &launcher, NULL), 0);
		if (launcher->render)
			assert_int_equal(launcher_render(launcher, &world.submission, &text, &err),
					 -1);
		else
			assert_int_equal(launcher_words(launcher, &world.submission, &line, &err),
					 -1);
		assert_int_equal(err.kind, ERR_INVALID);
		job_finish(&world.job);
	}
}

static char *rendered(struct world *world)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LAUNCHER_FILE_MAX);
	const struct launcher *launcher;
	struct err err;

	assert_int_equal(launcher_choose(&world->spec, &launcher, NULL), 0);
	if (launcher_render(launcher, &world->submission, &text, &err) < 0)
		fail_msg("%s", err.text);
	return buf_take_str(&text);
}

static void an_environment_file_quotes_what_toml_could_misread(void **state)
{
	struct world world;
	cleanup_free char *text = NULL;

	(void)state;
	make(&world, "edf", "registry.example.org#x:1");
	world.spec.edf = "/users/me/my \"edf\".toml";
	world.spec.env = (struct opt_list){
		{ "A=1", "Q=\"\\'#\n\x01\x7f", "D=$HOME", "L=\xff", "E=", "A=caf\xc3\xa9" }, 6
	};
	text = rendered(&world);
	assert_string_equal(text, "base_environment = \"/users/me/my \\\"edf\\\".toml\"\n"
				  "image = \"registry.example.org#x:1\"\n"
				  "workdir = \"/w\"\n"
				  "entrypoint = false\n"
				  "mounts = [\"/b/berth.sqsh:/berth:sqsh\", \"/j:/j\"]\n"
				  "\n[env]\n"
				  "Q = \"\\\"\\\\'#\\u000a\\u0001\\u007f\"\n"
				  "A = \"caf\xc3\xa9\"\n");
	job_finish(&world.job);
}

static void without_the_squashfs_the_tree_is_mounted(void **state)
{
	struct world world;
	cleanup_free char *text = NULL;

	(void)state;
	make(&world, "edf", "x");
	world.submission.has_squashfs = false;
	text = rendered(&world);
	assert_non_null(strstr(text, "mounts = [\"/b:/berth:ro\", \"/j:/j\"]\n"));
	job_finish(&world.job);
}

static void an_oci_bundle_names_the_root_and_mounts_both_directories(void **state)
{
	struct world world;
	cleanup_free char *text = NULL;
	json_t *root, *mounts;
	size_t seen = 0, i;
	json_t *each;

	(void)state;
	make(&world, "oci", "/images/it's \"x\"");
	text = rendered(&world);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(root, "root"), "path")),
		"/images/it's \"x\"");
	mounts = json_object_get(root, "mounts");
	json_array_foreach(mounts, i, each) {
		const char *target = json_string_value(json_object_get(each, "destination"));

		seen += strcmp(target, "/berth") == 0 || strcmp(target, "/j") == 0;
	}
	assert_int_equal(seen, 2);
	assert_non_null(strstr(text, "\"hostID\": \"@UID@\""));
	json_decref(root);
	job_finish(&world.job);
}

/* Records its words and what it is to hand on of the environment, each with a NUL behind it. */
static const char recorder[] =
	"#!/bin/sh\n"
	"printf '%s\\0' \"$@\" >\"$OUT.words\"\n"
	"printf '%s\\0' \"$APPTAINERENV_V\" \"$BERTH_ENV_V\" \"$V\" >\"$OUT.env\"\n";

static void assert_ends_with_words(struct span recorded)
{
	cleanup(buf_finish) struct buf expected = BUF_INIT(4096);

	assert_true(buf_append(&expected, "--", 3));
	for (size_t i = 0; words[i]; i++)
		assert_true(buf_append(&expected, words[i], strlen(words[i]) + 1));
	assert_true(recorded.len > buf_len(&expected));
	assert_memory_equal(recorded.ptr + recorded.len - buf_len(&expected),
			    buf_span(&expected).ptr, buf_len(&expected));
}

/* Runs the script with a program of that name in front of all others. */
static void run_with(const char *launcher, const char *image, const char *program,
		     const char *value, size_t env_index)
{
	char dir[] = "/tmp/berth-launcher.XXXXXX";
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(buf_finish) struct buf got = BUF_INIT(65536), env = BUF_INIT(65536);
	cleanup_free char *fake = NULL, *path = NULL, *out = NULL, *set = NULL, *file = NULL,
			  *words_file = NULL, *env_file = NULL;
	cleanup(child_finish) struct child child = { 0 };
	struct world world;
	struct child_plan plan = { .timeout_ms = 20000 };
	const char *at;

	assert_non_null(mkdtemp(dir));
	make(&world, launcher, image);
	world.spec.command = words;
	set = str_printf("V=%s", value);
	world.spec.env = (struct opt_list){ { set }, 1 };
	job_set(&world.job, directory, dir);
	assert_int_equal(slurm_write_script(&world.submission, &script, NULL), 0);
	fake = fs_join(dir, program);
	file = fs_join(dir, "script.sh");
	assert_int_equal(fs_write_file(fake, span_of_str(recorder), 0755, NULL), 0);
	assert_int_equal(fs_write_file(file, buf_span(&script), 0755, NULL), 0);
	if (strcmp(launcher, "oci") == 0) {
		cleanup_free char *text = rendered(&world), *to = fs_join(dir, "container.json");

		assert_int_equal(fs_write_file(to, span_of_str(text), 0600, NULL), 0);
	}
	path = str_printf("PATH=%s:%s", dir, getenv("PATH"));
	out = str_printf("OUT=%s/out", dir);
	plan.argv = (const char *const[]){ "/bin/sh", file, NULL };
	plan.env = (const char *const[]){ path, out, set, NULL };
	assert_int_equal(child_run(&plan, &child, NULL), 0);
	assert_int_equal(child.status, 0);
	words_file = str_printf("%s/out.words", dir);
	env_file = str_printf("%s/out.env", dir);
	assert_int_equal(fs_read_file(words_file, 65536, &got, NULL), 0);
	assert_int_equal(fs_read_file(env_file, 65536, &env, NULL), 0);
	assert_ends_with_words(buf_span(&got));
	at = buf_str(&env);
	for (size_t i = 0; i < env_index; i++)
		at += strlen(at) + 1;
	assert_string_equal(at, value);
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
	job_finish(&world.job);
}

static void every_word_and_value_reaches_the_launcher_as_it_is(void **state)
{
	static const char value[] = " a'b\"c$HOME`id`;*\n\\ \xff";

	(void)state;
	run_with("apptainer", "docker://x", "apptainer", value, 0);
	run_with("edf", "x", "srun", value, 1);
	run_with("pyxis", "x", "srun", value, 1);
	run_with("oci", "/x", "srun", value, 2);
}

static bool pulls(const char *name, const char *image)
{
	const struct spec spec = { .image = image, .launcher = name };
	const struct launcher *launcher;

	assert_int_equal(launcher_choose(&spec, &launcher, NULL), 0);
	return launcher_pulls(launcher, image);
}

static void what_a_launcher_fetches_from_a_registry_is_told(void **state)
{
	(void)state;
	assert_true(pulls("pyxis", "nvcr.io#nvidia/pytorch:24.01-py3"));
	assert_true(pulls("edf", "ubuntu"));
	assert_true(pulls("podman", "registry.example.org/team/alpine"));
	assert_true(pulls(NULL, "docker://alpine"));
	assert_false(pulls(NULL, "oras://ghcr.io/me/x.sif"));
	assert_false(pulls("apptainer", "alpine"));
	assert_false(pulls("oci", "/srv/root"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_launcher_has_a_line_of_its_own),
		cmocka_unit_test(a_value_of_several_lines_is_no_variable_of_enroots),
		cmocka_unit_test(a_separator_of_srun_goes_through_it_marked),
		cmocka_unit_test(an_image_says_what_starts_it_where_only_one_can),
		cmocka_unit_test(what_cannot_be_mounted_is_refused),
		cmocka_unit_test(an_environment_file_quotes_what_toml_could_misread),
		cmocka_unit_test(without_the_squashfs_the_tree_is_mounted),
		cmocka_unit_test(an_oci_bundle_names_the_root_and_mounts_both_directories),
		cmocka_unit_test(every_word_and_value_reaches_the_launcher_as_it_is),
		cmocka_unit_test(what_a_launcher_fetches_from_a_registry_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
