#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# libdeflate 1.14 (Debian 12: libdeflate0, libdeflate-dev 1.14-1): how much room a stream needs.
#
# libdeflate_zlib_compress() returns 0 when the compressed stream does not fit the room that it is given. One would give
# it as many bytes as the result may have, to learn whether the data shrinks enough. It then returns 0 for streams that
# would have fitted: nearly always it wants 8 bytes of room beyond the stream, sometimes 9, because it writes whole words
# and takes an area that they fill to the end for one that was too small. The bytes are the same whatever the room is.
# Whoever wants to know "at most n bytes?" has to give n + 9 and compare.
#
# Source: lib/deflate_compress.c of v1.14 (OUTPUT_END_PADDING, deflate_flush_output); the README and libdeflate.h say no
# more than that 0 means that the data did not fit.
#
# Seen: "slack 0: 12, slack 8: 3340, slack 9: 628" bytes beyond the stream, over 3,980 bodies of random text.
# Fails when another amount is needed. Run as any user on Debian 12 with gcc.

set -euo pipefail
readonly version=1.14-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download "libdeflate-dev=$version" "libdeflate0=$version" >/dev/null
for package in ./*.deb; do dpkg-deb -x "$package" root; done

cat >room.c <<'C'
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static unsigned char body[4096], stream[16384];
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	int needed[32] = {0}, other = 0;

	srand(1);
	for (int length = 20; length < 4000; length++) {
		const int alphabet = 20 + rand() % 200;

		for (int i = 0; i < length; i++)
			body[i] = (unsigned char)(rand() % alphabet);
		const size_t whole = libdeflate_zlib_compress(c, body, (size_t)length, stream, sizeof(stream));
		int slack = 0;

		while (slack < 31 && !libdeflate_zlib_compress(c, body, (size_t)length, stream, whole + (size_t)slack))
			slack++;
		needed[slack]++;
	}
	for (int slack = 0; slack < 32; slack++)
		if (needed[slack] != 0) {
			printf("slack %d: %d\n", slack, needed[slack]);
			other += slack != 0 && slack != 8 && slack != 9;
		}
	return needed[8] < 2000 || needed[9] < 100 || other != 0;
}
C
gcc -O1 -Iroot/usr/include room.c -o room root/usr/lib/*/libdeflate.so.0
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) ./room
