/* SPDX-License-Identifier: MIT */
/*
 * base.h - the few words every part of railhead uses.
 *
 * Three kinds of wrong: a bug ends in rh_assert (on in release too, never applied to
 * input or system calls); a failure is a negative errno handed up unchanged; an outcome
 * that the caller must decide on is a named enum value.
 */
#ifndef RH_CORE_BASE_H
#define RH_CORE_BASE_H

#include <stddef.h>

#define RH_MUST_USE __attribute__((warn_unused_result))
#define RH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RH_NORETURN __attribute__((noreturn))
#define RH_CLEANUP(function) __attribute__((cleanup(function)))
#define RH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Longest name of a gateway, line, device or point, without the final NUL. */
#define RH_NAME_MAX 64

/* Says where the bug is on stderr and aborts. */
RH_NORETURN void rh_assert_failed(const char *what, const char *file, int line);

#define rh_assert(condition) ((condition) ? (void)0 : rh_assert_failed(#condition, __FILE__, __LINE__))

/* For RH_CLEANUP on plain heap pointers and descriptors. */
void rh_cleanup_free(void *pointer_to_pointer);
void rh_cleanup_close(int *fd);

#endif
