-- SPDX-License-Identifier: BSD-3-Clause
-- pollgate.lua: shows datagrams of the pollgate gateway in Wireshark and tshark: the profiles `plain` and `session`.
--
-- Opens sealed datagrams when it is given keys: README.md beside this file.

-- ---------------------------------------------------------------- 32-bit words

-- Lua 5.2 has bit32; later ones have operators, which 5.2 cannot even read.
local words = rawget(_G, "bit32") or load([[
	local mask = 0xffffffff
	return {
		bxor = function(a, b, c) return (a ~ b ~ (c or 0)) & mask end,
		band = function(a, b) return a & b end,
		bor = function(a, b) return (a | b) & mask end,
		lshift = function(a, n) return (a << n) & mask end,
		rshift = function(a, n) return (a & mask) >> n end,
		lrotate = function(a, n) return ((a << n) | ((a & mask) >> (32 - n))) & mask end,
	}]])()
local band, bor, bxor, lshift, rshift = words.band, words.bor, words.bxor, words.lshift, words.rshift
local TWO_32 = 4294967296

local function word_le(text, at)
	local a, b, c, d = text:byte(at, at + 3)
	return a + b * 256 + c * 65536 + d * 16777216
end

local function word_be(text, at)
	local a, b, c, d = text:byte(at, at + 3)
	return a * 16777216 + b * 65536 + c * 256 + d
end

local function bytes_le(word)
	return string.char(band(word, 255), band(rshift(word, 8), 255), band(rshift(word, 16), 255), rshift(word, 24))
end

local function bytes_be(word)
	return bytes_le(word):reverse()
end

local function from_hex(text)
	return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- ---------------------------------------------------------------- HMAC-SHA-256 (RFC 2104, FIPS 180-4)

local hmac_sha256
do
	local IV = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	}
	local K = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
	}

	local function rotate(word, by)
		return bor(rshift(word, by), lshift(word, 32 - by))
	end

	local function word_at(block, at)
		local a, b, c, d = block:byte(at, at + 3)
		return ((a * 256 + b) * 256 + c) * 256 + d
	end

	local function sum(...)
		local total = 0
		for n = 1, select("#", ...) do
			total = total + select(n, ...)
		end
		return band(total % TWO_32, 0xffffffff)
	end

	local function compress(state, block)
		local w = {}
		for i = 1, 16 do
			w[i] = word_at(block, 4 * i - 3)
		end
		for i = 17, 64 do
			local x, y = w[i - 15], w[i - 2]
			w[i] = sum(w[i - 16], bxor(rotate(x, 7), rotate(x, 18), rshift(x, 3)), w[i - 7],
				bxor(rotate(y, 17), rotate(y, 19), rshift(y, 10)))
		end
		local a, b, c, d, e, f, g, h = state[1], state[2], state[3], state[4], state[5], state[6], state[7], state[8]
		for i = 1, 64 do
			local chosen = bxor(band(e, f), band(bxor(e, 0xffffffff), g))
			local t1 = sum(h, bxor(rotate(e, 6), rotate(e, 11), rotate(e, 25)), chosen, K[i], w[i])
			local most = bxor(band(a, b), band(a, c), band(b, c))
			local t2 = sum(bxor(rotate(a, 2), rotate(a, 13), rotate(a, 22)), most)
			a, b, c, d, e, f, g, h = sum(t1, t2), a, b, c, sum(d, t1), e, f, g
		end
		for i, word in ipairs({ a, b, c, d, e, f, g, h }) do
			state[i] = sum(state[i], word)
		end
	end

	local function bytes_be(word)
		return string.char(rshift(word, 24), band(rshift(word, 16), 255), band(rshift(word, 8), 255), band(word, 255))
	end

	local function sha256(message)
		local state, out = {}, {}
		for i = 1, 8 do
			state[i] = IV[i]
		end
		local padded = message .. "\128" .. ("\0"):rep((55 - #message) % 64) .. "\0\0\0\0" .. bytes_be(#message * 8)
		for at = 1, #padded, 64 do
			compress(state, padded:sub(at, at + 63))
		end
		for i = 1, 8 do
			out[i] = bytes_be(state[i])
		end
		return table.concat(out)
	end

	-- The key is not longer than a block.
	function hmac_sha256(key, message)
		local inner, outer = {}, {}
		for i = 1, 64 do
			local byte = key:byte(i) or 0
			inner[i], outer[i] = string.char(bxor(byte, 0x36)), string.char(bxor(byte, 0x5c))
		end
		return sha256(table.concat(outer) .. sha256(table.concat(inner) .. message))
	end
end

-- ---------------------------------------------------------------- AES-128-GCM (NIST SP 800-38D)

local Gcm = {}
Gcm.__index = Gcm
do
	local function double(byte) -- in GF(2^8) modulo x^8+x^4+x^3+x+1
		return byte < 128 and byte * 2 or bxor(byte * 2, 0x11b)
	end

	local SBOX = {}
	do
		local p, q = 1, 1
		repeat -- p runs through all non-zero elements, q is its inverse
			p = bxor(p, double(p))
			q = bxor(q, lshift(q, 1))
			q = bxor(q, lshift(q, 2))
			q = band(bxor(q, lshift(q, 4)), 255)
			if q >= 128 then
				q = bxor(q, 9)
			end
			local x = q * 257 -- twice in a row, to rotate
			SBOX[p] = band(bxor(bxor(q, rshift(x, 7), rshift(x, 6)), bxor(rshift(x, 5), rshift(x, 4), 0x63)), 255)
		until p == 1
		SBOX[0] = 0x63
	end

	-- SubBytes and MixColumns of one byte; the other rows' tables are rotations of it.
	local T0, T1, T2, T3 = {}, {}, {}, {}
	for i = 0, 255 do
		local s = SBOX[i]
		local two = double(s)
		local three = bxor(two, s)
		T0[i] = two * 16777216 + s * 65536 + s * 256 + three
		T1[i] = three * 16777216 + two * 65536 + s * 256 + s
		T2[i] = s * 16777216 + three * 65536 + two * 256 + s
		T3[i] = s * 16777216 + s * 65536 + three * 256 + two
	end

	local function substitute(w)
		return SBOX[rshift(w, 24)] * 16777216 + SBOX[band(rshift(w, 16), 255)] * 65536
			+ SBOX[band(rshift(w, 8), 255)] * 256 + SBOX[band(w, 255)]
	end

	local function expand(key)
		local w, constant = {}, 1
		for i = 0, 3 do
			w[i] = word_be(key, 4 * i + 1)
		end
		for i = 4, 43 do
			local t = w[i - 1]
			if i % 4 == 0 then
				t = bxor(substitute(bor(lshift(t, 8), rshift(t, 24))), constant * 16777216)
				constant = double(constant)
			end
			w[i] = bxor(w[i - 4], t)
		end
		return w
	end

	local function encrypt(k, a, b, c, d)
		a, b, c, d = bxor(a, k[0]), bxor(b, k[1]), bxor(c, k[2]), bxor(d, k[3])
		local function column(w, x, y, z, key)
			return bxor(bxor(T0[rshift(w, 24)], T1[band(rshift(x, 16), 255)], T2[band(rshift(y, 8), 255)]),
				T3[band(z, 255)], key)
		end
		for round = 4, 36, 4 do
			a, b, c, d = column(a, b, c, d, k[round]), column(b, c, d, a, k[round + 1]),
				column(c, d, a, b, k[round + 2]), column(d, a, b, c, k[round + 3])
		end
		local function last(w, x, y, z, key)
			return bxor(SBOX[rshift(w, 24)] * 16777216 + SBOX[band(rshift(x, 16), 255)] * 65536
				+ SBOX[band(rshift(y, 8), 255)] * 256 + SBOX[band(z, 255)], key)
		end
		return last(a, b, c, d, k[40]), last(b, c, d, a, k[41]), last(c, d, a, b, k[42]), last(d, a, b, c, k[43])
	end

	-- What four bits that fall out at the end of an element become.
	local REDUCE = {
		[0] = 0x0000, 0x1c20, 0x3840, 0x2460, 0x7080, 0x6ca0, 0x48c0, 0x54e0,
		0xe100, 0xfd20, 0xd940, 0xc560, 0x9180, 0x8da0, 0xa9c0, 0xb5e0,
	}

	-- Multiples of the hash key by all elements of four bits.
	local function multiples(a, b, c, d)
		local m = { [0] = { 0, 0, 0, 0 }, [8] = { a, b, c, d } }
		for _, i in ipairs({ 4, 2, 1 }) do
			local carry = band(d, 1) == 1 and 0xe1000000 or 0
			d = bor(rshift(d, 1), lshift(band(c, 1), 31))
			c = bor(rshift(c, 1), lshift(band(b, 1), 31))
			b = bor(rshift(b, 1), lshift(band(a, 1), 31))
			a = bxor(rshift(a, 1), carry)
			m[i] = { a, b, c, d }
		end
		for _, i in ipairs({ 2, 4, 8 }) do
			for j = 1, i - 1 do
				local x, y = m[i], m[j]
				m[i + j] = { bxor(x[1], y[1]), bxor(x[2], y[2]), bxor(x[3], y[3]), bxor(x[4], y[4]) }
			end
		end
		return m
	end

	-- The hash so far, and a block of 16 bytes.
	local function absorb(m, y, block)
		local a, b, c, d = 0, 0, 0, 0
		local x = { bxor(y[1], word_be(block, 1)), bxor(y[2], word_be(block, 5)), bxor(y[3], word_be(block, 9)),
			bxor(y[4], word_be(block, 13)) }
		for word = 4, 1, -1 do
			for shift = 0, 28, 4 do
				local out = REDUCE[band(d, 15)] * 65536
				d = bor(rshift(d, 4), lshift(band(c, 15), 28))
				c = bor(rshift(c, 4), lshift(band(b, 15), 28))
				b = bor(rshift(b, 4), lshift(band(a, 15), 28))
				a = bxor(rshift(a, 4), out)
				local t = m[band(rshift(x[word], shift), 15)]
				a, b, c, d = bxor(a, t[1]), bxor(b, t[2]), bxor(c, t[3]), bxor(d, t[4])
			end
		end
		y[1], y[2], y[3], y[4] = a, b, c, d
	end

	local function absorb_padded(m, y, text)
		for at = 1, #text, 16 do
			local block = text:sub(at, at + 15)
			absorb(m, y, block .. ("\0"):rep(16 - #block))
		end
	end

	function Gcm.new(key, salt)
		local self = setmetatable({ schedule = expand(key), salt = salt }, Gcm)
		self.multiples = multiples(encrypt(self.schedule, 0, 0, 0, 0))
		return self
	end

	function Gcm:keystream(low, high, block)
		return encrypt(self.schedule, word_be(self.salt, 1), word_be(bytes_le(low), 1), word_be(bytes_le(high), 1), block)
	end

	function Gcm:tag(low, high, clear, sealed)
		local y = { 0, 0, 0, 0 }
		absorb_padded(self.multiples, y, clear)
		absorb_padded(self.multiples, y, sealed)
		absorb(self.multiples, y, ("\0"):rep(4) .. bytes_be(#clear * 8) .. ("\0"):rep(4) .. bytes_be(#sealed * 8))
		local a, b, c, d = self:keystream(low, high, 1)
		return bytes_be(bxor(y[1], a)) .. bytes_be(bxor(y[2], b)) .. bytes_be(bxor(y[3], c)) .. bytes_be(bxor(y[4], d))
	end

	-- The plaintext of what lies between `clear` and the tag; nil when the tag is another.
	function Gcm:open(counter, clear, sealed, tag)
		local low = counter % TWO_32
		local high = (counter - low) / TWO_32
		if math.tointeger then
			low, high = math.tointeger(low), math.tointeger(high)
		end
		if self:tag(low, high, clear, sealed) ~= tag then
			return nil
		end
		local out = {}
		for at = 1, #sealed, 16 do
			local block = sealed:sub(at, at + 15)
			local block_number = #out
			local padded = block .. ("\0"):rep(16 - #block)
			local a, b, c, d = self:keystream(low, high, block_number + 2)
			out[#out + 1] = (bytes_be(bxor(a, word_be(padded, 1))) .. bytes_be(bxor(b, word_be(padded, 5)))
				.. bytes_be(bxor(c, word_be(padded, 9))) .. bytes_be(bxor(d, word_be(padded, 13)))):sub(1, #block)
		end
		return table.concat(out)
	end
end

-- ---------------------------------------------------------------- names

local PLAIN_TYPES = { "PLAYER_MOVE", "PLAYER_ATTACK", "CHAT_MESSAGE", "HEARTBEAT", "SKILL" }
local PLAIN_NAMES = {}
for number, name in ipairs(PLAIN_TYPES) do
	PLAIN_NAMES[number], PLAIN_NAMES[number + 100] = name, name .. "_ACK"
end
PLAIN_NAMES[101] = "MOVE_ACK"

local KINDS = { "HELLO", "CHALLENGE", "CONFIRM", "WELCOME", "DATA", "CLOSE", "PATH_CHALLENGE", "PATH_RESPONSE", "DENIED",
	"RESET", "PROBE" }
local HELLO, CHALLENGE, CONFIRM, WELCOME, DATA, CLOSE, PATH_CHALLENGE, PATH_RESPONSE, DENIED = 1, 2, 3, 4, 5, 6, 7, 8, 9
local RESET, PROBE = 10, 11
local TO_GATEWAY = { [HELLO] = true, [CONFIRM] = true, [PATH_RESPONSE] = true }
local TO_CLIENT = { [CHALLENGE] = true, [WELCOME] = true, [PATH_CHALLENGE] = true, [DENIED] = true, [RESET] = true }
local SEALED = { [WELCOME] = true, [DATA] = true, [CLOSE] = true, [PATH_CHALLENGE] = true, [PATH_RESPONSE] = true,
	[PROBE] = true }

local DENIALS = { [2] = "version", [3] = "expired", [4] = "revoked", [5] = "consumed", [6] = "full" }
local PRIORITIES = { [0] = "urgent", [1] = "normal", [2] = "bulk", [3] = "bulk" }
local CLOSES = {
	[1] = "left", [2] = "idle", [3] = "expired", [4] = "revoked", [5] = "replaced", [7] = "protocol", [8] = "restarted",
	[9] = "shutdown", [10] = "kicked",
}
for reason = 0, 127 do
	CLOSES[128 + reason] = "kicked, the game's reason " .. reason
end
-- tables from messages.def: begin (tests/protocol/document.py writes them)
local MESSAGES = {
	[1] = "PLAYER_MOVE",
	[2] = "PLAYER_ATTACK",
	[3] = "CHAT_MESSAGE",
	[4] = "HEARTBEAT",
	[5] = "SKILL",
	[7] = "BULK",
	[8] = "LIMITS",
	[9] = "BUSY",
	[10] = "RESTARTED",
	[11] = "NUMBER",
	[12] = "PING",
	[13] = "PONG",
	[15] = "WORLD",
	[64] = "GAME",
	[201] = "WORLD_STATE",
	[202] = "ATTACK_EVENT",
	[203] = "CHAT_EVENT",
	[205] = "SKILL_EVENT",
	[206] = "INVENTORY",
	[207] = "BULK_EVENT",
	[208] = "CORRECTION",
}
local GAME_FIRST, GAME_LAST = 64, 199
local COMPRESSIBLE = { [3] = true, [7] = true, [203] = true, [206] = true, [207] = true }
local FROM_GATEWAY = { [8] = true, [10] = true, [11] = true, [15] = true, [201] = true }
local FROM_EITHER = { [9] = true, [12] = true, [13] = true, [64] = true }
local HAS_SENDER = { [202] = true, [203] = true, [205] = true, [207] = true }
local LAYOUTS = {
	[1] = { { kind = "f32", name = "position", count = 3 }, { kind = "f32", name = "velocity", count = 3 } },
	[2] = { { kind = "u32", name = "target_id" }, { kind = "u32", name = "attack_id" }, { kind = "f32", name = "direction", count = 3 } },
	[3] = { { kind = "u32", name = "target_id" }, { kind = "u8", name = "channel" }, { kind = "u8", name = "0" }, { kind = "text", name = "words", most = 512 } },
	[4] = {},
	[5] = { { kind = "u32", name = "skill_id" }, { kind = "u32", name = "target_id" } },
	[7] = { { kind = "u32", name = "target_id" }, { kind = "bytes", name = "data" } },
	[8] = { { kind = "u16", name = "version" }, { kind = "u16", name = "limits" }, { kind = "bytes", name = "entries" } },
	[9] = { { kind = "u32", name = "counter" }, { kind = "u8", name = "reason" }, { kind = "u8", name = "type" }, { kind = "u16", name = "retry_ms" } },
	[10] = { { kind = "u16", name = "epoch" }, { kind = "u16", name = "next_in", count = 4 }, { kind = "u8", name = "seen", count = 32 }, { kind = "u16", name = "next_out", count = 4 } },
	[11] = { { kind = "u32", name = "spare" }, { kind = "u32", name = "offset", count = 2 } },
	[12] = { { kind = "u32", name = "token" } },
	[13] = { { kind = "u32", name = "token" } },
	[15] = { { kind = "u8", name = "epoch" }, { kind = "u8", name = "tick_hz" }, { kind = "u8", name = "cell_shift" }, { kind = "u8", name = "slots" }, { kind = "u32", name = "quantum" }, { kind = "u32", name = "low", count = 3 }, { kind = "u32", name = "radius" }, { kind = "u32", name = "leave_radius" }, { kind = "u32", name = "tick" }, { kind = "text", name = "name", most = 31 } },
	[64] = { { kind = "bytes", name = "data" } },
	[201] = { { kind = "u16", name = "tick" }, { kind = "u8", name = "epoch" }, { kind = "u8", name = "base" }, { kind = "u32", name = "present" }, { kind = "u8", name = "exceptions" }, { kind = "u8", name = "strips" }, { kind = "bytes", name = "states" } },
	[206] = { { kind = "bytes", name = "data" } },
	[208] = { { kind = "f32", name = "position", count = 3 }, { kind = "f32", name = "velocity", count = 3 } },
}
local SAID_MORE = {
	[2] = { { kind = "u16", name = "view_tick" }, { kind = "u8", name = "view_parts" }, { kind = "u8", name = "0" } },
}
local TOLD_MORE = {
	[2] = { { kind = "u32", name = "tick" }, { kind = "u8", name = "parts" }, { kind = "u8", name = "judged" }, { kind = "u8", name = "clamped" }, { kind = "u8", name = "sort" }, { kind = "u32", name = "who" }, { kind = "u32", name = "distance" }, { kind = "u32", name = "error" } },
	[208] = { { kind = "f32", name = "refused_position", count = 3 }, { kind = "f32", name = "refused_velocity", count = 3 }, { kind = "u8", name = "why" }, { kind = "u8", name = "0" }, { kind = "u16", name = "0" } },
}
-- tables from messages.def: end
do
	local title = MESSAGES[GAME_FIRST]
	for kind = GAME_FIRST, GAME_LAST do
		MESSAGES[kind], FROM_EITHER[kind], LAYOUTS[kind] = title .. " " .. kind, true, LAYOUTS[GAME_FIRST]
	end
end

-- ---------------------------------------------------------------- fields

local plain = Proto("pollgate_plain", "Pollgate, profile plain")
local session = Proto("pollgate", "Pollgate, profile session")

local NUMBERS = {
	u8 = { bytes = 1, field = ProtoField.uint8 },
	u16 = { bytes = 2, field = ProtoField.uint16 },
	u32 = { bytes = 4, field = ProtoField.uint32 },
	f32 = { bytes = 4, field = ProtoField.float },
}

local function is_vector(part)
	return part.kind == "f32" and part.count == 3
end

-- The names that the axes of a vector have, or the parts of an array.
local function parts_of(part)
	if is_vector(part) then
		return { "x", "y", "z" }
	end
	local names = {}
	for at = 1, part.count or 0 do
		names[at] = tostring(at - 1)
	end
	return names
end

-- Fields of the bodies in LAYOUTS that `fields` has not: PREFIX.NAME, and PREFIX.NAME.PART of what is there several times.
-- One that names of several types share has the kind that it has first.
local function add_listed(fields, prefix)
	local function add(key, name, make, title)
		if not fields[key] then
			fields[key] = make(prefix .. "." .. name, title)
		end
	end
	local function add_layout(layout)
		for _, part in ipairs(layout) do
			local number = NUMBERS[part.kind]
			local title = part.name:gsub("_", " ")
			if number and part.name ~= "0" then
				if not part.count then
					add(part.name, part.name, number.field, title)
				end
				for _, its in ipairs(parts_of(part)) do
					add(part.name .. its, part.name .. "." .. its, number.field, title .. " " .. its)
				end
			end
		end
	end
	for _, layouts in ipairs({ LAYOUTS, SAID_MORE, TOLD_MORE }) do
		for _, layout in pairs(layouts) do
			add_layout(layout)
		end
	end
end

-- Fields of message bodies, which both profiles have: one set each.
local function body_fields(prefix)
	local function name(rest)
		return prefix .. "." .. rest
	end
	local fields = {
		sender = ProtoField.uint32(name("sender"), "Sender's player id"),
		target_id = ProtoField.uint32(name("target_id"), "Target"),
		attack_id = ProtoField.uint32(name("attack_id"), "Attack"),
		skill_id = ProtoField.uint32(name("skill_id"), "Skill"),
		channel = ProtoField.uint8(name("chat.channel"), "Chat channel"),
		chat_reserved = ProtoField.uint8(name("chat.reserved"), "Reserved"),
		text_length = ProtoField.uint16(name("chat.length"), "Text length"),
		text = ProtoField.string(name("chat.text"), "Text", base.UNICODE),
		bytes = ProtoField.bytes(name("bytes"), "Bytes of the game"),
	}
	for _, vector in ipairs({ "position", "velocity", "direction" }) do
		for _, axis in ipairs({ "x", "y", "z" }) do
			fields[vector .. axis] = ProtoField.float(name(vector .. "." .. axis), vector .. " " .. axis)
		end
	end
	add_listed(fields, prefix)
	return fields
end

local function expert_fields(prefix)
	return {
		malformed = ProtoExpert.new(prefix .. ".malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR),
		cut = ProtoExpert.new(prefix .. ".cut", "Cut short by the capture", expert.group.UNDECODED,
			expert.severity.NOTE),
	}
end

local p = {
	type = ProtoField.uint32("pollgate_plain.type", "Type", base.DEC, PLAIN_NAMES),
	ack = ProtoField.bool("pollgate_plain.ack", "Acknowledgement"),
	size = ProtoField.uint32("pollgate_plain.size", "Size"),
	timestamp = ProtoField.uint64("pollgate_plain.timestamp", "Timestamp"),
	player_id = ProtoField.uint32("pollgate_plain.player_id", "Player id"),
	body = body_fields("pollgate_plain"),
	expert = expert_fields("pollgate_plain"),
}

local s = {
	kind = ProtoField.uint8("pollgate.kind", "Kind", base.DEC, KINDS),
	flags = ProtoField.uint8("pollgate.flags", "Flags", base.HEX),
	key_phase = ProtoField.bool("pollgate.key_phase", "Key phase", 8, nil, 0x01),
	length = ProtoField.uint16("pollgate.length", "Length"),
	session = ProtoField.uint32("pollgate.session", "Session"),
	slot = ProtoField.uint32("pollgate.session.slot", "Slot", base.DEC, nil, 0x000fffff),
	generation = ProtoField.uint32("pollgate.session.generation", "Generation", base.DEC, nil, 0xfff00000),
	counter = ProtoField.uint32("pollgate.counter", "Packet counter, plus the offset of the number"),
	issued = ProtoField.uint32("pollgate.issued", "Session as issued"),
	own_counter = ProtoField.uint32("pollgate.own_counter", "Packet counter without its offset"),
	ack = ProtoField.uint32("pollgate.ack", "Acknowledged"),
	ack_bits = ProtoField.uint32("pollgate.ack_bits", "Acknowledged before it", base.HEX),
	ack_delay = ProtoField.uint16("pollgate.ack_delay", "Acknowledged after (1/16 ms; 65535: longer, or unknown)"),
	wants = ProtoField.uint8("pollgate.wants", "Wants", base.HEX),
	wants_answer = ProtoField.bool("pollgate.wants.answer", "An answer at once", 8, nil, 0x01),
	version = ProtoField.uint16("pollgate.version", "Version"),
	reserved = ProtoField.bytes("pollgate.reserved", "Reserved"),
	padding = ProtoField.bytes("pollgate.padding", "Padding"),
	client_nonce = ProtoField.bytes("pollgate.client_nonce", "Client nonce"),
	server_nonce = ProtoField.bytes("pollgate.server_nonce", "Server nonce"),
	client_share = ProtoField.bytes("pollgate.client_share", "Client share"),
	server_share = ProtoField.bytes("pollgate.server_share", "Server share"),
	versions = ProtoField.bytes("pollgate.versions", "Versions that the gateway speaks"),
	limits = ProtoField.uint16("pollgate.limits", "Limits"),
	limit = ProtoField.bytes("pollgate.limit", "Limit"),
	spare = ProtoField.uint32("pollgate.spare", "Spare session"),
	spare_offset = ProtoField.uint32("pollgate.spare_offset", "Its counter's offset", base.HEX),
	cookie = ProtoField.bytes("pollgate.cookie", "Cookie"),
	max_datagram = ProtoField.uint16("pollgate.max_datagram", "Longest datagram"),
	proof = ProtoField.bytes("pollgate.proof", "Proof"),
	denial = ProtoField.uint8("pollgate.denied.reason", "Reason", base.DEC, DENIALS),
	sealed = ProtoField.bytes("pollgate.sealed", "Sealed bytes"),
	tag = ProtoField.bytes("pollgate.tag", "Tag"),
	opened = ProtoField.bool("pollgate.opened", "Opened: the tag is right"),
	to_gateway = ProtoField.bool("pollgate.to_gateway", "From client to gateway"),
	player_id = ProtoField.uint32("pollgate.player_id", "Player id"),
	expires_in = ProtoField.uint32("pollgate.expires_in", "Expires in (s)"),
	idle_timeout = ProtoField.uint32("pollgate.idle_timeout", "Idle timeout (ms)"),
	close = ProtoField.uint8("pollgate.close.reason", "Reason", base.DEC, CLOSES),
	path_token = ProtoField.bytes("pollgate.path_token", "Path token"),
	reset_token = ProtoField.bytes("pollgate.reset_token", "Reset token"),
	message = ProtoField.none("pollgate.message", "Message"),
	message_type = ProtoField.uint8("pollgate.message.type", "Type", base.DEC, MESSAGES),
	message_flags = ProtoField.uint8("pollgate.message.flags", "Flags", base.HEX),
	compressed = ProtoField.bool("pollgate.message.compressed", "Compressed", 8, nil, 0x01),
	reliable = ProtoField.bool("pollgate.message.reliable", "Reliable", 8, nil, 0x02),
	fragment = ProtoField.bool("pollgate.message.fragment", "Fragment", 8, nil, 0x04),
	channel = ProtoField.uint8("pollgate.message.channel", "Channel", base.DEC, nil, 0x30),
	priority = ProtoField.uint8("pollgate.message.priority", "Priority", base.DEC, PRIORITIES, 0xc0),
	body_length = ProtoField.uint16("pollgate.message.length", "Body length"),
	message_id = ProtoField.uint16("pollgate.message.id", "Id"),
	fragment_index = ProtoField.uint16("pollgate.fragment.index", "Fragment"),
	fragment_count = ProtoField.uint16("pollgate.fragment.count", "of"),
	fragment_data = ProtoField.bytes("pollgate.fragment.data", "Fragment's bytes"),
	original_length = ProtoField.uint32("pollgate.compressed.length", "Original length"),
	zlib = ProtoField.bytes("pollgate.compressed.data", "zlib stream"),
	body = body_fields("pollgate"),
	expert = expert_fields("pollgate"),
}
s.expert.tag = ProtoExpert.new("pollgate.bad_tag", "No key that is known opens it: forged, or another session's key",
	expert.group.SECURITY, expert.severity.WARN)
s.expert.no_key = ProtoExpert.new("pollgate.no_key", "Sealed; the traffic keys of this connection are not known",
	expert.group.UNDECODED, expert.severity.NOTE)
s.expert.proof = ProtoExpert.new("pollgate.bad_proof", "The proof is not of the key that is known",
	expert.group.SECURITY, expert.severity.WARN)

local function register(proto, set)
	local fields = {}
	for name, field in pairs(set) do
		if name ~= "body" and name ~= "expert" then
			fields[#fields + 1] = field
		end
	end
	for _, field in pairs(set.body) do
		fields[#fields + 1] = field
	end
	proto.fields = fields
	proto.experts = set.expert
end
register(plain, p)
register(session, s)

-- ---------------------------------------------------------------- reading

-- Thrown where bytes are missing, caught where the datagram began.
local MISSING = {}

local Reader = {}
Reader.__index = Reader

function Reader.new(tvb, tree, set)
	return setmetatable({ tvb = tvb, tree = tree, set = set, at = 0, stop = tvb:len() }, Reader)
end

function Reader:left()
	return self.stop - self.at
end

-- Did the capture not keep all of it?
function Reader:cut()
	return self.tvb:len() < self.tvb:reported_len()
end

function Reader:range(length)
	if length > self:left() then
		error(MISSING, 0)
	end
	local range = self.tvb(self.at, length)
	self.at = self.at + length
	return range
end

-- Show the next bytes as a little-endian number.
-- Returns the number and its tree item.
function Reader:number(field, length)
	local range = self:range(length)
	return range:le_uint(), self.tree:add_le(field, range)
end

function Reader:bytes(field, length)
	if length == 0 then
		return ""
	end
	local range = self:range(length)
	local item = self.tree:add(field, range)
	return range:raw(), item
end

function Reader:zeros(field, length, what)
	local bytes, item = self:bytes(field, length)
	if bytes:find("[^\0]") then
		self:malformed(what .. " must be 0", item)
	end
end

function Reader:malformed(sentence, item)
	(item or self.tree):add_proto_expert_info(self.set.expert.malformed, sentence)
end

-- A reader of the next bytes, below another tree item.
function Reader:part(length, tree)
	if length > self:left() then
		error(MISSING, 0)
	end
	local part = Reader.new(self.tvb, tree, self.set)
	part.at, part.stop = self.at, self.at + length
	self.at = part.stop
	return part
end

-- Run `dissect`; bytes that are missing become a remark, any other mistake stays one.
local function guarded(tvb, tree, set, dissect)
	local fine, problem = pcall(dissect)
	if not fine and problem ~= MISSING then
		error(problem, 0)
	end
	if tvb:len() < tvb:reported_len() then
		tree:add_proto_expert_info(set.expert.cut)
	elseif not fine then
		tree:add_proto_expert_info(set.expert.malformed, "Shorter than it has to be")
	end
end

-- ---------------------------------------------------------------- bodies of messages

local function read_float(reader, field)
	local range = reader:range(4)
	local value = range:le_float()
	local item = reader.tree:add_le(field, range)
	if value ~= value or value == math.huge or value == -math.huge then
		reader:malformed("Floats must be finite", item)
	end
end

local function read_number(reader, part, field)
	if part.name == "0" then
		reader:zeros(reader.set.body.chat_reserved, NUMBERS[part.kind].bytes, "The reserved byte")
	elseif part.kind == "f32" then
		read_float(reader, field)
	else
		reader:number(field, NUMBERS[part.kind].bytes)
	end
end

-- u16 length and as many bytes of UTF-8, to the end.
local function read_text(reader, most)
	local body = reader.set.body
	local length, item = reader:number(body.text_length, 2)
	if reader:cut() and length >= reader:left() then
		error(MISSING, 0)
	end
	if length == 0 or length > most or length ~= reader:left() then
		reader:malformed("The text's length must be 1 to " .. most .. " and that of the rest", item)
	end
	length = math.min(length, reader:left())
	if length > 0 then
		reader.tree:add_packet_field(body.text, reader:range(length), ENC_UTF_8)
	end
end

local function read_layout(reader, layout)
	local body = reader.set.body
	for _, part in ipairs(layout) do
		if part.kind == "bytes" then
			reader:bytes(body.bytes, reader:left())
		elseif part.kind == "text" then
			read_text(reader, part.most)
		elseif part.count then
			local names = parts_of(part)
			for at = 1, part.count do
				read_number(reader, part, body[part.name .. names[at]])
			end
		else
			read_number(reader, part, body[part.name])
		end
	end
end

local function read_body(reader, kind)
	local told = HAS_SENDER[kind]
	if told then
		reader:number(reader.set.body.sender, 4)
		kind = kind - 200
	end
	local layout = LAYOUTS[kind]
	local more = layout and (not told and SAID_MORE[kind] or TOLD_MORE[kind]) -- a type is of one direction, or of both
	if layout then
		read_layout(reader, layout)
		if more and reader:left() > 0 then
			read_layout(reader, more)
		end
	else
		reader:bytes(reader.set.body.bytes, reader:left())
	end
	if reader:left() > 0 then
		reader:malformed("Longer than such a message may be")
	end
end

-- ---------------------------------------------------------------- profile plain

local function read_plain(reader, pinfo)
	local kind, item = reader:number(p.type, 4)
	local size, size_item = reader:number(p.size, 4)
	local is_ack = kind > 100
	reader.tree:add(p.ack, is_ack):set_generated()
	if size ~= reader.tvb:reported_len() then
		reader:malformed("The size must be that of the UDP payload", size_item)
	end
	reader.tree:add_le(p.timestamp, reader:range(8))
	if not PLAIN_NAMES[kind] then
		reader:malformed("No message has this type", item)
		return
	end
	pinfo.cols.info:set(PLAIN_NAMES[kind])
	reader.tree:append_text(", " .. PLAIN_NAMES[kind])
	local player = reader:number(p.player_id, 4)
	pinfo.cols.info:append(", player " .. player)
	read_body(reader, kind % 100)
end

function plain.dissector(tvb, pinfo, root)
	pinfo.cols.protocol:set("pollgate plain")
	pinfo.cols.info:set("")
	local tree = root:add(plain, tvb())
	guarded(tvb, tree, p, function()
		read_plain(Reader.new(tvb, tree, p), pinfo)
	end)
	return tvb:len()
end

-- ---------------------------------------------------------------- keys

session.prefs.keys = Pref.string("Keys", "",
	"SESSION:KEY pairs, separated by spaces. KEY is the 40 bytes of traffic keys of a connection (80 hexadecimal digits), of "
	.. "any key phase, which open it, or an issued key (43 characters of base64url, or 64 digits), which shows whether proofs are right, and opens "
	.. "nothing: that is forward secrecy.")
session.prefs.keyfile = Pref.string("Key file", "",
	"A file with a line 'SESSION KEY', or a ticket as it was issued, per session; # begins a comment.")
session.prefs.port = Pref.range("UDP ports", "8081", "Ports of gateways' listeners of profile session.", 65535)
plain.prefs.port = Pref.range("UDP ports", "8080", "Ports of gateways' listeners of profile plain.", 65535)

-- What the user gave: session → { issued = { 32 bytes, ... }, traffic = { 40 bytes, ... } }
local secrets = {}

-- The connections of each session whose keys are known.
local seen = {}

-- Numbers that were given as spares → whose they are: { issued = session, to_gateway = offset, to_client = offset }
local spares = {}

-- Frame number → what was found out about it when it was first read.
local frames = {}

-- Bytes of a key as it is written: hexadecimal, or base64url (RFC 4648 section 5) as it is issued.
local function key_bytes(text)
	if text:match("^%x+$") and (#text == 64 or #text == 80) then
		return from_hex(text)
	end
	if #text ~= 43 or not text:match("^[%w_-]+$") then
		return nil
	end
	local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	local out, bits, have = {}, 0, 0
	for digit in text:gmatch(".") do
		bits = bits * 64 + digits:find(digit, 1, true) - 1
		have = have + 6
		if have >= 8 then
			have = have - 8
			out[#out + 1] = string.char(rshift(bits, have))
			bits = band(bits, lshift(1, have) - 1)
		end
	end
	return table.concat(out)
end

local function add_secret(number, text)
	local id, key = tonumber(number), key_bytes(text)
	if not id or not key then
		return false
	end
	local of_session = secrets[id] or { issued = {}, traffic = {} }
	secrets[id] = of_session
	local list = #key == 32 and of_session.issued or of_session.traffic
	list[#list + 1] = key
	return true
end

local KEY_FORM = "a key has 43 characters of base64url, or 64 or 80 hexadecimal digits"

-- "SESSION KEY", or a ticket as it was issued.
local function read_line(line)
	local number, key = line:match('"session"%s*:%s*(%d+)'), line:match('"key"%s*:%s*"([^"]*)"')
	if not number then
		number, key = line:gsub("#.*", ""):match("^%s*(%w+)%s+(%S+)%s*$")
	end
	return number and key and add_secret(number, key)
end

local function load_file(path)
	local file = io.open(path)
	if not file then
		report_failure("pollgate: cannot read the key file " .. path)
		return
	end
	local at = 0
	for line in file:lines() do
		at = at + 1
		if not line:match("^%s*#") and line:match("%S") and not read_line(line) then
			report_failure("pollgate: " .. path .. ":" .. at .. ": expected SESSION KEY or a ticket; " .. KEY_FORM)
		end
	end
	file:close()
end

local function load_secrets()
	secrets = {}
	for pair in session.prefs.keys:gmatch("%S+") do
		local number, key = pair:match("^(%w+):(%S+)$")
		if not (number and add_secret(number, key)) then
			report_failure("pollgate: " .. pair .. ": expected SESSION:KEY; " .. KEY_FORM)
		end
	end
	if session.prefs.keyfile ~= "" then
		load_file(session.prefs.keyfile)
	end
end

local function state_of(id)
	local state = seen[id]
	if not state then
		state = { connections = {} }
		seen[id] = state
		for _, okm in ipairs(secrets[id] and secrets[id].traffic or {}) do
			state.given = state.given or {}
			state.given[#state.given + 1] = okm
		end
	end
	return state
end

-- A key phase of a connection, from its 40 bytes of keys and salts.
local function connection_of(okm)
	return {
		to_gateway = { gcm = Gcm.new(okm:sub(1, 16), okm:sub(33, 36)), pieces = {} },
		to_client = { gcm = Gcm.new(okm:sub(17, 32), okm:sub(37, 40)), pieces = {} },
	}
end

-- What WELCOME or NUMBER says: spare, and the offsets of counters under it.
local function learn_spare(issued, text)
	local number = word_le(text, 1)
	if number ~= 0 then
		spares[number] = { issued = issued, to_gateway = word_le(text, 5), to_client = word_le(text, 9) }
	end
end

local function try_open(connection, packet)
	local way = packet.to_gateway and connection.to_gateway or connection.to_client
	local text = way.gcm:open(packet.counter, packet.clear, packet.sealed, packet.tag)
	return text and { text = text, way = way }
end

local function open_sealed(id, packet)
	local state = state_of(id)
	for _, okm in ipairs(state.given or {}) do
		table.insert(state.connections, 1, connection_of(okm))
	end
	state.given = nil
	for n = #state.connections, 1, -1 do
		local opened = try_open(state.connections[n], packet)
		if opened then
			return opened
		end
	end
	return nil
end

-- ---------------------------------------------------------------- profile session: messages

-- Remember a fragment; when all of its message are here, the joined body.
local function join(pieces, message)
	local ids = pieces[message.channel] or {}
	pieces[message.channel] = ids
	ids[message.id] = message
	local first = (message.id - message.index) % 65536
	local parts = {}
	for n = 0, message.count - 1 do
		local piece = ids[(first + n) % 65536]
		if not piece or piece.index ~= n or piece.count ~= message.count or piece.type ~= message.type then
			return nil
		end
		parts[n + 1] = piece.data
	end
	for n = 0, message.count - 1 do
		ids[(first + n) % 65536] = nil -- ids wrap around and are used again
	end
	return table.concat(parts)
end

-- zlib by Wireshark, whose name for it has changed.
local function expand(range, name)
	for _, method in ipairs({ "uncompress_zlib", "uncompress" }) do
		local fine, found = pcall(function()
			return range[method](range, name)
		end)
		if fine and found then
			return found
		end
	end
	return nil
end

-- RFC 1950: what a zlib stream ends with. Wireshark's expansion overlooks bytes that are missing, or too many.
local function adler32(text)
	local a, b = 1, 0
	for at = 1, #text do
		a = a + text:byte(at)
		b = b + a
		if at % 4096 == 0 then
			a, b = a % 65521, b % 65521
		end
	end
	return bytes_be(b % 65521 * 65536 + a % 65521)
end

local function read_compressed(reader, kind)
	local length, item = reader:number(s.original_length, 4)
	if length == 0 or length > 65536 or not COMPRESSIBLE[kind] then
		reader:malformed("Such a message is not compressed, or not to this length", item)
		return
	end
	local range = reader:range(reader:left())
	reader.tree:add(s.zlib, range)
	local expanded = range:len() > 0 and expand(range, "Expanded message")
	if not expanded or expanded:len() ~= length or range:raw():sub(-4) ~= adler32(expanded:raw()) then
		reader:malformed("Does not expand to its original length")
		return
	end
	read_body(Reader.new(expanded:tvb(), reader.tree, s), kind)
end

local function read_whole(reader, kind, compressed)
	if compressed then
		read_compressed(reader, kind)
	else
		read_body(reader, kind)
	end
end

local function read_fragment(reader, message, context)
	local index_item
	message.index, index_item = reader:number(s.fragment_index, 2)
	message.count = reader:number(s.fragment_count, 2)
	if message.count < 2 or message.count > 144 or message.index >= message.count then
		reader:malformed("A fragment is one of 2 to 144, counted from 0", index_item)
		return
	end
	local length, last = reader:left(), message.index + 1 == message.count
	if (not last and length ~= 458) or length == 0 or length > 458 or message.index * 458 + length > 65536 then
		reader:malformed("All pieces but the last have 458 bytes, and all together at most 65,536", index_item)
	end
	if not message.reliable then
		return
	end
	message.data = reader:bytes(s.fragment_data, length)
	local joined = context.joined[message.order]
	if joined == nil and not context.visited then
		joined = join(context.pieces, message) or false
		context.joined[message.order] = joined
	end
	if joined then
		local tvb = ByteArray.new(joined, true):tvb("Joined message")
		reader.tree:append_text(", joined of " .. message.count)
		read_whole(Reader.new(tvb, reader.tree, s), message.type, message.compressed)
	end
end

local function read_flags(reader)
	local range = reader:range(1)
	local flags = range:uint()
	local item = reader.tree:add(s.message_flags, range)
	for _, field in ipairs({ s.compressed, s.reliable, s.fragment, s.channel, s.priority }) do
		item:add(field, range)
	end
	if band(flags, 0x08) ~= 0 then
		reader:malformed("Bit 3 is 0", item)
	end
	local message = {
		compressed = band(flags, 1) ~= 0,
		reliable = band(flags, 2) ~= 0,
		fragment = band(flags, 4) ~= 0,
		channel = rshift(band(flags, 0x30), 4),
	}
	if not message.reliable and (message.channel ~= 0 or message.fragment) then
		reader:malformed("What is not reliable has channel 0 and is no fragment", item)
	elseif message.fragment and message.channel == 3 then
		reader:malformed("Channel 3 has no order, so no fragments", item)
	end
	return message
end

local function read_message(reader, order, context)
	local item = reader.tree:add(s.message, reader.tvb(reader.at, reader:left()))
	local head = reader:part(math.min(reader:left(), 4), item)
	local kind, kind_item = head:number(s.message_type, 1)
	local message = read_flags(head)
	local length = head:number(s.body_length, 2)
	message.type, message.order = kind, order
	local name = MESSAGES[kind] or ("type " .. kind)
	item:set_text("Message: " .. name)
	item:set_len(math.min(4 + (message.reliable and 2 or 0) + length, item.len or 65535))
	if message.reliable then
		local number = reader:part(2, item)
		message.id = number:number(s.message_id, 2)
	end
	local body = reader:part(length, item)
	if kind == 11 and not context.to_gateway and length == 12 and body:left() == 12 then
		learn_spare(context.issued, body.tvb:raw(body.at, 12))
	end
	if not MESSAGES[kind] or not (FROM_EITHER[kind] or (kind < 200 and not FROM_GATEWAY[kind]) == context.to_gateway) then
		head:malformed("No message of this direction has this type", kind_item)
	elseif message.fragment then
		read_fragment(body, message, context)
		name = name .. " fragment"
	else
		read_whole(body, kind, message.compressed)
	end
	return name
end

local function read_messages(reader, context)
	local names, order = {}, 0
	while reader:left() > 0 do
		order = order + 1
		names[order] = read_message(reader, order, context)
	end
	if order > 50 then
		reader:malformed("A datagram has 50 messages at most")
	end
	context.pinfo.cols.info:append(order > 0 and " " .. table.concat(names, ", ") or " (acknowledgement)")
end

-- ---------------------------------------------------------------- profile session: kinds

local READERS = {}

READERS[HELLO] = function(reader)
	reader:number(s.version, 2)
	reader:zeros(s.reserved, 2, "The reserved byte")
	reader:bytes(s.client_nonce, 16)
	reader:zeros(s.padding, 40, "Padding")
end

-- Does a proof fit one of the keys? Unknown without keys.
local function check_proof(context, label, proof, item)
	local keys = secrets[context.session] and secrets[context.session].issued or {}
	for _, key in ipairs(keys) do
		if hmac_sha256(key, label .. context.tvb:raw(0, context.tvb:len() - 16)):sub(1, 16) == proof then
			return
		end
	end
	if #keys > 0 then
		item:add_proto_expert_info(s.expert.proof)
	end
end

READERS[CHALLENGE] = function(reader, context)
	reader:bytes(s.client_nonce, 16)
	reader:bytes(s.cookie, 24)
	local proof, item = reader:bytes(s.proof, 16)
	check_proof(context, "pollgate challenge", proof, item)
end

READERS[CONFIRM] = function(reader, context)
	reader:number(s.version, 2)
	local length, item = reader:number(s.max_datagram, 2)
	if length ~= reader.tvb:reported_len() then
		reader:malformed("It must be as long as the datagrams that it asks for", item)
	end
	reader:bytes(s.client_nonce, 16)
	reader:bytes(s.cookie, 24)
	reader:bytes(s.client_share, 32)
	reader:zeros(s.padding, math.max(0, length - 88 - 16), "Padding")
	local proof, proof_item = reader:bytes(s.proof, 16)
	check_proof(context, "pollgate confirm", proof, proof_item)
end

READERS[DENIED] = function(reader, context)
	reader:bytes(s.client_nonce, 16)
	local reason, item = reader:number(s.denial, 1)
	if not DENIALS[reason] then
		reader:malformed("No denial has this reason", item)
	end
	reader:bytes(s.versions, 3)
	local proof, proof_item = reader:bytes(s.proof, 16)
	if DENIALS[reason] ~= "version" then
		check_proof(context, "pollgate denied", proof, proof_item)
	end
	context.pinfo.cols.info:append(" " .. (DENIALS[reason] or "?"))
end

READERS[RESET] = function(reader)
	reader:bytes(s.reset_token, 16)
end

-- What lies inside of sealed datagrams, once opened.
local INSIDES = {}

INSIDES[WELCOME] = function(reader, context)
	local player = reader:number(s.player_id, 4)
	reader:number(s.expires_in, 4)
	reader:number(s.idle_timeout, 4)
	reader:number(s.max_datagram, 2)
	local limits, item = reader:number(s.limits, 2)
	reader:bytes(s.reset_token, 16)
	if reader:left() >= 12 then
		learn_spare(context.issued, reader.tvb:raw(reader.at, 12))
	end
	reader:number(s.spare, 4)
	reader:number(s.spare_offset, 4)
	reader:number(s.spare_offset, 4)
	if limits > 48 then
		reader:malformed("A WELCOME has 48 limits at most", item)
		limits = 0
	end
	for _ = 1, limits do
		reader:bytes(s.limit, 8)
	end
	reader:zeros(s.padding, reader:left(), "Padding")
	context.pinfo.cols.info:append(" player " .. player)
end

INSIDES[DATA] = function(reader, context)
	reader:number(s.ack, 4)
	reader:number(s.ack_bits, 4)
	reader:number(s.ack_delay, 2)
	local range = reader:range(1)
	local item = reader.tree:add(s.wants, range)
	item:add(s.wants_answer, range)
	if range:uint() > 1 then
		reader:malformed("Bits that are not used must be 0", item)
	end
	reader:zeros(s.reserved, 1, "The reserved byte")
	read_messages(reader, context)
end

INSIDES[PROBE] = function(reader)
	if reader:left() < 12 then
		reader:malformed("Shorter than a probe may be")
	end
	reader:zeros(s.padding, reader:left(), "A probe")
end

INSIDES[CLOSE] = function(reader, context)
	local reason, item = reader:number(s.close, 1)
	if reason == 0 then
		reader:malformed("A CLOSE has a reason", item)
	end
	reader:zeros(s.reserved, 7, "The reserved byte")
	context.pinfo.cols.info:append(" " .. (CLOSES[reason] or "reason " .. reason))
end

local function read_token(reader)
	reader:bytes(s.path_token, 8)
end
INSIDES[PATH_CHALLENGE], INSIDES[PATH_RESPONSE] = read_token, read_token

local function show_inside(reader, context, found)
	local tree = reader.tree
	tree:add(s.opened, true):set_generated()
	if #found.text == 0 then
		INSIDES[context.kind](Reader.new(ByteArray.new():tvb("Opened"), tree, s), context)
		return
	end
	local tvb = ByteArray.new(found.text, true):tvb("Opened")
	local inside = Reader.new(tvb, tree, s)
	INSIDES[context.kind](inside, context)
	if inside:left() > 0 then
		inside:malformed("Longer than such a datagram may be")
	end
end

local function find_inside(context, packet)
	local found = frames[context.frame]
	if not found then
		local spare = spares[context.session]
		local offset = spare and (context.to_gateway and spare.to_gateway or spare.to_client) or 0
		local issued = spare and spare.issued or context.session
		packet.counter = (context.counter - offset) % TWO_32
		found = open_sealed(issued, packet) or {}
		found.issued, found.counter, found.spare = issued, packet.counter, spare
		found.joined = {}
		found.pieces = found.way and found.way.pieces or {}
		frames[context.frame] = found
	end
	return found
end

local function read_sealed(reader, context)
	local packet = { to_gateway = context.to_gateway }
	if context.kind == WELCOME then
		reader:bytes(s.server_nonce, 16)
		reader:bytes(s.server_share, 32)
	end
	packet.clear = reader.tvb:raw(0, reader.at)
	packet.sealed = reader:bytes(s.sealed, math.max(0, reader:left() - 16))
	packet.tag = reader:bytes(s.tag, 16)
	if reader:cut() then
		error(MISSING, 0)
	end
	local found = find_inside(context, packet)
	context.issued = found.issued
	if found.spare then
		reader.tree:add(s.issued, found.issued):set_generated()
		reader.tree:add(s.own_counter, found.counter):set_generated()
	end
	if found.text then
		context.joined, context.pieces = found.joined, found.pieces
		show_inside(reader, context, found)
		return
	end
	local state, given = seen[found.issued], secrets[found.issued]
	local known = given and (#given.traffic > 0 or #state.connections > 0)
	reader.tree:add_proto_expert_info(known and s.expert.tag or s.expert.no_key)
	context.pinfo.cols.info:append(" (sealed)")
end

local function read_header(reader, context)
	local tree, item = reader.tree, nil
	context.kind, item = reader:number(s.kind, 1)
	local flags_range = reader:range(1)
	local flags, flags_item = flags_range:uint(), tree:add(s.flags, flags_range)
	if SEALED[context.kind] then
		flags_item:add(s.key_phase, flags_range)
	end
	if band(flags, SEALED[context.kind] and 0xfe or 0xff) ~= 0 then
		reader:malformed("Flag bits that are not used must be 0", flags_item)
	end
	local length, length_item = reader:number(s.length, 2)
	if length ~= reader.tvb:reported_len() then
		reader:malformed("The length must be that of the UDP payload", length_item)
	end
	local session_range = reader:range(4)
	context.session = session_range:le_uint()
	local session_item = tree:add_le(s.session, session_range)
	session_item:add_le(s.slot, session_range)
	session_item:add_le(s.generation, session_range)
	local counter_item
	context.counter, counter_item = reader:number(s.counter, 4)
	if not KINDS[context.kind] then
		reader:malformed("No datagram has this kind", item)
	elseif not SEALED[context.kind] and context.counter ~= 0 then
		reader:malformed("Not sealed: the counter must be 0", counter_item)
	end
end

local function in_range(range, port)
	return (" " .. tostring(range):gsub(",", " ") .. " "):gsub("(%d+)%-(%d+)", function(low, high)
		return port >= tonumber(low) and port <= tonumber(high) and tostring(port) or ""
	end):find(" " .. port .. " ", 1, true) ~= nil
end

local function goes_to_gateway(kind, pinfo)
	if TO_GATEWAY[kind] or TO_CLIENT[kind] then
		return TO_GATEWAY[kind] == true
	end
	return in_range(session.prefs.port, pinfo.dst_port)
end

local function read_session(reader, context)
	read_header(reader, context)
	local kind, pinfo = context.kind, context.pinfo
	if not KINDS[kind] then
		return
	end
	pinfo.cols.info:set(KINDS[kind])
	reader.tree:append_text(", " .. KINDS[kind])
	if SEALED[kind] then
		pinfo.cols.info:append(" " .. context.counter)
	end
	context.to_gateway = goes_to_gateway(kind, pinfo)
	reader.tree:add(s.to_gateway, context.to_gateway):set_generated()
	local read = READERS[kind] or read_sealed
	read(reader, context)
	if reader:left() > 0 then
		reader:malformed("Longer than such a datagram may be")
	end
end

function session.dissector(tvb, pinfo, root)
	pinfo.cols.protocol:set("pollgate")
	pinfo.cols.info:set("")
	local tree = root:add(session, tvb())
	local context = { tvb = tvb, pinfo = pinfo, frame = pinfo.number, visited = pinfo.visited }
	guarded(tvb, tree, s, function()
		read_session(Reader.new(tvb, tree, s), context)
	end)
	return tvb:len()
end

-- ---------------------------------------------------------------- registration

local ports = DissectorTable.get("udp.port")
local registered = {}

local function register_ports(proto)
	if registered[proto.name] then
		ports:remove(registered[proto.name], proto)
	end
	registered[proto.name] = proto.prefs.port
	ports:add(proto.prefs.port, proto)
end

function session.init()
	seen, frames, spares = {}, {}, {}
	load_secrets()
end

function session.prefs_changed()
	register_ports(session)
end

function plain.prefs_changed()
	register_ports(plain)
end

register_ports(session)
register_ports(plain)
