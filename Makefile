# SPDX-License-Identifier: GPL-2.0
# The front door: each target is one command of scripts/. What kbuild reads is
# Kbuild; what a kernel tree would read stands in the folders below.

# Which kernel is the host, and what it is like (`make help`).
export HOST_KERNEL ?= 6.1
export HOST_ARGS HOST_CPU HOST_SMP HOST_MEM HOST_BOOT HOST_SNAPSHOT QEMU_ARGS SHARE TIMEOUT KDIR
export HOST_FILES TRACE EMULATOR

# As it was typed: make would take the shell's $ for its own.
export LGUEST_CMD := $(value CMD)
export LGUEST_TESTS := $(TESTS)

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z_-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
	@sed -n 's/^#H //p' $(MAKEFILE_LIST)

modules: ## build lguest.ko for HOST_KERNEL, in build/RELEASE/drivers/lguest
	@scripts/kbuild modules

check: ## build module and selftests, run them in the emulated host: the test command
	@TESTS="$$LGUEST_TESTS" scripts/check

check-long: ## the same with every test's full count of rounds: long
	@TESTS="$$LGUEST_TESTS" LGUEST_TEST_LONG=$${LGUEST_TEST_LONG:-1} scripts/check

check-matrix: ## the core tests on each kernel, with 4 and 5 levels, pti=off and on, 1 and 2 CPUs: hours
	@TESTS="$$LGUEST_TESTS" scripts/check-matrix

run: ## a Linux guest in the emulated host: its shell, or CMD='...' run there
ifdef CMD
	@scripts/run "$$LGUEST_CMD"
else
	@scripts/run
endif

guest-kernel: ## build the Linux kernel that guests have, and say where it is
	@scripts/guest-kernel $(GUEST_VARIANT)

host: ## a root shell in the emulated host, or CMD='...' run there
	@scripts/kbuild modules >&2
	@scripts/tools
ifdef CMD
	@scripts/host "$$LGUEST_CMD"
else
	@scripts/host
endif

guest-debian: ## a root file system of Debian bookworm for i386, for Guests (into the cache)
	@scripts/guest-debian

debian: ## boot that with systemd as a Guest in the emulated host
	@scripts/debian

check-debian: ## and test it: login, network, compiler, stress-ng (LGUEST_TEST_LONG=1: ten minutes)
	@scripts/debian-check

check-kselftests: ## the kernel's own selftests in a Guest, and on a PC; prints where they differ
	@scripts/kselftests all

fuzz: ## run each fuzz target of the plain rooms for SECONDS=60
	@scripts/selftests
	@LGUEST_FUZZ_SECONDS=$(or $(SECONDS),60) build/selftests/plain/fuzz.sh

bench: ## run the benchmarks, counting instructions, into build/bench.json, .md and .svg
	@scripts/bench

tools: ## build what runs outside the kernel: the lguest command, the selftests
	@scripts/tools
	@scripts/selftests

# For the machine that this runs on, or KDIR=HEADERS of another kernel; DESTDIR is honoured.
modules_install: ## install lguest.ko for the running kernel (or KDIR=), below DESTDIR
	@KDIR=$(RUNNING) scripts/kbuild modules
	@KDIR=$(RUNNING) scripts/kbuild modules_install INSTALL_MOD_PATH=$(DESTDIR) \
		INSTALL_MOD_DIR=updates $(if $(DESTDIR),DEPMOD=true)

install: modules_install ## all that there is to install: module, command, udev rule, man page
	@scripts/tools install DESTDIR=$(DESTDIR)
RUNNING = $(or $(KDIR),/lib/modules/$(shell uname -r)/build)

sparse: ## build all anew with W=1 under sparse; a warning is a failure
	@scripts/kbuild clean
	@STRICT=1 scripts/kbuild modules

checkpatch: ## the kernel's checkpatch.pl --strict over all C and assembly
	@scripts/checkpatch

lint: ## what reads the sources for mistakes: checkpatch, Coccinelle, cppcheck, spelling ...
	@scripts/lint

htmldocs: ## Documentation/virt/lguest as pages, into build/html; a warning is a failure
	@scripts/htmldocs

clean: ## remove what was built here (the cache is elsewhere: ~/.cache/lguest)
	@rm -rf build

.PHONY: help modules check check-long check-matrix run host guest-debian debian check-debian \
	check-kselftests bench fuzz tools modules_install install sparse checkpatch \
	lint htmldocs clean

#H
#H Variables of host, run, check and bench:
#H   EMULATOR=bochs                 not QEMU: slow and strict (check: host.d/tests.bochs)
#H   HOST_KERNEL=6.1|6.12|sid|FILE  the host's kernel; a FILE (vmlinuz) wants KDIR=its headers
#H   HOST_KERNEL=debug              one that looks for mistakes: built once, half an hour
#H   HOST_KERNEL=kcsan              one that looks for data races: the same (check: host.d/tests.kcsan)
#H   HOST_ARGS='pti=on ...'         more for its command line
#H   HOST_CPU='max,-la57'           QEMU's -cpu (max,erms=off,-smap)
#H   HOST_SMP=2 HOST_MEM=2048       CPUs (1), MiB (1024)
#H   HOST_BOOT=bzimage              start the vmlinuz itself: slower, but with KASLR and, where
#H                                  the CPU has la57, five-level page tables (+la57 implies it)
#H   HOST_SNAPSHOT=no               boot it, do not go on from the snapshot of one that has booted
#H                                  (as with any QEMU_ARGS)
#H   QEMU_ARGS='...'                more for QEMU
#H   SHARE=DIRECTORY                appears at /mnt in the host, read-write
#H   HOST_FILES=DIRECTORY           its contents are added to the host's root
#H   TIMEOUT=300                    seconds that CMD may take, boot included
#H   TESTS='a b*'                   check, check-matrix: these selftests only
#H   KERNELS='6.1 6.12 sid' LEVELS='4 5' PTI='off on' CPUS='1 2'
#H                                  check-matrix: these hosts only
#H   TRACE=1                        check: with all tracepoints on
#H   LGUEST_TEST_LONG=N             check-long: N times the rounds
#H Variables of run:
#H   LGUEST_ARGS='-m 64 --rng'      more for `lguest run`
#H   HOST=here                      this machine's own kernel is the host, after asking
#H   GUEST_VARIANT=NAME             the guest's kernel with scripts/guest.d/config.NAME
#H make itself fails with status 2; scripts/host COMMAND and scripts/run COMMAND give the command's
#H own status.
