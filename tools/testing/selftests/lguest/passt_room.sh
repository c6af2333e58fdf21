#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# passt_room.sh COMMAND ARGUMENT...: where passt can work. It wants to change its root, which cannot be
# done to the first one a kernel has: so the command, whose folder is ours, has the same files below
# another root. And an interface with an address and a way out; all may send pings.

here=$(cd "$(dirname "$0")" && pwd)

"$here/make_tap" up0 0
ip addr add 192.0.2.2/24 dev up0
ip link set up0 up
ip route add default via 192.0.2.1
ip link set lo up
echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range

mkdir -p /tmp/root
exec unshare -m sh -c "mount --bind / /tmp/root && cd /tmp/root && for d in proc sys dev tmp; do
	mount --rbind /\$d \$d; done && mount --move . / && exec chroot . sh -c 'cd $here && exec \"\$@\"' sh \"\$@\"" sh "$@"
