// SPDX-License-Identifier: GPL-2.0
/*
 * lguest run: start a Guest. Two processes: the first looks at the arguments,
 * has the terminal made raw and gives it back, whatever becomes of the second;
 * the second holds the Guest, and there is a new one after each restart.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "lib/device.h"
#include "machine.h"
#include "sandbox.h"
#include "serial.h"
#include "terminal.h"
#include "verb.h"
#include "virtio/devices.h"
#include "virtio/net.h"
#include "virtio/transport.h"

#define MEMORY_DEFAULT (256ull << 20)
/* Of each kind; the PCI bus has room for 27 in all. */
#define DEVICES_MAX 16

/* What the first process tells the second one by. */
#define SIGNAL_PAUSE SIGUSR1
#define SIGNAL_RESUME SIGUSR2

/* How the second process says that the Guest wants to be started again. */
#define STATUS_RESTART 64

static const char usage[] =
	"usage: lguest run -k KERNEL [OPTION]...\n"
	"\n"
	"Runs a guest, with this terminal as its console; ^A x ends it.\n"
	"\n"
	"  -k, --kernel FILE      vmlinux (32-bit ELF) or bzImage\n"
	"  -i, --initrd FILE      its initial RAM disk\n"
	"  -p, --params 'A B=C'   its command line; may be given again\n"
	"  -m, --mem SIZE         its memory, in MiB or with K, M or G (256M)\n"
	"  -d, --disk FILE[,ro]   a disk: a file or a block device; again for more\n"
	"  -n, --network HOW      a network card: tap=NAME, passt or none; again\n"
	"                         for more\n"
	"      --console FILE     a further console (hvc1, ...), which appends to a\n"
	"                         file; again for more\n"
	"      --rng              an entropy source\n"
	"      --pci-bar SPACE    devices' registers: memory or io\n"
	"      --unpack WHO       who unpacks a bzImage: launcher or guest\n"
	"      --name NAME        what it is called; no other guest may be\n"
	"      --no-reboot        end where the guest would restart\n"
	"      --no-sandbox       keep all rights while the guest runs\n"
	"\n"
	"Exit status: 0 the guest powered off or was stopped, 1 it crashed,\n"
	"2 wrong arguments or files, 3 this program or the host failed.\n";

struct options {
	struct kernel_files files;
	char cmdline[LGUEST_CMDLINE_MAX + 1]; /* too long by one at most */
	uint64_t memory; /* bytes */
	const char *disk[DEVICES_MAX]; /* as they were given */
	unsigned int disks;
	const char *network[DEVICES_MAX];
	unsigned int networks;
	const char *console[DEVICES_MAX];
	unsigned int consoles;
	bool rng;
	unsigned int bar; /* LGUEST_SPACE_* */
	char name[CONTROL_NAME_MAX];
	bool no_reboot, no_sandbox;
};

enum {
	OPT_UNPACK = 256,
	OPT_NO_REBOOT,
	OPT_NO_SANDBOX,
	OPT_RNG,
	OPT_CONSOLE,
	OPT_PCI_BAR,
	OPT_NAME
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, 'k' },
	{ "initrd", required_argument, NULL, 'i' },
	{ "params", required_argument, NULL, 'p' },
	{ "mem", required_argument, NULL, 'm' },
	{ "unpack", required_argument, NULL, OPT_UNPACK },
	{ "disk", required_argument, NULL, 'd' },
	{ "network", required_argument, NULL, 'n' },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "rng", no_argument, NULL, OPT_RNG },
	{ "pci-bar", required_argument, NULL, OPT_PCI_BAR },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{}
};

/* 64, 64M, 65536K, 1G: bytes, or 0 if it is none of these. */
static uint64_t parse_size(const char *text)
{
	unsigned int shift = 20;
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		return 0;
	switch (*end) {
	case 'G':
	case 'g':
		shift = 30;
		end++;
		break;
	case 'M':
	case 'm':
		end++;
		break;
	case 'K':
	case 'k':
		shift = 10;
		end++;
		break;
	}
	if (*end || number > UINT64_MAX >> shift)
		return 0;
	return number << shift;
}

static void add_params(struct options *options, const char *more)
{
	size_t used = strlen(options->cmdline);

	snprintf(options->cmdline + used, sizeof(options->cmdline) - used,
		 "%s%s", used ? " " : "", more);
}

/* STATUS_OK, or what verb_misused() returned. */
static int parse(int argc, char **argv, struct options *options)
{
	int c;

	*options = (struct options){ .memory = MEMORY_DEFAULT };
	options->files.cmdline = options->cmdline;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":k:i:p:m:d:n:", long_options,
				NULL)) != -1) {
		switch (c) {
		case 'k':
			options->files.kernel = optarg;
			break;
		case 'i':
			options->files.initrd = optarg;
			break;
		case 'p':
			add_params(options, optarg);
			break;
		case 'm':
			options->memory = parse_size(optarg);
			if (!options->memory)
				return verb_misused("'%s' is no size of memory",
						    optarg);
			break;
		case OPT_UNPACK:
			if (!strcmp(optarg, "guest"))
				options->files.unpack = UNPACK_GUEST;
			else if (strcmp(optarg, "launcher"))
				return verb_misused(
					"'%s' unpacks nothing; 'launcher' and 'guest' do",
					optarg);
			break;
		case 'd':
			if (options->disks == DEVICES_MAX)
				return verb_misused("too many disks");
			options->disk[options->disks++] = optarg;
			break;
		case 'n':
			if (!strcmp(optarg, "none"))
				break;
			if (options->networks == DEVICES_MAX)
				return verb_misused("too many network cards");
			if (strcmp(optarg, "passt") &&
			    strncmp(optarg, "tap=", 4))
				return verb_misused(
					"'%s' is no network; tap=NAME, passt and none are",
					optarg);
			options->network[options->networks++] = optarg;
			break;
		case OPT_CONSOLE:
			if (options->consoles == DEVICES_MAX)
				return verb_misused("too many consoles");
			options->console[options->consoles++] = optarg;
			break;
		case OPT_RNG:
			options->rng = true;
			break;
		case OPT_PCI_BAR:
			if (!strcmp(optarg, "io"))
				options->bar = LGUEST_SPACE_PORT;
			else if (strcmp(optarg, "memory"))
				return verb_misused(
					"'%s' is no space for a BAR; memory and io are",
					optarg);
			break;
		case OPT_NAME:
			if (!control_name_ok(optarg))
				return verb_misused(
					"'%s' is no name: up to %u letters, digits, '.', '_' and '-'",
					optarg, CONTROL_NAME_MAX - 1);
			strcpy(options->name, optarg);
			break;
		case OPT_NO_REBOOT:
			options->no_reboot = true;
			break;
		case OPT_NO_SANDBOX:
			options->no_sandbox = true;
			break;
		case ':':
			return verb_misused("%s: what?", argv[optind - 1]);
		default:
			return verb_misused("'%s': no such option",
					    argv[optind - 1]);
		}
	}
	if (optind < argc)
		return verb_misused("'%s': no arguments without an option",
				    argv[optind]);
	if (!options->files.kernel)
		return verb_misused("which kernel? -k FILE");
	if (!*options->name)
		snprintf(options->name, sizeof(options->name), "guest-%d",
			 getpid());
	return STATUS_OK;
}

/* ---- The second process ---- */

static void stop_handler(int signal)
{
	machine_stop();
}

static void pause_handler(int signal)
{
	machine_pause(signal == SIGNAL_PAUSE);
}

static void resize_handler(int signal)
{
	console_resized();
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = stop_handler };
	struct sigaction pause = { .sa_handler = pause_handler };
	struct sigaction resized = { .sa_handler = resize_handler,
				     .sa_flags = SA_RESTART };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &stop, NULL);
	sigaction(SIGNAL_PAUSE, &pause, NULL);
	sigaction(SIGNAL_RESUME, &pause, NULL);
	sigaction(SIGWINCH, &resized, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static struct virtio *create_disk(const char *wish, struct lguest_error *error)
{
	char name[PATH_MAX];
	size_t len = strlen(wish);
	bool readonly = len > 3 && !strcmp(wish + len - 3, ",ro");

	if (readonly)
		len -= 3;
	if (len >= sizeof(name)) {
		lguest_fail(error, "%s: %s", wish, strerror(ENAMETOOLONG));
		return NULL;
	}
	memcpy(name, wish, len);
	name[len] = 0;
	return blk_create(name, readonly, error);
}

/* Locally administered, and not the same for two Guests on one bridge. */
static void make_mac(uint8_t mac[6], unsigned int card)
{
	uint32_t pid = getppid();

	mac[0] = 0x52;
	mac[1] = 0x4c;
	mac[2] = pid >> 16;
	mac[3] = pid >> 8;
	mac[4] = pid;
	mac[5] = card;
}

static struct virtio *create_card(const char *wish, unsigned int card,
				  struct lguest_error *error)
{
	struct net_backend *backend;
	uint8_t mac[6];

	backend = strcmp(wish, "passt") ? tap_open(wish + 4, error) :
					  passt_open(error);
	make_mac(mac, card);
	return backend ? net_create(backend, mac, error) : NULL;
}

/* Opens what they need; the console is first. -1 with a sentence. */
static int create_devices(const struct options *options,
			  struct virtio **devices, unsigned int *count,
			  struct lguest_error *error)
{
	unsigned int n = 0, i;

	devices[n++] = console_create(error);
	for (i = 0; devices[n - 1] && i < options->consoles; i++)
		devices[n++] = console_create_file(options->console[i], error);
	for (i = 0; devices[n - 1] && i < options->disks; i++)
		devices[n++] = create_disk(options->disk[i], error);
	for (i = 0; devices[n - 1] && i < options->networks; i++)
		devices[n++] = create_card(options->network[i], i, error);
	if (devices[n - 1] && options->rng)
		devices[n++] = rng_create(error);
	*count = n;
	return devices[n - 1] ? 0 : -1;
}

/* Puts everything on the bus of a machine that is ready. */
static int connect_devices(const struct options *options,
			   struct machine *machine, struct virtio **devices,
			   unsigned int count, struct lguest_error *error)
{
	unsigned int i;

	if (serial_init(&machine->bus, error) || pci_init(&machine->bus, error))
		return -1;
	for (i = 0; i < count; i++)
		if (virtio_pci_add(&machine->bus, devices[i], &machine->memory,
				   options->bar, error))
			return -1;
	return terminal_start(machine_stop, error);
}

static int run_guest(const struct options *options, bool progress)
{
	struct virtio *devices[3 * DEVICES_MAX + 2];
	struct lguest_error error;
	struct machine machine;
	enum machine_end end;
	unsigned int count;
	int status;

	if (create_devices(options, devices, &count, &error))
		return verb_fail(STATUS_USAGE, "%s", error.text);
	status = machine_create(&machine, options->memory, &options->files,
				progress, &error);
	if (status)
		return verb_fail(status, "%s", error.text);
	/* For `lguest list` and the like: an older module does without. */
	lguest_set_name(machine.bus.guest, options->name);
	if (connect_devices(options, &machine, devices, count, &error) ||
	    (!options->no_sandbox && sandbox_enter(&error)))
		return verb_fail(STATUS_FAILED, "%s", error.text);

	terminal_raw();
	end = machine_run(&machine, &error);
	terminal_restore();

	switch (end) {
	case END_POWEROFF:
	case END_STOPPED:
		return STATUS_OK;
	case END_RESTART:
		return STATUS_RESTART;
	case END_CRASHED:
		return verb_fail(STATUS_CRASHED, "%s", error.text);
	default:
		return verb_fail(STATUS_FAILED, "%s", error.text);
	}
}

/* ---- The first process ---- */

struct supervisor {
	const struct options *options;
	int control; /* socket for commands */
	int signals; /* signalfd */
	sigset_t before; /* the mask that the second process gets */
	pid_t second;
	int stopping; /* who waits for the end; -1 */
};

static void done(int client)
{
	send(client, "done", 4, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(client);
}

static void obey(struct supervisor *s)
{
	char command[CONTROL_COMMAND_MAX];
	int client = control_accept(s->control, command);

	if (client < 0)
		return;
	if (!strcmp(command, "stop")) {
		kill(s->second, SIGTERM);
		if (s->stopping < 0) {
			s->stopping = client;
			return;
		}
	} else if (!strcmp(command, "pause")) {
		kill(s->second, SIGNAL_PAUSE);
	} else if (!strcmp(command, "resume")) {
		kill(s->second, SIGNAL_RESUME);
	}
	done(client);
}

/* True when the second process has ended, with its wait status. */
static bool handle_signal(struct supervisor *s, int *status)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGCHLD)
		return waitpid(s->second, status, WNOHANG) == s->second;
	kill(s->second, info.ssi_signo);
	return false;
}

static int wait_for_second(struct supervisor *s)
{
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = s->control, .events = POLLIN },
	};
	int status;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && handle_signal(s, &status))
			break;
		if (fds[1].revents)
			obey(s);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	terminal_restore();
	if (WTERMSIG(status) == SIGSYS)
		return verb_fail(
			STATUS_FAILED,
			"the sandbox ended the guest: a fault in lguest; --no-sandbox goes without");
	return verb_fail(STATUS_FAILED, "the guest's process was killed: %s",
			 strsignal(WTERMSIG(status)));
}

static int run_once(struct supervisor *s, bool progress)
{
	pid_t first = getpid();

	s->second = fork();
	if (s->second < 0)
		return verb_fail(STATUS_FAILED, "fork: %s", strerror(errno));
	if (!s->second) {
		/* It ends when the first one is gone, however that came. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != first)
			_exit(STATUS_FAILED);
		close(s->control);
		close(s->signals);
		catch_signals();
		sigprocmask(SIG_SETMASK, &s->before, NULL);
		exit(run_guest(s->options, progress));
	}
	return wait_for_second(s);
}

static int run(int argc, char **argv)
{
	struct supervisor s = { .stopping = -1 };
	struct lguest_error error;
	struct options options;
	sigset_t signals;
	int status;

	status = parse(argc, argv, &options);
	if (status)
		return status;

	s.options = &options;
	s.control = control_listen(options.name, &error);
	if (s.control < 0)
		return verb_fail(STATUS_USAGE, "%s", error.text);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &s.before);
	s.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);

	terminal_remember();
	status = run_once(&s, isatty(STDERR_FILENO));
	while (status == STATUS_RESTART && !options.no_reboot && s.stopping < 0)
		status = run_once(&s, false);
	if (s.stopping >= 0)
		done(s.stopping);
	return status == STATUS_RESTART ? STATUS_OK : status;
}

const struct verb verb_run = {
	.name = "run",
	.summary = "Run a guest",
	.usage = usage,
	.run = run,
};
