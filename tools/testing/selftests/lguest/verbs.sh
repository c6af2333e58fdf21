#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The verbs that look at Guests: list, stat, show, debug. What they print is held
# against Guests that are known (guests/looked_at.c, work.c).
#
# lguest-host: timeout=300

here=$(dirname "$0")
. "$here/tap.sh"
trap 'kill $pids 2>/dev/null; rm -rf "$tmp"' EXIT
pids=

# verb STATUS ARGUMENT...: the command ends with it; what it says is in $tmp
verb()
{
	want=$1
	shift
	lguest "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$want" ] || { echo "# lguest $*: status $got instead of $want"; return 1; }
}

said() { grep -q -e "$1" "$tmp/out"; }
complained() { grep -q -e "$1" "$tmp/err"; }

# start GUEST [MODE]: and wait until it has its folder
start()
{
	cd "$here" && ./run_guest "$@" & pid=$!
	pids="$pids $pid"
	until_true eval "ls -d /sys/kernel/debug/lguest/$pid-* >/dev/null 2>&1"
	guest=$(basename /sys/kernel/debug/lguest/$pid-*)
	guest=${guest#*-}
}

spins() { lguest show $1 regs | grep -q '^eax    a1a2a3a4'; }

echo "TAP version 13"
echo "1..13"

verb 0 list && [ "$(wc -l <"$tmp/out")" = 1 ]
report "list without a guest is a heading"
verb 3 show nobody regs && complained "there is no guest 'nobody'"
report "a guest that is not there"

start work 1
worker=$guest worker_pid=$pid
start looked_at
known=$guest known_pid=$pid
until_true spins $known

verb 0 list && said "^run_guest  *$known  *$known_pid  *[a-z]*  *16M " && said "^run_guest  *$worker  *$worker_pid " &&
	verb 0 list --json &&
	said "^{\"name\": \"run_guest\", \"number\": $known, \"pid\": $known_pid, .*\"guest_bytes\": 16777216, .*}\$"
report "list shows both"

verb 3 show run_guest regs && complained "2 guests are called 'run_guest'"
report "a name that two guests have"

verb 0 stat --once -i 0.3 && said '^NAME  *STATE ' && [ "$(grep -c '^run_guest ' "$tmp/out")" = 2 ]
report "stat --once shows both"

verb 0 stat $worker --once -i 0.3 && said '^EXITS BECAUSE OF' && said '^host_interrupt  *[1-9]'
report "stat of one guest tells why it exits"

verb 0 stat $known --once --json -i 0.3 &&
	said "^{\"name\": \"run_guest\", \"number\": $known, .*\"total\": {\"exits\": [1-9][0-9]*, .*\"per_second\": {\"exits\": .*\"exits\": {\"hypercall\": [1-9].*}}\$"
report "stat --json"

all=0
for what in name memory state uptime stats regs gdt idt tss pagetables shadow interrupts timer hypercalls exits last_exits; do
	verb 0 show $known $what && [ -s "$tmp/out" ] || { echo "# $what"; all=1; break; }
	case $what in
	regs) said '^ebx    b1b2b3b4$' && said '^code   eb fe ' ;;
	gdt) said '^00a0 base 12345000 ' ;;
	pagetables) said '^40000000-40000fff  *4K [0-9a-f]* r-x user 4K$' ;;
	hypercalls) said '^ 0 FLUSH_ASYNC  *17 ' ;;
	*) : ;;
	esac || { echo "# $what"; all=1; break; }
done
[ $all = 0 ]
report "show prints each thing"

verb 0 show $known translate 40000123 && said '^guest: [0-9a-f]*123 r-x user$' &&
	verb 2 show $known translate nonsense && verb 2 show $known translate && verb 2 show $known death extra &&
	verb 2 show $known everything && complained "'everything' is nothing that could be shown"
report "show translate, and what cannot be shown"

verb 0 show $known map --svg "$tmp/map.svg" && [ ! -s "$tmp/out" ] &&
	grep -q '^<svg xmlns="http://www.w3.org/2000/svg" ' "$tmp/map.svg" && [ "$(tail -n 1 "$tmp/map.svg")" = '</svg>' ] &&
	grep -q '>40000000</text>' "$tmp/map.svg" && grep -q '<title>40001000 to 40001fff</title>' "$tmp/map.svg" &&
	verb 0 show $worker last_exits --svg - && said '^<svg ' && said '>host_interrupt</text>' && said '^</svg>$' &&
	verb 2 show $known map && verb 2 show $known regs --svg "$tmp/no.svg" && [ ! -e "$tmp/no.svg" ]
report "pictures"

verb 0 debug $known "$here/looked_at.c0000000.elf" && said '^esi    51525354$' && said '] guest_main+0x[0-9a-f]*  .*guests/looked_at.c:[0-9]*$'
report "debug with a vmlinux names function and line"

{ echo "c0000000 T _stext"; echo "c0010000 T before"; echo "c0100000 T after"; echo "c0200000 T _etext"; } >"$tmp/map"
verb 0 debug $known "$tmp/map" && said '^    \[c001[0-9a-f]*\] before+0x' &&
	echo nothing >"$tmp/bad" && verb 2 debug $known "$tmp/bad" && complained 'is no System.map' &&
	verb 2 debug $known "$tmp/none"
report "debug with a System.map, and with what is none"

kill $known_pid && until_true eval '! lguest list | grep -q "  $known_pid "' && verb 3 show $known regs
report "a guest that has gone"

exit $failed
