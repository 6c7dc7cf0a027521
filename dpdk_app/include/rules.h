// SPDX-License-Identifier: BSD-3-Clause
// rules.h: which lines of settings.def are among the rules of who obeys them: those that are obeyed in the unit in which they
// are configured. Times and shares are not: pipeline/policy.c makes cycles of them, under another name.

#ifndef POLLGATE_RULES_H
#define POLLGATE_RULES_H

#define RULE_FIELD_NUMBER(field) uint32_t field;
#define RULE_FIELD_KIB RULE_FIELD_NUMBER
#define RULE_FIELD_MILLISECONDS(field)
#define RULE_FIELD_SECONDS(field)
#define RULE_FIELD_SHARE(field)

#define RULE_COPY_NUMBER(field) .field = from->field,
#define RULE_COPY_KIB RULE_COPY_NUMBER
#define RULE_COPY_MILLISECONDS(field)
#define RULE_COPY_SECONDS(field)
#define RULE_COPY_SHARE(field)

/// For a group of settings.def: the field of the rules, and its value, copied out of the policy `from`.
#define RULE_FIELD(field, key, kind, ...) RULE_FIELD_##kind(field)
#define RULE_COPY(field, key, kind, ...) RULE_COPY_##kind(field)

#endif
