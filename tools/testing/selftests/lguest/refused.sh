#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Where Guests cannot be run safely the module does not load, and says why in one line.
#
# lguest-host: cpu=max,-nx,-smap load=no

for try in 1 2 3; do
	if said=$(modprobe lguest 2>&1); then
		echo "try $try: it loaded"
		exit 1
	fi
	case $said in
	*"No such device"*) ;;
	*)
		echo "try $try: not ENODEV, but: $said"
		exit 1
		;;
	esac
done

dmesg | grep 'lguest: '
# (busybox tries in two ways before it gives up)
if [ "$(dmesg | grep -c 'lguest: cannot run guests here: .*NX')" != 6 ]; then
	echo "the log does not say at each try that NX is missing"
	exit 1
fi
for leftover in /dev/lguest /sys/module/lguest /sys/kernel/debug/lguest; do
	if [ -e $leftover ]; then
		echo "$leftover is there"
		exit 1
	fi
done
