#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Linux as a Guest from a bzImage in every format that there is: the kernel of `make guest-kernel`,
# packed by the packers that a kernel's build takes (scripts/guest-packed), unpacked by the launcher, up
# to its init.
#
# lguest-host: linux=yes timeout=900

files=/lguest/linux
. "$(dirname "$0")/tap.sh"

echo "TAP version 13"
[ -d $files ] || { echo "1..0 # SKIP there is no Linux guest"; exit 4; }
echo "1..6"

# A root that says what kernel it sees, and powers off.
printf '%s\n' '#!/bin/busybox sh' 'echo "init of $(/bin/busybox uname -sm)"' '/bin/busybox poweroff -f' >"$tmp/own"
chmod 755 "$tmp/own"
(cd "$tmp" && echo own | cpio -o -H newc 2>/dev/null) | cat - $files/initrd >"$tmp/initrd"

for format in gzip bzip2 xz lzma zstd lz4; do
	lguest run -m 64 -k $files/packed/$format -i "$tmp/initrd" -p 'console=hvc0 quiet rdinit=/own panic=-1' \
		>"$tmp/out" 2>"$tmp/err" </dev/null && grep -q '^init of Linux i686' "$tmp/out"
	report "$format"
done

exit $failed
