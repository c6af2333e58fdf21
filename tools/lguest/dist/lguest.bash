# SPDX-License-Identifier: GPL-2.0
# bash completion for the `lguest` command. Verbs and options are asked of the
# command itself, so that there is one list of them.

_lguest()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(lguest help | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$cur")
		return
	fi
	case $verb:$prev in
	run:-k | run:--kernel | run:-i | run:--initrd | run:-d | run:--disk | run:--console)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	run:-n | run:--network)
		mapfile -t COMPREPLY < <(compgen -W "tap= passt none" -- "$cur")
		return ;;
	run:--unpack)
		mapfile -t COMPREPLY < <(compgen -W "launcher guest" -- "$cur")
		return ;;
	run:--pci-bar)
		mapfile -t COMPREPLY < <(compgen -W "memory io" -- "$cur")
		return ;;
	esac
	case $verb:$COMP_CWORD in
	show:3)
		mapfile -t COMPREPLY < <(compgen -W "name memory state uptime stats regs gdt idt tss pagetables shadow
			translate interrupts timer hypercalls exits last_exits death map" -- "$cur")
		return ;;
	debug:3)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	esac
	if [ "$verb" = help ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(lguest help | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$cur")
	elif [[ $cur == -* ]]; then
		# What stands in the usage, and at the start of a line.
		mapfile -t COMPREPLY < <(compgen -W "$(lguest "$verb" --help |
			sed -n '/^usage/,/^$/p; s/^ *\(-[^ ]* *[^ ]*\).*/ \1/p' |
			grep -o -e '[[ ]--*[a-z0-9][a-z-]*' | tr -d '[') --help" -- "$cur")
	elif [ "$verb" != run ]; then
		# Guests that listen: their sockets have their names.
		mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's,.* @lguest/,,p' /proc/net/unix)" -- "$cur")
	fi
}
complete -F _lguest lguest
