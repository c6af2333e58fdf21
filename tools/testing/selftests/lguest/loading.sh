#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Linux as a Guest from a bzImage in every format that there is: the kernel of `make guest-kernel`,
# packed anew each time, unpacked by the launcher, up to its init.
#
# lguest-host: mem=1024 linux=yes timeout=900

files=/lguest/linux
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
number=0 failed=0

echo "TAP version 13"
[ -d $files ] || { echo "1..0 # SKIP there is no Linux guest"; exit 4; }
echo "1..6"

# A root that says what kernel it sees, and powers off.
mkdir "$tmp/root"
printf '%s\n' '#!/bin/busybox sh' '/bin/busybox mount -t devtmpfs dev /dev' \
	'echo "init of $(/bin/busybox uname -sm)" >/dev/hvc0' '/bin/busybox poweroff -f' >"$tmp/root/own"
chmod 755 "$tmp/root/own"
(cd "$tmp/root" && find . | cpio -o -H newc 2>/dev/null) | cat - $files/initrd >"$tmp/initrd"

for format in gzip bzip2 xz lzma zstd lz4; do
	number=$((number + 1))
	if "$here/repack" $files/bzImage $format "$tmp/bzImage" >"$tmp/out" 2>"$tmp/err" &&
		sed 's/^/# /' "$tmp/out" &&
		lguest run -m 64 -k "$tmp/bzImage" -i "$tmp/initrd" -p 'console=hvc0 quiet rdinit=/own panic=-1' \
			--no-reboot >"$tmp/out" 2>"$tmp/err" </dev/null &&
		grep -q '^init of Linux i686' "$tmp/out"; then
		echo "ok $number $format"
	else
		sed 's/^/# /' "$tmp/out" "$tmp/err" | tail -n 30
		echo "not ok $number $format"
		failed=1
	fi
done

exit $failed
