#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The command and real kernels: the Guest's, packed in every format, and the Host's, which is
# none for a Guest. All that is wrong with a file is found before the Host is asked for a Guest:
# so here, where there is none, a good kernel ends with status 3 and a sentence about /dev/lguest,
# and a bad one with status 2 and one sentence that names file and fault.
#
# lguest-host: timeout=900

here=$(cd "$(dirname "$0")" && pwd)
tree=$here/../../..
lguest=$tree/build/tools/lguest
rounds=500

echo "TAP version 13"
[ ! -e /dev/lguest ] || { echo "1..0 # SKIP this machine has /dev/lguest"; exit 4; }
[ -x "$tree/scripts/guest-kernel" ] || { echo "1..0 # SKIP there are no scripts that have kernels"; exit 4; }
guest=$("$tree/scripts/guest-kernel") && packed=$("$tree/scripts/guest-packed") && host=$("$tree/scripts/kernel" 6.1) ||
	exit 1

. "$(dirname "$0")/tap.sh"

# The last one is the sentence, others may be of the progress.
run()
{
	status=0
	"$lguest" run -k "$@" </dev/null >"$tmp/out" 2>"$tmp/err" || status=$?
	mapfile -t said <"$tmp/err"
}
was_loaded() { [[ $status = 3 && ${#said[@]} = 1 && ${said[0]} == "lguest run: /dev/lguest: No such file"* ]]; }
was_refused() { [[ $status = 2 && ${#said[@]} = 1 && ! -s $tmp/out && ${said[0]} =~ ^"lguest run: ".*$1 ]]; }
loads() { run "$@"; was_loaded; }
# refused SENTENCE KERNEL ARGUMENT...
refused()
{
	local sentence=$1

	shift
	run "$@"
	was_refused "$sentence"
}

# The boot protocol's fields, little-endian.
field() { od -A n -t u4 -j "$2" -N 4 "$1" | tr -d ' '; }
byte() { od -A n -t u1 -j "$2" -N 1 "$1" | tr -d ' '; }

image=$guest/bzImage
setup=$((($(byte "$image" 0x1f1) + 1) * 512))
offset=$(field "$image" 0x248)

echo "1..22"
loads "$guest/vmlinux"; report "vmlinux"
loads "$image"; report "bzImage"
loads "$image" --unpack guest; report "bzImage that unpacks itself"
for format in gzip bzip2 xz lzma zstd lz4; do
	loads "$packed/$format"; report "packed by $format"
done

# How far it is, on a terminal, in a line that goes when it is done.
script -qec "$lguest run -k $packed/xz" /dev/null </dev/null >"$tmp/out"
[ $? = 3 ] && grep -q "lguest: unpacking the kernel:  *[1-9][0-9]* %.*unpacking the kernel: 100 %"$'\r\033\\[K' "$tmp/out"
report "progress"

# A payload that is damaged.
cp "$packed/lz4" "$tmp/damaged"
dd if=/dev/zero of="$tmp/damaged" bs=1 seek=$((setup + offset + 300000)) count=5000 conv=notrunc 2>/dev/null
refused "damaged: its payload \\(lz4\\) is damaged" "$tmp/damaged"; report "a damaged payload"
refused "vmlinuz: a 64-bit kernel; only 32-bit ones run: build one" "$host/vmlinuz"; report "Debian's bzImage, of 64 bits"
refused "vmlinux: a 64-bit kernel; only 32-bit ones run: build one" "$host/vmlinux"; report "Debian's vmlinux, of 64 bits"
head -c 1000000 "$image" >"$tmp/cut"; refused "cut: truncated: [0-9]* bytes of its kernel are missing" "$tmp/cut"; report "a bzImage that is cut"
head -c 1000000 "$guest/vmlinux" >"$tmp/cut"; refused "cut: truncated: segment [0-9]* ends behind the file" "$tmp/cut"; report "a vmlinux that is cut"
head -c 600 "$image" >"$tmp/cut"; refused "cut: truncated" "$tmp/cut"; report "the header of a bzImage, cut"
refused "bash: a 64-bit kernel" /bin/bash; report "a program"
refused "System.map: neither an ELF kernel \\(vmlinux\\) nor a bzImage" "$guest/System.map"; report "a text"
truncate -s 300M "$tmp/initrd"
refused "initrd: an initrd of 307200 KiB does not fit into 65536 KiB of guest memory" "$image" -i "$tmp/initrd" -m 64; report "an initrd larger than memory"
refused "give it more \\(-m\\)" "$image" -m 4; report "less memory than the kernel needs"
refused "a command line of [0-9]* bytes; this kernel takes 2047" "$image" -p "$(head -c 3000 /dev/zero | tr '\0' x)"; report "too long a command line"

# Headers with some bytes of any value: accepted or refused, by one sentence; never anything else. What
# they are the header of is a small program, which is unpacked in no time.
RANDOM=1 accepted=0 odd=0
"$tree/scripts/pack" "$image" "$(dirname "$0")/../first.c0000000.elf" "$tmp/bzImage" lz4 -l -1 - -
header=$(dd if="$tmp/bzImage" bs=1 skip=$((0x1f1)) count=144 2>/dev/null | od -A n -v -t x1 | tr -d '\n')
for ((round = 0; round < rounds; round++)); do
	# shellcheck disable=SC2206 # a list
	bytes=($header)
	for ((n = 1 + RANDOM % 4; n; n--)); do
		bytes[RANDOM % 144]=$(printf %02x $((RANDOM % 3 ? RANDOM & 255 : RANDOM % 2 * 255)))
	done
	printf "$(printf '\\x%s' "${bytes[@]}")" | dd of="$tmp/bzImage" bs=1 seek=$((0x1f1)) conv=notrunc 2>/dev/null
	run "$tmp/bzImage"
	if was_loaded; then
		accepted=$((accepted + 1))
	elif ! was_refused ""; then
		odd=$((odd + 1))
		echo "# ${bytes[*]}"
		sed 's/^/# /' "$tmp/err"
	fi
done
echo "# $accepted of $rounds mutated headers were accepted"
[ $odd = 0 ] && [ $accepted -gt $((rounds / 20)) ] && [ $accepted -lt $((rounds * 19 / 20)) ]
report "$rounds mutated headers"

exit $failed
