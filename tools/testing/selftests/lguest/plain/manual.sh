#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The options of the `lguest` command have five lists: the code's, --help, the man page, running.rst
# and the completion. They must be one. manual/ has the last three, and what the sources' getopt
# tables hold, as lines of "FILE OPTION".

here=$(dirname "$0")/manual
lguest=$(cd "$(dirname "$0")" && pwd)/../../tools/lguest
. "$(dirname "$0")/tap.sh"

# same A B: two sorted lists; the difference is shown
same() { diff "$1" "$2" | sed 's/^/# /'; cmp -s "$1" "$2"; }

# All "-x" and "--word" of a text, one a line.
options() { grep -oE '(^|[^-[:alnum:]])--?[[:alpha:]0-9][-[:alnum:]]*' | grep -oE -e '--?[[:alnum:]][-[:alnum:]]*$' | sort -u; }

verbs=$("$lguest" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
# shellcheck disable=SC2086 # a list
set -- $verbs
echo "TAP version 13"
echo "1..$((2 * $# + 5))"

for verb; do
	"$lguest" "$verb" --help >"$tmp/help"
	# Options are listed at the start of a line, or in the usage.
	{
		sed -n 's/^  *\(-.*\)/\1/p' "$tmp/help" | sed 's/  .*//'
		sed -n '/^usage:/,/^$/p' "$tmp/help"
	} | options >"$tmp/$verb.help"
	# .SH or .TP parts of the man page are roff: \- is a hyphen.
	[ -s "$tmp/help" ] && [ "$(head -c 14 "$tmp/help")" = "usage: lguest " ] && [ "$("$lguest" help "$verb")" = "$(cat "$tmp/help")" ]
	report "$verb --help"

	(
		# shellcheck disable=SC1091
		. "$here/lguest.bash"
		PATH="${lguest%/*}:$PATH"
		COMP_WORDS=(lguest "$verb" -) COMP_CWORD=2 COMPREPLY=()
		_lguest
		printf '%s\n' "${COMPREPLY[@]}"
	) | grep -v '^--help$' | sed '/^$/d' | sort -u >"$tmp/$verb.completion"
	[ "$verb" = help ] || same "$tmp/$verb.help" "$tmp/$verb.completion"
	report "$verb: completion offers what --help lists"
done

# The code's: a table of options.c is run's, others have their verb's name.
cat "$tmp"/*.help | grep '^--' | sort -u >"$tmp/long"
sed 's/^options /run /' "$here/options" | while read -r verb option; do
	grep -q -x -e "$option" "$tmp/$verb.help" || echo "# $verb takes $option, --help does not say so"
done >"$tmp/unsaid"
cat "$tmp/unsaid"
[ ! -s "$tmp/unsaid" ] && [ "$(grep -c '^options ' "$here/options")" -gt 10 ]
report "--help lists what the code takes"

# And takes what it lists: whatever is wrong with "--name /", it is not that the option is unknown.
for option in $(cat "$tmp/run.help"); do
	"$lguest" run "$option" / </dev/null 2>&1 | grep "no such option"
done >"$tmp/unknown"
sed 's/^/# /' "$tmp/unknown"
[ ! -s "$tmp/unknown" ] && "$lguest" run --frob 2>&1 | grep -q "no such option"
report "the code takes what --help of run lists"

sed 's/\\-/-/g; s/\\f[A-Z]//g' "$here/lguest.1" >"$tmp/man"
sed -n '/^\.SH OPTIONS OF RUN/,/^\.SH OTHER/p' "$tmp/man" | grep -A 1 '^\.TP' | grep '^\.B' | options >"$tmp/run.man"
same "$tmp/run.help" "$tmp/run.man"
report "the man page has the options of run, and no others"

sed -n '/^Options of run/,/^Other verbs/p' "$here/running.rst" | grep '^``' | options >"$tmp/run.rst"
same "$tmp/run.help" "$tmp/run.rst"
report "running.rst has the options of run, and no others"

# Those of other verbs stand in its synopsis.
sed -n '/^\.SH SYNOPSIS/,/^\.SH DESC/p' "$tmp/man" | options | grep '^--' >"$tmp/others.man"
for verb; do
	[ "$verb" = run ] || cat "$tmp/$verb.help"
done | grep '^--' | sort -u | grep -v -x -e --interval >"$tmp/others.help"
same "$tmp/others.help" "$tmp/others.man"
report "the man page has the options of the other verbs"

exit $failed
