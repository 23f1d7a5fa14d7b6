/* SPDX-License-Identifier: MIT */
/*
 * speed.c - the baud rate that the master has set on the terminal, odd ones included. On a terminal's master
 * side the kernel shows the settings of the other side. Alone in its file because the kernel's termios2
 * and the C library's termios cannot be included together.
 */
#include "tests/sim/port.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>

extern int ioctl(int fd, unsigned long request, ...);

uint32_t sim_port_speed(const struct sim_port *port)
{
    struct termios2 settings;

    if (port->tcp || port->master < 0 || ioctl(port->master, TCGETS2, &settings) < 0)
        return 0;
    return settings.c_ospeed;
}
