/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The boot sector of Bochs' disk (emulator.bochs): what QEMU does by itself with -kernel. Reads the
 * command line, the unpacked kernel and the root from the sectors behind it, and enters the kernel
 * at its PVH note (Documentation/x86/boot.rst has no word of it; Xen's "x86/HVM direct boot ABI"
 * does): 32 bits, flat segments, no paging, EBX has the address of a struct hvm_start_info.
 *
 * Given by whoever assembles it: KERNEL, KERNEL_END, KERNEL_SECTORS, ENTRY; ROOT, ROOT_BYTES,
 * ROOT_SECTORS.
 */
#define COMMAND_LINE	0x9000
#define COMMAND_SECTORS	8

#define START_INFO_MAGIC 0x336ec578
#define E820_SIGNATURE	0x534d4150
#define E820_BYTES	20
#define PVH_E820_BYTES	24	/* the same, and four bytes of nothing */

#define VGA_CRTC	0x3d4
#define VGA_NO_CURSOR	0x200a	/* register 10, bit 5 */

#define ATA_DATA	0x1f0
#define ATA_COUNT	0x1f2
#define ATA_COMMAND	0x1f7
#define ATA_BUSY	0x80
#define ATA_READY	0x08
#define ATA_READ	0x20
#define ATA_LBA		0xe0	/* in the drive register, with bits 24 to 27 */
#define SECTORS_AT_ONCE	128

	.code16
	.globl	start
start:
	cli
	cld
	xor	%eax, %eax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$start, %sp

	/* What memory there is. */
	xor	%ebx, %ebx
	mov	$memory_map, %di
next_range:
	mov	$0xe820, %eax
	mov	$E820_BYTES, %ecx
	mov	$E820_SIGNATURE, %edx
	int	$0x15
	jc	has_map
	add	$PVH_E820_BYTES, %di
	incl	map_entries
	test	%ebx, %ebx
	jnz	next_range
has_map:
	cli
	/* No cursor: it would blink on Bochs' terminal, which nobody reads, until that is full. */
	mov	$VGA_CRTC, %edx
	mov	$VGA_NO_CURSOR, %ax
	out	%ax, %dx
	in	$0x92, %al
	or	$2, %al		/* A20 */
	out	%al, $0x92
	lgdt	gdt_register
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmp	$8, $protected

	.code32
protected:
	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss

	/* Memory that is not in the file is zero. */
	mov	$KERNEL, %edi
	mov	$(KERNEL_END - KERNEL) / 4, %ecx
	xor	%eax, %eax
	rep stosl

	mov	$parts, %esi
next_part:
	lodsl
	test	%eax, %eax
	jz	loaded
	mov	%eax, %edi
	lodsl
	mov	%eax, %ebx	/* the next sector */
	lodsl
	mov	%eax, %ebp	/* how many are left */
next_read:
	mov	$SECTORS_AT_ONCE, %ecx
	cmp	%ebp, %ecx
	jbe	1f
	mov	%ebp, %ecx
1:	sub	%ecx, %ebp
	call	drive_idle
	mov	$ATA_COUNT, %edx
	mov	%cl, %al
	out	%al, %dx
	mov	%ebx, %eax
	inc	%edx
	out	%al, %dx
	shr	$8, %eax
	inc	%edx
	out	%al, %dx
	shr	$8, %eax
	inc	%edx
	out	%al, %dx
	shr	$8, %eax
	or	$ATA_LBA, %al
	inc	%edx
	out	%al, %dx
	mov	$ATA_READ, %al
	inc	%edx
	out	%al, %dx
	add	%ecx, %ebx
next_sector:
	call	drive_idle
	test	$ATA_READY, %al
	jz	next_sector
	push	%ecx
	mov	$256, %ecx
	mov	$ATA_DATA, %edx
	rep insw
	pop	%ecx
	loop	next_sector
	test	%ebp, %ebp
	jnz	next_read
	jmp	next_part

loaded:
	mov	$start_info, %ebx
	mov	$ENTRY, %eax
	jmp	*%eax

/* Returns the drive's status in AL when it is not busy. */
drive_idle:
	mov	$ATA_COMMAND, %edx
1:	in	%dx, %al
	test	$ATA_BUSY, %al
	jnz	1b
	ret

	.balign	4
parts:
	.long	COMMAND_LINE, 1, COMMAND_SECTORS
	.long	KERNEL, 1 + COMMAND_SECTORS, KERNEL_SECTORS
	.long	ROOT, 1 + COMMAND_SECTORS + KERNEL_SECTORS, ROOT_SECTORS
	.long	0
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_register:
	.word	. - gdt - 1
	.long	gdt
start_info:
	.long	START_INFO_MAGIC, 1, 0, 1	/* version, flags, modules */
	.long	module, 0, COMMAND_LINE, 0
	.quad	0				/* no RSDP: the kernel looks for it */
	.long	memory_map, 0
map_entries:
	.long	0, 0
module:
	.quad	ROOT, ROOT_BYTES, 0, 0

	.org	510
	.word	0xaa55
memory_map:				/* behind the sector, in memory only */
