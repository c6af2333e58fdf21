/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the small kernel lies: at LGUEST_PAGE_OFFSET + physical. Goes through the C preprocessor.
 */
#include "mailbox.h"

EXTERN(lguest_entry)
ENTRY(guest_entry_gpa)
guest_entry_gpa = lguest_entry - LGUEST_PAGE_OFFSET;

PHDRS
{
	text PT_LOAD FLAGS(5);
	data PT_LOAD FLAGS(6);
}

SECTIONS
{
	. = LGUEST_PAGE_OFFSET + GUEST_LOAD_GPA;
	.text : AT(ADDR(.text) - LGUEST_PAGE_OFFSET) {
		*(.head.text)
		*(.text .text.*)
		*(.rodata .rodata.*)
	} :text
	. = ALIGN(4096);
	.data : AT(ADDR(.data) - LGUEST_PAGE_OFFSET) {
		*(.lguest_data)
		*(.lguest_extension)
		*(.data .data.*)
	} :data
	.bss : AT(ADDR(.bss) - LGUEST_PAGE_OFFSET) {
		*(.bss .bss.* COMMON)
	} :data
	/DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) }
}
