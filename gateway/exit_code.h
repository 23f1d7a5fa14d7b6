/* SPDX-License-Identifier: MIT */
/*
 * exit_code.h - what the process ends with (sysexits.h): part of the contract with systemd and scripts.
 */
#ifndef RH_GATEWAY_EXIT_CODE_H
#define RH_GATEWAY_EXIT_CODE_H

enum {
    RH_EXIT_OK = 0,
    RH_EXIT_FAILURE = 1,
    RH_EXIT_USAGE = 64,
    RH_EXIT_UNAVAILABLE = 69,
    RH_EXIT_IO = 74,
    RH_EXIT_PERMISSION = 77,
    RH_EXIT_CONFIG = 78,
};

#endif
