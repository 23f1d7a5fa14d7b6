/* SPDX-License-Identifier: MIT */
#include "tests/sim/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

int sim_loop_init(struct sim_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

    *loop = (struct sim_loop){.epoll = epoll_create1(EPOLL_CLOEXEC), .armed_ns = SIM_NEVER};
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->epoll < 0 || loop->timer < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->timer, &event) < 0)
        return -errno;
    return 0;
}

void sim_loop_fini(struct sim_loop *loop)
{
    close(loop->timer);
    close(loop->epoll);
}

int sim_loop_add(struct sim_loop *loop, struct sim_watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void sim_loop_close(struct sim_loop *loop, struct sim_watch *watch)
{
    if (watch->fd < 0)
        return;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    close(watch->fd);
    watch->fd = -1;
}

static void arm(struct sim_loop *loop, int64_t until_ns)
{
    struct itimerspec at = {0};

    if (loop->armed_ns == until_ns)
        return;
    if (until_ns != SIM_NEVER) {
        at.it_value.tv_sec = until_ns / SIM_S;
        at.it_value.tv_nsec = until_ns % SIM_S;
    }
    timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &at, NULL);
    loop->armed_ns = until_ns;
}

void sim_loop_wait(struct sim_loop *loop, int64_t until_ns)
{
    struct epoll_event events[16];
    int n;

    if (until_ns <= sim_now_ns()) {
        n = epoll_wait(loop->epoll, events, (int)SIM_COUNT(events), 0);
    } else {
        arm(loop, until_ns);
        n = epoll_wait(loop->epoll, events, (int)SIM_COUNT(events), -1);
    }
    for (int i = 0; i < n; i++) {
        struct sim_watch *watch = events[i].data.ptr;

        if (watch == NULL)
            loop->armed_ns = 0;  /* it fired */
        else if (watch->fd >= 0) /* not closed by an earlier one of this round */
            watch->ready(watch, events[i].events);
    }
}
