/* SPDX-License-Identifier: MIT */
#include "gateway/device_stats.h"

#include <math.h>

#define FIRST_US 100.0
#define GROWTH 1.25

static size_t bucket_of(int64_t turnaround_us)
{
    size_t bucket = 0;

    for (double limit_us = FIRST_US; (double)turnaround_us > limit_us && bucket < RH_TURNAROUND_BUCKETS - 1;
         bucket++)
        limit_us *= GROWTH;
    return bucket;
}

void rh_device_stats_add(struct rh_device_stats *stats, enum rh_poll_outcome outcome,
                         const struct rh_poll_result *result, int64_t now_us)
{
    switch (outcome) {
    case RH_POLL_OK:
        rh_count(&stats->ok, 1);
        rh_gauge_set(&stats->last_ok_us, now_us);
        break;
    case RH_POLL_TIMEOUT:
        rh_count(&stats->timeouts, 1);
        break;
    case RH_POLL_GARBAGE:
        rh_count(&stats->crc, 1);
        break;
    case RH_POLL_EXCEPTION:
        rh_count(&stats->exceptions, 1);
        break;
    case RH_POLL_CLOSED:
    case RH_POLL_NOTHING:
    case RH_POLL_LOST:
        return;
    }
    bool answered = outcome == RH_POLL_OK || outcome == RH_POLL_EXCEPTION;
    if (answered && result->turnaround_us >= 0)
        rh_count(&stats->turnaround[bucket_of(result->turnaround_us)], 1);
}

double rh_device_stats_turnaround_ms(const struct rh_device_stats *stats, double share)
{
    uint64_t all = 0, below = 0;

    for (size_t i = 0; i < RH_TURNAROUND_BUCKETS; i++)
        all += rh_counted(&stats->turnaround[i]);
    for (size_t i = 0; i < RH_TURNAROUND_BUCKETS && all > 0; i++) {
        below += rh_counted(&stats->turnaround[i]);
        if ((double)below >= share * (double)all)
            return FIRST_US / 1000 * pow(GROWTH, (double)i);
    }
    return -1;
}

const char *rh_poll_failure_text(enum rh_poll_outcome outcome)
{
    switch (outcome) {
    case RH_POLL_GARBAGE:
        return "only damaged answers; asked again every 10 s at most";
    case RH_POLL_EXCEPTION:
        return "the gateway in front of it says that it does not answer; asked again every 10 s at most";
    case RH_POLL_OK:
    case RH_POLL_TIMEOUT:
    case RH_POLL_CLOSED:
    case RH_POLL_NOTHING:
    case RH_POLL_LOST:
        break;
    }
    return "no answer; asked again every 10 s at most";
}
