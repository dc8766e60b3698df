/* SPDX-License-Identifier: MIT */
/* Images in registries: their names, what registries answer, and who one is there. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/oci/cache.h"
#include "controller/oci/credentials.h"
#include "controller/oci/manifest.h"
#include "controller/oci/oci.h"
#include "init/base/alloc.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" DIGITS

static void a_name_means_what_docker_makes_of_it(void **state)
{
	static const char *const names[][2] = {
		{ "alpine", "docker.io/library/alpine:latest" },
		{ "alpine:3.19", "docker.io/library/alpine:3.19" },
		{ "me/tool", "docker.io/me/tool:latest" },
		{ "docker://me/tool:1_2.3-x", "docker.io/me/tool:1_2.3-x" },
		{ "index.docker.io/me/tool", "docker.io/me/tool:latest" },
		{ "docker.io/alpine", "docker.io/library/alpine:latest" },
		{ "nvcr.io/nvidia/pytorch:24.01-py3", "nvcr.io/nvidia/pytorch:24.01-py3" },
		{ "nvcr.io#nvidia/pytorch:24.01-py3", "nvcr.io/nvidia/pytorch:24.01-py3" },
		{ "localhost/x", "localhost/x:latest" },
		{ "localhost:5000/me/x", "localhost:5000/me/x:latest" },
		{ "my-host.example:443/a/b/c:t", "my-host.example:443/a/b/c:t" },
		{ "[2001:db8::1]:5000/x", "[2001:db8::1]:5000/x:latest" },
		{ "alpine@" DIGEST, "docker.io/library/alpine@" DIGEST },
		{ "alpine:3@" DIGEST, "docker.io/library/alpine:3@" DIGEST },
		{ "a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup(oci_reference_finish) struct oci_reference reference = { 0 };
		cleanup_free char *text = NULL;

		assert_int_equal(oci_reference_parse(names[i][0], &reference, NULL), 0);
		text = oci_reference_text(&reference);
		assert_string_equal(text, names[i][1]);
	}
}

static void what_is_no_name_of_an_image_is_refused(void **state)
{
	static const struct {
		const char *name;
		enum err_kind kind;
	} wrong[] = {
		{ "", ERR_INVALID },
		{ "UPPER/x y", ERR_INVALID },
		{ "me/UPPER", ERR_INVALID },
		{ "x:", ERR_INVALID },
		{ "x:-t", ERR_INVALID },
		{ "a//b", ERR_INVALID },
		{ "-a", ERR_INVALID },
		{ "a_-b", ERR_INVALID },
		{ "a.example/x:t/", ERR_INVALID },
		{ "a.example:port/x", ERR_INVALID },
		{ "x@sha256:12", ERR_INVALID },
		{ "host#me/x", ERR_INVALID },
		{ "x@md5:" DIGITS, ERR_INVALID },
		{ "\033[2J", ERR_INVALID },
		{ "/images/x.sqsh", ERR_UNSUPPORTED },
		{ "./x.sqsh", ERR_UNSUPPORTED },
		{ "docker-daemon:x", ERR_UNSUPPORTED },
		{ "podman://x", ERR_UNSUPPORTED },
	};
	struct oci_reference reference = { 0 };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(oci_reference_parse(wrong[i].name, &reference, &err), -1);
		assert_int_equal(err.kind, wrong[i].kind);
		assert_null(strchr(err.text, '\033'));
	}
	assert_null(reference.registry);
}

static void an_index_leads_to_the_image_of_a_machine(void **state)
{
#define LINE(arch, more)                                                                     \
	"{\"digest\":\"" DIGEST "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch \
	"\"" more "}}"
	static const char text[] =
		"{\"schemaVersion\":2,\"manifests\":[" LINE("arm", ",\"variant\":\"v7\"") "," LINE(
			"arm64",
			",\"variant\":\"v8\"") "," LINE("amd64",
							",\"variant\":\"v3\"") "," LINE("amd64",
											"") ","
											    "{\"digest\":\"" DIGEST
											    "\",\"platform\":{\"os\":\"unknown\","
											    "\"architecture\":\"unknown\"}}]}";
	cleanup(manifest_finish) struct manifest index = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(span_of_str(text), &index, NULL), 0);
	assert_true(index.is_index);
	assert_int_equal(index.platforms_len, 4);
	assert_string_equal(manifest_find(&index, "amd64")->name, "linux/amd64");
	assert_string_equal(manifest_find(&index, "arm64")->name, "linux/arm64/v8");
	assert_string_equal(manifest_find(&index, "arm")->name, "linux/arm/v7");
	assert_null(manifest_find(&index, "ppc64le"));
	assert_string_equal(oci_arch("x86_64"), "amd64");
	assert_string_equal(oci_arch("aarch64"), "arm64");
	assert_string_equal(oci_arch("riscv64"), "riscv64");
}

static void manifests_that_are_none_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"{}",
		"{\"schemaVersion\":1,\"config\":{\"digest\":\"" DIGEST "\"}}",
		"{\"schemaVersion\":2}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../../x\"}}",
		"{\"schemaVersion\":2,\"manifests\":[]}",
		"{\"schemaVersion\":2,\"manifests\":[7,null]}",
	};
	struct manifest manifest = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(manifest_parse(span_of_str(wrong[i]), &manifest, NULL), -1);
	assert_null(manifest.platforms);
}

static void a_configuration_tells_what_is_run(void **state)
{
	static const char text[] =
		"{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\",\"config\":{"
		"\"Entrypoint\":[\"/bin/sh\",\"-c\"],\"Cmd\":[\"echo a\"],\"Env\":[\"A=b c\"],"
		"\"User\":\"7\",\"WorkingDir\":\"/w\"}}";
	cleanup(oci_image_finish) struct oci_image image = { 0 };
	cleanup(oci_image_finish) struct oci_image bare = { 0 };
	cleanup(oci_image_finish) struct oci_image wrong = { 0 };

	(void)state;
	assert_int_equal(manifest_parse_config(span_of_str(text), &image, NULL), 0);
	assert_string_equal(image.platform, "linux/arm64/v8");
	assert_int_equal(image.entrypoint.len, 2);
	assert_string_equal(image.entrypoint.items[1], "-c");
	assert_string_equal(image.command.items[0], "echo a");
	assert_string_equal(image.env.items[0], "A=b c");
	assert_string_equal(image.user, "7");
	assert_string_equal(image.directory, "/w");
	assert_int_equal(
		manifest_parse_config(span_of_str("{\"os\":\"linux\",\"architecture\":\"amd64\"}"),
				      &bare, NULL),
		0);
	assert_int_equal(bare.entrypoint.len, 0);
	assert_string_equal(bare.user, "");
	assert_int_equal(manifest_parse_config(span_of_str("{\"os\":\"linux\",\"architecture\":"
							   "\"amd64\",\"config\":{\"Cmd\":[7]}}"),
					       &wrong, NULL),
			 -1);
}

static void a_registry_says_where_tokens_are(void **state)
{
	static const char *const wrong[] = { "", "Bearer", "Bearer realm=\"x", "Negotiate abc",
					     "Bearer service=\"x\"" };
	struct challenge challenge;

	(void)state;
	assert_true(challenge_parse("Bearer realm=\"https://a/t\",service=\"s\\\"x\","
				    "scope=\"repository:a/b:pull,push\"",
				    &challenge));
	assert_false(challenge.is_basic);
	assert_string_equal(challenge.realm, "https://a/t");
	assert_string_equal(challenge.service, "s\"x");
	assert_string_equal(challenge.scope, "repository:a/b:pull,push");
	assert_true(challenge_parse("bearer Realm=https://a/t", &challenge));
	assert_string_equal(challenge.service, "");
	assert_true(challenge_parse("BASIC realm=\"x\"", &challenge));
	assert_true(challenge.is_basic);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(challenge_parse(wrong[i], &challenge));
}

struct looked {
	struct credentials found;
	char helper[CREDENTIALS_HELPER_MAX];
	int result;
};

static struct looked look(const char *text, const char *image)
{
	cleanup(oci_reference_finish) struct oci_reference reference = { 0 };
	struct looked looked = { 0 };

	assert_int_equal(oci_reference_parse(image, &reference, NULL), 0);
	looked.result = credentials_parse(span_of_str(text), &reference, &looked.found,
					  looked.helper, NULL);
	return looked;
}

static void assert_user(const char *text, const char *image, const char *user, const char *password)
{
	struct looked looked = look(text, image);

	assert_int_equal(looked.result, user ? 1 : 0);
	if (user) {
		assert_string_equal(looked.found.user, user);
		assert_string_equal(looked.found.password, password);
	}
	credentials_finish(&looked.found);
}

static void credentials_are_those_of_the_registry(void **state)
{
	static const char file[] = "{\"auths\":{"
				   "\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnA6dw==\"},"
				   "\"r.example\":{\"auth\":\"dTpw\"},"
				   "\"r.example/team\":{\"username\":\"t\",\"password\":\"q\"},"
				   "\"https://old.example/v2/\":{\"auth\":\"dTpw\"},"
				   "\"empty.example\":{},"
				   "\"odd.example\":{\"auth\":\"!!\"}}}";

	(void)state;
	assert_user(file, "alpine", "hub", "p:w");
	assert_user(file, "r.example/x", "u", "p");
	assert_user(file, "r.example/team/x", "t", "q");
	assert_user(file, "r.example/teams/x", "u", "p");
	assert_user(file, "old.example/x", "u", "p");
	assert_user(file, "empty.example/x", NULL, NULL);
	assert_user(file, "odd.example/x", NULL, NULL);
	assert_user(file, "example/x", "hub", "p:w");
	assert_user(file, "other.example/x", NULL, NULL);
	assert_user("{}", "alpine", NULL, NULL);
	assert_int_equal(look("{\"auths\":", "alpine").result, -1);
}

static void helpers_are_named_and_answer(void **state)
{
	struct looked looked = look("{\"credHelpers\":{\"r.example\":\"ecr-login\"},"
				    "\"credsStore\":\"desktop\"}",
				    "r.example/x");
	struct credentials said = { 0 };

	(void)state;
	assert_int_equal(looked.result, 1);
	assert_string_equal(looked.helper, "ecr-login");
	assert_string_equal(look("{\"credsStore\":\"desktop\"}", "r.example/x").helper, "desktop");
	assert_int_equal(look("{\"credsStore\":\"../../bin/sh\"}", "r.example/x").result, 0);
	assert_int_equal(credentials_parse_helper(
				 span_of_str("{\"Username\":\"u\",\"Secret\":\"s\"}"), &said, NULL),
			 0);
	assert_string_equal(said.user, "u");
	credentials_finish(&said);
	assert_int_equal(
		credentials_parse_helper(span_of_str("{\"Username\":\"<token>\",\"Secret\":\"s\"}"),
					 &said, NULL),
		0);
	assert_string_equal(said.identity, "s");
	assert_null(said.user);
	credentials_finish(&said);
	assert_int_equal(
		credentials_parse_helper(span_of_str("credentials not found"), &said, NULL), -1);
	assert_int_equal(credentials_parse_helper(
				 span_of_str("{\"Username\":\"\",\"Secret\":\"\"}"), &said, NULL),
			 0);
	assert_null(said.user);
	assert_null(said.identity);
	assert_int_equal(credentials_parse_helper(span_of_str("{\"Secret\":7}"), &said, NULL), -1);
}

static void enroots_file_is_read_but_not_run(void **state)
{
	static const char file[] = "machine a.example login x password y\n"
				   "machine nvcr.io login $oauthtoken\n\tpassword k\n"
				   "machine b.example login z password w";
	static const char shell[] = "machine nvcr.io login u password $(cat key)";
	struct credentials found = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(credentials_parse_netrc(span_of_str(file), "nvcr.io", &found, NULL), 1);
	assert_string_equal(found.user, "$oauthtoken");
	assert_string_equal(found.password, "k");
	credentials_finish(&found);
	assert_int_equal(credentials_parse_netrc(span_of_str(file), "c.example", &found, NULL), 0);
	assert_int_equal(credentials_parse_netrc(span_of_str(shell), "a.example", &found, NULL), 0);
	assert_int_equal(credentials_parse_netrc(span_of_str(shell), "nvcr.io", &found, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
}

static void put(char **text, const char *name, enum oci_known known, const struct oci_image *image,
		uint64_t now_s)
{
	const struct oci_cached answer = { name, "arm64", known, image };
	char *made = oci_cache_put(span_of_str(*text), &answer, now_s);

	assert_non_null(made);
	free(*text);
	*text = made;
}

static void an_answer_is_kept_for_a_while(void **state)
{
	static const char text[] = "{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{"
				   "\"Entrypoint\":[\"/e\",\"a b\"],\"Cmd\":[\"c\"],"
				   "\"WorkingDir\":\"/w\"}}";
	static const char by_digest[] = "x@" DIGEST;
	cleanup(oci_image_finish) struct oci_image image = { 0 }, found = { 0 };
	cleanup_free char *kept = str_dup("");

	(void)state;
	assert_int_equal(manifest_parse_config(span_of_str(text), &image, NULL), 0);
	put(&kept, "x:1", OCI_FITS, &image, 1000);
	put(&kept, by_digest, OCI_OTHER, NULL, 1000);
	put(&kept, "gone", OCI_SILENT, NULL, 1000);
	assert_int_equal(oci_cache_find(span_of_str(kept), "x:1", "arm64", 1599, &found), OCI_FITS);
	assert_int_equal(found.entrypoint.len, 2);
	assert_string_equal(found.entrypoint.items[1], "a b");
	assert_string_equal(found.command.items[0], "c");
	assert_string_equal(found.directory, "/w");
	oci_image_finish(&found);
	/* Too old, before it was asked, for another machine, another name. */
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(oci_cache_find(span_of_str(kept), i == 3 ? "x:2" : "x:1",
						i == 2 ? "amd64" : "arm64",
						i == 0	 ? 1600
						: i == 1 ? 999
							 : 1001,
						&found),
				 OCI_NOTHING);
		oci_image_finish(&found);
	}
	assert_int_equal(oci_cache_find(span_of_str(kept), by_digest, "arm64", 999999, &found),
			 OCI_OTHER);
	oci_image_finish(&found);
	assert_int_equal(oci_cache_find(span_of_str(kept), "gone", "arm64", 1001, &found),
			 OCI_SILENT);
	oci_image_finish(&found);
	put(&kept, "gone", OCI_FITS, &image, 1002);
	assert_int_equal(oci_cache_find(span_of_str(kept), "gone", "arm64", 1003, &found),
			 OCI_FITS);
}

static void answers_that_are_too_many_or_damaged_are_forgotten(void **state)
{
	cleanup_free char *kept = str_dup("[7, {\"name\": \"x\"}, null]");
	cleanup(oci_image_finish) struct oci_image found = { 0 };

	(void)state;
	assert_int_equal(oci_cache_find(span_of_str("{"), "x", "arm64", 5, &found), OCI_NOTHING);
	assert_int_equal(oci_cache_find(span_of_str(kept), "x", "", 5, &found), OCI_NOTHING);
	for (unsigned int i = 0; i <= OCI_CACHE_MAX; i++) {
		cleanup_free char *name = str_printf("x:%u", i);

		put(&kept, name, OCI_SILENT, NULL, 5);
	}
	assert_int_equal(oci_cache_find(span_of_str(kept), "x:0", "arm64", 5, &found), OCI_NOTHING);
	oci_image_finish(&found);
	assert_int_equal(oci_cache_find(span_of_str(kept), "x:1", "arm64", 5, &found), OCI_SILENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_means_what_docker_makes_of_it),
		cmocka_unit_test(what_is_no_name_of_an_image_is_refused),
		cmocka_unit_test(an_index_leads_to_the_image_of_a_machine),
		cmocka_unit_test(manifests_that_are_none_are_refused),
		cmocka_unit_test(a_configuration_tells_what_is_run),
		cmocka_unit_test(a_registry_says_where_tokens_are),
		cmocka_unit_test(credentials_are_those_of_the_registry),
		cmocka_unit_test(helpers_are_named_and_answer),
		cmocka_unit_test(enroots_file_is_read_but_not_run),
		cmocka_unit_test(an_answer_is_kept_for_a_while),
		cmocka_unit_test(answers_that_are_too_many_or_damaged_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
