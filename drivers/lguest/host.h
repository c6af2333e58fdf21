/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rooms of the Host need of one another.
 */
#ifndef _LGUEST_HOST_H
#define _LGUEST_HOST_H

int lguest_host_check(void);

#endif
