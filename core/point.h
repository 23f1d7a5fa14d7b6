/* SPDX-License-Identifier: MIT */
/*
 * point.h - one value of a device, as configured. Immutable after load; owned by the configuration.
 */
#ifndef RH_CORE_POINT_H
#define RH_CORE_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"

/* Wire types (bus.md section 8). The number of bytes is that of the device's memory. */
enum rh_type {
    RH_TYPE_BIT,
    RH_TYPE_U8,
    RH_TYPE_S8,
    RH_TYPE_U16,
    RH_TYPE_S16,
    RH_TYPE_U24,
    RH_TYPE_S24,
    RH_TYPE_U32,
    RH_TYPE_S32,
    RH_TYPE_U48,
    RH_TYPE_U64,
    RH_TYPE_S64,
    RH_TYPE_F16,
    RH_TYPE_F32,
    RH_TYPE_F64,
    RH_TYPE_BCD16,
    RH_TYPE_BCD32,
    RH_TYPE_BCD64,
    RH_TYPE_STR,
    RH_TYPE_HEX,
    RH_TYPE_TIME32,
    RH_TYPE_DATETIME,
    RH_TYPE_COUNT,
};

enum rh_class { RH_CLASS_URGENT, RH_CLASS_NORMAL, RH_CLASS_SLOW };
enum rh_report_when { RH_REPORT_ALL, RH_REPORT_CHANGE };

struct rh_label {
    int64_t code;
    const char *label;
};

#define RH_PERIOD_FASTEST 0

struct rh_point {
    const char *name;
    const char *unit; /* "" if none */
    uint32_t index;   /* in its line's table of points, as readings carry it */
    uint32_t device;  /* index of its device in its line's table of devices */
    enum rh_type type;
    struct rh_decimal scale; /* factor; {1, 0} for none */
    double offset;           /* added after the factor */
    int64_t period_ms;       /* RH_PERIOD_FASTEST, or the poll period */
    enum rh_class class_;
    enum rh_report_when report;
    double deadband;      /* in units of the scaled value; 0: any change */
    int64_t heartbeat_ms; /* 0: none */
    bool has_min, has_max;
    double min, max;               /* of the scaled value */
    const struct rh_label *labels; /* enum */
    size_t n_labels;
    const char *const *label_codes; /* their codes as written: what a point of text is compared with */
    int qos;                        /* 0, 1, 2 */
    bool drop_last;                 /* dropped last when the store is full */
    bool writable;                  /* and the device says writes = allow */
    bool verify;                    /* a write that reads back as something else has failed */
    double tolerance;               /* for verify, in units of the scaled value */
    bool has_step;
    double step;             /* allowed values: min (or 0) + k * step */
    int64_t min_interval_ms; /* between two writes; 0: none */
    double max_delta;        /* the most a write may change; 0: no limit */
    bool critical;           /* a command needs id and expires */
    bool momentary;          /* a command needs an id */
    bool counter;            /* kind=counter */
    const void *address;     /* the driver's parsed address; its type is the driver's secret */
};

/* "u16", "f32", … as configured; and back: RH_TYPE_COUNT if there is no such type. */
const char *rh_type_name(enum rh_type type);
enum rh_type rh_type_of(const char *name);

/* True for f16, f32, f64, and for integers whose scale or offset brings a fraction. */
bool rh_point_fractional(const struct rh_point *point);

/* The label of a code, or NULL. */
const char *rh_point_label(const struct rh_point *point, int64_t code);

#endif
