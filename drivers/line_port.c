/* SPDX-License-Identifier: MIT */
/*
 * line_port.c - which node a configured port is today.
 *
 * A path may be a symlink (/dev/serial/by-id/…); `usb:VID:PID[:SERIAL]` names an adapter wherever the kernel
 * put it. Both are looked up at every open, because an adapter that comes back may get another number.
 */
#include <errno.h>
#include <libserialport.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/line.h"

struct usb_identity {
    unsigned vendor, product;
    const char *serial; /* NULL: any */
};

static bool parse_usb(const char *port, struct usb_identity *ret_identity)
{
    int end = 0;
    *ret_identity = (struct usb_identity){0};
    if (sscanf(port, "usb:%4x:%4x%n", &ret_identity->vendor, &ret_identity->product, &end) != 2 || end == 0)
        return false;
    if (port[end] == ':' && port[end + 1] != '\0')
        ret_identity->serial = port + end + 1;
    return port[end] == '\0' || ret_identity->serial != NULL;
}

static bool is_it(const struct sp_port *port, const struct usb_identity *identity)
{
    int vendor = 0, product = 0;
    if (sp_get_port_transport(port) != SP_TRANSPORT_USB)
        return false;
    if (sp_get_port_usb_vid_pid(port, &vendor, &product) != SP_OK)
        return false;
    if ((unsigned)vendor != identity->vendor || (unsigned)product != identity->product)
        return false;
    const char *serial = sp_get_port_usb_serial(port);
    return !identity->serial || (serial && strcmp(serial, identity->serial) == 0);
}

/* Copies the node of the one match; returns how many there are. */
static int find_usb(const struct usb_identity *identity, char *ret_node, size_t node_cap)
{
    struct sp_port **ports;
    int found = 0;
    if (sp_list_ports(&ports) != SP_OK)
        return 0;
    for (size_t i = 0; ports[i]; i++) {
        if (is_it(ports[i], identity) && found++ == 0)
            snprintf(ret_node, node_cap, "%s", sp_get_port_name(ports[i]));
    }
    sp_free_port_list(ports);
    return found;
}

static int resolve_usb(const char *port, char *ret_node, size_t node_cap, char *why, size_t cap)
{
    struct usb_identity identity;
    if (!parse_usb(port, &identity)) {
        snprintf(why, cap, "\"%s\" names no adapter: write usb:VID:PID or usb:VID:PID:SERIAL, in hex", port);
        return -EINVAL;
    }
    int found = find_usb(&identity, ret_node, node_cap);
    if (found == 1)
        return 0;
    if (found == 0)
        snprintf(why, cap, "no adapter %s is plugged in", port);
    else
        snprintf(why, cap, "%d adapters are %s: add the serial number, or use /dev/serial/by-path", found,
                 port);
    return found ? -ENOTUNIQ : -ENOENT;
}

int rh_line_resolve(const char *port, char *ret_node, size_t node_cap, char *why, size_t cap)
{
    if (strncmp(port, "usb:", 4) == 0)
        return resolve_usb(port, ret_node, node_cap, why, cap);
    char node[PATH_MAX];
    if (!realpath(port, node)) {
        int error = errno;
        if (error == ENOENT || error == ENOTDIR)
            snprintf(why, cap, "there is no port %s: is the adapter plugged in?", port);
        else
            snprintf(why, cap, "cannot look up %s: %s", port, strerror(error));
        return error == ENOTDIR ? -ENOENT : -error;
    }
    if (strlen(node) >= node_cap) {
        snprintf(why, cap, "the path of %s is too long", port);
        return -ENAMETOOLONG;
    }
    memcpy(ret_node, node, strlen(node) + 1);
    return 0;
}

bool rh_line_is_console(const char *active, const char *node)
{
    const char *slash = strrchr(node, '/');
    const char *name = slash ? slash + 1 : node;
    size_t len = strlen(name);
    for (const char *word = active; *word;) {
        size_t n = strcspn(word, " \n");
        if (n == len && strncmp(word, name, n) == 0)
            return true;
        word += n;
        word += strspn(word, " \n");
    }
    return false;
}
