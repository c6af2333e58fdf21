/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine of KVM's that boots a Linux kernel: one CPU, memory, the interrupt controllers and the
 * timer that KVM has, and a serial port that is only written to. What it writes is kept. The kernel
 * is entered at its PVH note, as the emulated host's own is.
 *
 * A table of the MultiProcessor Specification tells it of the I/O APIC. Without one it lets the
 * timer's interrupt in from the 8259, at a time of its own; and if that interrupt came earlier, KVM,
 * which looks at the 8259 when its output rises, never looks again: then no timer ever ticks.
 */
#ifndef LGUEST_TEST_KVM_MACHINE_H
#define LGUEST_TEST_KVM_MACHINE_H

#include <asm/bootparam.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "launcher.h"

/* Where things are, besides the kernel. */
#define KM_START_INFO	0x6000
#define KM_COMMAND_LINE	0x7000
#define KM_LOW_END	0x9f000
#define KM_MP_TABLE	0xf0000
#define KM_HIGH		0x100000

#define KM_SERIAL	0x3f8
#define KM_SERIAL_LSR	(KM_SERIAL + 5)
#define KM_LSR_EMPTY	0x60
/* A byte for the test. */
#define KM_PORT		0x500

/*
 * x87 and SSE only: QEMU 7.2 lets XSETBV pass where KVM wants to be told, so that KVM has to know
 * beforehand what the kernel will set. It is less than the host's own, so that KVM restores that at
 * each exit.
 */
#define KM_XCR0		3

/* The PVH entry's parameters, as <xen/interface/hvm/start_info.h> lays them out. */
struct km_start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, memory_map;
	uint32_t memory_entries, reserved;
	struct {
		uint64_t address, size, command_line, reserved;
	} module;
	struct {
		uint64_t address, size;
		uint32_t type, reserved;
	} ram[2];
};

#define KM_START_MAGIC	0x336ec578
#define KM_NOTE_ENTRY	18	/* XEN_ELFNOTE_PHYS32_ENTRY */

/* The MultiProcessor Specification's: one CPU, the ISA bus, an I/O APIC and what comes to its pins. */
struct km_mp_table {
	struct {
		char signature[4];
		uint32_t table;
		uint8_t paragraphs, revision, checksum, features[5];
	} pointer;
	struct {
		char signature[4];
		uint16_t length;
		uint8_t revision, checksum;
		char names[20];
		uint32_t oem;
		uint16_t oem_size, entries;
		uint32_t local_apic, extended;
	} head;
	struct {
		uint8_t type, apic, version, flags;
		uint32_t signature, features, reserved[2];
	} cpu;
	struct {
		uint8_t type, id;
		char name[6];
	} bus;
	struct {
		uint8_t type, id, version, flags;
		uint32_t address;
	} io_apic;
	struct {
		uint8_t type, delivery;
		uint16_t flags;
		uint8_t bus, irq, apic, pin;
	} irqs[16];
};

#define KM_MP_REVISION	4	/* 1.4 */

struct kvm_machine {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	uint8_t *memory;
	size_t size;
	char log[1 << 18];
	size_t logged;
};

#define KM_IOCTL(fd, request, argument) ({					\
	long result_ = ioctl(fd, request, argument);				\
	if (result_ < 0)							\
		FAIL(#request ": %s", strerror(errno));				\
	result_; })

static inline void km_make(struct kvm_machine *m, size_t size)
{
	struct kvm_userspace_memory_region region = { .memory_size = size };
	struct kvm_pit_config pit = { 0 };
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = KM_XCR0 };
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[200];
	} cpuid = { .head.nent = 200 };
	long run_size;
	int i;

	m->size = size;
	m->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.userspace_addr = (uintptr_t)m->memory;
	/* Page by page is how it is to go away. */
	madvise(m->memory, size, MADV_NOHUGEPAGE);
	m->vm = KM_IOCTL(m->kvm, KVM_CREATE_VM, 0);
	KM_IOCTL(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
	KM_IOCTL(m->vm, KVM_CREATE_IRQCHIP, 0);
	KM_IOCTL(m->vm, KVM_CREATE_PIT2, &pit);
	m->vcpu = KM_IOCTL(m->vm, KVM_CREATE_VCPU, 0);
	run_size = KM_IOCTL(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	m->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->memory == MAP_FAILED || m->run == MAP_FAILED)
		FAIL("memory: %s", strerror(errno));
	KM_IOCTL(m->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	for (i = 0; i < cpuid.head.nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &cpuid.entries[i];

		if (leaf->function == 1)	/* under a hypervisor; no AVX */
			leaf->ecx = (leaf->ecx | 1u << 31) & ~(1u << 28);
		else if (leaf->function == 7)	/* no protection keys */
			leaf->ecx &= ~(1u << 3);
		else if (leaf->function == 0xd && !leaf->index)
			leaf->eax &= KM_XCR0;
	}
	KM_IOCTL(m->vcpu, KVM_SET_CPUID2, &cpuid);
	KM_IOCTL(m->vcpu, KVM_SET_XCRS, &xcrs);
}

/* Reads a file to memory, or maps it if that is NULL. Returns its size. */
static inline size_t km_file(const char *path, void **data)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		FAIL("%s: %s", path, strerror(errno));
	*data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (*data == MAP_FAILED)
		FAIL("%s: %s", path, strerror(errno));
	close(fd);
	return st.st_size;
}

/* Loads a 64-bit vmlinux. Returns its PVH entry. */
static inline uint32_t km_load(struct kvm_machine *m, const char *path)
{
	const Elf64_Ehdr *elf;
	const Elf64_Phdr *ph;
	uint32_t entry = 0;
	void *file;
	size_t size = km_file(path, &file);
	int i;

	elf = file;
	ph = file + elf->e_phoff;
	for (i = 0; i < elf->e_phnum; i++, ph++) {
		const Elf64_Nhdr *note = file + ph->p_offset;
		const void *end = file + ph->p_offset + ph->p_filesz;

		if (ph->p_type == PT_LOAD) {
			if (ph->p_paddr + ph->p_memsz > m->size)
				FAIL("%s does not fit", path);
			memcpy(m->memory + ph->p_paddr, file + ph->p_offset, ph->p_filesz);
		}
		while (ph->p_type == PT_NOTE && (void *)note < end) {
			const void *name = note + 1;
			const void *value = name + ((note->n_namesz + 3) & ~3);

			if (note->n_type == KM_NOTE_ENTRY && !strcmp(name, "Xen"))
				entry = *(uint32_t *)value;
			note = value + ((note->n_descsz + 3) & ~3);
		}
	}
	munmap(file, size);
	if (!entry)
		FAIL("%s has no PVH entry", path);
	return entry;
}

/* What makes the sum of the bytes zero. */
static inline uint8_t km_checksum(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint8_t sum = 0;

	while (size--)
		sum -= *byte++;
	return sum;
}

static inline void km_tell_of_apics(struct kvm_machine *m)
{
	struct km_mp_table *mp = (void *)m->memory + KM_MP_TABLE;
	const size_t length = sizeof(*mp) - offsetof(struct km_mp_table, head);
	int i;

	*mp = (struct km_mp_table){
		.pointer = {
			.signature = "_MP_",
			.table = KM_MP_TABLE + offsetof(struct km_mp_table, head),
			.paragraphs = sizeof(mp->pointer) / 16,
			.revision = KM_MP_REVISION,
		},
		.head = {
			.signature = "PCMP",
			.length = length,
			.revision = KM_MP_REVISION,
			.entries = 3 + 16,
			.local_apic = 0xfee00000,
		},
		.cpu = { .type = 0, .apic = 0, .version = 0x14, .flags = 3 /* enabled, boots */ },
		.bus = { .type = 1, .id = 0, .name = "ISA   " },
		.io_apic = { .type = 2, .id = 1, .version = 0x11, .flags = 1, .address = 0xfec00000 },
	};
	for (i = 0; i < 16; i++) {
		mp->irqs[i].type = 3;
		mp->irqs[i].irq = i;
		mp->irqs[i].apic = mp->io_apic.id;
		mp->irqs[i].pin = i;	/* as KVM has it unless it is told otherwise */
	}
	mp->pointer.checksum = km_checksum(&mp->pointer, sizeof(mp->pointer));
	mp->head.checksum = km_checksum(&mp->head, length);
}

static inline void km_start(struct kvm_machine *m, const char *kernel, const char *command_line,
			    const void *root, size_t root_size)
{
	const struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .db = 1, .g = 1,
	}, data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	}, task = {
		.limit = 0x67, .type = 11, .present = 1,
	};
	uint64_t root_at = (m->size - root_size) & -4096ul;
	struct km_start_info *info = (void *)m->memory + KM_START_INFO;
	struct kvm_regs regs = { .rflags = 2, .rbx = KM_START_INFO };
	struct kvm_sregs sregs;

	regs.rip = km_load(m, kernel);
	memcpy(m->memory + root_at, root, root_size);
	strcpy((char *)m->memory + KM_COMMAND_LINE, command_line);
	km_tell_of_apics(m);
	*info = (struct km_start_info){
		.magic = KM_START_MAGIC,
		.version = 1,
		.modules = 1,
		.module_list = KM_START_INFO + offsetof(struct km_start_info, module),
		.command_line = KM_COMMAND_LINE,
		.memory_map = KM_START_INFO + offsetof(struct km_start_info, ram),
		.memory_entries = 2,
		.module = { .address = root_at, .size = root_size },
		.ram = {
			{ .address = 0, .size = KM_LOW_END, .type = 1 },
			{ .address = KM_HIGH, .size = m->size - KM_HIGH, .type = 1 },
		},
	};
	KM_IOCTL(m->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.tr = task;
	sregs.cr0 = 0x11;	/* PE, ET */
	KM_IOCTL(m->vcpu, KVM_SET_SREGS, &sregs);
	KM_IOCTL(m->vcpu, KVM_SET_REGS, &regs);
}

static inline void km_port(struct kvm_machine *m, int *byte)
{
	uint8_t *data = (uint8_t *)m->run + m->run->io.data_offset;
	uint16_t port = m->run->io.port;

	if (m->run->io.direction == KVM_EXIT_IO_OUT) {
		if (port == KM_SERIAL && m->logged < sizeof(m->log) - 1)
			m->log[m->logged++] = *data;
		if (port == KM_PORT)
			*byte = *data;
		return;
	}
	memset(data, 0xff, m->run->io.size * m->run->io.count);
	if (port == KM_SERIAL_LSR)
		*data = KM_LSR_EMPTY;
	/* The clock on the board is not being updated, whenever somebody looks. */
	if (port == 0x71)
		*data = 0;
}

/*
 * Runs until a signal comes (-EINTR), a byte is written to KM_PORT (that), or the machine is done
 * with (-ESHUTDOWN).
 */
static inline int km_run(struct kvm_machine *m)
{
	int byte = -1;

	while (byte < 0) {
		if (ioctl(m->vcpu, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				return -EINTR;
			FAIL("KVM_RUN: %s", strerror(errno));
		}
		switch (m->run->exit_reason) {
		case KVM_EXIT_IO:
			km_port(m, &byte);
			break;
		case KVM_EXIT_MMIO:
			if (!m->run->mmio.is_write)
				memset(m->run->mmio.data, 0xff, sizeof(m->run->mmio.data));
			break;
		case KVM_EXIT_SHUTDOWN:
			return -ESHUTDOWN;
		default:
			FAIL("KVM's machine ended with %u", m->run->exit_reason);
		}
	}
	return byte;
}

static inline void km_drop(struct kvm_machine *m)
{
	close(m->vcpu);
	close(m->vm);
	munmap(m->memory, m->size);
}

#endif /* LGUEST_TEST_KVM_MACHINE_H */
