/* SPDX-License-Identifier: MIT */
#include "config/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t size, struct rh_file *ret_file)
{
    char *text = malloc(size + 1);
    size_t len = 0;

    if (!text)
        return -ENOMEM;
    while (len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;
            free(text);
            return -error;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    ret_file->text = text;
    ret_file->len = len;
    return 0;
}

int rh_disk_read(void *context, const char *path, struct rh_file *ret_file)
{
    /* Not blocking: a FIFO in the place of a file must not stop the start. */
    RH_CLEANUP(rh_cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    (void)context;
    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    if (status.st_size > (off_t)RH_FILE_MOST_BYTES)
        return -EFBIG;
    ret_file->world_readable = (status.st_mode & S_IROTH) != 0;
    return read_all(fd, (size_t)status.st_size, ret_file);
}

static int is_ini(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".ini") == 0;
}

/* Not alphasort: the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int rh_disk_list(void *context, const char *folder, struct rh_arena *arena, const char *const **ret_names,
                 size_t *ret_n)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_ini, by_name);

    (void)context;
    if (n < 0)
        return -errno;
    const char **names = rh_arena_alloc(arena, ((size_t)n + 1) * sizeof(*names));
    for (int i = 0; i < n; i++) {
        names[i] = rh_arena_text(arena, entries[i]->d_name, strlen(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    *ret_names = names;
    *ret_n = (size_t)n;
    return 0;
}
