// SPDX-License-Identifier: BSD-3-Clause
// wire/utf8.h: is this text UTF-8?

#ifndef POLLGATE_WIRE_UTF8_H
#define POLLGATE_WIRE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Well-formed UTF-8 by RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF.
bool utf8_valid(const uint8_t *text, size_t len);

#endif
