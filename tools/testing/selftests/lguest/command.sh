#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The `lguest` command with real Guests (guests/command.c): what it ends with, what
# it says, its devices over the Host's windows, doorbells and interrupts, its verbs.
#
# lguest-host: timeout=300

# How many bytes go over the serial port, each of which is an exit, and the Guest's word for it; how
# many go there and back.
bytes=2000 word=spill there=2000
[ -z "$LGUEST_TEST_LONG" ] || bytes=20000 word=flood there=8000
here=$(dirname "$0")
guest=$here/command.c0000000.elf
. "$here/tap.sh"

# run STATUS ARGUMENT...: lguest run ends with it; its output is in $tmp
run()
{
	want=$1
	shift
	lguest run -m 16 -k "$guest" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$want" ] || { echo "# status $got instead of $want"; return 1; }
}

# says TEXT: the sentence on standard error, on one line of its own
says()
{
	grep -q "$1" "$tmp/err"
}

# second: the process that holds the Guest, a child of the first
second() { ps -o pid,ppid | awk -v p="$1" '$2 == p { print $1 }'; }

disk()
{
	dd if=/dev/zero of="$tmp/disk" bs=1M count=8 2>/dev/null
}

echo "TAP version 13"
echo "1..32"

run 0; report "powers off: 0"
run 1 -p crash && says "the guest crashed: on purpose"; report "crash: 1, with its words"
run 1 -p die && says "the guest was ended: "; report "breaks a rule: 1, with the Host's sentence"
run 0 -p "notify $word" && [ "$(head -c 12 "$tmp/out")" = "early words" ] &&
	[ "$(tail -c +13 "$tmp/out" | md5sum)" = "$(yes 0123456789abcdef | tr -d '\n' | head -c $bytes | md5sum)" ]
report "early words, and $bytes bytes over the serial port"

disk
cp "$tmp/disk" "$tmp/other"
lguest run -m 16 -k "$guest" -d "$tmp/disk" -d "$tmp/other" -p $word <&- >&- 2>&- && cmp "$tmp/disk" "$tmp/other"
report "standard files are closed: what it says goes nowhere"

run 2 -k "$tmp/none" --console "$tmp/console" && says "$tmp/none: No such file" && [ ! -e "$tmp/console" ]
report "no kernel: 2, and nothing else happens"
run 2 -k /bin/busybox && says "a 64-bit kernel"; report "64-bit kernel: 2"
run 2 -i /bin/busybox -m 1 && says "an initrd of .* does not fit"; report "too little memory: 2"
run 2 -d "$tmp/none" && says "$tmp/none: No such file"; report "no disk: 2"
run 2 --frob && says "no such option" && run 2 extra && says "without an option" &&
	run 2 -p "$(printf %3000d 0)" && says "a command line of 3000 bytes; this kernel takes 2047"
report "odd arguments: 2"
run 2 -c2 && says "'-c': no such option" && run 2 -k && says "'-k' wants a value" &&
	run 2 $(printf -- '-d none -n passt %.0s' $(seq 14)) && says "29 devices; 27 are possible"
report "a letter among letters, too many devices: 2"
lguest list >/dev/full 2>"$tmp/err"
[ $? = 3 ] && says "lguest list: standard output: No space left"; report "what could not be printed: 3"
lguest run -m 16 -k "$guest" -p "notify $word" >/dev/full 2>"$tmp/err" </dev/null
[ $? = 3 ] && says "not complete: No space left"; report "a console that could not be written: 3"
(chmod 600 /dev/lguest; exec su nobody -s /bin/sh -c "lguest run -m 16 -k $guest") >"$tmp/out" 2>"$tmp/err"
[ $? = 3 ] && says "join the group lguest"; report "no rights: 3, and what to do"

disk
run 0 --pci-bar io --pci-bar memory --unpack guest --unpack launcher -d "$tmp/disk" -p disk && grep -q "disk ok" "$tmp/out" &&
	run 2 --kernel && says "'--kernel' wants a value" && run 2 --rng=1 && says "'--rng=1': no such option"
report "of options given twice the last counts; long ones by their names"

for bar in memory io; do
	disk
	run 0 --pci-bar $bar -d "$tmp/disk" -p disk && grep -q "disk ok" "$tmp/out"
	report "4 MiB written and read, BAR of $bar"
	run 0 --pci-bar $bar --rng -p rng && grep -q "rng ok" "$tmp/out"
	report "entropy, BAR of $bar"
done

disk
run 0 -d "$tmp/disk" -p thrice && [ "$(grep -c start "$tmp/out")" = 3 ]; report "restarts, from scratch each time"
disk
run 0 -d "$tmp/disk" -p thrice --no-reboot && [ "$(grep -c start "$tmp/out")" = 1 ]; report "--no-reboot"

# Both ways at once; what comes back is what went in.
seq 1 20000 | head -c 60000 >"$tmp/in"
{ cat "$tmp/in"; printf '\004'; } | lguest run -m 16 -k "$guest" -p echo >"$tmp/out" 2>"$tmp/err" &&
	cmp "$tmp/in" "$tmp/out"
report "60,000 bytes through the console and back"
head -c $there "$tmp/in" >"$tmp/less"
{ cat "$tmp/less"; printf '\004'; } | lguest run -m 16 -k "$guest" -p serial >"$tmp/out" 2>"$tmp/err" &&
	cmp "$tmp/less" "$tmp/out"
report "$there bytes through the serial port and back"

lguest run -m 16 --name one -k "$guest" -p spin >"$tmp/out" 2>"$tmp/err" </dev/null &
until_true grep -q spinning "$tmp/out" &&
	! lguest run -m 16 --name one -k "$guest" 2>"$tmp/err" && says "a guest of that name is running" &&
	lguest list | grep -q "^one .* 16M " &&
	lguest pause one && lguest resume one && lguest stop one && wait $! &&
	! lguest stop one 2>"$tmp/err" && says "no guest of that name"
report "one name, one guest, which list knows; pause, resume, stop"

# All are pending when it goes on, and come in their order.
disk
: >"$tmp/out"
lguest run -m 16 --name four -k "$guest" -d "$tmp/disk" -p flushes >"$tmp/out" 2>"$tmp/err" </dev/null &
first=$!
until_true [ -s "$tmp/out" ]
held=$(second $first)
kill -STOP "$held"
lguest pause four && lguest resume four && lguest pause four && lguest resume four
kill -CONT "$held"
sleep 1
said=$(wc -c <"$tmp/out")
until_true sh -c "[ \$(wc -c <$tmp/out) -gt $said ]" && lguest stop four && wait $first
report "pause and resume at once: it runs"

# In which of its processes it is found, and at what, is another matter each time.
ended=0
for round in $(seq 20); do
	lguest run -m 16 -k "$guest" -p again >"$tmp/out" 2>"$tmp/err" </dev/null &
	first=$!
	sleep 0.$((round * 17 % 50 + 50))
	kill $first
	until_true [ ! -e /proc/$first/exe ] && wait $first || { kill -9 $first; break; }
	ended=$round
done
[ "$ended" = 20 ]; report "restarts without end: SIGTERM ends it"

# One that is told so from its beginning does not come to its first word.
: >"$tmp/out"
lguest run -m 16 --name two -k "$guest" -p spin >"$tmp/out" 2>"$tmp/err" </dev/null &
until lguest pause two 2>/dev/null; do :; done
sleep 2
[ ! -s "$tmp/out" ] && lguest resume two && until_true grep -q spinning "$tmp/out" && lguest stop two && wait $!
report "paused before it runs"

: >"$tmp/out"
(trap '' HUP; exec lguest run -m 16 -k "$guest" -p spin) >"$tmp/out" 2>"$tmp/err" </dev/null &
first=$!
until_true grep -q spinning "$tmp/out" && kill -HUP $first && sleep 1 && [ -e /proc/$first/exe ] &&
	kill -INT $first && wait $first
report "nohup: SIGHUP stays ignored, SIGINT ends it"

# A keeper that is suspended: whoever asks is told so, and it does what it was asked when it goes on.
: >"$tmp/out"
lguest run -m 16 --name five -k "$guest" -p spin >"$tmp/out" 2>"$tmp/err.five" </dev/null &
first=$!
until_true grep -q spinning "$tmp/out" && kill -STOP $first
lguest stop five 2>"$tmp/err"
[ $? = 3 ] && says "no answer" && kill -CONT $first && wait $first
report "one that is suspended: 3, and later it is done"

: >"$tmp/out"
lguest run -m 16 -k "$guest" -p spin >"$tmp/out" 2>"$tmp/err" </dev/null &
first=$!
until_true grep -q spinning "$tmp/out"
kill -9 "$(second $first)"
wait $first
[ $? = 3 ] && says "was killed"
report "the guest's process killed: 3"

: >"$tmp/out"
lguest run -m 16 -k "$guest" -p spin >"$tmp/out" 2>"$tmp/err" </dev/null &
first=$!
until_true grep -q spinning "$tmp/out"
held=$(second $first)
kill -9 $first
until_true [ ! -e "/proc/$held" ]
report "its keeper killed: it ends too"

# Each digit is a FLUSH that came back: those sectors are in the file.
disk
: >"$tmp/out"
lguest run -m 16 -k "$guest" -d "$tmp/disk" -p flushes >"$tmp/out" 2>"$tmp/err" </dev/null &
first=$!
until_true sh -c "[ \$(wc -c <$tmp/out) -ge 50 ]"
kill -STOP "$(second $first)"
kill -CONT "$(second $first)"
kill -9 "$(second $first)"
wait $first
flushed=$(wc -c <"$tmp/out")
[ "$flushed" -ge 50 ] && dd if="$tmp/disk" bs=512 count="$flushed" 2>/dev/null | od -v -An -tu1 -w512 |
	awk -v flushed="$flushed" '{ for (i = 1; i <= NF; i++) bad += $i != 1 + (NR - 1) % 255 }
		END { exit bad || NR != flushed }'
report "killed: nothing that was flushed is lost"

exit $failed
