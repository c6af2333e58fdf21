# SPDX-License-Identifier: GPL-2.0
# What tests that are shell scripts begin with, sourced: TAP about cases whose verdict is the status
# of a command. What that command says goes to $tmp/out and $tmp/err, and is shown if it failed;
# $tmp goes with the script. At the end $failed is for exit.
# shellcheck shell=sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
number=0 failed=0

# report NAME: the status of the command before is the verdict
report()
{
	status=$?
	number=$((number + 1))
	if [ $status = 0 ]; then
		echo "ok $number $1"
	else
		echo "# status $status"
		cat "$tmp/out" "$tmp/err" 2>/dev/null | tail -n 40 | sed 's/^/# /'
		echo "not ok $number $1"
		failed=1
	fi
}

# until_true COMMAND...: true soon, or false after a long time
until_true()
{
	for i in $(seq 300); do
		"$@" 2>/dev/null && return
		sleep 0.1
	done
	return 1
}
