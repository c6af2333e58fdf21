#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Linux as a Guest: every way to start it and every way it ends, sizes of memory, several at once,
# disk and network through its own drivers, its clocks, and a host that wants its memory back. Where a
# Guest says what it found, it says so on hvc0, which is the standard output of `lguest run`.
#
# lguest-host: mem=1536 linux=yes timeout=900

files=/lguest/linux
. "$(dirname "$0")/tap.sh"

# guest COMMAND ARGUMENT...: what a Guest makes of it, in $tmp/out and $tmp/err; the command's status
guest()
{
	LGUEST_COMMAND=$1
	shift
	export LGUEST_COMMAND
	"$files/start" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	unset LGUEST_COMMAND
	return $got
}

# root COMMAND: an initrd that runs it on the console, and powers off behind it
root()
{
	rm -rf "$tmp/root"
	mkdir -p "$tmp/root"
	printf '%s\n' '#!/bin/busybox sh' '/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin' '/bin/busybox --install -s' \
		'mount -t proc proc /proc' 'mount -t devtmpfs devtmpfs /dev' 'mount -t sysfs sysfs /sys' \
		"$1" 'poweroff -f' >"$tmp/root/own"
	chmod 755 "$tmp/root/own"
	(cd "$tmp/root" && find . | cpio -o -H newc 2>/dev/null) | cat - $files/initrd >"$tmp/initrd"
}

# run STATUS ARGUMENT...: lguest run with that root ends with it
run()
{
	want=$1
	shift
	lguest run -k $files/bzImage -i "$tmp/initrd" -p 'console=hvc0 rdinit=/own panic=-1' "$@" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$want" ] || { echo "# status $got instead of $want"; return 1; }
}

# is FILE TEXT: that and nothing else is in it
is() { [ "$(cat "$tmp/$1"; echo .)" = "$2
." ]; }

boots=0 busy=3 rounds=2
[ -z "$LGUEST_TEST_LONG" ] || boots=200 busy=60 rounds=20
# Other page tables, other splits of the address space: in the long run only.
variants=$(ls $files/variants 2>/dev/null)
echo "TAP version 13"
echo "1..$((17 + (boots > 0) + $(echo "$variants" | wc -w)))"

# ---- Beginnings. The Guest's own words about itself, its output byte for byte, its status.
who='read -r _ _ release _ </proc/version; echo "$release on $(uname -m)"; echo words >&2; exit 7'
begins() { guest "$who" "$@"; [ $? = 7 ] && grep -q '^6\.1\..* on i686$' "$tmp/out" && is err words; }
begins; report "from the bzImage, unpacked by the launcher"
begins --unpack guest; report "from the bzImage, which unpacks itself"
begins -k $files/vmlinux; report "from vmlinux"

# What a PC has and we have not was not looked for: no line of the log says so.
guest 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource; cat /proc/interrupts >&2;
	dmesg | grep -i -e i8042 -e "8254" -e "calibrat.* failed" -e "cmos" -e "spurious" -e "WARNING" -e "BUG:"; :' &&
	head -n 1 "$tmp/out" | grep -q -e '^tsc$' -e '^lguest$' && [ "$(wc -l <"$tmp/out")" = 1 ] &&
	grep -q 'lguest.*timer' "$tmp/err"
report "the Host's clocks and lines, and nothing complained of"

# ---- Ends.
root 'echo Kernel and program on one console'
run 0 && grep -q '^Kernel and program on one console' "$tmp/out" && grep -q 'Run .own as init' "$tmp/out"
report "power off: 0"
root 'echo boots >/dev/kmsg; reboot -f'
run 0 --no-reboot && [ "$(grep -c 'Run .own as init' "$tmp/out")" = 1 ]; report "reboot, --no-reboot: 0"
root 'read -r n </dev/vda; n=$((n + 1)); echo $n >/dev/vda; sync; [ $n = 3 ] || reboot -f'
dd if=/dev/zero bs=4096 count=1 2>/dev/null | tr '\0' '\n' >"$tmp/disk"
run 0 -d "$tmp/disk" && [ "$(grep -c 'Run .own as init' "$tmp/out")" = 3 ] && [ "$(head -n 1 "$tmp/disk")" = 3 ]
report "reboot: from the start again, twice"
root 'echo c >/proc/sysrq-trigger'
run 1 && grep -q '^lguest.*the guest crashed: .*sysrq' "$tmp/err"; report "panic: 1, with its words"
root 'exit'
run 1 && grep -q 'the guest crashed: .*Attempted to kill init' "$tmp/err"; report "no init left: the same"

# ---- What is typed before anybody listens: the pipe has it all, and its end, before there is a kernel.
printf 'echo $((6 * 7)) words\npoweroff -f\n' | lguest run -k $files/bzImage -i $files/initrd \
	-p 'console=hvc0 quiet panic=-1' >"$tmp/out" 2>"$tmp/err"
[ $? = 0 ] && grep -q '^42 words' "$tmp/out"; report "words that were typed too early"

# ---- Memory.
memory='sed -n "s/MemTotal: *\([0-9]*\).*/\1/p" /proc/meminfo'
sized()		# MIB LEAST-KIB ARGUMENT...
{
	size=$1 least=$2
	shift 2
	guest "$memory" -m "$size" "$@" &&
		[ "$(cat "$tmp/out")" -gt "$least" ] && [ "$(cat "$tmp/out")" -le $((size * 1024)) ]
}
sized 16 8000; report "16 MiB"
sized 3072 2900000; report "3 GiB, most of it above what the kernel maps"

# ---- Disk: what is written by one Guest is read by another, and by us.
dd if=/dev/urandom of="$tmp/random" bs=1M count=4 2>/dev/null
dd if=/dev/zero of="$tmp/disk" bs=1M count=16 2>/dev/null
guest 'dd if=/dev/vda of=/dev/vdb bs=64k seek=64 2>/dev/null && sync && md5sum </dev/vda' \
	-d "$tmp/random,ro" -d "$tmp/disk" &&
	[ "$(cat "$tmp/out")" = "$(md5sum <"$tmp/random")" ] &&
	dd if="$tmp/disk" bs=64k skip=64 count=64 2>/dev/null | cmp - "$tmp/random"
report "a disk's contents, to another disk and through the console"

# ---- Network.
if modprobe tun 2>/dev/null; then
	tunctl -t lg0 >/dev/null && ip addr add 10.7.0.1/24 dev lg0 && ip link set lg0 up
	# nc ends with the first end of file from the other side: so a way a connection, and a pipe that
	# never ends where nothing is sent.
	mkfifo "$tmp/never"
	nc -l -p 1234 <>"$tmp/never" >"$tmp/received" &
	listeners=$!
	nc -l -p 1235 <"$tmp/random" >/dev/null &
	listeners="$listeners $!"
	guest 'ip addr add 10.7.0.2/24 dev eth0 && ip link set eth0 up && ping -c 3 -i 0.2 -q 10.7.0.1 >&2 &&
		dd if=/dev/urandom of=/tmp/sent bs=64k count=32 2>/dev/null && mkfifo /tmp/never &&
		nc 10.7.0.1 1234 </tmp/sent && md5sum </tmp/sent && nc 10.7.0.1 1235 <>/tmp/never | md5sum' \
		-n tap=lg0 && grep -q '3 packets received' "$tmp/err" && wait &&
		is out "$(md5sum <"$tmp/received")
$(md5sum <"$tmp/random")" && [ "$(wc -c <"$tmp/received")" = 2097152 ]
	report "ping, and TCP both ways"
	# shellcheck disable=SC2086 # a list of words
	kill $listeners 2>/dev/null
	tunctl -d lg0 >/dev/null
else
	number=$((number + 1))
	echo "ok $number ping, and TCP both ways # SKIP this kernel has no tun"
fi

# ---- Four at once.
pids=
for i in 1 2 3 4; do
	LGUEST_COMMAND="echo $i; seq 20000 | md5sum; exit 1$i" $files/start -m 64 >"$tmp/out.$i" 2>"$tmp/err.$i" &
	pids="$pids $!"
done
sum=$(seq 20000 | md5sum) i=0 good=0
for pid in $pids; do
	i=$((i + 1))
	wait "$pid"
	[ $? = 1$i ] && is out.$i "$i
$sum" || { good=1; sed 's/^/# /' "$tmp/err.$i"; }
done
[ $good = 0 ]; report "four at once"

# ---- Clocks. What a busy Guest answers between two looks at our own clocks is a time between the
# two, however slow all is; and so is the time from one answer to the next. A thousandth is for what
# the host has learnt of its TSC since it was told to the Guest.
root 'exec </dev/hvc0 >/dev/hvc0; stty raw -echo
	while :; do md5sum /bin/busybox >/dev/null; done &
	echo listens
	while read -r _; do read -r up _ </proc/uptime; echo "$up $(date +%s)"; done'
mkfifo "$tmp/ask" "$tmp/answer"
lguest run -k $files/bzImage -i "$tmp/initrd" -m 64 -p 'console=hvc1 rdinit=/own panic=-1' --console "$tmp/out" \
	<"$tmp/ask" >"$tmp/answer" 2>"$tmp/err" &
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
	# Our seconds since the start and of the day, its own, and ours again. Its day began a moment
	# before its kernel came to read the clock.
	{ since[NR] = $1; own[NR] = $3; till[NR] = $5; bad += $4 < $2 - 1 || $4 > $6 }
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
	echo 24M >"$group/memory.max"
	guest "i=0; while [ \$i -lt $rounds ]; do
			i=\$((i + 1)) v=/dev/vda
			{ echo \$i; cat \$v \$v \$v \$v \$v; } >/tmp/\$((i % 2))
			md5sum </tmp/\$((i % 2))
		done" -m 128 -d "$tmp/random,ro"
	status=$?
	echo max >"$group/memory.max"
	swapped=$(($(vmstat pswpin) - swapped))
	swapoff /dev/zram0
	echo 1 >/sys/block/zram0/reset
	echo -memory >/sys/fs/cgroup/cgroup.subtree_control
	echo "# $swapped pages came back"
	[ $status = 0 ] && [ $swapped -gt 4096 ] &&
		is out "$(i=0 r=$tmp/random; while [ $i -lt $rounds ]; do
			i=$((i + 1)); { echo $i; cat "$r" "$r" "$r" "$r" "$r"; } | md5sum; done)"
	report "$name"
else
	number=$((number + 1))
	echo "ok $number $name # SKIP this host has no zram, or no memory controller"
fi

if [ $boots -gt 0 ]; then
	good=0
	while [ $boots -gt 0 ] && [ $good = 0 ]; do
		boots=$((boots - 1))
		begins || good=1
	done
	[ $good = 0 ]; report "200 times in a row"
fi

# ---- Other kernels: with all their memory from low to high, unpacked by either, at their own place
# and, but for the fixed one, at any other.
for variant in $variants; do
	begins -k "$files/variants/$variant" && begins -k "$files/variants/$variant" --unpack guest &&
		begins -k "$files/variants/$variant" --unpack guest -p nokaslr &&
		sized 16 8000 -k "$files/variants/$variant" &&
		sized 16 8000 -k "$files/variants/$variant" --unpack guest &&
		sized 1000 900000 -k "$files/variants/$variant" --unpack guest &&
		sized 3072 2900000 -k "$files/variants/$variant" &&
		sized 3072 2900000 -k "$files/variants/$variant" --unpack guest &&
		guest 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); seq 3000 | md5sum; done | sort -u | wc -l' \
			-k "$files/variants/$variant" && is out 1
	report "$variant"
done

exit $failed
