// SPDX-License-Identifier: BSD-3-Clause
// server.cpp: the game server that most people write first, for comparison with pollgate and for nothing else.
//
//   traditional --port 8080 [--address 10.0.0.1] [--cpus 0,1]
//
// One thread per CPU, each with a socket of its own (SO_REUSEPORT), pinned. A thread waits in recvfrom, queues what
// came, and its game loop takes the queue's packets, one by one, and answers each with sendto. Every byte of a message
// is copied four times on its way, besides the kernel's two (into the stack buffer and out of the answer):
//
//   1. from the stack buffer of recvfrom to a std::string       Server::receive
//   2. from the string to a packet object on the heap           Packet::Packet
//   3. from the packet object onto the queue, by value          Server::receive
//   4. from the packet to the std::string of the answer         Server::answer
//
// It is a fair opponent. The queue is drained by the thread that fills it, which is the generous variant: no mutex, no
// condition variable and no second thread to wake. It is compiled with optimisation, its socket buffers hold some
// thousands of messages, no message is logged, and it checks less than pollgate does: not whether chat is UTF-8, nor
// whether a session has been silent for too long. SIGTERM or SIGINT ends it with one line of counts.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace
{

constexpr size_t DATAGRAM_MAX = 2048;
constexpr int SOCKET_BUFFER_BYTES = 4 << 20;
constexpr size_t SESSIONS_MAX = 65536;
constexpr uint32_t ACK = 100; // the acknowledgement of type t is t + ACK

enum Type : uint32_t { MOVE = 1, ATTACK = 2, CHAT = 3, HEARTBEAT = 4, SKILL = 5 };

// Where the fields of a message of the plain profile lie; all are little-endian, as is every x86.
constexpr size_t SIZE_AT = 4, HEADER_BYTES = 16, PLAYER_AT = 16, MOTION_AT = 20, DIRECTION_AT = 28;
constexpr size_t CHAT_RESERVED_AT = 25, CHAT_LENGTH_AT = 26, CHAT_TEXT_AT = 28, CHAT_TEXT_MAX = 512;

template <typename T> T read_at(const std::string &text, size_t at)
{
	T value;
	std::memcpy(&value, text.data() + at, sizeof(value));
	return value;
}

/// What came from whom, as the rest of the server sees it.
struct Packet {
	Packet(const std::string &received, const sockaddr_in &from) : payload(received), sender(from)
	{
	}

	std::string payload;
	sockaddr_in sender;
};

struct Session {
	uint32_t player_id;
	float position[3];
	float velocity[3];
};

struct Counts {
	uint64_t received = 0;
	uint64_t answered = 0;
	uint64_t refused = 0;
	uint64_t not_sent = 0;
};

std::atomic<bool> stopping{false};

uint64_t session_key(const sockaddr_in &peer)
{
	return uint64_t{peer.sin_addr.s_addr} << 16 | peer.sin_port;
}

bool all_finite(const std::string &message, size_t at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!std::isfinite(read_at<float>(message, at + i * sizeof(float))))
			return false;
	return true;
}

bool is_valid_chat(const std::string &message)
{
	if (message.size() <= CHAT_TEXT_AT || message[CHAT_RESERVED_AT] != 0)
		return false;
	const size_t text = read_at<uint16_t>(message, CHAT_LENGTH_AT);
	return text <= CHAT_TEXT_MAX && text == message.size() - CHAT_TEXT_AT;
}

/// Whether a message is whole and says what its type may say.
bool is_valid(const std::string &message)
{
	if (message.size() < HEADER_BYTES || read_at<uint32_t>(message, SIZE_AT) != message.size())
		return false;
	switch (read_at<uint32_t>(message, 0)) {
	case MOVE:
		return message.size() == 44 && all_finite(message, MOTION_AT, 6);
	case ATTACK:
		return message.size() == 40 && all_finite(message, DIRECTION_AT, 3);
	case CHAT:
		return is_valid_chat(message);
	case HEARTBEAT:
		return message.size() == 20;
	case SKILL:
		return message.size() == 28;
	default:
		return false;
	}
}

[[noreturn]] void fail(const char *what)
{
	throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

int open_socket(const sockaddr_in &address)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int yes = 1;

	if (fd < 0)
		fail("no UDP socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) != 0)
		fail("SO_REUSEPORT");
	// As much as the kernel allows; it says no to nobody, and caps it silently at net.core.rmem_max.
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &SOCKET_BUFFER_BYTES, sizeof(SOCKET_BUFFER_BYTES));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &SOCKET_BUFFER_BYTES, sizeof(SOCKET_BUFFER_BYTES));
	if (bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
		fail("the address cannot be bound");
	return fd;
}

/// One thread's share of the server: its socket, its queue, its players.
class Server
{
      public:
	explicit Server(const sockaddr_in &address) : fd_(open_socket(address))
	{
	}
	Server(const Server &) = delete;
	Server &operator=(const Server &) = delete;
	~Server()
	{
		close(fd_);
	}

	void run()
	{
		while (!stopping.load(std::memory_order_relaxed)) {
			receive();
			tick();
		}
	}

	/// Make a thread that waits in recvfrom return from it.
	void wake() const
	{
		shutdown(fd_, SHUT_RD);
	}

	const Counts &counts() const
	{
		return counts_;
	}

      private:
	/// Wait for one datagram and queue it.
	void receive()
	{
		char buffer[DATAGRAM_MAX];
		sockaddr_in sender{};
		socklen_t sender_bytes = sizeof(sender);
		const ssize_t length =
			recvfrom(fd_, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr *>(&sender), &sender_bytes);

		if (length < 0 || stopping.load(std::memory_order_relaxed))
			return;
		counts_.received++;
		const std::string received(buffer, static_cast<size_t>(length));
		const auto packet = std::make_unique<Packet>(received, sender);
		queue_.push_back(*packet);
	}

	/// The game loop's turn: everything that is queued.
	void tick()
	{
		while (!queue_.empty()) {
			handle(queue_.front());
			queue_.pop_front();
		}
	}

	void handle(const Packet &packet)
	{
		Session *session = is_valid(packet.payload) ? session_of(packet) : nullptr;

		if (session == nullptr) {
			counts_.refused++;
			return;
		}
		if (read_at<uint32_t>(packet.payload, 0) == MOVE) {
			std::memcpy(session->position, packet.payload.data() + MOTION_AT, sizeof(session->position));
			std::memcpy(session->velocity, packet.payload.data() + MOTION_AT + sizeof(session->position),
				    sizeof(session->velocity));
		}
		answer(packet);
	}

	/// The sender's session, made when it is new; nullptr when it plays as somebody else or there is no room.
	Session *session_of(const Packet &packet)
	{
		const uint32_t player_id = read_at<uint32_t>(packet.payload, PLAYER_AT);
		const uint64_t key = session_key(packet.sender);
		const auto found = sessions_.find(key);

		if (found != sessions_.end())
			return found->second.player_id == player_id ? &found->second : nullptr;
		if (sessions_.size() == SESSIONS_MAX)
			return nullptr;
		return &sessions_.emplace(key, Session{player_id, {}, {}}).first->second;
	}

	void answer(const Packet &packet)
	{
		std::string reply = packet.payload;
		const uint32_t type = read_at<uint32_t>(reply, 0) + ACK;

		std::memcpy(reply.data(), &type, sizeof(type));
		if (sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr *>(&packet.sender),
			   sizeof(packet.sender)) >= 0)
			counts_.answered++;
		else
			counts_.not_sent++;
	}

	int fd_;
	std::deque<Packet> queue_;
	std::unordered_map<uint64_t, Session> sessions_;
	Counts counts_;
};

/// Pin the calling thread, and so those that it starts from now on.
void pin_to(unsigned cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	errno = pthread_setaffinity_np(pthread_self(), sizeof(only), &only);
	if (errno != 0)
		fail("a thread cannot be pinned to its CPU");
}

/// A whole number up to `most`. @throws std::runtime_error with what the option takes
unsigned parse_number(const std::string &text, unsigned long most, const char *takes)
{
	char *end = nullptr;
	const unsigned long number = std::strtoul(text.c_str(), &end, 10);

	if (text.empty() || *end != '\0' || number > most)
		throw std::runtime_error(std::string(takes) + ", not " + text);
	return static_cast<unsigned>(number);
}

/// "0,2" → 0 and 2
std::vector<unsigned> parse_cpus(const std::string &text)
{
	std::vector<unsigned> cpus;
	std::istringstream words(text);
	std::string word;

	while (std::getline(words, word, ','))
		cpus.push_back(
			parse_number(word, CPU_SETSIZE - 1, "--cpus takes numbers of CPUs with commas between them"));
	return cpus;
}

struct Options {
	sockaddr_in address{};
	std::vector<unsigned> cpus; // empty: one thread that runs anywhere
};

Options parse_options(int argc, char *argv[])
{
	Options options;

	options.address.sin_family = AF_INET;
	for (int i = 1; i < argc; i += 2) {
		const std::string_view name = argv[i];
		if (i + 1 == argc)
			throw std::runtime_error("an option without its value");
		const std::string value = argv[i + 1];
		if (name == "--port") {
			const unsigned port = parse_number(value, UINT16_MAX, "--port takes 1 to 65535");
			options.address.sin_port = htons(static_cast<uint16_t>(port));
		} else if (name == "--address") {
			if (inet_pton(AF_INET, value.c_str(), &options.address.sin_addr) != 1)
				throw std::runtime_error("--address takes an IPv4 address, not " + value);
		} else if (name == "--cpus") {
			options.cpus = parse_cpus(value);
		} else {
			throw std::runtime_error("usage: traditional --port N [--address IPV4] [--cpus 0,1]");
		}
	}
	if (options.address.sin_port == 0)
		throw std::runtime_error("usage: traditional --port N [--address IPV4] [--cpus 0,1]");
	return options;
}

/// Serve until a signal comes.
void serve(const Options &options, const sigset_t &ending)
{
	std::vector<std::unique_ptr<Server>> servers;
	std::vector<std::thread> threads;

	for (size_t i = 0; i < std::max<size_t>(1, options.cpus.size()); i++)
		servers.push_back(std::make_unique<Server>(options.address));
	for (const unsigned cpu : options.cpus)
		pin_to(cpu); // a CPU that is not there is found before a thread has started
	for (size_t i = 0; i < servers.size(); i++) {
		if (!options.cpus.empty())
			pin_to(options.cpus[i]);
		threads.emplace_back([server = servers[i].get()] { server->run(); });
	}
	std::puts("ready");
	std::fflush(stdout);

	int signal = 0;
	sigwait(&ending, &signal);
	stopping.store(true);
	Counts sum;
	for (size_t i = 0; i < servers.size(); i++) {
		servers[i]->wake();
		threads[i].join();
		sum.received += servers[i]->counts().received;
		sum.answered += servers[i]->counts().answered;
		sum.refused += servers[i]->counts().refused;
		sum.not_sent += servers[i]->counts().not_sent;
	}
	std::printf("received %lu, answered %lu, refused %lu, not sent %lu\n", sum.received, sum.answered, sum.refused,
		    sum.not_sent);
}

} // namespace

int main(int argc, char *argv[])
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ending, nullptr);
	try {
		serve(parse_options(argc, argv), ending);
	} catch (const std::exception &problem) {
		std::fprintf(stderr, "traditional: %s\n", problem.what());
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
