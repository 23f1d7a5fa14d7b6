/* SPDX-License-Identifier: MIT */
/*
 * wal.c - has the write-ahead log lost commits? Looked at before SQLite recovers it.
 *
 * SQLite takes frames up to the first one whose checksum fails and forgets the rest without a word. After a
 * kill that is right: what follows was never committed. With a damaged file it drops commits, and with them
 * the seq that they used, so the store must begin a new epoch. The sign is a commit frame of this generation
 * (same salts) behind the first bad frame, or a log whose header cannot be read.
 *
 * Format (https://www.sqlite.org/fileformat2.html#walformat), big-endian words:
 *
 *   header  magic | version | page size | sequence | salt 1 | salt 2 | sum 1 | sum 2
 *   frame   page | size after commit, else 0 | salt 1 | salt 2 | sum 1 | sum 2 | the page's bytes
 *
 * Sums run over header, then over each frame's first two words and its page, in words whose byte order the
 * magic's lowest bit tells.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/inside.h"

#define MAGIC 0x377f0682u
#define HEADER_WORDS 8
#define FRAME_WORDS 6
#define PAGE_WORDS (RH_DB_PAGE_BYTES / 4)

enum { FRAME_COMMIT = 1, FRAME_SALT = 2, FRAME_SUM = 4 };
enum { HEADER_PAGE_SIZE = 2, HEADER_SALT = 4, HEADER_SUM = 6 };

struct sums {
    bool big_endian;
    uint32_t a, b;
};

static void add(struct sums *sums, const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        sums->a += (sums->big_endian ? be32toh(words[i]) : le32toh(words[i])) + sums->b;
        sums->b += (sums->big_endian ? be32toh(words[i + 1]) : le32toh(words[i + 1])) + sums->a;
    }
}

static bool matches(const struct sums *sums, const uint32_t *stored)
{
    return be32toh(stored[0]) == sums->a && be32toh(stored[1]) == sums->b;
}

static bool header_valid(const uint32_t *header, struct sums *sums)
{
    uint32_t magic = be32toh(header[0]);
    *sums = (struct sums){.big_endian = magic & 1};
    add(sums, header, HEADER_SUM);
    return (magic & ~1u) == MAGIC && be32toh(header[HEADER_PAGE_SIZE]) == RH_DB_PAGE_BYTES &&
           matches(sums, header + HEADER_SUM);
}

static bool scan_frames(FILE *file, const uint32_t *header, struct sums sums)
{
    uint32_t frame[FRAME_WORDS + PAGE_WORDS];
    bool sound = true;
    while (fread(frame, sizeof(frame), 1, file) == 1) {
        bool current = memcmp(&frame[FRAME_SALT], &header[HEADER_SALT], 8) == 0;
        if (sound) {
            add(&sums, frame, FRAME_SALT);
            add(&sums, frame + FRAME_WORDS, PAGE_WORDS);
            sound = current && matches(&sums, &frame[FRAME_SUM]);
        }
        if (!sound && current && frame[FRAME_COMMIT] != 0) {
            return true;
        }
    }
    return false;
}

bool rh_wal_lost_commits(const char *database)
{
    char name[PATH_MAX + 8];
    uint32_t header[HEADER_WORDS];
    struct sums sums;
    snprintf(name, sizeof(name), "%s-wal", database);
    FILE *file = fopen(name, "re");
    if (!file) {
        return false;
    }
    bool lost = false;
    if (fread(header, sizeof(header), 1, file) == 1) {
        lost = !header_valid(header, &sums) || scan_frames(file, header, sums);
    }
    fclose(file);
    return lost;
}
