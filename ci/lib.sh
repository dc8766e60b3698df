# SPDX-License-Identifier: MIT
# Shared by the scripts in ci/: where we are, how packages are installed, how steps are announced.
# Sourced by bash scripts, never run.
# shellcheck shell=bash disable=SC2034

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BERTH_BUILD:-$top/build}
sysroot=${BERTH_SYSROOT:-$top/.sysroot}
export LC_ALL=C.UTF-8

say() { printf '== %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "'$*' needs root: run this as root, or install sudo"
	fi
}

# packages NAME...: installs those of the named Debian packages that are missing.
packages() {
	local missing=() name
	for name in "$@"; do
		dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
			missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing with apt: ${missing[*]}"
	# A mirror that does not answer is no trouble when the others have what is needed.
	as_root apt-get update -q >/dev/null || say "apt-get update failed; trying with the lists that are there"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		"${missing[@]}" >/dev/null || die "cannot install: ${missing[*]}"
}

# debian_mirror: the mirror of Debian that the machine's own sources name, in either of apt's formats.
debian_mirror() {
	local mirror
	mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
		2>/dev/null || true; } | grep -v '^ *#' | grep -oE '(https?|file):/[^] ]*debian/?( |$)' | tr -d ' ' |
		head -n 1) || true
	[ -n "$mirror" ] || die "no Debian mirror in /etc/apt/sources.list*: add one, for example with 'apt edit-sources'"
	printf '%s\n' "$mirror"
}

# debian_other DIRECTORY "SUITE..." NAME...: downloads the named packages of these suites of Debian to DIRECTORY/debs and
# installs nothing; those of another architecture when debian_arch names one. apt runs on a state of its own in DIRECTORY, and checks signatures with Debian's archive keyring.
debian_other() {
	local work=$1 suites=$2 arch keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror apt
	shift 2
	arch=${debian_arch:-$(dpkg --print-architecture)}
	mirror=$(debian_mirror)
	[ -r "$keyring" ] || packages debian-archive-keyring
	mkdir -p "$work"/{state/lists/partial,cache/archives/partial,etc,debs}
	chmod 755 "$work"
	# shellcheck disable=SC2086
	printf "deb [signed-by=$keyring] $mirror %s main\\n" $suites >"$work/etc/sources.list"
	apt=(-q -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/etc/sources.list"
		-o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null
		-o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::status=/dev/null
		-o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=root
		-o Acquire::Languages=none)
	apt-get "${apt[@]}" update >/dev/null
	(cd "$work/debs" && apt-get "${apt[@]}" download "$@" >/dev/null)
}

# debian13 DIRECTORY NAME...: the same with Debian 13 and its backports.
debian13() {
	local work=$1
	shift
	debian_other "$work" "trixie trixie-backports" "$@"
}

# What a build needs. Tests, fuzzers and benchmarks name what they need beyond it.
packages_build=(build-essential meson ninja-build pkg-config musl-tools squashfs-tools busybox-static
	libjansson-dev libsqlite3-dev libmd-dev libfyaml-dev libcurl4-openssl-dev libcmocka-dev scdoc)

# What `ci/build --arch` needs beyond that: the cross compiler, which wants a libc to try itself.
packages_cross_arm64=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
packages_cross_amd64=(gcc-x86-64-linux-gnu libc6-dev-amd64-cross)

# What the checks and unit tests need beyond that; ccache, since test_package builds what was built before.
packages_test=(ccache clang-format shellcheck flake8 procps)

# What the end-to-end tests need: the stock clients, bubblewrap, a real Slurm, a real Docker and what its images are
# made of, and the inits that ours is compared with.
packages_e2e=(python3 python3-pytest python3-jsonschema python3-yaml python3-kubernetes openssh-client openssh-server podman crun runc dropbear-bin putty-tools openssl util-linux
	bubblewrap socat procps strace valgrind iproute2 nftables conntrack tinyproxy-bin nginx munge slurmctld slurmd slurm-client
	slurmrestd slurm-wlm-jwt-plugin mariadb-server slurmdbd docker.io busybox-static tini dumb-init catatonit
	mmdebstrap sshfs rsync git tmux zsh fish ansible-core lftp python3-paramiko chromium
	dbus gnome-keyring libsecret-1-0 glewlwyd docker-registry golang-docker-credential-helpers pass skopeo
	rootlesskit slirp4netns uidmap)
# Since Debian 13 the client is a package of its own.
[ "$(sed -n 's/^VERSION_ID="\([0-9]*\)"$/\1/p' /etc/os-release)" = 12 ] || packages_e2e+=(docker-cli)

# What ci/firecrest needs beside pip's part: its server's jobs run curl.
packages_firecrest=(git python3-venv curl)

# What ci/kubernetes needs beside Go.
packages_kubernetes=(containerd etcd-server openssl python3-kubernetes)

# What ci/slurm-containers needs beyond the end-to-end tests.
packages_containers=(squashfs-tools squashfuse fuse3 patchelf)

# What the benches need, by their names.
packages_bench_ssh=(python3 openssh-client openssh-server openssl util-linux bubblewrap iproute2)
packages_bench_relay=(python3 openssh-client openssh-server openssl util-linux iproute2 nftables conntrack tinyproxy-bin)
packages_bench_init=(python3 python3-pytest util-linux procps tini dumb-init catatonit)
packages_bench_controller=(python3 python3-pytest util-linux munge slurmctld slurmd slurm-client)
packages_bench_containers=(python3 python3-pytest openssh-client util-linux docker.io tini busybox-static musl-tools)
packages_bench_files=(python3 python3-pytest python3-jsonschema python3-yaml util-linux openssh-client openssh-server curl rsync munge
	slurmctld slurmd slurm-client)
packages_bench_firecrest=(python3 python3-jsonschema python3-yaml util-linux openssh-client curl munge slurmctld slurmd slurm-client)
