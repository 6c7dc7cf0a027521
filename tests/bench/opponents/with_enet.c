// SPDX-License-Identifier: BSD-3-Clause
// with_enet.c: a server on ENet, which seals nothing.

#include <enet/enet.h>
#include <stdlib.h>

#include "opponents.h"

int enet_serve(int port)
{
	ENetAddress address = {.host = ENET_HOST_ANY, .port = (enet_uint16)port};
	ENetHost *host = enet_host_create(&address, ENET_PROTOCOL_MAXIMUM_PEER_ID, 1, 0, 0);
	ENetEvent event;

	if (!host)
		return die("enet_host_create");
	say_ready();
	for (;;) {
		int more = enet_host_service(host, &event, 10);

		for (; more > 0; more = enet_host_check_events(host, &event)) {
			if (event.type != ENET_EVENT_TYPE_RECEIVE)
				continue;
			enet_peer_send(
				event.peer, 0,
				enet_packet_create(event.packet->data, REPLY_BYTES, ENET_PACKET_FLAG_UNSEQUENCED));
			enet_packet_destroy(event.packet);
		}
		enet_host_flush(host);
	}
}

static unsigned take_events(ENetHost *host, ENetEventType wanted)
{
	ENetEvent event;
	unsigned taken = 0;

	for (int more = enet_host_service(host, &event, 0); more > 0; more = enet_host_check_events(host, &event)) {
		taken += event.type == wanted;
		if (event.type == ENET_EVENT_TYPE_RECEIVE)
			enet_packet_destroy(event.packet);
	}
	return taken;
}

static bool say(ENetPeer *peer)
{
	static const uint8_t bytes[MESSAGE_BYTES];
	ENetPacket *packet = enet_packet_create(bytes, sizeof(bytes), ENET_PACKET_FLAG_UNSEQUENCED);

	if (packet && enet_peer_send(peer, 0, packet) == 0)
		return true;
	if (packet)
		enet_packet_destroy(packet);
	return false;
}

int enet_load(int port, struct play *play)
{
	ENetHost *host = enet_host_create(NULL, play->players, 1, 0, 0);
	ENetPeer **peer = calloc(play->players, sizeof(ENetPeer *));
	ENetAddress address = {.port = (enet_uint16)port};
	const uint64_t until = now_ns() + CONNECT_S * NS;
	unsigned connected = 0;

	enet_address_set_host_ip(&address, "127.0.0.1");
	for (unsigned i = 0; i < play->players; i++) {
		peer[i] = enet_host_connect(host, &address, 1, 0);
		if (i % BURST == 0)
			connected += take_events(host, ENET_EVENT_TYPE_CONNECT);
	}
	while (connected < play->players && now_ns() < until)
		connected += take_events(host, ENET_EVENT_TYPE_CONNECT);
	if (connected < play->players)
		return few_connected(connected, play);
	for (unsigned i = 0; i < play->players; i++) // nothing is held back for what it takes for congestion
		enet_peer_throttle_configure(peer[i], ENET_PEER_PACKET_THROTTLE_INTERVAL,
					     ENET_PEER_PACKET_THROTTLE_SCALE, 0);
	begin(play);
	while (!over(play)) {
		for (unsigned left = due(play); left > 0 && say(peer[next_player(play)]); left--)
			play->sent++;
		play->answered += take_events(host, ENET_EVENT_TYPE_RECEIVE);
	}
	for (unsigned i = 0; i < play->players; i++)
		enet_peer_disconnect_now(peer[i], 0);
	enet_host_flush(host);
	return end(play);
}
