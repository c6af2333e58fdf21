// SPDX-License-Identifier: GPL-2.0
/*
 * What the small kernel says to its launcher, through the mailbox; and the few functions of C's
 * library.
 */
#include "guest.h"

void *memcpy(void *to, const void *from, size_t len)
{
	void *start = to;

	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (len) : : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t len)
{
	char *t = to;
	const char *f = from;

	if (t <= f)
		return memcpy(to, from, len);
	while (len--)
		t[len] = f[len];
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	void *start = to;

	asm volatile("rep stosb" : "+D" (to), "+c" (len) : "a" (byte) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const u8 *x = a, *y = b;

	for (; len; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

/* Where text goes: at most size - 1 characters; the length counts those that had no room too. */
struct out {
	char *to;
	size_t size, len;
};

static void put(struct out *out, char c)
{
	if (out->len + 1 < out->size)
		out->to[out->len] = c;
	out->len++;
}

static void put_number(struct out *out, u32 value, u32 base, u32 width, char fill)
{
	char digits[10];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; width > n; width--)
		put(out, fill);
	while (n)
		put(out, digits[--n]);
}

/* %s %c %u %d %x %p %%, with a width and a leading 0. */
static int format_text(char *to, size_t size, const char *format, va_list args)
{
	struct out out = { .to = to, .size = size };
	const char *s;

	for (; *format; format++) {
		char fill = ' ';
		u32 width = 0;
		int value;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		format++;
		if (*format == '0')
			fill = *format++;
		while (*format >= '0' && *format <= '9')
			width = width * 10 + (*format++ - '0');
		switch (*format) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				put(&out, *s);
			break;
		case 'c':
			put(&out, va_arg(args, int));
			break;
		case 'd':
			value = va_arg(args, int);
			if (value < 0)
				put(&out, '-');
			put_number(&out, value < 0 ? -(u32)value : (u32)value, 10, width, fill);
			break;
		case 'u':
			put_number(&out, va_arg(args, u32), 10, width, fill);
			break;
		case 'x':
		case 'p':
			put_number(&out, va_arg(args, u32), 16, width, fill);
			break;
		case '\0':
			format--;
			break;
		default:
			put(&out, *format);
		}
	}
	if (size)
		to[out.len < size ? out.len : size - 1] = 0;
	return out.len;
}

int guest_snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = format_text(to, size, format, args);
	va_end(args);
	return len;
}

static void notify(u32 op)
{
	mailbox->op = op;
	hypercall(LHCALL_NOTIFY, MAILBOX_GPA, 0, 0, 0);
}

void guest_printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	format_text((char *)mailbox->text, sizeof(mailbox->text), format, args);
	va_end(args);
	notify(MAILBOX_PRINT);
}

void guest_sync(u32 number)
{
	mailbox->number = number;
	notify(MAILBOX_SYNC);
}

void guest_failed(const char *file, u32 line, const char *what, u32 expected, u32 seen)
{
	guest_snprintf((char *)mailbox->file, sizeof(mailbox->file), "%s", file);
	guest_snprintf((char *)mailbox->text, sizeof(mailbox->text), "%s", what);
	mailbox->line = line;
	mailbox->value[0] = expected;
	mailbox->value[1] = seen;
	notify(MAILBOX_FAILED);
	guest_shutdown("failed", 0);
}

void guest_shutdown(const char *message, u32 reason)
{
	for (;;)
		hypercall(LHCALL_SHUTDOWN, pa(message), reason, 0, 0);
}
