# SPDX-License-Identifier: GPL-2.0
# What every script here starts from: where things are, how to speak, how to
# share the cache. Sourced by bash, never run.

set -euo pipefail
shopt -s inherit_errexit

# depmod and others; the PATH of who is not root lacks them.
PATH=$PATH:/usr/sbin:/sbin

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything that was downloaded or is expensive to make, shared by all trees of
# this user and safe to delete at any time. What this tree's sources become
# stands in build/ of the tree instead.
CACHE=${LGUEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lguest}

BUILD=$TREE/build

# What was compiled in another tree, or before a change was taken back, is not compiled again.
export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TREE CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=1G

say() { echo "lguest: $*" >&2; }
die() { echo "lguest: $*" >&2; exit 1; }

# The one privileged prefix: nothing for root, sudo where it asks no question
# that nobody could answer, and a failure otherwise.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		return 127
	fi
}

# with_lock NAME COMMAND...: one of its name at a time for this user, in all trees.
with_lock()
{
	local name=$1

	shift
	mkdir -p "$CACHE/locks"
	(
		flock -n 9 || { say "waiting for another run ($name)"; flock 9; }
		"$@" 9>&-
	) 9>"$CACHE/locks/$name"
}

# merged FILE...: the lines of kernel configurations, each option as the last one has it.
merged()
{
	awk 'match($0, /CONFIG_[A-Z0-9_]*/) {
		option = substr($0, RSTART, RLENGTH)
		if (!(option in line))
			name[n++] = option
		line[option] = $0
	} END { for (i = 0; i < n; i++) print line[name[i]] }' "$@"
}

# fresh FILE MINUTES: true if FILE exists and is younger than that.
fresh()
{
	[ -n "$(find "$1" -maxdepth 0 -mmin "-$2" 2>/dev/null)" ]
}

# one_at_a_time NAME: until this script ends, no other one builds build/NAME of this tree.
one_at_a_time()
{
	mkdir -p "$BUILD"
	exec 8>"$BUILD/.lock-$1"
	flock 8
}

# pack DIRECTORY (it is ours: its times are lost). The same files make the same archive,
# to the bit: what `make bench` counts depends on it.
pack()
{
	(
		cd "$1"
		find . -exec touch -h -d @0 {} +
		find . -mindepth 1 | LC_ALL=C sort |
			cpio --quiet --reproducible -o -H newc -R 0:0
	)
}
