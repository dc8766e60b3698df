/* SPDX-License-Identifier: MIT */
/* Who one is on a cluster; see whoami.h. */
#include "whoami.h"

#include <string.h>
#include <time.h>

#include "controller/model/json.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

static void line(const struct output *output, const char *title, const char *value)
{
	cleanup_free char *text = str_dup(value ? value : "");

	table_make_safe(text);
	if (text[0])
		fprintf(output->out, "%-13s %s\n", title, text);
}

/* When it ends, and how long that is from now. */
static void line_end(const struct output *output, const char *title, uint64_t ns, const char *then)
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	cleanup_free char *text = NULL;
	char moment[64], span[32];
	bool is_over = ns < output->now_ns;
	struct tm tm;

	if (ns == 0 || !localtime_r(&seconds, &tm) ||
	    strftime(moment, sizeof(moment), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		return;
	text_format_duration(is_over ? output->now_ns - ns : ns - output->now_ns, span,
			     sizeof(span));
	text = str_printf(is_over ? "%s (%s ago)%s" : "%s (in %s)%s", moment, span, then);
	line(output, title, text);
}

static void print_lines(const struct output_whoami *who, const struct output *output)
{
	line(output, "Cluster:", who->cluster);
	line(output, "User:", who->user && who->user[0] ? who->user : "(the token does not say)");
	line(output, "Token from:", who->source);
	line(output, "Issuer:", who->issuer);
	line(output, "Client:", who->client_id);
	line(output, "Grant:", who->grant);
	line(output, "Scopes:", who->scopes);
	line_end(output, "Expires:", who->ends_ns, who->renews ? ", renewed by itself" : "");
	line_end(output, "Login until:", who->refresh_ends_ns, "");
}

static json_t *list_of(const char *words)
{
	cleanup_free char *copy = str_dup(words ? words : "");
	json_t *list = json_array();
	char *rest = copy;

	for (char *word; (word = strsep(&rest, " "));) {
		if (word[0])
			json_array_append_new(list, value_text(word));
	}
	return list;
}

static json_t *value_of(const struct output_whoami *who)
{
	json_t *value = json_object();

	json_object_set_new(value, "cluster", value_text(who->cluster));
	json_object_set_new(value, "user", value_optional(who->user ? who->user : ""));
	json_object_set_new(value, "source", value_text(who->source));
	json_object_set_new(value, "issuer", value_optional(who->issuer ? who->issuer : ""));
	json_object_set_new(value, "client_id",
			    value_optional(who->client_id ? who->client_id : ""));
	json_object_set_new(value, "grant", value_optional(who->grant ? who->grant : ""));
	json_object_set_new(value, "scopes", list_of(who->scopes));
	json_object_set_new(value, "expires", value_time(who->ends_ns));
	json_object_set_new(value, "login_expires", value_time(who->refresh_ends_ns));
	json_object_set_new(value, "renews", json_boolean(who->renews));
	json_object_set(value, "claims", who->claims ? who->claims : json_null());
	return value;
}

int output_whoami(const struct output_whoami *who, const struct output *output, struct err *err)
{
	cleanup(json_release) json_t *array = NULL;

	if (output->format == OUTPUT_TABLE) {
		print_lines(who, output);
	} else if (output->format == OUTPUT_NAME) {
		fprintf(output->out, "%s\n", who->user ? who->user : "");
	} else {
		array = json_array();
		json_array_append_new(array, value_of(who));
		value_print(array, output);
	}
	return output_end(output, err);
}
