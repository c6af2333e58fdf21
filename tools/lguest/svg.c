// SPDX-License-Identifier: GPL-2.0
/* Pictures: svg.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"
#include "util.h"

#define FONT "font-family=\"sans-serif\" font-size=\"11\""

static void svg_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			putc((unsigned char)*text < ' ' ? '?' : *text, out);
		}
	}
}

static void begin(FILE *out, double width, double height, const char *title)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" " FONT
		">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"10\" y=\"20\" font-size=\"14\" font-weight=\"bold\">",
		width, height);
	svg_text(out, title);
	fputs("</text>\n", out);
}

/* ---- The map ---- */

#define MAP_TOP 70
#define MAP_LEFT 90
#define MAP_COLUMN 150
#define MAP_SPACE 20
/* Cells, which are as high as a line of text at least; more are made fewer. */
#define MAP_CELLS 150
#define MAP_LINE 14
#define MAP_GAP 10

/*
 * By LOOK_USER, LOOK_WRITE, LOOK_EXECUTE: the kernel's warm, the user's cold; the more is allowed,
 * the stronger.
 */
static const struct {
	unsigned int flags;
	const char *color, *name;
} permissions[] = {
	{ 0, "#f6dfa4", "kernel r" },
	{ LOOK_WRITE, "#f2b866", "kernel rw" },
	{ LOOK_EXECUTE, "#ee9a7b", "kernel rx" },
	{ LOOK_WRITE | LOOK_EXECUTE, "#d9543f", "kernel rwx" },
	{ LOOK_USER, "#d3e7f7", "user r" },
	{ LOOK_USER | LOOK_WRITE, "#8fc1ea", "user rw" },
	{ LOOK_USER | LOOK_EXECUTE, "#97cfa0", "user rx" },
	{ LOOK_USER | LOOK_WRITE | LOOK_EXECUTE, "#3f7fbf", "user rwx" },
};

static const char *color_of(unsigned int flags)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(permissions); i++) {
		if (permissions[i].flags == flags)
			return permissions[i].color;
	}
	return "black";
}

/* A stretch of addresses in which no column changes. */
struct cell {
	uint64_t start, end;
	int flags[3]; /* LOOK_*, or -1: nothing is there */
};

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All that is in [start, end) of a column: the rights of all together, or -1. */
static int flags_in(const struct svg_column *column, size_t *from,
		    uint64_t start, uint64_t end)
{
	int flags = -1;
	size_t i;

	while (*from < column->count && column->ranges[*from].end < start)
		++*from;
	for (i = *from; i < column->count && column->ranges[i].start < end; i++)
		flags = (flags < 0 ? 0 : flags) | column->ranges[i].flags;
	return flags;
}

/* Where anything begins or ends, rounded to `grain`; sorted, each once. */
static size_t find_borders(const struct svg_column column[3], uint64_t grain,
			   uint64_t **borders)
{
	size_t i, c, count = 0, kept = 0, most = 0;
	uint64_t *all;

	for (c = 0; c < 3; c++)
		most += 2 * column[c].count;
	all = malloc((most + 1) * sizeof(*all));
	*borders = all;
	if (!all)
		return 0;
	for (c = 0; c < 3; c++) {
		for (i = 0; i < column[c].count; i++) {
			all[count++] = column[c].ranges[i].start & -grain;
			all[count++] =
				(column[c].ranges[i].end + grain) & -grain;
		}
	}
	qsort(all, count, sizeof(*all), by_value);
	for (i = 0; i < count; i++) {
		if (!i || all[i] != all[kept - 1])
			all[kept++] = all[i];
	}
	return kept;
}

static bool same_flags(const struct cell *a, const struct cell *b)
{
	return !memcmp(a->flags, b->flags, sizeof(a->flags));
}

static size_t find_cells(const struct svg_column column[3], uint64_t grain,
			 struct cell **cells)
{
	size_t i, c, count = 0, from[3] = {}, borders;
	uint64_t *border;
	struct cell cell;

	borders = find_borders(column, grain, &border);
	*cells = calloc(borders + 1, sizeof(**cells));
	for (i = 0; *cells && i + 1 < borders; i++) {
		cell.start = border[i];
		cell.end = border[i + 1];
		for (c = 0; c < 3; c++)
			cell.flags[c] = flags_in(&column[c], &from[c],
						 cell.start, cell.end);
		if (count && same_flags(&(*cells)[count - 1], &cell))
			(*cells)[count - 1].end = cell.end;
		else
			(*cells)[count++] = cell;
	}
	free(border);
	return count;
}

static bool is_empty(const struct cell *cell)
{
	return cell->flags[0] < 0 && cell->flags[1] < 0 && cell->flags[2] < 0;
}

/* The more memory the higher, but a page is seen as well as a gigabyte. */
static double height_of(const struct cell *cell)
{
	uint64_t size = cell->end - cell->start;
	double height = MAP_LINE;

	if (is_empty(cell))
		return MAP_GAP;
	for (; size > 4096; size >>= 1)
		height += 3;
	return height;
}

static void show_size(FILE *out, uint64_t size)
{
	static const char units[] = "KMGT";
	unsigned int unit = 0;

	for (size >>= 10; size >= 1024 && !(size & 1023); size >>= 10)
		unit++;
	fprintf(out, "%" PRIu64 "%c", size, units[unit]);
}

static void show_legend(FILE *out)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(permissions); i++)
		fprintf(out,
			"<rect x=\"%zu\" y=\"30\" width=\"12\" height=\"12\" fill=\"%s\" stroke=\"#888\"/><text x=\"%zu\" y=\"40\" font-size=\"10\">%s</text>\n",
			10 + 80 * i, permissions[i].color, 25 + 80 * i, permissions[i].name);
}

void svg_map(FILE *out, const char *title, const struct svg_column column[3])
{
	const double width = MAP_LEFT + 3 * (MAP_COLUMN + MAP_SPACE) + 70;
	struct cell *cells = NULL;
	double y = MAP_TOP, height = MAP_TOP + 30;
	uint64_t grain = 4096;
	size_t i, c, count;

	for (;;) {
		count = find_cells(column, grain, &cells);
		if (count <= MAP_CELLS)
			break;
		grain *= 2;
		free(cells);
	}
	for (i = 0; i < count; i++)
		height += height_of(&cells[i]);

	begin(out, width, height, title);
	show_legend(out);
	for (c = 0; c < 3; c++)
		fprintf(out,
			"<text x=\"%zu\" y=\"%d\" font-weight=\"bold\">%s</text>\n",
			MAP_LEFT + c * (MAP_COLUMN + MAP_SPACE), MAP_TOP - 10,
			column[c].title);
	for (i = 0; i < count; i++) {
		const struct cell *cell = &cells[i];
		double h = height_of(cell);

		if (is_empty(cell)) {
			fprintf(out,
				"<line x1=\"%d\" y1=\"%.1f\" x2=\"%.0f\" y2=\"%.1f\" stroke=\"#bbb\" stroke-dasharray=\"3 4\"/>\n",
				MAP_LEFT, y + h / 2, width - 90, y + h / 2);
			y += h;
			continue;
		}
		fprintf(out,
			"<text x=\"10\" y=\"%.1f\" font-family=\"monospace\">%08" PRIx64
			"</text>\n<text x=\"%.0f\" y=\"%.1f\" fill=\"#666\">",
			y + MAP_LINE - 3, cell->start, width - 80,
			y + MAP_LINE - 3);
		show_size(out, cell->end - cell->start);
		fputs("</text>\n", out);
		for (c = 0; c < 3; c++) {
			if (cell->flags[c] < 0)
				continue;
			fprintf(out,
				"<rect x=\"%zu\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"%s\" stroke=\"#888\" stroke-width=\"0.5\"><title>%08" PRIx64
				" to %08" PRIx64 "</title></rect>\n",
				MAP_LEFT + c * (MAP_COLUMN + MAP_SPACE), y, MAP_COLUMN, h,
				color_of(cell->flags[c]), cell->start, cell->end - 1);
		}
		y += h;
	}
	if (!count)
		fprintf(out, "<text x=\"%d\" y=\"%d\">nothing is mapped</text>\n",
			MAP_LEFT, MAP_TOP + 10);
	if (grain > 4096) {
		fprintf(out,
			"<text x=\"10\" y=\"%.0f\" fill=\"#666\">drawn in pieces of ",
			height - 10);
		show_size(out, grain);
		fputs(": each has the rights of all that is in it</text>\n",
		      out);
	}
	fputs("</svg>\n", out);
	free(cells);
}

/* ---- The last exits ---- */

#define EXITS_MAX 512
#define LANES_MAX 16
#define LANE_NAME_MAX 24
#define TIME_TOP 60
#define TIME_LEFT 150
#define TIME_WIDTH 1100.0
#define LANE_HEIGHT 26

struct exit_line {
	double left, guest, host; /* microseconds */
	unsigned int lane;
	char what[96];
};

struct timeline {
	struct exit_line exit[EXITS_MAX];
	unsigned int exits;
	char lane[LANES_MAX][LANE_NAME_MAX];
	unsigned int lanes;
	double longest; /* what lasts longer is drawn as long as this */
};

static const char *const lane_colors[] = {
	"#d9543f", "#3f7fbf", "#6a9f4f", "#b07fc2", "#e0a030", "#50a0a0",
	"#a05060", "#7070c0", "#909040", "#c06090", "#4080a0", "#808080",
};

static unsigned int lane_of(struct timeline *t, const char *reason)
{
	unsigned int i;

	for (i = 0; i < t->lanes; i++) {
		if (!strcmp(t->lane[i], reason))
			return i;
	}
	/* The last lane takes all that have none. */
	if (t->lanes == LANES_MAX)
		return LANES_MAX - 1;
	snprintf(t->lane[t->lanes], LANE_NAME_MAX, "%s", reason);
	return t->lanes++;
}

static int by_length(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * One sleep must not make all else invisible: times beyond ten times what three of four take are
 * cut.
 */
static double find_longest(const struct timeline *t)
{
	double length[2 * EXITS_MAX];
	unsigned int i;

	for (i = 0; i < t->exits; i++) {
		length[2 * i] = t->exit[i].guest;
		length[2 * i + 1] = t->exit[i].host;
	}
	if (!t->exits)
		return 1;
	qsort(length, 2 * t->exits, sizeof(*length), by_length);
	return max(10 * length[2 * t->exits * 3 / 4], 1.0);
}

static void parse_exits(struct timeline *t, const char *text)
{
	char host[24], level[8], eip[20], reason[LANE_NAME_MAX], detail[64];
	struct exit_line *e;
	int got;

	/* Behind the heading. */
	text = strchr(text, '\n');
	while (text && *++text && t->exits < EXITS_MAX) {
		e = &t->exit[t->exits];
		detail[0] = 0;
		got = sscanf(text, "%lf %lf %23s %7s %19s %23s %63[^\n]", &e->left,
			     &e->guest, host, level, eip, reason, detail);
		if (got >= 6) {
			/* "-": it has not ended. */
			e->host = strtod(host, NULL);
			e->lane = lane_of(t, reason);
			snprintf(e->what, sizeof(e->what), "%s %s %.60s", level,
				 eip, detail);
			t->exits++;
		}
		text = strchr(text, '\n');
	}
	t->longest = find_longest(t);
}

static double drawn(const struct timeline *t, double us)
{
	return min(us, t->longest);
}

static void bar(FILE *out, double x, double width, double y, const char *color,
		bool cut)
{
	fprintf(out,
		"<rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" fill=\"%s\"%s>",
		x, y, max(width, 0.6), LANE_HEIGHT - 8, color,
		cut ? " stroke=\"black\" stroke-dasharray=\"2 2\"" : "");
}

void svg_last_exits(FILE *out, const char *title, const char *text)
{
	struct timeline *t = calloc(1, sizeof(*t));
	double total = 0, scale, x = TIME_LEFT, y;
	unsigned int i;

	if (!t)
		return;
	parse_exits(t, text);
	for (i = 0; i < t->exits; i++)
		total += drawn(t, t->exit[i].guest) + drawn(t, t->exit[i].host);
	scale = total > 0 ? TIME_WIDTH / total : 0;

	begin(out, TIME_LEFT + TIME_WIDTH + 20,
	      TIME_TOP + LANE_HEIGHT * (t->lanes + 1) + 50, title);
	fprintf(out,
		"<text x=\"10\" y=\"40\" fill=\"#666\">%u exits; on top the time inside the guest, below what was done for each; a dashed frame: cut, it took longer than %.0f microseconds</text>\n<text x=\"10\" y=\"%d\">in the guest</text>\n",
		t->exits, t->longest, TIME_TOP + 14);
	for (i = 0; i < t->lanes; i++) {
		y = TIME_TOP + LANE_HEIGHT * (i + 1);
		fprintf(out, "<text x=\"10\" y=\"%.0f\">", y + 14);
		svg_text(out, t->lane[i]);
		fprintf(out,
			"</text>\n<line x1=\"%d\" y1=\"%.0f\" x2=\"%.0f\" y2=\"%.0f\" stroke=\"#ddd\"/>\n",
			TIME_LEFT, y + LANE_HEIGHT - 6, TIME_LEFT + TIME_WIDTH,
			y + LANE_HEIGHT - 6);
	}
	for (i = 0; i < t->exits; i++) {
		const struct exit_line *e = &t->exit[i];
		double guest = drawn(t, e->guest) * scale;
		double host = drawn(t, e->host) * scale;

		bar(out, x, guest, TIME_TOP, "#b8c4cc", e->guest > t->longest);
		fprintf(out, "<title>%.3f us in the guest</title></rect>\n",
			e->guest);
		x += guest;
		bar(out, x, host, TIME_TOP + LANE_HEIGHT * (e->lane + 1.0),
		    lane_colors[e->lane % ARRAY_SIZE(lane_colors)],
		    e->host > t->longest);
		fprintf(out, "<title>at %.3f us, for %.3f us: ", e->left,
			e->host);
		svg_text(out, e->what);
		fputs("</title></rect>\n", out);
		x += host;
	}
	y = TIME_TOP + LANE_HEIGHT * (t->lanes + 1) + 20;
	if (t->exits)
		fprintf(out,
			"<text x=\"%d\" y=\"%.0f\">%.3f us</text>\n<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%.3f us after its birth</text>\n",
			TIME_LEFT, y, t->exit[0].left, TIME_LEFT + TIME_WIDTH, y,
			t->exit[t->exits - 1].left);
	else
		fprintf(out, "<text x=\"%d\" y=\"%.0f\">no exit yet</text>\n",
			TIME_LEFT, y);
	fputs("</svg>\n", out);
	free(t);
}
