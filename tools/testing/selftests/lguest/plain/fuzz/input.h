/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzz target reads its decisions from: the fuzzer's bytes, from the first on; zeros when
 * they have come to an end.
 */
#ifndef LGUEST_FUZZ_INPUT_H
#define LGUEST_FUZZ_INPUT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *bytes;
	size_t left;
};

static inline void input_bytes(struct input *in, void *to, size_t len)
{
	size_t have = in->left < len ? in->left : len;

	memset(to, 0, len);
	if (!have)
		return;
	memcpy(to, in->bytes, have);
	in->bytes += have;
	in->left -= have;
}

#define DEFINE_INPUT(n)								\
	static inline uint##n##_t input##n(struct input *in)			\
	{									\
		uint##n##_t value;						\
										\
		input_bytes(in, &value, sizeof(value));				\
		return value;							\
	}
DEFINE_INPUT(8)
DEFINE_INPUT(16)
DEFINE_INPUT(32)
DEFINE_INPUT(64)

#define FUZZ_CHECK(condition)							\
	do {									\
		if (!(condition)) {						\
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,	\
				#condition);					\
			abort();						\
		}								\
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#endif /* LGUEST_FUZZ_INPUT_H */
