/* SPDX-License-Identifier: MIT */
/*
 * line_speed.c - terminal settings by the kernel's struct termios2, which carries any baud rate as a number.
 *
 * Apart from the others because <asm/termbits.h> and <termios.h> exclude each other.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "drivers/line.h"

static unsigned size_flag(int data_bits)
{
    return data_bits == 5 ? CS5 : data_bits == 6 ? CS6 : data_bits == 7 ? CS7 : CS8;
}

int rh_line_set_raw(int fd, const struct rh_serial *serial)
{
    struct termios2 tio;
    if (ioctl(fd, TCGETS2, &tio) < 0)
        return -errno;
    tio.c_iflag = IGNBRK;
    tio.c_oflag = 0;
    tio.c_lflag = 0;
    tio.c_cflag = CREAD | CLOCAL | BOTHER | size_flag(serial->data_bits);
    if (serial->stop_bits == 2)
        tio.c_cflag |= CSTOPB;
    if (serial->parity != 'N')
        tio.c_cflag |= PARENB;
    if (serial->parity == 'O')
        tio.c_cflag |= PARODD;
    tio.c_ispeed = tio.c_ospeed = (speed_t)serial->baud;
    return ioctl(fd, TCSETS2, &tio) < 0 ? -errno : 0;
}

int rh_line_set_habits(int fd)
{
    struct termios2 tio;
    if (ioctl(fd, TCGETS2, &tio) < 0)
        return -errno;
    tio.c_cflag |= CREAD | CLOCAL;
    tio.c_cflag &= ~(unsigned)HUPCL;
    tio.c_cc[VMIN] = 1;
    tio.c_cc[VTIME] = 0;
    return ioctl(fd, TCSETS2, &tio) < 0 ? -errno : 0;
}

int rh_line_speed(int fd, int64_t *ret_baud)
{
    struct termios2 tio;
    if (ioctl(fd, TCGETS2, &tio) < 0)
        return -errno;
    *ret_baud = (int64_t)tio.c_ospeed;
    return 0;
}
