/* SPDX-License-Identifier: MIT */
#include "gateway/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

static void put_store(struct rh_text *text, const struct rh_assembly *assembly)
{
    const struct rh_store_shared *shared = &assembly->shared;
    int64_t oldest_ms = rh_gauge_get(&shared->oldest_wall_ms);
    int64_t age_s = oldest_ms > 0 ? (rh_wall_ms() - oldest_ms) / 1000 : 0;

    rh_text_printf(text, ",\"store\":{\"batches\":%lld,\"bytes\":%lld,\"oldest_s\":%lld,\"dropped\":%llu,",
                   (long long)rh_gauge_get(&shared->backlog), (long long)rh_gauge_get(&shared->bytes),
                   (long long)(age_s > 0 ? age_s : 0),
                   (unsigned long long)rh_counted(&shared->dropped_batches));
    bool failing = assembly->keeper && rh_gauge_get(&rh_keeper_view(assembly->keeper)->failing) != 0;
    rh_text_printf(text, "\"failing\":%s,", failing ? "true" : "false");
    rh_text_printf(text, "\"dead\":0,\"written_today_bytes\":%llu,",
                   (unsigned long long)(rh_counted(&shared->written_bytes) - assembly->written_before));
    rh_text_printf(text, "\"dropped_readings\":%llu,\"damaged\":%llu,\"written_bytes\":%llu,\"syncs\":%llu}",
                   (unsigned long long)rh_counted(&shared->dropped_readings),
                   (unsigned long long)rh_counted(&shared->damaged_batches),
                   (unsigned long long)rh_counted(&shared->written_bytes),
                   (unsigned long long)rh_counted(&shared->syncs));
}

static void put_uplink(struct rh_text *text, const struct rh_uplink_view *view)
{
    rh_text_printf(
        text, ",\"uplink\":{\"connected\":%s,\"connects\":%llu,\"inflight\":%lld,\"refused\":%llu,",
        rh_gauge_get(&view->connected) ? "true" : "false", (unsigned long long)rh_counted(&view->connects),
        (long long)rh_gauge_get(&view->inflight), (unsigned long long)rh_counted(&view->refused));
    rh_text_printf(text, "\"no_subscriber\":%llu,\"published\":%llu,\"session_lost\":%llu}",
                   (unsigned long long)rh_counted(&view->no_subscriber),
                   (unsigned long long)rh_counted(&view->published),
                   (unsigned long long)rh_counted(&view->session_lost));
}

/* The share of the time since the start that the line spent in transactions. */
static double load_of(const struct rh_assembly *assembly, const struct rh_line_counters *line)
{
    int64_t up_us = rh_mono_us() - assembly->since_us;

    return up_us > 0 ? (double)rh_counted(&line->busy_us) / (double)up_us : 0;
}

static void put_line(struct rh_text *text, const struct rh_assembly *assembly,
                     const struct rh_running_line *running)
{
    const struct rh_poller_view *view = rh_poller_view(running->poller);
    const struct rh_line_counters *line = &view->line;
    const struct {
        const char *name;
        const rh_counter *counter;
    } rows[] = {
        {"transactions", &line->transactions},
        {"timeouts", &line->timeouts},
        {"crc", &line->crc},
        {"late", &line->late},
        {"foreign", &line->foreign},
        {"echoes", &line->echoes},
        {"exceptions", &line->exceptions},
        {"truncated", &line->truncated},
        {"lost", &line->lost},
        {"missed", &view->missed},
        {"commands", &view->commands},
    };

    rh_text_printf(text, "\"%s\":{\"connected\":%s,\"load\":%.3f,\"stretch\":1.0", running->conf->name,
                   rh_gauge_get(&view->connected) ? "true" : "false", load_of(assembly, line));
    for (size_t i = 0; i < RH_COUNT(rows); i++)
        rh_text_printf(text, ",\"%s\":%llu", rows[i].name, (unsigned long long)rh_counted(rows[i].counter));
    rh_text_char(text, '}');
}

static void put_turnaround(struct rh_text *text, const struct rh_device_stats *stats)
{
    double p50 = rh_device_stats_turnaround_ms(stats, 0.5);

    if (p50 >= 0)
        rh_text_printf(text, ",\"turnaround_ms\":{\"p50\":%.1f,\"p99\":%.1f}", p50,
                       rh_device_stats_turnaround_ms(stats, 0.99));
}

static void put_device(struct rh_text *text, const struct rh_device_conf *device,
                       const struct rh_device_stats *stats)
{
    static const char *const states[] = {
        [RH_DEVICE_UNKNOWN] = "unknown", [RH_DEVICE_OFFLINE] = "offline", [RH_DEVICE_ONLINE] = "online"};
    int64_t last_us = rh_gauge_get(&stats->last_ok_us);

    rh_text_printf(text, "\"%s\":{\"state\":\"%s\",\"last_ok_s\":", device->name,
                   states[rh_gauge_get(&stats->known)]);
    if (last_us > 0)
        rh_text_int(text, (rh_mono_us() - last_us) / 1000000);
    else
        rh_text_put(text, "null");
    rh_text_printf(
        text, ",\"ok\":%llu,\"timeouts\":%llu,\"crc\":%llu,\"exceptions\":%llu",
        (unsigned long long)rh_counted(&stats->ok), (unsigned long long)rh_counted(&stats->timeouts),
        (unsigned long long)rh_counted(&stats->crc), (unsigned long long)rh_counted(&stats->exceptions));
    put_turnaround(text, stats);
    rh_text_char(text, '}');
}

static uint64_t rings_dropped(const struct rh_assembly *assembly)
{
    uint64_t dropped = 0;

    for (size_t i = 0; i < assembly->lines.n; i++)
        dropped += rh_ring_dropped(assembly->lines.at[i].source->ring);
    return dropped;
}

/* Pages of /proc/self/statm, second column. */
static int64_t resident_kib(void)
{
    long long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &all, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void put_devices(struct rh_text *text, const struct rh_assembly *assembly)
{
    rh_text_put(text, ",\"devices\":{");
    for (size_t i = 0, n = 0; i < assembly->lines.n; i++) {
        const struct rh_running_line *line = &assembly->lines.at[i];

        for (size_t d = 0; d < line->conf->n_devices; d++, n++) {
            rh_text_put(text, n ? "," : "");
            put_device(text, &line->conf->devices[d], &rh_poller_view(line->poller)->devices[d]);
        }
    }
    rh_text_char(text, '}');
}

static void put_process(struct rh_text *text, const struct rh_assembly *assembly)
{
    rh_text_printf(text, ",\"rings\":{\"dropped\":%llu},\"rss_kib\":%lld}",
                   (unsigned long long)rings_dropped(assembly), (long long)resident_kib());
}

void rh_health_write(struct rh_text *text, const struct rh_assembly *assembly)
{
    rh_text_printf(text, "{\"t\":%lld,\"uptime_s\":%lld,\"clock\":\"%s\"", (long long)rh_wall_ms(),
                   (long long)((rh_mono_us() - assembly->since_us) / 1000000),
                   rh_wall_plausible(rh_wall_ms()) ? "synced" : "unsynced");
    put_store(text, assembly);
    put_uplink(text, rh_uplink_view(assembly->uplink));
    rh_text_put(text, ",\"lines\":{");
    for (size_t i = 0; i < assembly->lines.n; i++) {
        rh_text_put(text, i ? "," : "");
        put_line(text, assembly, &assembly->lines.at[i]);
    }
    rh_text_char(text, '}');
    struct rh_text before = *text;
    put_devices(text, assembly);
    put_process(text, assembly);
    if (!text->cut || before.cut)
        return;
    *text = before; /* more devices than a message holds: the rest of it is worth saying */
    text->at[text->len] = '\0';
    put_process(text, assembly);
}
