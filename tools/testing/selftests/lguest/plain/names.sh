#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the documentation calls by name is there: each function() and each file.
# names/known has the words of the sources, names/files the sources' names, names/said what
# the documentation says: its own file's name and the word, a line each.
here=$(dirname "$0")/names
count=0 failed=0

echo "TAP version 13"
echo "1..$(cut -d ' ' -f 1 "$here/said" | sort -u | wc -l)"
for page in $(cut -d ' ' -f 1 "$here/said" | sort -u); do
	count=$((count + 1)) missing=
	for word in $(sed -n "s,^$page ,,p" "$here/said" | sort -u); do
		case $word in
		*'()') grep -qx "${word%'()'}" "$here/known" || missing="$missing $word" ;;
		*) grep -q "\(^\|/\)$word\$" "$here/files" || missing="$missing $word" ;;
		esac
	done
	if [ -z "$missing" ]; then
		echo "ok $count $page"
	else
		echo "# $page speaks of what is not there:$missing"
		echo "not ok $count $page"
		failed=1
	fi
done
exit $failed
