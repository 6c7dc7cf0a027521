// SPDX-License-Identifier: BSD-3-Clause
/* Who is where in a world, for operators. */

struct pg_world_entity {
	uint32_t number;
	uint32_t identity;
	uint32_t sort;
	int32_t position[3];
	int16_t velocity[3];
	uint8_t state_bytes;
	uint8_t state[32];
};
struct pg_world_part {
	uint32_t tick;
	uint32_t entities;
	const struct pg_world_entity *entity;
};
struct pg_world_look {
	uint32_t parts;
	struct pg_world_part part[...];
	bool found;
	uint32_t seen;
	uint32_t number[...];
};
int pg_world_look(const struct pg_gateway *gateway, uint32_t world, uint32_t player_id, struct pg_world_look *look,
		  struct pg_error *error);
size_t pg_worlds_size(const struct pg_plan *plan);
