#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Each fuzz target of fuzz/ for LGUEST_FUZZ_SECONDS, from its seed corpus; a
# finding is a failure, and the input that makes it is kept. `make fuzz SECONDS=n`
# runs it for longer. A target given as argument is run alone.
#
# lguest-host: timeout=600

here=$(dirname "$0")
targets=("$@")
[ $# -gt 0 ] || targets=(emulate segments walk image devices)
seconds=${LGUEST_FUZZ_SECONDS:-${LGUEST_TEST_LONG:+300}}
# Without being told: a minute for all of them together.
seconds=${seconds:-$(((60 + ${#targets[@]} - 1) / ${#targets[@]}))}

echo "TAP version 13"
echo "1..${#targets[@]}"
number=0 failed=0
for target in "${targets[@]}"; do
	number=$((number + 1))
	found=$here/fuzz/found/$target
	new=$here/fuzz/new/$target
	mkdir -p "$found" "$new"
	if "$here/fuzz/$target" -max_total_time="$seconds" -max_len=1024 -timeout=20 \
		-print_final_stats=1 -artifact_prefix="$found/" \
		"$new" "$here/fuzz/corpus/$target" >"$here/fuzz/$target.log" 2>&1; then
		sed -n 's/^stat::number_of_executed_units: */# inputs: /p' "$here/fuzz/$target.log"
		echo "ok $number $target"
	else
		failed=1
		grep -v '^#' "$here/fuzz/$target.log" | tail -n 40 | sed 's/^/# /'
		echo "# the input: $(ls -t "$found"/* | head -n 1)"
		echo "not ok $number $target"
	fi
done
exit $failed
