/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kselftest's harness, without its timeout for each case: scripts/check watches the program as a
 * whole, and a busy machine is no failure.
 */
#ifndef LGUEST_TEST_HARNESS_H
#define LGUEST_TEST_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 0

#endif /* LGUEST_TEST_HARNESS_H */
