/* SPDX-License-Identifier: MIT */
/* berth completion: what a shell has to know to complete our command lines. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/jobs.h"
#include "controller/ops/where.h"
#include "controller/output/output.h"

/* Words that stand for themselves among the operands: "jobs" in "jobs [JOB...]". */
static void print_words(const char *operands)
{
	for (const char *p = operands; *p;) {
		size_t len = 0;

		while (islower((unsigned char)p[len]) || (len > 0 && p[len] == '-'))
			len++;
		if (len > 1)
			printf(" %.*s", (int)len, p);
		p += len ? len : 1;
	}
}

/* Whether one of the operands is called so: "SOURCE" and not "RESOURCE". */
static bool has_operand(const struct verb *verb, const char *name)
{
	const char *at = strstr(verb->operands, name);

	return at && (at == verb->operands || !isupper((unsigned char)at[-1]));
}

static bool takes_jobs(const struct verb *verb)
{
	return has_operand(verb, "JOB") || has_operand(verb, "SOURCE");
}

/* Contexts and clusters; those of describe follow a word of their own. */
static bool takes_places(const struct verb *verb)
{
	return !takes_jobs(verb) && (has_operand(verb, "CONTEXT") || has_operand(verb, "CLUSTER"));
}

/* What can stand behind options that are the same everywhere, by what they call their value. */
static const struct {
	const char *value_name, *words;
} values[] = {
	{ "FORMAT", ""
#define X(name, word) " " word
	  OUTPUT_FORMATS(X)
#undef X
	},
	{ "STATE", " open ended"
#define X(name, is_ended) " " #name
	  JOB_STATES(X)
#undef X
	},
};

static bool takes_value(const struct opt *opt)
{
	return opt->value_name;
}

/* Options of berth itself, which every verb takes. */
#define COMMON_OPTIONS " --context --cluster"

static void print_options(const struct verb *verb, bool with_value)
{
	printf(with_value ? COMMON_OPTIONS : COMMON_OPTIONS " --help");
	for (const struct opt *o = verb->opts; o && o->type != OPT_TYPE_END; o++) {
		if (!o->help || (with_value && !takes_value(o)))
			continue;
		printf(" --%s", o->name);
		if (with_value && o->short_name)
			printf(" -%c", o->short_name);
	}
}

/* "--state | -s) offered=' RUNNING ...' ;;", for the word before the one that is completed. */
static void print_values(const struct verb *verb)
{
	printf("\t\tcase $prev in\n\t\t--context | --cluster | --backend | -b) places=1 ;;\n");
	for (const struct opt *o = verb->opts; o && o->type != OPT_TYPE_END; o++) {
		for (size_t i = 0; o->help && takes_value(o) && i < ARRAY_LEN(values); i++) {
			if (strcmp(o->value_name, values[i].value_name) != 0)
				continue;
			printf("\t\t--%s", o->name);
			if (o->short_name)
				printf(" | -%c", o->short_name);
			printf(") offered='%s' ;;\n", values[i].words);
		}
	}
	printf("\t\tesac\n");
}

/* One line of a case statement, the same for bash and zsh. */
static void print_case(const struct verb *verb)
{
	printf("\t%s)\n\t\toptions='", verb->name);
	print_options(verb, false);
	printf("'\n\t\tvalued='");
	print_options(verb, true);
	printf("'\n\t\tnames='");
	print_words(verb->operands);
	printf("'\n\t\tjobs=%d\n\t\tplaces=%d\n", takes_jobs(verb), takes_places(verb));
	print_values(verb);
	printf("\t\t;;\n");
}

static void print_cases(void)
{
	printf("\tcase $verb in\n");
	for (const struct verb *const *v = cmd_verbs; *v; v++) {
		if (!(*v)->hidden)
			print_case(*v);
	}
	printf("\tesac\n");
}

static void print_verbs(void)
{
	for (const struct verb *const *v = cmd_verbs; *v; v++) {
		if (!(*v)->hidden)
			printf(" %s", (*v)->name);
	}
}

static void print_bash(void)
{
	printf("# bash completion of berth: source <(berth completion bash)\n"
	       "_berth()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal verb='' options='' valued='' names='' offered='' jobs=0 places=0 i\n\n"
	       "\tCOMPREPLY=()\n"
	       "\tif ((COMP_CWORD > 1)); then\n\t\tverb=${COMP_WORDS[1]}\n\tfi\n"
	       "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
	       "\t\t\tcompopt -o default\n\t\t\treturn\n\t\tfi\n\tdone\n");
	print_cases();
	printf("\tif [[ -z $verb ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	print_verbs();
	printf(" --help --version' -- \"$cur\")\n"
	       "\telif [[ $verb == help ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	print_verbs();
	printf("' -- \"$cur\")\n"
	       "\telif [[ -n $offered ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$offered\" -- \"$cur\")\n"
	       "\telif ((places)) && [[ $cur != -* ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$(\"${COMP_WORDS[0]}\" complete-places "
	       "2>/dev/null)\" -- \"$cur\")\n"
	       "\telif [[ \" $valued \" == *\" $prev \"* ]]; then\n"
	       "\t\tcompopt -o default\n"
	       "\telif [[ $cur == -* ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
	       "\telse\n"
	       "\t\t((COMP_CWORD == 2)) || names=''\n"
	       "\t\t[[ $verb != describe || ${COMP_WORDS[2]} == job* ]] || jobs=0\n"
	       "\t\t((jobs)) && names+=\" $(\"${COMP_WORDS[0]}\" complete-jobs 2>/dev/null)\"\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$cur\")\n"
	       "\t\t[[ $verb == cp ]] && compopt -o default\n"
	       "\tfi\n\treturn 0\n}\ncomplete -F _berth berth\n");
}

static void print_zsh(void)
{
	printf("#compdef berth\n# zsh completion of berth: source <(berth completion zsh)\n"
	       "_berth()\n{\n"
	       "\tlocal cur=${words[CURRENT]} prev=${words[CURRENT-1]} program=${words[1]}\n"
	       "\tlocal -a line=(\"${words[@]}\")\n"
	       "\tlocal verb='' options='' valued='' names='' offered='' jobs=0 places=0 at=$CURRENT\n\n"
	       "\tif ((at > 2)); then\n\t\tverb=${line[2]}\n\tfi\n"
	       "\tif ((${line[(I)--]} > 0 && ${line[(I)--]} < at)); then\n"
	       "\t\t_default\n\t\treturn\n\tfi\n");
	print_cases();
	printf("\tif [[ -z $verb ]]; then\n\t\tcompadd -- ");
	print_verbs();
	printf(" --help --version\n"
	       "\telif [[ $verb == help ]]; then\n\t\tcompadd --");
	print_verbs();
	printf("\n\telif [[ -n $offered ]]; then\n"
	       "\t\tcompadd -- ${=offered}\n"
	       "\telif ((places)) && [[ $cur != -* ]]; then\n"
	       "\t\tcompadd -- ${=:-$($program complete-places 2>/dev/null)}\n"
	       "\telif [[ \" $valued \" == *\" $prev \"* ]]; then\n"
	       "\t\t_default\n"
	       "\telif [[ $cur == -* ]]; then\n"
	       "\t\tcompadd -- ${=options}\n"
	       "\telse\n"
	       "\t\t((at == 3)) || names=''\n"
	       "\t\t[[ $verb != describe || ${line[3]} == job* ]] || jobs=0\n"
	       "\t\t((jobs)) && names+=\" $($program complete-jobs 2>/dev/null)\"\n"
	       "\t\tcompadd -- ${=names}\n"
	       "\t\t[[ $verb == cp ]] && _default\n"
	       "\tfi\n\treturn 0\n}\n"
	       "# Installed in fpath this file is the function's body at the first Tab.\n"
	       "if [[ ${funcstack[1]} == _berth ]]; then\n\t_berth \"$@\"\n"
	       "elif (($+functions[compdef])); then\n\tcompdef _berth berth\nfi\n");
}

/* Inside single quotes of fish only the quote and the backslash are special. */
static void print_fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void print_fish_value(const struct opt *o)
{
	if (!takes_value(o))
		return;
	if (strcmp(o->name, "backend") == 0) {
		printf(" -x -a '(berth complete-places 2>/dev/null)'");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (strcmp(o->value_name, values[i].value_name) == 0) {
			printf(" -x -a '%s'", values[i].words + 1);
			return;
		}
	}
	printf(" -r");
}

static void print_fish_verb(const struct verb *verb)
{
	printf("complete -c berth -n __fish_use_subcommand -f -a %s -d ", verb->name);
	print_fish_text(verb->summary);
	putchar('\n');
	for (const struct opt *o = verb->opts; o && o->type != OPT_TYPE_END; o++) {
		if (!o->help)
			continue;
		printf("complete -c berth -n '__fish_seen_subcommand_from %s' -l %s", verb->name,
		       o->name);
		if (o->short_name)
			printf(" -s %c", o->short_name);
		print_fish_value(o);
		printf(" -d ");
		print_fish_text(o->help);
		putchar('\n');
	}
	printf("complete -c berth -n '__fish_seen_subcommand_from %s'%s -a '", verb->name,
	       takes_jobs(verb) && strcmp(verb->name, "cp") != 0 ? " -f" : "");
	print_words(verb->operands);
	if (takes_places(verb))
		printf(" (berth complete-places 2>/dev/null)");
	printf("%s'\n", takes_jobs(verb) ? " (berth complete-jobs 2>/dev/null)" : "");
}

static void print_fish(void)
{
	printf("# fish completion of berth: berth completion fish | source\n"
	       "complete -c berth -l context -x -a '(berth complete-places 2>/dev/null)'\n"
	       "complete -c berth -l cluster -x -a '(berth complete-places 2>/dev/null)'\n");
	for (const struct verb *const *v = cmd_verbs; *v; v++) {
		if (!(*v)->hidden)
			print_fish_verb(*v);
	}
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

	(void)opaque;
	(void)argc;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(argv[0], shells[i].name) == 0) {
			shells[i].print();
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "'%.40s': there are bash, zsh and fish", argv[0]);
}

const struct verb cmd_completion = {
	.name = "completion",
	.operands = "bash|zsh|fish",
	.summary = "print what a shell needs to complete command lines",
	.details = "For bash: source <(berth completion bash)",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};

/* The store alone is asked: a key is pressed and somebody waits. */
static int run_jobs(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	(void)opaque;
	(void)argc;
	(void)argv;
	if (controller_open(&c, err) < 0 || ops_list(c, false, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++) {
		printf("job-%" PRIu64 "\n", jobs.items[i].id);
		if (jobs.items[i].name[0])
			printf("%s\n", jobs.items[i].name);
	}
	return 0;
}

const struct verb cmd_complete_jobs = {
	.name = "complete-jobs",
	.operands = "",
	.summary = "names of jobs, for shells",
	.mode = OPT_PERMUTE,
	.hidden = true,
	.run = run_jobs,
};

static int run_places(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	const struct config *config;

	(void)opaque;
	(void)argc;
	(void)argv;
	if (controller_open(&c, err) < 0 || ops_config(c, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < config->clusters.len; i++)
		printf("%s\n", config->clusters.items[i].name);
	for (size_t i = 0; i < config->contexts.len; i++)
		printf("%s\n", config->contexts.items[i].name);
	return 0;
}

const struct verb cmd_complete_places = {
	.name = "complete-places",
	.operands = "",
	.summary = "names of contexts and clusters, for shells",
	.mode = OPT_PERMUTE,
	.hidden = true,
	.run = run_places,
};
