/* SPDX-License-Identifier: MIT */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void rh_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "railhead: a bug: %s does not hold at %s:%d; please report it\n", what, file, line);
    abort();
}

void rh_cleanup_free(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;
    free(*pointer);
}

void rh_cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
