// SPDX-License-Identifier: GPL-2.0
/*
 * Ports and memory of devices: every instruction that the Host emulates there, at both levels, with
 * a device that is nothing but bytes which the launcher keeps; and what nobody claims. The test has
 * the launcher's half.
 */
#include "user.h"
#include "../guests/channel.h"

#define DEVICE_AT	0x70000000u
#define RAM_BEFORE	0x6ffff000u		/* a page of memory before the device */
#define NOBODY_AT	0x70001000u
#define NOBODY_GPA	0xe1000000u

#define device8		((volatile u8 *)DEVICE_AT)
#define device16	((volatile u16 *)DEVICE_AT)
#define device32	((volatile u32 *)DEVICE_AT)

static u32 in32(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a" (value) : "Nd" (port));
	return value;
}

static u16 in16(u16 port)
{
	u16 value;

	asm volatile("inw %1, %0" : "=a" (value) : "Nd" (port));
	return value;
}

static u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a" (value) : "Nd" (port));
	return value;
}

static void copy_longs(void *to, const void *from, u32 n)
{
	asm volatile("rep movsl" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
}

static void out_bytes(u16 port, const void *from, u32 n)
{
	asm volatile("rep outsb" : "+S" (from), "+c" (n) : "d" (port) : "memory");
}

static void in_bytes(u16 port, void *to, u32 n)
{
	asm volatile("rep insb" : "+D" (to), "+c" (n) : "d" (port) : "memory");
}

static void in_long(u16 port, void *to)
{
	asm volatile("insl" : "+D" (to) : "d" (port) : "memory");
}

static void memory(void)
{
	u32 value, i, flags;
	u8 buffer[64], back[64];

	device32[0] = 0x12345678;
	GUEST_ASSERT_EQ(0x12345678, device32[0]);
	device16[1] = 0x8899;
	device8[0] = 0xf0;
	GUEST_ASSERT_EQ(0x889956f0, device32[0]);
	asm volatile("movzbl %1, %0" : "=r" (value) : "m" (device8[0]));
	GUEST_ASSERT_EQ(0xf0, value);
	asm volatile("movsbl %1, %0" : "=r" (value) : "m" (device8[0]));
	GUEST_ASSERT_EQ(0xfffffff0, value);
	asm volatile("movzwl %1, %0" : "=r" (value) : "m" (device16[1]));
	GUEST_ASSERT_EQ(0x8899, value);
	asm volatile("movswl %1, %0" : "=r" (value) : "m" (device16[1]));
	GUEST_ASSERT_EQ(0xffff8899, value);
	asm volatile("movl %%ds:0x70000000, %%eax" : "=a" (value));
	GUEST_ASSERT_EQ(0x889956f0, value);

	value = 0xabcd0123;
	asm volatile("xchgl %0, %1" : "+r" (value), "+m" (device32[0]));
	GUEST_ASSERT_EQ(0x889956f0, value);
	GUEST_ASSERT_EQ(0xabcd0123, device32[0]);
	asm volatile("addl $0x10, %0" : "+m" (device32[0]));
	asm volatile("orl $0xf, %0" : "+m" (device32[0]));
	asm volatile("andl %1, %0" : "+m" (device32[0]) : "r" (0xffff0fff));
	asm volatile("xorb $0xff, %0" : "+m" (device8[3]));
	asm volatile("subw $1, %0" : "+m" (device16[0]));
	asm volatile("lock incl %0" : "+m" (device32[0]));
	GUEST_ASSERT_EQ(0x54cd013f, device32[0]);
	asm volatile("testl $0x100, %1; pushfl; popl %0" : "=r" (flags) : "m" (device32[0]));
	GUEST_ASSERT_EQ(0, flags & 0x40);
	asm volatile("cmpl %2, %1; pushfl; popl %0"
		     : "=r"(flags)
		     : "m"(device32[0]), "r"(0x54cd013f));
	GUEST_ASSERT_EQ(0x40, flags & 0x40);

	/* Strings: to the device, inside of it, and back. */
	for (i = 0; i < sizeof(buffer); i++)
		buffer[i] = i * 7;
	memcpy((void *)(DEVICE_AT + 0x101), buffer, sizeof(buffer));
	memcpy((void *)(DEVICE_AT + 0x202), (void *)(DEVICE_AT + 0x101), 5);
	copy_longs((void *)(DEVICE_AT + 0x202), (void *)(DEVICE_AT + 0x101), sizeof(buffer) / 4);
	memcpy(back, (void *)(DEVICE_AT + 0x202), sizeof(back));
	GUEST_ASSERT_EQ(0, memcmp(buffer, back, sizeof(back)));
	memset((void *)(DEVICE_AT + 0x300), 0x5a, 16);
	GUEST_ASSERT_EQ(0x5a5a5a5a, device32[0x30c / 4]);
	GUEST_ASSERT_EQ(0x00000000, device32[0x310 / 4]);

	/* Half memory, half device. */
	*(volatile u32 *)(DEVICE_AT - 2) = 0x44332211;
	GUEST_ASSERT_EQ(0x44332211, *(volatile u32 *)(DEVICE_AT - 2));
	GUEST_ASSERT_EQ(0x4433, device16[0]);
	asm volatile("addl $0xffff, %0" : "+m" (*(volatile u32 *)(DEVICE_AT - 2)));
	GUEST_ASSERT_EQ(0x44342210, *(volatile u32 *)(DEVICE_AT - 2));

	/* Nobody's. */
	GUEST_ASSERT_EQ(0xffffffff, *(volatile u32 *)NOBODY_AT);
	*(volatile u32 *)NOBODY_AT = 1;
	GUEST_ASSERT_EQ(0xff, *(volatile u8 *)NOBODY_AT);
}

static void ports(void)
{
	u8 buffer[16], back[16];
	u32 i;

	asm volatile("outl %0, %w1" : : "a" (0x11223344), "Nd" (DEVICE_PORT));
	GUEST_ASSERT_EQ(0x11223344, in32(DEVICE_PORT));
	asm volatile("outw %w0, %w1" : : "a" (0x5566), "Nd" (DEVICE_PORT + 2));
	asm volatile("outb %b0, %w1" : : "a" (0x77), "Nd" (DEVICE_PORT + 1));
	GUEST_ASSERT_EQ(0x55667744, in32(DEVICE_PORT));
	GUEST_ASSERT_EQ(0x5566, in16(DEVICE_PORT + 2));
	GUEST_ASSERT_EQ(0x44, in8(DEVICE_PORT));
	/* A row of bytes through one port: the last one stays; and back. */
	for (i = 0; i < sizeof(buffer); i++)
		buffer[i] = 0x30 + i;
	out_bytes(DEVICE_PORT, buffer, sizeof(buffer));
	GUEST_ASSERT_EQ(0x3f, in8(DEVICE_PORT));
	in_bytes(DEVICE_PORT, back, sizeof(back));
	for (i = 0; i < sizeof(back); i++)
		GUEST_ASSERT_EQ(0x3f, back[i]);
	in_long(DEVICE_PORT, back);
	GUEST_ASSERT_EQ(in32(DEVICE_PORT), *(u32 *)back);

	GUEST_ASSERT_EQ(0xff, in8(0x80));
	GUEST_ASSERT_EQ(0xffffffff, in32(0x80));
	GUEST_ASSERT_EQ(0, in8(0x42));
	/* One byte too far: not wholly inside the window. */
	GUEST_ASSERT_EQ(0xffffffff, in32(DEVICE_PORT + DEVICE_PORTS - 3));
	for (i = 0; i < 1000; i++)
		asm volatile("outb %%al, $0x80" : : "a" (i));
}

/* At user level: by its own rights, and no ports. */
static void user_level(void)
{
	/* movl device, %eax; incl device; int $0x80 */
	static const u8 program[] = { 0xa1, 0, 0, 0, 0x70, 0xff, 0x05, 0, 0, 0, 0x70, 0xcd, 0x80 };
	u32 pgdir = user_pgdir(), page = guest_alloc(1, PAGE_SIZE);
	struct trap trap;

	memcpy(va(page), program, sizeof(program));
	guest_map(va(pgdir), 0x400000, page | PTE_ALL);
	guest_map(va(pgdir), DEVICE_AT, DEVICE_GPA | PTE_ALL);
	device32[0] = 0x600d;
	user_load_pgdir(pgdir);
	GUEST_ASSERT_EQ(0x80, guest_try_user(0x400000, 0x401000, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT_EQ(0x600d, trap.ax);
	GUEST_ASSERT_EQ(0x600e, device32[0]);
	/*
	 * Read only, and the kernel's own: the page fault that a processor has, and the device
	 * hears nothing.
	 */
	guest_map(va(pgdir), DEVICE_AT, DEVICE_GPA | PTE_P | PTE_U);
	guest_flush_all();
	GUEST_ASSERT_EQ(VEC_PF, guest_try_user(0x400000, 0x401000, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT_EQ(PF_PRESENT | PF_WRITE | PF_USER, trap.error);
	GUEST_ASSERT_EQ(0x400005, trap.ip);
	guest_map(va(pgdir), DEVICE_AT, DEVICE_GPA | PTE_P | PTE_W);
	guest_flush_all();
	GUEST_ASSERT_EQ(VEC_PF, guest_try_user(0x400000, 0x401000, FLAGS_ONE | FLAGS_IF, 0, &trap));
	GUEST_ASSERT_EQ(PF_PRESENT | PF_USER, trap.error);
	GUEST_ASSERT_EQ(0x600e, device32[0]);
	hypercall(LHCALL_NEW_PGTABLE, pa(lguest_pgdir), 0, 0, 0);
}

void guest_main(void)
{
	guest_map(lguest_pgdir, RAM_BEFORE, guest_alloc(1, PAGE_SIZE) | PTE_P | PTE_W);
	guest_map(lguest_pgdir, DEVICE_AT, DEVICE_GPA | PTE_P | PTE_W);
	guest_map(lguest_pgdir, NOBODY_AT, NOBODY_GPA | PTE_P | PTE_W);
	memory();
	ports();
	user_level();
}
