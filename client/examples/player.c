// SPDX-License-Identifier: BSD-3-Clause
// player.c: a player who connects with a ticket, walks in a circle, chats, and prints what happens.
//
//   cc player.c $(pkg-config --cflags --libs pollgate-client) -lm -o player
//   pollgate token issue -c gate.yaml --player 7 --out ticket.json
//   ./player --ticket ticket.json --seconds 10 --say hello --to 7
//
// Exit codes: 0 stayed as long as asked and all that was said arrived, 1 something said was lost, 2 usage or ticket,
// 3 the gateway did not answer, 4 it denied the session, 5 the connection ended early, 70 the system refused.

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pollgate_client.h>

#define MOVES_PER_S 20
#define RADIUS_M 10.0
#define WALK_M_PER_S 4.0
#define TICKET_MAX 4096

enum exit_code {
	EXIT_STAYED = 0,
	EXIT_LOST = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_DENIED = 4,
	EXIT_ENDED = 5,
	EXIT_SYSTEM = 70
};

static const char usage[] =
	"usage: player (--ticket FILE | --session N --key KEY --address HOST:PORT) [--seconds N] [--say TEXT] [--to PLAYER]\n"
	"  FILE is what `pollgate token issue --out FILE` wrote; - is standard input\n"
	"  --seconds  how long to stay (5)\n"
	"  --say      a chat message, once connected\n"
	"  --to       the player who gets it (myself)\n";

/// What the command line asks for.
struct arguments {
	uint32_t session;
	uint8_t key[PGC_KEY_BYTES];
	char host[256];
	uint16_t port;
	double seconds;
	const char *say;
	uint32_t to;
	bool has_session, has_key;
};

/// How it goes.
struct course {
	const struct arguments *arguments;
	bool connected, ended, lost;
	uint32_t waiting; // receipts that are not settled
	int reason;       // enum pgc_closed
	uint32_t myself;
};

/// What is wrong with the command line or the ticket, in a sentence that tells no key.
static bool wrong(const char *what, const char *why)
{
	(void)fprintf(stderr, "player: %s: %s\n", what, why);
	return false;
}

// ---------------------------------------------------------------- the ticket

static int digit_of(const char *digits, char c)
{
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

static bool parse_hex(const char *text, uint8_t key[PGC_KEY_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < PGC_KEY_BYTES; i++) {
		const int high = digit_of(digits, text[2 * i]), low = digit_of(digits, text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/// RFC 4648 section 5, without padding: as the control API issues it.
static bool parse_base64url(const char *text, uint8_t key[PGC_KEY_BYTES])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < PGC_KEY_BYTES; text++) {
		const int digit = digit_of(digits, *text);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			key[i++] = (uint8_t)(bits >> have);
		}
	}
	return (bits & ((1U << have) - 1)) == 0;
}

static bool parse_key(const char *text, struct arguments *arguments)
{
	const size_t length = strcspn(text, "\"");

	if (length == (size_t)2 * PGC_KEY_BYTES)
		arguments->has_key = parse_hex(text, arguments->key);
	else
		arguments->has_key = length == (PGC_KEY_BYTES * 8 + 5) / 6 && parse_base64url(text, arguments->key);
	return arguments->has_key || wrong("key", "expected 43 characters of base64url, or 64 hexadecimal digits");
}

/// HOST:PORT or [HOST]:PORT.
static bool split_address(const char *text, size_t length, struct arguments *arguments)
{
	char copy[sizeof(arguments->host)];
	char *colon, *host = copy;
	unsigned long port;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = 0;
	colon = strrchr(copy, ':');
	if (!colon)
		return false;
	*colon = 0;
	port = strtoul(colon + 1, NULL, 10);
	if (*host == '[' && colon[-1] == ']') {
		host++;
		colon[-1] = 0;
	}
	if (port == 0 || port > UINT16_MAX || !*host)
		return false;
	(void)snprintf(arguments->host, sizeof(arguments->host), "%s", host);
	arguments->port = (uint16_t)port;
	return true;
}

static bool parse_address(const char *text, size_t length, struct arguments *arguments)
{
	return split_address(text, length, arguments) || wrong("address", "expected HOST:PORT or [HOST]:PORT");
}

/// The value of a name in a flat JSON object: a string without its quotes, or a number. Enough for a ticket.
static const char *json_value(const char *json, const char *name)
{
	char quoted[32];
	const char *at;

	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	at = strstr(json, quoted);
	if (!at)
		return NULL;
	at += strlen(quoted);
	at += strspn(at, " \t\r\n:");
	return *at == '"' ? at + 1 : at;
}

static bool parse_ticket(const char *json, struct arguments *arguments)
{
	const char *session = json_value(json, "session"), *key = json_value(json, "key"),
		   *address = json_value(json, "address");

	if (!session || !key || !address)
		return wrong("ticket", "expected what `pollgate token issue --out` writes: session, key and address");
	arguments->session = (uint32_t)strtoul(session, NULL, 10);
	arguments->has_session = true;
	return parse_key(key, arguments) && parse_address(address, strcspn(address, "\""), arguments);
}

static bool read_ticket(const char *path, struct arguments *arguments)
{
	char json[TICKET_MAX + 1] = {0};
	const bool piped = strcmp(path, "-") == 0;
	FILE *file = piped ? stdin : fopen(path, "r");

	if (!file)
		return wrong(path, strerror(errno));
	const bool empty = fread(json, 1, TICKET_MAX, file) == 0;
	if (!piped)
		fclose(file);
	return empty ? wrong(path, "there is nothing in it") : parse_ticket(json, arguments);
}

// ---------------------------------------------------------------- the command line

static bool parse_number(const char *name, const char *text, uint32_t *number)
{
	char *end;
	const unsigned long long value = strtoull(text, &end, 0);

	if (*text < '0' || *text > '9' || *end || value > UINT32_MAX)
		return wrong(name, "expected a whole number up to 4294967295");
	*number = (uint32_t)value;
	return true;
}

static bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return (end != text && !*end && *seconds >= 0) || wrong("--seconds", "expected a number that is not negative");
}

static bool parse_option(const char *name, const char *value, struct arguments *arguments)
{
	if (strcmp(name, "--ticket") == 0)
		return read_ticket(value, arguments);
	if (strcmp(name, "--key") == 0)
		return parse_key(value, arguments);
	if (strcmp(name, "--address") == 0)
		return parse_address(value, strlen(value), arguments);
	if (strcmp(name, "--session") == 0)
		return arguments->has_session = parse_number(name, value, &arguments->session);
	if (strcmp(name, "--seconds") == 0)
		return parse_seconds(value, &arguments->seconds);
	if (strcmp(name, "--to") == 0)
		return parse_number(name, value, &arguments->to);
	if (strcmp(name, "--say") != 0)
		return wrong(name, "there is no such option");
	arguments->say = value;
	return true;
}

static bool parse_options(int argc, char *argv[], struct arguments *arguments)
{
	*arguments = (struct arguments){.seconds = 5};
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return wrong(argv[i], "its value is missing");
		if (!parse_option(argv[i], argv[i + 1], arguments))
			return false;
	}
	return (arguments->has_session && arguments->has_key && arguments->port != 0) ||
	       wrong("--ticket", "missing, and so is one of --session, --key and --address");
}

static bool parse_arguments(int argc, char *argv[], struct arguments *arguments)
{
	if (parse_options(argc, argv, arguments))
		return true;
	(void)fputs(usage, stderr);
	return false;
}

// ---------------------------------------------------------------- playing

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void send_handshake(pgc_client *client, struct course *course)
{
	const struct pgc_delivery delivery = {.reliable = true, .channel = 1, .priority = PGC_NORMAL, .receipt = 1};
	const char *say = course->arguments->say;
	const uint32_t to = course->arguments->to ? course->arguments->to : course->myself;
	int error;

	if (!say)
		return;
	error = pgc_chat(client, to, 0, say, strlen(say), &delivery);
	if (error == PGC_OK) {
		course->waiting++;
		return;
	}
	course->lost = true;
	(void)fprintf(stderr, "player: cannot say %s: %s\n", say, pgc_error_text(error));
}

static void ended(struct course *course, const struct pgc_event *event)
{
	course->ended = true;
	course->reason = event->as.closed.reason;
	if (event->as.closed.likely_denial)
		printf("closed: %s, probably %s\n", pgc_closed_text(course->reason),
		       pgc_closed_text(event->as.closed.likely_denial));
	else
		printf("closed: %s\n", pgc_closed_text(course->reason));
}

static void handle(pgc_client *client, struct course *course, const struct pgc_event *event)
{
	switch (event->type) {
	case PGC_EVENT_CONNECTED:
		course->connected = true;
		course->myself = event->player_id;
		printf("connected: player %" PRIu32 ", datagrams of %u bytes, for %" PRIu32 " s\n", event->player_id,
		       event->as.connected.max_datagram, event->as.connected.expires_in_s);
		send_handshake(client, course);
		break;
	case PGC_EVENT_CLOSED:
		ended(course, event);
		break;
	case PGC_EVENT_DELIVERED:
	case PGC_EVENT_LOST:
		course->waiting--;
		course->lost |= event->type == PGC_EVENT_LOST;
		printf("%s: %" PRIu32 "\n", event->type == PGC_EVENT_LOST ? "lost" : "delivered",
		       event->as.delivery.receipt);
		break;
	case PGC_EVENT_CHAT:
		printf("chat: player %" PRIu32 ": %.*s\n", event->player_id, (int)event->as.chat.bytes,
		       event->as.chat.text);
		break;
	case PGC_EVENT_ATTACK:
		printf("attack: player %" PRIu32 " with %" PRIu32 "\n", event->player_id, event->as.attack.attack_id);
		break;
	case PGC_EVENT_SKILL:
		printf("skill: player %" PRIu32 " uses %" PRIu32 "\n", event->player_id, event->as.skill.skill_id);
		break;
	case PGC_EVENT_BULK:
	case PGC_EVENT_INVENTORY:
		printf("bytes: %" PRIu32 " from player %" PRIu32 "\n", event->as.bytes.bytes, event->player_id);
		break;
	case PGC_EVENT_RESTARTED:
		for (unsigned channel = 0; channel < 4; channel++)
			if (event->as.restarted.lost[channel] != 0)
				printf("lost on channel %u: %" PRIu32 "\n", channel, event->as.restarted.lost[channel]);
		break;
	case PGC_EVENT_CORRECTION:
		printf("put elsewhere: %.1f %.1f %.1f\n", (double)event->as.correction.position[0],
		       (double)event->as.correction.position[1], (double)event->as.correction.position[2]);
		break;
	case PGC_EVENT_GAME:
		printf("game: %" PRIu32 " bytes of type %u\n", event->as.game.bytes, event->as.game.message_type);
		break;
	case PGC_EVENT_WORLD:
		printf("in the world %s\n", event->as.world.name);
		break;
	case PGC_EVENT_ENTER:
	case PGC_EVENT_LEAVE:
		printf("%s: %" PRIu32 "\n", event->type == PGC_EVENT_ENTER ? "enters" : "leaves",
		       event->as.entity.identity);
		break;
	case PGC_EVENT_STATE:
		printf("state: %" PRIu32 ", %u bytes\n", event->as.state.entity.identity, event->as.state.bytes);
		break;
	case PGC_EVENT_PONG: // this player asks for none
		break;
	}
	fflush(stdout);
}

static void walk(pgc_client *client, double time_s)
{
	const double angle = time_s * WALK_M_PER_S / RADIUS_M;
	const float position[3] = {(float)(RADIUS_M * cos(angle)), (float)(RADIUS_M * sin(angle)), 0};
	const float velocity[3] = {(float)(-WALK_M_PER_S * sin(angle)), (float)(WALK_M_PER_S * cos(angle)), 0};

	(void)pgc_move(client, position, velocity, NULL); // one that finds no room is followed by a newer one
}

static int play(pgc_client *client, struct course *course)
{
	double begin = seconds_now(), next_move = begin;
	struct pgc_event event;

	while (!course->ended) {
		const double now = seconds_now();

		if (!course->connected)
			begin = now;
		if (course->connected && now - begin >= course->arguments->seconds && course->waiting == 0)
			break;
		if (course->connected && now >= next_move) {
			walk(client, now - begin);
			next_move = now + 1.0 / MOVES_PER_S;
		}
		if (pgc_poll(client, 1000 / MOVES_PER_S) < 0)
			return EXIT_SYSTEM;
		while (pgc_next_event(client, &event))
			handle(client, course, &event);
	}
	if (!course->ended)
		(void)pgc_close(client);
	while (pgc_next_event(client, &event))
		handle(client, course, &event);
	if (course->reason == PGC_CLOSED_UNREACHABLE)
		return EXIT_UNREACHABLE;
	if (course->reason >= PGC_DENIED_VERSION && course->reason <= PGC_DENIED_FULL)
		return EXIT_DENIED;
	if (course->reason != PGC_CLOSED_LEFT)
		return EXIT_ENDED;
	return course->lost ? EXIT_LOST : EXIT_STAYED;
}

int main(int argc, char *argv[])
{
	struct arguments arguments;
	struct course course = {.arguments = &arguments};
	struct pgc_options options;
	pgc_client *client;
	int result;

	if (!parse_arguments(argc, argv, &arguments))
		return EXIT_USAGE;
	pgc_options_init(&options);
	options.session = arguments.session;
	memcpy(options.key, arguments.key, sizeof(options.key));
	options.world = true;
	client = pgc_new(&options);
	if (!client) {
		(void)fputs("player: session 0 was never issued, or memory is short\n", stderr);
		return EXIT_USAGE;
	}
	result = pgc_open(client, arguments.host, arguments.port);
	if (result == PGC_OK) {
		result = play(client, &course);
	} else {
		(void)fprintf(stderr, "player: %s:%u: %s (%s)\n", arguments.host, arguments.port,
			      pgc_error_text(result), strerror(errno));
		result = EXIT_SYSTEM;
	}
	pgc_free(client);
	return result;
}
