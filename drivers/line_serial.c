/* SPDX-License-Identifier: MIT */
/*
 * line_serial.c - a serial port opened for this process alone, and refused with the reason when it cannot be.
 *
 * Two masters on one bus ruin each other's traffic, so a port is claimed twice: TIOCEXCL keeps out programs
 * that know nothing of locks (not root's), flock() those that do. The claim is tested before the port is
 * touched: a port that is in use keeps its rate and its modem lines.
 *
 * Real ports are opened and set by libserialport; it knows no ptys, so these (and ports it does not find
 * in sysfs) are set by line_speed.c. A pty keeps TIOCEXCL until its master closes, past a crash of ours, so
 * ptys are locked by flock() only.
 */
#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <linux/serial.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "drivers/line.h"

#define CONSOLES "/sys/class/tty/console/active"
#define FD_LIMIT 1024 /* libmodbus uses FD_SET */
#define BAUD_TOLERANCE_PERCENT 2

/* Unix98 ptys: majors 136..143 (Documentation/admin-guide/devices.txt). */
static bool is_pty(dev_t device)
{
    return major(device) >= 136 && major(device) <= 143;
}

static int refuse_console(const char *node, char *why, size_t cap)
{
    char active[512];
    int fd = open(CONSOLES, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0; /* no sysfs, no console */
    ssize_t n = read(fd, active, sizeof active - 1);
    close(fd);
    active[n > 0 ? n : 0] = '\0';
    if (!rh_line_is_console(active, node))
        return 0;
    snprintf(why, cap,
             "%s carries the system console (%s): take console=%s off the kernel's command line and stop "
             "its getty first",
             node, CONSOLES, strrchr(node, '/') + 1);
    return -EBUSY;
}

static int say_not_a_tty(const char *node, char *why, size_t cap)
{
    snprintf(why, cap, "%s is not a serial port (not a tty)", node);
    return -ENOTTY;
}

static int say_open_error(int error, const char *node, char *why, size_t cap)
{
    switch (error) {
    case ENOTTY:
        return say_not_a_tty(node, why, cap);
    case EACCES:
    case EPERM:
        snprintf(why, cap, "permission denied on %s: add the user to the group dialout", node);
        break;
    case EBUSY:
        snprintf(why, cap, "%s is in use by another program", node);
        break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        snprintf(why, cap, "there is no device behind %s: is the adapter plugged in?", node);
        break;
    default:
        snprintf(why, cap, "cannot open %s: %s", node, strerror(error));
        break;
    }
    return -error;
}

/* flock, and nobody else's TIOCEXCL (which root's open() passes over). */
static int claim(int fd, const char *node, char *why, size_t cap)
{
    int exclusive = 0;
    if (ioctl(fd, TIOCGEXCL, &exclusive) == 0 && exclusive)
        return say_open_error(EBUSY, node, why, cap);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return say_open_error(errno, node, why, cap);
    snprintf(why, cap, "%s is in use: another program holds its lock", node);
    return -EBUSY;
}

/* A claimed descriptor of a tty whose settings are untouched, or a negative errno. */
static int open_claimed(const char *node, bool *ret_pty, char *why, size_t cap)
{
    struct stat status;
    if (stat(node, &status) < 0)
        return say_open_error(errno, node, why, cap);
    if (!S_ISCHR(status.st_mode))
        return say_not_a_tty(node, why, cap);
    *ret_pty = is_pty(status.st_rdev);
    int fd = open(node, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return say_open_error(errno, node, why, cap);
    int error = isatty(fd) ? claim(fd, node, why, cap) : say_not_a_tty(node, why, cap);
    if (!error)
        return fd;
    close(fd);
    return error;
}

static enum sp_parity parity_of(char parity)
{
    return parity == 'E' ? SP_PARITY_EVEN : parity == 'O' ? SP_PARITY_ODD : SP_PARITY_NONE;
}

/* 0 or libserialport's negative code. */
static int set_by_library(struct sp_port *port, const struct rh_serial *serial)
{
    int error = sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE);
    if (!error)
        error = sp_set_bits(port, serial->data_bits);
    if (!error)
        error = sp_set_parity(port, parity_of(serial->parity));
    if (!error)
        error = sp_set_stopbits(port, serial->stop_bits);
    if (!error)
        error = sp_set_baudrate(port, (int)serial->baud);
    return error;
}

static int say_impossible(const char *node, const struct rh_serial *serial, char *why, size_t cap)
{
    snprintf(why, cap, "%s cannot do %lld baud %d%c%d", node, (long long)serial->baud, serial->data_bits,
             serial->parity, serial->stop_bits);
    return -EINVAL;
}

/* Hands a real port over to libserialport: `fd` stays open meanwhile, so that its modem lines do not drop. */
static int open_by_library(struct rh_line *line, int fd, const char *node, const struct rh_serial *serial,
                           char *why, size_t cap)
{
    int own = -1;
    flock(fd, LOCK_UN); /* a lock of libserialport's own would meet ours */
    if (sp_open(line->port, SP_MODE_READ_WRITE) != SP_OK) {
        int error = sp_last_error_code();
        return say_open_error(error > 0 ? error : EIO, node, why, cap);
    }
    if (sp_get_port_handle(line->port, &own) != SP_OK || flock(own, LOCK_EX | LOCK_NB) < 0) {
        sp_close(line->port);
        return say_open_error(EBUSY, node, why, cap);
    }
    if (set_by_library(line->port, serial) != SP_OK) {
        sp_close(line->port);
        return say_impossible(node, serial, why, cap);
    }
    close(fd);
    line->fd = own;
    return 0;
}

/* Takes over the claimed `fd` on success. */
static int set_up(struct rh_line *line, int fd, const char *node, const struct rh_serial *serial, char *why,
                  size_t cap)
{
    if (line->kind == RH_LINE_TTY && sp_get_port_by_name(node, &line->port) == SP_OK) {
        int error = open_by_library(line, fd, node, serial, why, cap);
        if (error) {
            sp_free_port(line->port);
            line->port = NULL;
        }
        return error;
    }
    line->port = NULL;
    if (rh_line_set_raw(fd, serial) < 0)
        return say_impossible(node, serial, why, cap);
    line->fd = fd;
    return 0;
}

static int check_number(int fd, const char *node, char *why, size_t cap)
{
    if (fd < FD_LIMIT)
        return 0;
    snprintf(why, cap, "cannot use %s: more than %d files are open in this process", node, FD_LIMIT);
    return -EMFILE;
}

/* What the driver really set: within the two percent that a start-stop receiver forgives. */
static int check_speed(int fd, const char *node, const struct rh_serial *serial, char *why, size_t cap)
{
    int64_t actual = 0;
    int error = rh_line_speed(fd, &actual);
    if (error)
        return say_open_error(-error, node, why, cap);
    int64_t off = actual > serial->baud ? actual - serial->baud : serial->baud - actual;
    if (off * 100 <= serial->baud * BAUD_TOLERANCE_PERCENT)
        return 0;
    snprintf(why, cap, "%s cannot do %lld baud: the nearest it has is %lld", node, (long long)serial->baud,
             (long long)actual);
    return -EINVAL;
}

/* Without it some adapters hold bytes back for up to 16 ms. Not all have it, and none needs it. */
static void lower_latency(int fd)
{
    struct serial_struct settings;
    if (ioctl(fd, TIOCGSERIAL, &settings) < 0)
        return;
    settings.flags |= (int)ASYNC_LOW_LATENCY;
    (void)ioctl(fd, TIOCSSERIAL, &settings);
}

static int settle(struct rh_line *line, const char *node, const struct rh_serial *serial, char *why,
                  size_t cap)
{
    int error = check_number(line->fd, node, why, cap);
    if (error)
        return error;
    error = rh_line_set_habits(line->fd);
    if (error)
        return say_open_error(-error, node, why, cap);
    error = check_speed(line->fd, node, serial, why, cap);
    if (error)
        return error;
    if (line->kind == RH_LINE_TTY) {
        (void)ioctl(line->fd, TIOCEXCL);
        lower_latency(line->fd);
    }
    tcflush(line->fd, TCIOFLUSH);
    return 0;
}

int rh_line_open_serial(struct rh_line *line, const struct rh_serial *serial, char *why, size_t cap)
{
    char node[PATH_MAX];
    bool pty = false;
    rh_assert(line->fd < 0);
    int error = rh_line_resolve(serial->port, node, sizeof node, why, cap);
    if (!error)
        error = refuse_console(node, why, cap);
    if (error)
        return error;
    int fd = open_claimed(node, &pty, why, cap);
    if (fd < 0)
        return fd;
    line->kind = pty ? RH_LINE_PTY : RH_LINE_TTY;
    error = set_up(line, fd, node, serial, why, cap);
    if (error) {
        close(fd);
        return error;
    }
    error = settle(line, node, serial, why, cap);
    if (error)
        rh_line_close(line);
    return error;
}
