#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Who may run Guests: the members of the group that the udev rule names, by the mode that it gives;
# what is left of a process's rights while it holds a Guest; and who may end one.
#
# lguest-host: timeout=120

here=$(cd "$(dirname "$0")" && pwd)
guest=$here/command.c0000000.elf
rule=/usr/lib/udev/rules.d/60-lguest.rules
. "$here/tap.sh"
chmod 755 "$tmp"

# as USER COMMAND: its status; what it says is in $tmp
as() { su -s /bin/sh "$1" -c "$2" >"$tmp/out" 2>"$tmp/err" </dev/null; }

# What udev would do, by the rule's own words.
value() { sed -n "s/.*[ ,]$1=\"\([^\"]*\)\".*/\1/p" "$rule"; }

group=$(value GROUP)
echo "$group:x:901:member,sibling" >>/etc/group
for user in member sibling stranger; do
	id=$((id + 1))
	echo "$user:x:$((1000 + id)):$((1000 + id)):$user:/tmp:/bin/sh" >>/etc/passwd
	echo "$user:x:$((1000 + id)):" >>/etc/group
done

echo "TAP version 13"
echo "1..9"

[ "$group" = lguest ] && [ "$(value MODE)" = 0660 ] && grep -q '^KERNEL=="lguest", SUBSYSTEM=="misc", ' "$rule" &&
	[ "$(basename "$(readlink -f /sys/class/misc/lguest/subsystem)")" = misc ]
report "the rule is about the device that there is"
as member "lguest run -m 16 -k $guest"; [ $? = 3 ] && grep -q "join the group lguest" "$tmp/err"
report "without the rule only root may"
chgrp "$group" /dev/lguest && chmod "$(value MODE)" /dev/lguest
as member "lguest run -m 16 -k $guest"
report "a member of the group runs a guest"
as stranger "lguest run -m 16 -k $guest"; [ $? = 3 ] && grep -q "join the group lguest" "$tmp/err"
report "another user does not: 3, and what to do"
as member "lguest list"; [ $? = 3 ] && grep -q "only root may look into guests" "$tmp/err"
report "members do not see each other's guests"

# held USER ARGUMENT...: a Guest that spins; $first and $second are its processes
held()
{
	user=$1
	shift
	: >"$tmp/spin"
	chmod 666 "$tmp/spin"
	su -s /bin/sh "$user" -c "exec lguest run -m 16 -k $guest -p spin --name held $*" >"$tmp/spin" 2>"$tmp/err" </dev/null &
	first=$!
	until_true grep -q spinning "$tmp/spin"
	second=$(cat /proc/$first/task/$first/children)
	second=${second%% *}
}

# of FIELD: what all threads of the second process have there, each once
of() { sed -n "s/^$1:[[:space:]]*//p" /proc/$second/task/*/status | sort -u; }

confined() { [ "$(of Seccomp)" = 2 ] && [ "$(of NoNewPrivs)" = 1 ] && [ "$(of CapEff)$(of CapPrm)$(of CapInh)" = 000000000000000000000000000000000000000000000000 ]; }

held root --rng -n none
confined && [ "$(of CapBnd)" = 0000000000000000 ] && [ "$(ls /proc/$second/task | wc -l)" -ge 3 ]
report "root's guest is held without any right, in all threads"
as member "lguest stop held"; [ $? = 3 ] && grep -q "it belongs to another user" "$tmp/err" && kill -0 $first && lguest stop held && wait $first
report "a member does not end root's guest"

held member
confined && as sibling "lguest stop held"; [ $? = 3 ] && kill -0 $first && as member "lguest stop held" && wait $first
report "a member's guest: held without rights, ended by its owner, by no other member"
held member --no-sandbox
[ "$(of Seccomp)" = 0 ] && lguest stop held && wait $first
report "--no-sandbox; and root ends anyone's guest"

exit $failed
