#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Linux as a Guest: every way to start it and every way it ends, sizes of memory, several at once,
# disk and network through its own drivers, its clocks, and a host that wants its memory back. Where a
# Guest says what it found, it says so on hvc0, which is the standard output of `lguest run`. One
# Guest answers for several cases where it can, for what takes long is to boot. In the long run there
# are 200 boots in a row, and other kernels.
#
# lguest-host: linux=yes timeout=900

files=/lguest/linux
. "$(dirname "$0")/tap.sh"

# guest COMMAND ARGUMENT...: what a Guest makes of it, in $tmp/out and $tmp/err; the command's status
guest()
{
	LGUEST_COMMAND=$1
	shift
	export LGUEST_COMMAND
	"$files/start" -k $files/vmlinux "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	unset LGUEST_COMMAND
	return $got
}

# part NAME: what it said behind a line "== NAME"
part() { sed -n "/^== $1\$/,/^== /{ /^== /!p; }" "$tmp/out"; }

# root COMMAND: an initrd that runs it on the console, and powers off behind it
root()
{
	printf '%s\n' '#!/bin/busybox sh' '/bin/busybox mount -a' "$1" 'poweroff -f' >"$tmp/own"
	chmod 755 "$tmp/own"
	(cd "$tmp" && echo own | cpio -o -H newc 2>/dev/null) | cat - $files/initrd >"$tmp/initrd"
}

# What runs a Guest with that root.
own="lguest run -k $files/vmlinux -i $tmp/initrd -p rdinit=/own -p panic=-1 -p quiet"

# run STATUS CONSOLE ARGUMENT...: it ends with it
run()
{
	want=$1 console=$2
	shift 2
	$own -p console="$console" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$want" ] || { echo "# status $got instead of $want"; return 1; }
}

# is FILE TEXT: that and nothing else is in it
is() { [ "$(cat "$tmp/$1"; echo .)" = "$2
." ]; }

boots=0 restarts=1 mib=1 busy=2 rounds=1 copies=5 lines=2000
[ -z "$LGUEST_TEST_LONG" ] || boots=$((200 * LGUEST_TEST_LONG)) restarts=10 mib=4 busy=60 rounds=20 copies=5 lines=20000
# Other page tables, other splits of the address space: in the long run only.
variants=$(ls $files/variants 2>/dev/null)
echo "TAP version 13"
echo "1..$((18 + (boots > 0) + $(echo "$variants" | wc -w)))"

dd if=/dev/urandom of="$tmp/random" bs=1M count=$mib 2>/dev/null
dd if=/dev/zero of="$tmp/disk" bs=1M count=16 2>/dev/null
network=
if modprobe tun 2>/dev/null; then
	network=tap=lg0
	tunctl -t lg0 >/dev/null && ip addr add 10.7.0.1/24 dev lg0 && ip link set lg0 up
	# nc ends with the first end of file from the other side: so a way a connection, and a pipe that
	# never ends where nothing is sent.
	mkfifo "$tmp/never"
	nc -l -p 1234 <>"$tmp/never" >"$tmp/received" &
	listeners=$!
	nc -l -p 1235 <"$tmp/random" >/dev/null &
	listeners="$listeners $!"
fi

# ---- Beginnings. The Guest's own words about itself, its output byte for byte, its status.
who='read -r _ _ release _ </proc/version; echo "$release on $(uname -m)"; echo words >&2'
memory='sed -n "s/MemTotal: *\([0-9]*\).*/\1/p" /proc/meminfo'
exchange='
	dd if=/dev/vda of=/dev/vdb bs=64k seek=64 2>/dev/null && sync && md5sum </dev/vda'
talk='
	ip addr add 10.7.0.2/24 dev eth0 && ip link set eth0 up && ping -c 3 -i 0.2 -q 10.7.0.1
	head -c '$((mib << 19))' /dev/urandom >/tmp/sent && mkfifo /tmp/never &&
		nc 10.7.0.1 1234 </tmp/sent && md5sum </tmp/sent && nc 10.7.0.1 1235 <>/tmp/never | md5sum'

# begins MIB ARGUMENT...: with that much memory
began() { [ $got = 7 ] && grep -q '^6\.1\..* on i686$' "$tmp/out" && is err words; }
begins() { guest "$who; echo == memory; $memory; exit 7" -m "$@"; began; }
# What it then has, more than LEAST KiB.
has() { [ "$(part memory)" -gt "$2" ] && [ "$(part memory)" -le $(($1 * 1024)) ]; }

guest "$who
	echo == clock; cat /sys/devices/system/clocksource/clocksource0/current_clocksource
	echo == lines; cat /proc/interrupts
	echo == complaints; dmesg | sed 's,^[^]]*] ,,' | grep -i -e i8042 -e 8254 -e 'calibrat.* failed' -e cmos -e spurious -e WARNING -e BUG:
	echo == disk; $exchange
	echo == network; ${network:+$talk}
	exit 7" -k $files/bzImage -d "$tmp/random,ro" -d "$tmp/disk" -n "${network:-none}"
began; report "from the bzImage, unpacked by the launcher"
# What a PC has and we have not was not looked for: no line of the log says so.
part clock | grep -q -e '^tsc$' -e '^lguest$' && part lines | grep -q 'lguest.*timer' && [ -z "$(part complaints)" ]
report "the Host's clocks and lines, and nothing complained of"
# What is written by one Guest is read by us.
[ "$(part disk)" = "$(md5sum <"$tmp/random")" ] && dd if="$tmp/disk" bs=64k skip=64 count=$((mib * 16)) 2>/dev/null | cmp - "$tmp/random"
report "a disk's contents, to another disk and through the console"
name="ping, and TCP both ways"
if [ -n "$network" ]; then
	part network | grep -q '3 packets received' && wait && [ "$(part network | tail -n 2)" = "$(md5sum <"$tmp/received")
$(md5sum <"$tmp/random")" ] && [ "$(wc -c <"$tmp/received")" = $((mib << 19)) ]
	report "$name"
	# shellcheck disable=SC2086 # a list of words
	kill $listeners 2>/dev/null
	tunctl -d lg0 >/dev/null
else
	number=$((number + 1))
	echo "ok $number $name # SKIP this kernel has no tun"
fi

begins 3072 -k $files/bzImage --unpack guest --pci-bar io
report "from the bzImage, which unpacks itself; devices at ports"
has 3072 2900000; report "3 GiB, most of it above what the kernel maps"
begins 16; report "from vmlinux"
has 16 8000; report "16 MiB"

# ---- Ends.
root 'read -r n </dev/vda; n=$((n + 1)); echo $n >/dev/vda; sync
	echo "<0>the kernel" >/dev/kmsg
	echo and a program
	[ $n -gt '$restarts' ] || reboot -f'
dd if=/dev/zero bs=4096 count=1 2>/dev/null | tr '\0' '\n' >"$tmp/disk"
run 0 hvc0 -d "$tmp/disk" && grep -q '^and a program' "$tmp/out" && grep -q '^\[.*\] the kernel' "$tmp/out"
report "power off: 0; kernel and program on one console"
[ "$(grep -c 'the kernel' "$tmp/out")" = $((restarts + 1)) ] && [ "$(head -n 1 "$tmp/disk")" = $((restarts + 1)) ]
report "reboot: from the start again, $restarts times"
root 'echo c >/proc/sysrq-trigger'
run 1 ttyS0 && grep -q '^lguest.*the guest crashed: .*sysrq' "$tmp/err" && grep -q '^\[.*Kernel panic.*sysrq' "$tmp/out"
report "panic: 1, with its words, and those on the serial port"
root 'exit'
run 1 hvc0 && grep -q 'the guest crashed: .*Attempted to kill init' "$tmp/err"; report "no init left: the same"

# What is typed before anybody listens: the pipe has it all, and its end, before there is a kernel.
printf 'echo $((6 * 7)) words\nreboot -f\n' | lguest run -k $files/vmlinux -i $files/initrd \
	-p 'console=hvc0 quiet panic=-1' --no-reboot >"$tmp/out" 2>"$tmp/err"
[ $? = 0 ] && [ "$(grep -c 'Leave it with exit' "$tmp/out")" = 1 ]; report "reboot, --no-reboot: 0"
grep -q '^42 words' "$tmp/out"; report "words that were typed too early"

# Its console's driver is there and listens as well; the shell is on the serial port.
: >"$tmp/out"
{ until_true grep -q 'Leave it with exit' "$tmp/out"; sleep 1; printf 'echo $((6 * 7)) words\npoweroff -f\n'; } |
	timeout 120 lguest run -k $files/vmlinux -i $files/initrd -p 'console=ttyS0 quiet panic=-1' >"$tmp/out" 2>"$tmp/err"
[ $? = 0 ] && grep -q '^42 words' "$tmp/out"; report "a shell on the serial port"

# ---- Four at once.
root 'seq '$lines' | md5sum; echo "== $me"'
pids=
for i in 1 2 3 4; do
	$own -p console=hvc0 -p me=$i -m 64 >"$tmp/out.$i" 2>"$tmp/err.$i" </dev/null &
	pids="$pids $!"
done
sum=$(seq $lines | md5sum) i=0 good=0
for pid in $pids; do
	i=$((i + 1))
	wait "$pid" && [ "$(tr -d '\r' <"$tmp/out.$i")" = "$sum
== $i" ] || { good=1; sed 's/^/# /' "$tmp/out.$i" "$tmp/err.$i"; }
done
[ $good = 0 ]; report "four at once"

# ---- Clocks. What a busy Guest answers between two looks at our own clocks is a time between the
# two, however slow all is; and so is the time from one answer to the next. A thousandth is for what
# the host has learnt of its TSC since it was told to the Guest.
root 'stty raw -echo
	while :; do md5sum /bin/busybox >/dev/null; done &
	echo listens
	while read -r _; do read -r up _ </proc/uptime; echo "$up $(date +%s)"; done'
mkfifo "$tmp/ask" "$tmp/answer"
$own -p console=hvc0 -m 64 <"$tmp/ask" >"$tmp/answer" 2>"$tmp/err" &
guest=$!
exec 8>"$tmp/ask" 9<"$tmp/answer"
clocks() { read -r uptime _ </proc/uptime; echo "$uptime $(date +%s)"; }
ask()
{
	before=$(clocks)
	echo >&8
	read -r answer <&9 && echo "$before $answer $(clocks)" >>"$tmp/clocks"
}
read -r line <&9 && ask && sleep $busy && ask && kill $guest
wait $guest
exec 8>&- 9<&-
awk '
	# Our seconds since the start and of the day, its own, and ours again. Its day may be a moment late,
	# as it was told before its kernel began to count.
	{ since[NR] = $1; own[NR] = $3; till[NR] = $5; bad += $4 < $2 - 1 || $4 > $6; print "# " $0 }
	END {
		counted = own[2] - own[1]
		least = since[2] - till[1]
		most = till[2] - since[1]
		printf "# %.2f s by its clock, %.2f to %.2f by ours\n", counted, least, most
		exit bad || NR != 2 || counted < least * 0.999 - 0.02 || counted > most * 1.001 + 0.02
	}' "$tmp/clocks"
report "its clocks beside ours, for $busy busy seconds"

# ---- The host wants its memory back: most of what the Guest has is swapped out, and wanted again.
vmstat() { sed -n "s/^$1 //p" /proc/vmstat; }
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
name="little memory in the host, $rounds rounds"
if modprobe zram && echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null &&
	swapon /dev/zram0 && echo +memory >/sys/fs/cgroup/cgroup.subtree_control; then
	swapped=$(vmstat pswpin)
	rm -f "$tmp/disk" "$tmp/received"
	echo $((4 * mib + 8))M >"$group/memory.max"
	# shellcheck disable=SC2046 # that many words
	guest "i=0; while [ \$i -lt $rounds ]; do
			i=\$((i + 1))
			{ echo \$i; cat $(yes /dev/vda | head -n $copies | tr '\n' ' '); } >/tmp/\$((i % 2))
			md5sum </tmp/\$((i % 2))
			md5sum </tmp/\$((i % 2))
		done" -m 128 -d "$tmp/random,ro"
	status=$?
	echo max >"$group/memory.max"
	swapped=$(($(vmstat pswpin) - swapped))
	swapoff /dev/zram0
	echo 1 >/sys/block/zram0/reset
	echo -memory >/sys/fs/cgroup/cgroup.subtree_control
	echo "# $swapped pages came back"
	[ $status = 0 ] && [ $swapped -gt 1024 ] &&
		is out "$(i=0; while [ $i -lt $rounds ]; do
			i=$((i + 1))
			sum=$({ echo $i; cat $(yes "$tmp/random" | head -n $copies); } | md5sum)
			echo "$sum"; echo "$sum"; done)"
	report "$name"
else
	number=$((number + 1))
	echo "ok $number $name # SKIP this host has no zram, or no memory controller"
fi

if [ $boots -gt 0 ]; then
	good=0
	while [ $boots -gt 0 ] && [ $good = 0 ]; do
		boots=$((boots - 1))
		begins 256 -k $files/bzImage || good=1
	done
	[ $good = 0 ]; report "200 times in a row"
fi

# ---- Other kernels: with all their memory from low to high, unpacked by either, at their own place
# and, but for the fixed one, at any other.
for variant in $variants; do
	kernel="-k $files/variants/$variant"
	begins 256 $kernel --unpack guest && begins 256 $kernel --unpack guest -p nokaslr &&
		begins 16 $kernel && has 16 8000 && begins 16 $kernel --unpack guest && has 16 8000 &&
		begins 1000 $kernel --unpack guest && has 1000 900000 &&
		begins 3072 $kernel && has 3072 2900000 && begins 3072 $kernel --unpack guest && has 3072 2900000 &&
		guest 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); seq 3000 | md5sum; done | sort -u | wc -l' \
			$kernel && is out 1
	report "$variant"
done

exit $failed
