/* SPDX-License-Identifier: MIT */
/*
 * mqtt_files.c - the files that [mqtt] names: password, certificates and key. They are read when they are
 * used, which may be long after this check; no byte of a secret stays in memory or goes into a message.
 *
 * A secret may be a credential of systemd, which is made from a file that only root can read:
 *
 *     LoadCredential=railhead:/etc/railhead/credentials     a folder: /etc/railhead/credentials/mqtt-password
 *                                                           is $CREDENTIALS_DIRECTORY/railhead_mqtt-password
 *     LoadCredential=mqtt-password:/some/file               $CREDENTIALS_DIRECTORY/mqtt-password
 *
 * It is taken if nothing was said, and in the place of a file of its name that we may not read: so
 * `password_file = /etc/railhead/credentials/mqtt-password` is right for root and for the service.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"

struct kind {
    const char *key;                                    /* of [mqtt] */
    const char *credential;                             /* NULL: it is no secret */
    const char *(*wrong)(const char *text, size_t len); /* what is wrong with it: "is empty"; NULL: nothing */
};

static bool holds(const char *text, size_t len, const char *what)
{
    return memmem(text, len, what, strlen(what)) != NULL;
}

static const char *wrong_password(const char *text, size_t len)
{
    (void)len;
    return strcspn(text, "\r\n") == 0 ? "is empty" : NULL;
}

static const char *wrong_certificate(const char *text, size_t len)
{
    return holds(text, len, "-----BEGIN ") && holds(text, len, "CERTIFICATE-----")
               ? NULL
               : "holds no certificate in PEM form";
}

static const char *wrong_key(const char *text, size_t len)
{
    if (holds(text, len, "-----BEGIN ENCRYPTED ") || holds(text, len, "Proc-Type: 4,ENCRYPTED"))
        return "is encrypted, and nobody is there to be asked for its passphrase";
    return holds(text, len, "-----BEGIN ") && holds(text, len, "PRIVATE KEY-----")
               ? NULL
               : "holds no private key in PEM form";
}

static const struct kind password = {"password_file", "mqtt-password", wrong_password};
static const struct kind authority = {"ca_file", NULL, wrong_certificate};
static const struct kind certificate = {"cert_file", NULL, wrong_certificate};
static const struct kind private_key = {"key_file", "mqtt-key", wrong_key};

/* 0 or a negative errno; nothing of the file is kept. */
static int look_into(struct rh_loader *loader, const struct kind *kind, const char *path,
                     bool *ret_world_readable, const char **ret_wrong)
{
    struct rh_file file = {0};
    int r = loader->source->read(loader->source->context, path, &file);

    if (r < 0)
        return r;
    *ret_world_readable = file.world_readable;
    *ret_wrong = kind->wrong(file.text, file.len);
    explicit_bzero(file.text, file.len);
    free(file.text);
    return 0;
}

/* The path of systemd's credential of that name, or NULL. */
static const char *find_credential(struct rh_loader *loader, const struct kind *kind, const char *name)
{
    static const char *const prefixes[] = {"", "railhead_"};
    const char *folder = loader->source->credentials, *wrong;
    bool world_readable;

    for (size_t i = 0; folder && *name && i < RH_COUNT(prefixes); i++) {
        size_t most = strlen(folder) + strlen(prefixes[i]) + strlen(name) + 2;
        char *path = rh_arena_alloc(loader->arena, most);

        snprintf(path, most, "%s/%s%s", folder, prefixes[i], name);
        if (look_into(loader, kind, path, &world_readable, &wrong) != -ENOENT)
            return path;
    }
    return NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void check_file(struct rh_loader *loader, const struct kind *kind, const char **path)
{
    struct rh_place place = rh_load_place(loader, &loader->mqtt_settling, kind->key);
    const char *wrong = NULL, *credential = NULL;
    bool world_readable = false;
    int r = look_into(loader, kind, *path, &world_readable, &wrong);

    if (r == -EACCES && kind->credential)
        credential = find_credential(loader, kind, base_name(*path));
    if (credential) {
        *path = credential;
        r = look_into(loader, kind, credential, &world_readable, &wrong);
    }
    if (r < 0)
        rh_report_error(loader->report, place, NULL, "%s \"%s\" cannot be read: %s", kind->key, *path,
                        strerror(-r));
    if (kind->credential && world_readable)
        rh_report_error(loader->report, place, NULL, "%s \"%s\" can be read by everybody: chmod o-r it",
                        kind->key, *path);
    if (wrong)
        rh_report_error(loader->report, place, NULL, "%s \"%s\" %s", kind->key, *path, wrong);
}

/* Checks the file that is named, or else takes the credential; an empty text is no file. */
static void load_file(struct rh_loader *loader, const struct kind *kind, const char **path)
{
    struct rh_settling *settling = &loader->mqtt_settling;
    bool said = rh_settle_said(settling, kind->key) || rh_map_get(&settling->wrong, kind->key);

    if (!said && kind->credential) {
        const char *credential = find_credential(loader, kind, kind->credential);
        if (credential) {
            *path = credential;
            rh_settle_computed(settling, kind->key, credential, (struct rh_place){0});
        }
    }
    if (**path)
        check_file(loader, kind, path);
}

static bool has_tls(const struct rh_brokers *brokers)
{
    for (size_t i = 0; i < brokers->n; i++)
        if (brokers->at[i].tls)
            return true;
    return false;
}

static void check_pair(struct rh_loader *loader, const char *key, const char *value, const char *other)
{
    if (*value && !rh_map_get(&loader->mqtt_settling.wrong, other))
        rh_report_error(loader->report, rh_load_place(loader, &loader->mqtt_settling, key), NULL,
                        "%s needs %s", key, other);
}

/* What is said about TLS while no broker uses it was meant to do something. */
static void check_use(struct rh_loader *loader, const char *key, const char *value)
{
    if (*value && !has_tls(&loader->mqtt.brokers))
        rh_report_warning(loader->report, rh_load_place(loader, &loader->mqtt_settling, key), NULL,
                          "%s has no effect: no broker is mqtts://", key);
}

void rh_load_mqtt_files(struct rh_loader *loader)
{
    struct rh_mqtt_settings *mqtt = &loader->mqtt;

    load_file(loader, &password, &mqtt->password_file);
    if (*mqtt->password_file && !*mqtt->username && mqtt->version == RH_MQTT_311)
        rh_report_error(loader->report, rh_load_place(loader, &loader->mqtt_settling, password.key), NULL,
                        "MQTT 3.1.1 knows no password without a username");
    load_file(loader, &authority, &mqtt->ca_file);
    load_file(loader, &certificate, &mqtt->cert_file);
    /* A key that was not named is of no use without a certificate. */
    if (*mqtt->cert_file || *mqtt->key_file)
        load_file(loader, &private_key, &mqtt->key_file);
    if (!*mqtt->cert_file)
        check_pair(loader, private_key.key, mqtt->key_file, certificate.key);
    if (!*mqtt->key_file)
        check_pair(loader, certificate.key, mqtt->cert_file, private_key.key);
    check_use(loader, authority.key, mqtt->ca_file);
    check_use(loader, certificate.key, mqtt->cert_file);
}
