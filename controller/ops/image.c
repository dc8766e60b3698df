/* SPDX-License-Identifier: MIT */
/* Images of jobs; see image.h. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/launch/launcher.h"
#include "controller/oci/oci.h"
#include "controller/oci/reference.h"
#include "init/base/log.h"

#define NOTE "images"
/* All requests for one job together: a submission waits for them. */
#define LIMIT_MS 8000

void image_words_finish(struct image_words *words)
{
	argv_finish(&words->command);
	free(words->directory);
}

/* This machine runs root directories, and engines read images themselves. */
static bool uses_launchers(const struct where *where)
{
	return !where->runs_containers && strcmp(where->backend, "local") != 0;
}

/* The image as its registry knows it; NULL where it is in none, or in one of the nodes'. */
static const char *registry_name(const struct where *where, const struct spec *spec)
{
	const struct launcher *launcher;
	cleanup(oci_reference_finish) struct oci_reference parsed = { 0 };

	if (!uses_launchers(where) || !spec->image || launcher_choose(spec, &launcher, NULL) < 0 ||
	    !launcher || !launcher_pulls(launcher, spec->image) ||
	    oci_reference_parse(spec->image, &parsed, NULL) < 0 ||
	    strcmp(parsed.registry, "localhost") == 0)
		return NULL;
	return spec->image;
}

bool image_stands_in(const struct where *where, struct spec *spec)
{
	static const char *const word[] = { "image", NULL };

	if ((spec->command && spec->command[0]) || spec->script || !registry_name(where, spec))
		return false;
	spec->command = word;
	return true;
}

static void remember(struct controller *c, const char *text, const struct oci_cached *answer)
{
	cleanup_free char *made =
		oci_cache_put(span_of_str(text), answer, controller_now_ns() / NSEC_PER_SEC);
	struct err err;

	if (made && store_put_note(c->store, NOTE, made, &err) < 0)
		log_debug("%s", err.text);
}

/* What is known by now; *err is what the registry, or the way there, says when it is silent. */
static enum oci_known ask(struct controller *c, const char *name, const char *arch, bool is_needed,
			  struct oci_image *ret, struct err *err)
{
	static const enum oci_known results[] = { OCI_FITS, OCI_OTHER };
	const struct oci_question question = { name, arch, LIMIT_MS };
	struct oci_cached answer = {
		.name = name, .arch = arch, .known = OCI_SILENT, .image = ret
	};
	cleanup_free char *note = NULL;
	enum oci_known known;
	int result;

	if (store_get_note(c->store, NOTE, &note, NULL) < 0 || !note)
		note = str_dup("");
	known = oci_cache_find(span_of_str(note), name, arch, controller_now_ns() / NSEC_PER_SEC,
			       ret);
	err_set(err, ERR_UNAVAILABLE, "its registry did not answer a while ago");
	if (known != OCI_NOTHING && !(known == OCI_SILENT && is_needed))
		return known;
	oci_image_finish(ret);
	result = oci_ask(&question, ret, err);
	if (result >= 0)
		answer.known = results[result];
	remember(c, note, &answer);
	if (result < 0)
		log_debug("%s", err->text);
	return result < 0 ? OCI_NOTHING : answer.known;
}

/*
 * What the image runs when nothing else is said, as for docker run; with `image_entrypoint: always`
 * its entrypoint is in front of the command, too.
 */
static int compose(const struct oci_image *image, bool wants_command, struct spec *spec,
		   struct image_words *ret, struct err *err)
{
	for (size_t i = 0; i < image->entrypoint.len; i++)
		argv_add(&ret->command, image->entrypoint.items[i]);
	for (size_t i = 0; wants_command && i < image->command.len; i++)
		argv_add(&ret->command, image->command.items[i]);
	if (!wants_command)
		argv_add_all(&ret->command, spec->command);
	if (ret->command.len == 0)
		return err_set(err, ERR_INVALID,
			       "image '%.200s' runs nothing by itself: put a command after '--'",
			       image->name);
	spec->command = argv_words(&ret->command);
	/* Where it would start; a directory that was asked for stays. */
	if (wants_command && image->directory && image->directory[0] == '/' &&
	    strcmp(spec->workdir, "/") == 0) {
		ret->directory = str_dup(image->directory);
		spec->workdir = ret->directory;
	}
	return 0;
}

static int refuse(const struct where *where, const struct oci_image *image, const char *arch,
		  struct err *err)
{
	oci_refuse(&image->platforms, arch, err);
	return err_wrap(err,
			"image '%.200s' does not run on the nodes of '%s' ('architecture' of the "
			"cluster says what they are)",
			image->name, where->cluster);
}

int image_look_at(struct controller *c, const struct where *where, const char *arch,
		  bool wants_command, struct spec *spec, struct image_words *ret,
		  struct notes *notes, struct err *err)
{
	const char *name = registry_name(where, spec), *rule = NULL;
	cleanup(oci_image_finish) struct oci_image image = { 0 };
	bool composes = wants_command;
	enum oci_known known;
	struct err why;

	if (!name)
		return 0;
	if (where->settings)
		rule = config_text(c->config, where->settings, "image_entrypoint");
	if (rule && strcmp(rule, "always") == 0 && !spec->script)
		composes = true;
	known = ask(c, name, arch, composes, &image, &why);
	if (known == OCI_OTHER)
		return refuse(where, &image, arch, err);
	if (known == OCI_FITS)
		return composes ? compose(&image, wants_command, spec, ret, err) : 0;
	if (composes)
		return err_set(err, why.kind,
			       "what image '%.200s' runs is not known: %.200s; put %s", name,
			       why.text,
			       wants_command ? "a command after '--'"
					     : "'image_entrypoint' of the cluster to 'alone'");
	/* A warning of a while ago is enough. */
	if (known == OCI_NOTHING && notes)
		notes_add(notes, "whether it is for %s is not known: %s", arch, why.text);
	return 0;
}
