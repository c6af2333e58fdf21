// SPDX-License-Identifier: GPL-2.0
/*
 * A network card's way out through a tap device of the Host's. The tap takes and
 * gives frames with the header that virtio has, so that checksums and
 * segmentation can be left to whoever does them best.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/if_tun.h>

#include "util.h"
#include "virtio/device.h"
#include "virtio/net.h"

/* More frames than a tap keeps. */
#define QUEUE_LEN 1024

static int tap_send(struct net_backend *backend, struct iovec *iov, unsigned int count)
{
	if (writev(backend->fd, iov, count) >= 0)
		return 1;
	if (errno == EBADFD)
		return -1;
	/* What the tap does not like, a wire would have lost. */
	return errno != EAGAIN;
}

static ssize_t tap_receive(struct net_backend *backend, uint8_t *to)
{
	ssize_t got = read(backend->fd, to, NET_FRAME_MAX);

	if (got >= (ssize_t)NET_HEADER) {
		/* The tap tells of checksums that a card has found right to those who did not ask, too. */
		if (!backend->checksums)
			((struct virtio_net_hdr_v1 *)to)->flags = 0;
		return got;
	}
	return got < 0 && errno != EAGAIN && errno != EINTR ? -1 : 0;
}

static void tap_agreed(struct net_backend *backend, uint64_t features)
{
	static const struct {
		unsigned int feature, offload;
	} table[] = {
		{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
		{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
	};
	static uint8_t frame[NET_FRAME_MAX];
	unsigned int offload = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (features >> table[i].feature & 1)
			offload |= table[i].offload;
	/* The tap refuses segmentation without checksums, and ECN without segmentation. */
	if (!(offload & (TUN_F_TSO4 | TUN_F_TSO6)))
		offload &= ~TUN_F_TSO_ECN;
	backend->checksums = offload & TUN_F_CSUM;
	if (!backend->checksums)
		offload = 0;
	ioctl(backend->fd, TUNSETOFFLOAD, offload);
	/* What came before is as the last driver would have it. */
	for (i = 0; i < QUEUE_LEN && read(backend->fd, frame, sizeof(frame)) > 0; i++)
		continue;
}

struct net_backend *tap_open(const char *name, struct lguest_error *error)
{
	struct net_backend *tap = calloc(1, sizeof(*tap));
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int size = NET_HEADER;

	if (!tap || strlen(name) >= sizeof(request.ifr_name)) {
		lguest_fail(error, "tap=%s: not a name of a network interface", name);
		goto free;
	}
	strcpy(request.ifr_name, name);
	tap->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->fd < 0) {
		lguest_fail(error, "/dev/net/tun: %s; try 'modprobe tun'", strerror(errno));
		goto free;
	}
	/* Asked for by one who may, the kernel would make it: without an address, and down. */
	if (!if_nametoindex(name) || ioctl(tap->fd, TUNSETIFF, &request)) {
		lguest_fail(
			error,
			errno == EBUSY ?
				"tap=%s: %s: each guest wants one of its own, made like 'ip tuntap add mode tap user $USER name %s'" :
				"tap=%s: %s; make it with 'ip tuntap add mode tap user $USER name %s'",
			name, strerror(errno), name);
		goto close;
	}
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &size) || ioctl(tap->fd, TUNSETOFFLOAD, 0)) {
		lguest_fail(error, "tap=%s: %s", name, strerror(errno));
		goto close;
	}
	tap->features = 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM |
			1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6 |
			1ull << VIRTIO_NET_F_GUEST_ECN | 1ull << VIRTIO_NET_F_HOST_TSO4 |
			1ull << VIRTIO_NET_F_HOST_TSO6 | 1ull << VIRTIO_NET_F_HOST_ECN;
	tap->send = tap_send;
	tap->receive = tap_receive;
	tap->agreed = tap_agreed;
	return tap;

close:
	close(tap->fd);
free:
	free(tap);
	return NULL;
}
