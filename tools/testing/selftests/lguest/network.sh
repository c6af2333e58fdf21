#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The network with real packets: Linux as a Guest and its own driver, through a tap and through
# Debian's passt, both as an ordinary user. Pings, none of which may be lost, and TCP in bulk both
# ways with checksums; ten thousand pings and 64 MiB in the long run.
#
# lguest-host: smp=2 linux=yes timeout=900

files=/lguest/linux
pings=100 mib=1
[ -z "$LGUEST_TEST_LONG" ] || pings=10000 mib=64

[ -n "$NETWORK_INSIDE" ] || echo "TAP version 13"
[ -d $files ] || { echo "1..0 # SKIP there is no Linux guest"; exit 4; }
modprobe tun 2>/dev/null || { echo "1..0 # SKIP this kernel has no tun"; exit 4; }
command -v passt >/dev/null || { echo "1..0 # SKIP there is no passt"; exit 4; }

if [ -z "$NETWORK_INSIDE" ]; then
	export NETWORK_INSIDE=1
	exec "$(dirname "$0")/passt_room.sh" ./network.sh
fi

. "$(dirname "$0")/tap.sh"
chmod 777 "$tmp"
trap 'kill $server 2>/dev/null; rm -rf "$tmp"' EXIT

# A user with no right but that to run Guests and to use one tap.
echo "runner:x:1000:1000:runner:$tmp:/bin/sh" >>/etc/passwd
echo "runner:x:1000:" >>/etc/group
chown runner /dev/lguest
chmod 666 /dev/net/tun
"$(dirname "$0")/make_tap" tap0 1000
ip addr add 10.9.0.1/24 dev tap0
ip link set tap0 up
ip addr add 198.51.100.1/32 dev lo

# What is fetched, from a server that all addresses of the host lead to.
mkdir "$tmp/www"
dd if=/dev/urandom of="$tmp/www/data" bs=64k count=$((mib * 16)) 2>/dev/null
sum=$(md5sum <"$tmp/www/data" | cut -d " " -f 1)
# It says something at once: Debian 12's passt resets a connection whose server has been silent for
# 24 seconds (running.rst), which 64 MiB may take here.
printf '#!/bin/sh\necho ready\nhead -c %s | md5sum\n' $((mib << 20)) >"$tmp/sum"
chmod 755 "$tmp/sum"
httpd -f -p 8080 -h "$tmp/www" &
server=$!

# guest COMMAND ARGUMENT...: as that user; its status, its output in $tmp
guest()
{
	export LGUEST_COMMAND="$1"
	shift
	: >"$tmp/out" && : >"$tmp/err" && chmod 666 "$tmp/out" "$tmp/err"
	su -s /bin/sh runner -c "exec $files/start -m $((64 + 3 * mib)) $*" >"$tmp/out" 2>"$tmp/err" </dev/null
}

# The Guest's part: says "lost NUMBER..." of pings, "down SUM", and "up SUM", the sum being what port
# 5001 says to what it got.
exchange()
{
	echo "set -e
		ip link set eth0 up
		$1
		# For the last one ping waits no more than a second: so some more, which may be lost.
		ping -A -c $((pings + 20)) $2 | sed -n 's/.* seq=//p' |
			awk '{ got[\$1 + 0] = 1 } END { for (i = 0; i < $pings; i++) if (!(i in got)) print i }' >/tmp/lost
		echo lost \$(cat /tmp/lost)
		wget -q -O /tmp/data http://$3:8080/data
		echo down \$(md5sum </tmp/data)
		# The other side closes first: what becomes of half a connection is no question here.
		mkfifo /tmp/up
		nc $3 5001 </tmp/up >/tmp/sum &
		exec 7>/tmp/up
		cat /tmp/data >&7
		wait \$!
		echo up \$(tail -n 1 /tmp/sum)"
}

echo "1..9"

# through NAME SETUP PING-ADDRESS SERVER-ADDRESS OPTION
through()
{
	nc -ll -p 5001 -e "$tmp/sum" >/dev/null 2>&1 &
	upload=$!
	guest "$(exchange "$2" "$3" "$4")" -n "$5"
	report "$1: a guest of an ordinary user"
	grep -q '^lost$' "$tmp/out"
	report "$1: $pings pings, none lost"
	grep -q "^down $sum -" "$tmp/out"
	report "$1: $mib MiB to the guest"
	kill $upload 2>/dev/null
	grep -q "^up $sum -" "$tmp/out"
	report "$1: $mib MiB from the guest"
}

through tap "ip addr add 10.9.0.2/24 dev eth0" 10.9.0.1 10.9.0.1 tap=tap0
# Segmentation is left to the tap, both ways: there are frames larger than any wire would take, so
# fewer than TCP needs otherwise.
few() { [ "$(count ${1}_packets)" -lt $((2 * pings + $(count ${1}_bytes) / 1448)) ]; }
count() { cat /sys/class/net/tap0/statistics/$1; }
echo "# from the guest: $(count rx_bytes) bytes in $(count rx_packets) frames; to it: $(count tx_bytes) in $(count tx_packets)"
few rx && few tx
report "tap: segmentation offload is used"

# Address and MTU are what passt's DHCP server offers, the gateway's address is the host itself.
through passt "udhcpc -n -q -f -i eth0 -s /bin/true >&2
	ip link set eth0 mtu 65520
	ip addr add 192.0.2.2/24 dev eth0
	ip route add default via 192.0.2.1" 198.51.100.1 192.0.2.1 passt

exit $failed
