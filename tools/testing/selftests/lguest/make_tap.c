// SPDX-License-Identifier: GPL-2.0
/* make_tap NAME UID: makes a tap device that this user may use: `ip tuntap add`, which busybox lacks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/if.h>
#include <linux/if_tun.h>

int main(int argc, char *argv[])
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	if (argc != 3)
		return 2;
	strncpy(request.ifr_name, argv[1], sizeof(request.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOWNER, atoi(argv[2])) ||
	    ioctl(fd, TUNSETPERSIST, 1)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
