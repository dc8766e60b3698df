/* SPDX-License-Identifier: MIT */
/* Configurations of sites; see examples.h. */
#include "examples.h"

#include <stddef.h>

/* One machine of Alps; platforms differ in the address, machines in their name there. */
#define CSCS_MACHINE(machine, architecture, platform, path)              \
	"  " machine ":\n"                                               \
	"    backend: firecrest\n"                                       \
	"    url: https://api.cscs.ch/" path "/firecrest/v2\n"           \
	"    system: " machine "\n"                                      \
	"    architecture: " architecture "\n"                           \
	"    platform: " platform "\n"                                   \
	"    oidc: https://auth.cscs.ch/auth/realms/firecrest-clients\n" \
	"    scopes: [profile, firecrest, firecrest-v2]\n"               \
	"    grant: client-credentials\n"                                \
	"    client_id: your-client-id\n"                                \
	"    # job:\n"                                                   \
	"    #   account: your-project\n"

#define CSCS                                                                                   \
	"# Alps at CSCS: platforms HPC, ML and CW (climate and weather), by FirecREST.\n"      \
	"# An application of yours in the developer portal of CSCS, with the APIs of these\n"  \
	"# platforms, gives client_id and secret; then: berth login daint\n"                   \
	"# That asks for the secret and keeps it in the keyring. All three share the login.\n" \
	"clusters:\n" CSCS_MACHINE("daint", "arm64", "HPC", "hpc")                             \
		CSCS_MACHINE("clariden", "arm64", "ML", "ml")                                  \
			CSCS_MACHINE("santis", "arm64", "CW", "cw")

const struct example ops_examples[] = {
	{ "cscs", "Alps at CSCS: daint, clariden and santis, by FirecREST", CSCS },
	{ NULL, NULL, NULL },
};
