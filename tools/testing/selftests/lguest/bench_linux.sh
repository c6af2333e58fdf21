#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# bench_linux.sh [OPERATION]: linux_ops (see there) in this Host, in User Mode Linux, and in a Linux
# Guest of lguest; and what the two launchers need of memory, for 64 MiB of their guests',
# while their guests idle: what is mapped in all their processes, each page counted once,
# but for the guest's own memory.
#
# scripts/bench puts into /lguest/bench: init.cpio, whose /init is linux_ops, and the two
# kernels, if it has them: vmlinux and linux.uml.

files=/lguest/bench
out=/tmp/linux_ops.out

# pids_of PID: that process and its descendants
pids_of()
{
	local child

	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		pids_of "$child"
	done
}

# memory PID: bytes that its processes have mapped. Pss counts what n processes share as
# an nth in each, and processes that share all (CLONE_VM) have the same maps. Left out is
# the guest's memory: the one mapping of 64 MiB, or, however it is split, UML's file.
memory()
{
	local pid maps seen=:

	for pid in $(pids_of "$1"); do
		maps=$(md5sum <"/proc/$pid/maps")
		case $seen in *:$maps:*) continue ;; esac
		seen=$seen$maps:
		cat "/proc/$pid/smaps"
	done | awk '
		/^[0-9a-f]+-[0-9a-f]+ / { guest = /\/dev\/shm\// }
		/^Size:/ && $2 >= 65536 { guest = 1 }
		/^Pss:/ && !guest { sum += $2 }
		END { print sum * 1024 }'
}

# One guest that measures, and one that stays as it is when its init begins.
run()
{
	local pid bytes

	("$1" ops_launched=%TSC) >$out 2>&1 || { cat $out >&2; exit 1; }
	tr -d '\r' <$out | grep '^{.*}$'

	"$1" ops_stay=1 >$out 2>&1 &
	pid=$!
	until grep -q '^here' $out; do
		[ -d /proc/$pid ] || { cat $out >&2; exit 1; }
		sleep 0.1
	done
	bytes=$(memory $pid)
	printf '{"operation": "launcher_memory", "environment": "%s", "unit": "bytes", ' "$1"
	printf '"median": %d, "min": %d, "max": %d}\n' "$bytes" "$bytes" "$bytes"
	# shellcheck disable=SC2046 # a list
	kill -KILL $(pids_of $pid)
	wait $pid 2>/dev/null
	return 0
}

uml()
{
	TMPDIR=/dev/shm exec ./linux_ops launch $files/linux.uml mem=64M initrd=$files/init.cpio \
		con=null con0=null,fd:1 ssl=null quiet ops_environment=uml $only "$@" </dev/null
}

lguest()
{
	exec ./linux_ops launch lguest run -k $files/vmlinux -i $files/init.cpio -m 64 \
		-p "console=ttyS0 quiet ops_environment=lguest $only $*" </dev/null
}

only=${1:+ops_only=$1}
./linux_ops native "$@" || exit
[ ! -e $files/linux.uml ] || run uml
[ ! -e $files/vmlinux ] || run lguest
