/* SPDX-License-Identifier: MIT */
/*
 * room.c - the uplink's rows get in although the store is full: oldest data goes for them, as it goes for new
 * data in store.c. Nothing that is on its way goes: this is the thread that hands rows out, and it spares all
 * up to `flown_row`. The keeper needs no word of it, since both drop within write transactions.
 */
#include <errno.h>

#include "store/uplink.h"

#define GOAL_PAGES 16

struct room {
    struct rh_flights *flights;
    int (*work)(void *);
    void *context;
    int64_t goal_pages;
    struct rh_drop drop;
};

static int room_work(void *context)
{
    struct room *job = context;
    job->drop = (struct rh_drop){0};
    int r = job->goal_pages ? rh_drop_rows(&job->flights->dropper, job->goal_pages, &job->drop) : 0;
    return r < 0 ? r : job->work(job->context);
}

static int with_room(struct room *job, enum rh_db_sync sync)
{
    struct rh_db *db = &job->flights->db;
    for (;;) {
        int r = rh_db_transact(db, sync, room_work, job);
        if (r != -ENOSPC || db->tap.full != RH_FULL_PAGES || job->drop.exhausted) {
            return r;
        }
        job->goal_pages = job->goal_pages ? job->goal_pages * 2 : GOAL_PAGES;
    }
}

int rh_room_transact(struct rh_flights *flights, enum rh_db_sync sync, int (*work)(void *), void *context)
{
    struct room job = {.flights = flights, .work = work, .context = context};
    int r = rh_db_limit(&flights->db, RH_DB_RESERVE_PAGES);
    if (r == 0) {
        r = with_room(&job, sync);
        int back = rh_db_limit(&flights->db, 0);
        r = r < 0 ? r : back;
    }
    if (r == 0 && job.goal_pages) {
        rh_drop_committed(&flights->dropper, &job.drop);
    }
    return r;
}
