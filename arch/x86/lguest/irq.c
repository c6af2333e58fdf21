// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: 32 lines, each a bit that the Host remembers until it has delivered it, and that the
 * Guest may block. Line n is Linux's interrupt n and comes as vector 0x20 + n, with interrupts off.
 */
#include <linux/irq.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/hw_irq.h>
#include <asm/i8259.h>
#include <asm/pci_x86.h>
#include <asm/x86_init.h>

#include "lguest.h"

/* Interrupts are off in both: the descriptor's lock is held. */
static void mask_line(struct irq_data *data)
{
	lguest_data.blocked_interrupts |= BIT(data->irq);
}

static void unmask_line(struct irq_data *data)
{
	lguest_data.blocked_interrupts &= ~BIT(data->irq);
	/* It may have come while it was blocked. */
	lguest_hcall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
}

/* The Host forgets a line when it delivers it. */
static void ack_line(struct irq_data *data)
{
}

static struct irq_chip lguest_chip = {
	.name		= "lguest",
	.irq_ack	= ack_line,
	.irq_mask	= mask_line,
	.irq_unmask	= unmask_line,
};

/*
 * All gates and segments are there now, and the stack for entries from user mode: the Host need not
 * look for them in memory with each delivery, as a processor does. To load any segment makes the
 * Host's copy the table that counts.
 */
static void __init tell_entries(void)
{
	const struct desc_struct *idt = (void *)CPU_ENTRY_AREA_RO_IDT;
	u32 stack = this_cpu_read(cpu_tss_rw.x86_tss.sp0);
	unsigned int vector;

	for (vector = 0; vector < IDT_ENTRIES; vector++) {
		const u32 *gate = (const u32 *)&idt[vector];

		lguest_hcall_later(LHCALL_LOAD_IDT_ENTRY, vector, gate[0], gate[1], 0);
	}
	lguest_hcall_later(LHCALL_LOAD_TLS, __pa(current->thread.tls_array), 0, 0, 0);
	lguest_hcall(LHCALL_SET_STACK, __KERNEL_DS | 1, stack, 1, 0);
}

static void __init init_lines(void)
{
	unsigned int line;

	for (line = 0; line < LGUEST_IRQ_LINES; line++) {
		/* -EEXIST: one that a PC always has. */
		irq_alloc_desc_at(line, 0);
		irq_set_chip_and_handler_name(line, &lguest_chip, handle_edge_irq, "edge");
		__this_cpu_write(vector_irq[LGUEST_FIRST_IRQ_VECTOR + line], irq_to_desc(line));
	}
	idt_setup_apic_and_irq_gates();
	tell_entries();
}

/* The line of a PCI device stands in its configuration space and is always there. */
static int enable_pci_line(struct pci_dev *dev)
{
	return 0;
}

static void disable_pci_line(struct pci_dev *dev)
{
}

static void __init init_pci_lines(void)
{
	pcibios_enable_irq = enable_pci_line;
	pcibios_disable_irq = disable_pci_line;
}

/**
 * lguest_init_irqs() - say how interrupts work here
 */
void __init lguest_init_irqs(void)
{
	BUILD_BUG_ON(FIRST_EXTERNAL_VECTOR != LGUEST_FIRST_IRQ_VECTOR);

	legacy_pic = &null_legacy_pic;
	x86_init.irqs.intr_init = init_lines;
	x86_init.irqs.intr_mode_select = x86_init_noop;
	x86_init.irqs.intr_mode_init = x86_init_noop;
	x86_init.pci.init_irq = init_pci_lines;
	x86_init.pci.fixup_irqs = x86_init_noop;
}
