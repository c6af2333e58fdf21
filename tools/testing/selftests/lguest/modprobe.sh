#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What an administrator meets: modprobe finds the module and takes it away again,
# and modinfo describes it and each of its parameters.
set -e

rmmod lguest 2>/dev/null || :
modprobe lguest
grep -q '^lguest ' /proc/modules
modprobe -r lguest
if grep -q '^lguest ' /proc/modules; then
	echo "modprobe -r left it loaded"
	exit 1
fi

ko=/lib/modules/$(uname -r)/updates/lguest.ko
modinfo "$ko"
for field in description license; do
	modinfo "$ko" | grep -q "^$field: *[^ ]"
done

modprobe lguest
for p in /sys/module/lguest/parameters/*; do
	[ -e "$p" ] || continue
	modinfo "$ko" | grep -q "^parm: *${p##*/}:." || {
		echo "parameter ${p##*/} has no description"
		exit 1
	}
done
