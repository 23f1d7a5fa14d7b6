/* SPDX-License-Identifier: MIT */
/* mosquitto.h - a real broker on the loopback interface, for the length of a test. */
#ifndef RH_TESTS_MOSQUITTO_H
#define RH_TESTS_MOSQUITTO_H

#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static inline unsigned mosquitto_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* Until somebody accepts connections on the port. */
static inline void mosquitto_await(unsigned port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int64_t until_us = rh_mono_us() + 5000000;
    for (bool up = false; !up;) {
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        up = connect(probe, (struct sockaddr *)&at, sizeof(at)) == 0;
        close(probe);
        assert_true(rh_mono_us() < until_us);
        rh_sleep_until(rh_mono_us() + (up ? 0 : 10000));
    }
}

/* Children of this program. A test that fails jumps out over its end: they are ended at exit. */
static pid_t mosquitto_running[16];

static inline void mosquitto_end(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    for (size_t i = 0; i < RH_COUNT(mosquitto_running); i++) {
        if (mosquitto_running[i] == pid)
            mosquitto_running[i] = 0;
    }
}

static inline void mosquitto_end_all(void)
{
    for (size_t i = 0; i < RH_COUNT(mosquitto_running); i++) {
        if (mosquitto_running[i])
            mosquitto_end(mosquitto_running[i]);
    }
}

static inline pid_t mosquitto_spawn(const char *program, char *const arguments[])
{
    static bool registered;
    size_t i = 0;
    if (!registered)
        registered = atexit(mosquitto_end_all) == 0;
    while (i < RH_COUNT(mosquitto_running) && mosquitto_running[i])
        i++;
    assert_true(i < RH_COUNT(mosquitto_running));
    assert_int_equal(posix_spawnp(&mosquitto_running[i], program, NULL, NULL, arguments, environ), 0);
    return mosquitto_running[i];
}

/* `more`: lines of the configuration that belong to the listener. */
static inline pid_t mosquitto_start(unsigned port, const char *more)
{
    char config[] = "/tmp/rh-mosquitto-XXXXXX";
    int fd = mkstemp(config);
    assert_true(fd >= 0);
    /* Started by root, it would become another user, who cannot read the test's keys. */
    dprintf(fd, "%sallow_anonymous true\npersistence false\nlog_dest none\nlistener %u 127.0.0.1\n%s",
            getuid() == 0 ? "user root\n" : "", port, more);
    close(fd);
    char program[] = "mosquitto";
    char option[] = "-c";
    char *arguments[] = {program, option, config, NULL};
    const char *path = access("/usr/sbin/mosquitto", X_OK) == 0 ? "/usr/sbin/mosquitto" : "mosquitto";
    pid_t pid = mosquitto_spawn(path, arguments);
    mosquitto_await(port);
    unlink(config);
    return pid;
}

#endif
