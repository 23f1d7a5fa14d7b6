/* SPDX-License-Identifier: MIT */
/* Plain text, certificates and secrets: what [mqtt] lets through and what it refuses. */
#include "tests/unit/config/check.h"

#define NO_LINE "/x.ini: warning: there is no line: nothing is read\n"
#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nMIIEsecret\n-----END PRIVATE KEY-----\n"
#define PLAIN_WRONG "everybody on the way can read and change plain text; if it must be, say tls = no"
#define TLS_BROKER "[mqtt]\nbroker = mqtts://b\n"

static const struct {
    const char *text, *messages;
} rows[] = {
    /* --- schemes --- */
    {"[mqtt]\nbroker = mqtt://b\n",
     "/x.ini:2:10: error: broker = \"mqtt://b\": " PLAIN_WRONG "; did you mean \"mqtts://b\"?\n"},
    {"[mqtt]\nbroker = mqtts://a, mqtt://[fe80::1]:1883/ ,mqtt://b:99\n",
     "/x.ini:2:21: error: broker = \"mqtt://[fe80::1]:1883/\": " PLAIN_WRONG
     "; did you mean \"mqtts://[fe80::1]\"?\n"
     "/x.ini:2:45: error: broker = \"mqtt://b:99\": " PLAIN_WRONG "; did you mean \"mqtts://b:99\"?\n"},
    {"[mqtt]\nbroker = mqtt://localhost.example\n",
     "/x.ini:2:10: error: broker = \"mqtt://localhost.example\": " PLAIN_WRONG
     "; did you mean \"mqtts://localhost.example\"?\n"},
    {"[mqtt]\nbroker = mqtt://128.0.0.1\n", "/x.ini:2:10: error: broker = \"mqtt://128.0.0.1\": " PLAIN_WRONG
                                            "; did you mean \"mqtts://128.0.0.1\"?\n"},
    {"[mqtt]\ntls = no\nbroker = mqtt://b, mqtt://10.0.0.1:99\n", ""},
    {"[mqtt]\nbroker = mqtt://localhost, mqtt://127.1.2.3:9, mqtt://[::1]\n", ""},
    {"[mqtt]\nbroker = mqtts://b\n[mqtt]\ntls = yes\n", ""},
    {"[mqtt]\ntls = yes\n",
     "/x.ini:2:7: error: broker = \"mqtt://localhost:1883\": tls = yes forbids plain text; did you mean "
     "\"mqtts://localhost\"?\n"},
    {"[mqtt]\ntls = yes\nbroker = mqtts://a, mqtt://127.0.0.1\n",
     "/x.ini:3:21: error: broker = \"mqtt://127.0.0.1\": tls = yes forbids plain text; did you mean "
     "\"mqtts://127.0.0.1\"?\n"},
    {"[mqtt]\ntls = no\nbroker = mqtts://a:8883, mqtts://b:9\n",
     "/x.ini:3:10: error: broker = \"mqtts://a:8883\": tls = no contradicts this; did you mean "
     "\"mqtt://a\"?\n"
     "/x.ini:3:26: error: broker = \"mqtts://b:9\": tls = no contradicts this; did you mean "
     "\"mqtt://b:9\"?\n"},
    {"[mqtt]\ntls = nope\nbroker = mqtt://a\n",
     "/x.ini:2:7: error: tls = \"nope\": must be one of auto, yes, no\n"},
    {"[mqtt]\nbroker = ws://localhost, wss://b\n",
     "/x.ini:2:10: error: broker = \"ws://localhost\": ws:// is not built yet\n"
     "/x.ini:2:26: error: broker = \"wss://b\": wss:// is not built yet\n"},
    /* --- certificates and keys --- */
    {TLS_BROKER "ca_file = /ca\ncert_file = /cert\nkey_file = /key\n", ""},
    {TLS_BROKER "ca_file = /trusted\n", ""},
    {TLS_BROKER "ca_file = /none\n",
     "/x.ini:3:11: error: ca_file \"/none\" cannot be read: No such file or directory\n"},
    {TLS_BROKER "ca_file = /der\ncert_file = /key\nkey_file = /cert\n",
     "/x.ini:3:11: error: ca_file \"/der\" holds no certificate in PEM form\n"
     "/x.ini:4:13: error: cert_file \"/key\" holds no certificate in PEM form\n"
     "/x.ini:5:12: error: key_file \"/cert\" can be read by everybody: chmod o-r it\n"
     "/x.ini:5:12: error: key_file \"/cert\" holds no private key in PEM form\n"},
    {TLS_BROKER "cert_file = /closed\nkey_file = /closed\n",
     "/x.ini:3:13: error: cert_file \"/closed\" cannot be read: Permission denied\n"
     "/x.ini:4:12: error: key_file \"/closed\" cannot be read: Permission denied\n"},
    {TLS_BROKER "cert_file = /cert\nkey_file = /open\n",
     "/x.ini:4:12: error: key_file \"/open\" can be read by everybody: chmod o-r it\n"},
    {TLS_BROKER "cert_file = /cert\nkey_file = /encrypted\n",
     "/x.ini:4:12: error: key_file \"/encrypted\" is encrypted, and nobody is there to be asked for its "
     "passphrase\n"},
    {TLS_BROKER "cert_file = /cert\nkey_file = /old\n",
     "/x.ini:4:12: error: key_file \"/old\" is encrypted, and nobody is there to be asked for its "
     "passphrase\n"},
    {TLS_BROKER "cert_file = /cert\n", "/x.ini:3:13: error: cert_file needs key_file\n"},
    {TLS_BROKER "key_file = /key\n", "/x.ini:3:12: error: key_file needs cert_file\n"},
    {TLS_BROKER "cert_file = /cert\nkey_file = \"\\q\"\n",
     "/x.ini:4:13: error: \\q: unknown escape; there are \\\" \\\\ \\n \\r \\t \\xNN\n"},
    {"[mqtt]\nca_file = /ca\ncert_file = /cert\nkey_file = /key\n",
     "/x.ini:2:11: warning: ca_file has no effect: no broker is mqtts://\n"
     "/x.ini:3:13: warning: cert_file has no effect: no broker is mqtts://\n"},
    /* --- passwords --- */
    {"[mqtt]\npassword_file = /password\n", ""},
    {"[mqtt]\npassword_file = /blank\n", "/x.ini:2:17: error: password_file \"/blank\" is empty\n"},
    {"[mqtt]\npassword_file = /open\n",
     "/x.ini:2:17: error: password_file \"/open\" can be read by everybody: chmod o-r it\n"},
    {"[mqtt]\nversion = 3.1.1\npassword_file = /password\n",
     "/x.ini:3:17: error: MQTT 3.1.1 knows no password without a username\n"},
};

static const struct fake_file disk[] = {
    {.path = "/ca", .text = CERTIFICATE CERTIFICATE, .world_readable = true},
    {.path = "/cert", .text = "Subject: box7\n" CERTIFICATE, .world_readable = true},
    {.path = "/trusted",
     .text = "-----BEGIN TRUSTED CERTIFICATE-----\nMIIB\n-----END TRUSTED CERTIFICATE-----\n"},
    {.path = "/key", .text = KEY},
    {.path = "/open", .text = KEY, .world_readable = true},
    {.path = "/der", .text = "\x30\x82\x00\x01", .len = 4},
    {.path = "/closed", .error = -EACCES},
    {.path = "/encrypted", .text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n"},
    {.path = "/old", .text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIF\n"},
    {.path = "/password", .text = "open sesame\n"},
    {.path = "/blank", .text = "\nopen sesame\n"},
};

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct fake_file files[RH_COUNT(disk) + 1];
        char expected[1000];

        memcpy(files, disk, sizeof(disk));
        files[RH_COUNT(disk)] = (struct fake_file){.path = "/x.ini", .text = rows[i].text};
        snprintf(expected, sizeof(expected), NO_LINE "%s", rows[i].messages);
        expect_messages(files, RH_COUNT(files), expected);
    }
}

static void what_brokers_come_to(void **state)
{
    struct fake_file files[RH_COUNT(disk) + 1];

    (void)state;
    memcpy(files, disk, sizeof(disk));
    files[RH_COUNT(disk)] = (struct fake_file){
        .path = "/x.ini",
        .text = "[mqtt]\nbroker = mqtts://a, mqtts://[fe80::1]:99, mqtt://127.0.0.1\nca_file = /ca\n"
                "cert_file = /cert\nkey_file = /key\npassword_file = /password\n"};
    struct rh_config *config = load_good(files, RH_COUNT(files));
    const struct rh_mqtt_conf *mqtt = &config->mqtt;
    assert_int_equal(mqtt->n_brokers, 3);
    assert_true(mqtt->brokers[0].tls && mqtt->brokers[1].tls && !mqtt->brokers[2].tls);
    assert_int_equal(mqtt->brokers[0].port, 8883);
    assert_string_equal(mqtt->brokers[1].host, "fe80::1");
    assert_int_equal(mqtt->brokers[1].port, 99);
    assert_int_equal(mqtt->brokers[2].port, 1883);
    assert_string_equal(mqtt->ca_file, "/ca");
    assert_string_equal(mqtt->cert_file, "/cert");
    assert_string_equal(mqtt->key_file, "/key");
    char *text = dumped(config, true);
    assert_null(strstr(text, "sesame"));
    assert_null(strstr(text, "MIIE"));
    free(text);
    rh_config_free(config);
}

static void without_certificates(void **state)
{
    struct rh_config *config = load_text(TLS_BROKER);

    (void)state;
    assert_true(config->mqtt.brokers[0].tls);
    assert_string_equal(config->mqtt.ca_file, "");
    assert_string_equal(config->mqtt.cert_file, "");
    assert_string_equal(config->mqtt.key_file, "");
    rh_config_free(config);
}

/* --- systemd's credentials --- */

static const struct credential_row {
    const char *text;
    const char *password, *key; /* what is taken */
    const char *messages;       /* not NULL: it does not load */
    struct fake_file credentials[2];
} credential_rows[] = {
    {"", "/run/c/mqtt-password", "", NULL, {{.path = "/run/c/mqtt-password", .text = "p"}}},
    {"", "/run/c/railhead_mqtt-password", "", NULL, {{.path = "/run/c/railhead_mqtt-password", .text = "p"}}},
    {"", "", "", NULL, {{.path = "/run/c/other", .text = "p"}}},
    {"[mqtt]\npassword_file = /password\n",
     "/password",
     "",
     NULL,
     {{.path = "/run/c/mqtt-password", .text = "p"}}},
    {"[mqtt]\npassword_file =\n", "", "", NULL, {{.path = "/run/c/mqtt-password", .text = "p"}}},
    /* The example's file is root's; the service has the credential made from it, whatever its name. */
    {"[mqtt]\npassword_file = /etc/railhead/credentials/secret\n",
     "/run/c/railhead_secret",
     "",
     NULL,
     {{.path = "/etc/railhead/credentials/secret", .error = -EACCES},
      {.path = "/run/c/railhead_secret", .text = "p"}}},
    {"[mqtt]\npassword_file = /none/secret\n",
     "",
     "",
     "/x.ini:2:17: error: password_file \"/none/secret\" cannot be read: No such file or directory\n",
     {{.path = "/run/c/secret", .text = "p"}}},
    {"[mqtt]\nusername = u\n",
     "",
     "",
     "/x.ini:1:1: error: password_file \"/run/c/mqtt-password\" is empty\n",
     {{.path = "/run/c/mqtt-password", .text = "\n"}}},
    {"[mqtt]\nversion = 3.1.1\n",
     "",
     "",
     "/x.ini:1:1: error: MQTT 3.1.1 knows no password without a username\n",
     {{.path = "/run/c/mqtt-password", .text = "p"}}},
    {"[mqtt]\n",
     "",
     "",
     "/x.ini:1:1: error: password_file \"/run/c/mqtt-password\" cannot be read: Permission denied\n",
     {{.path = "/run/c/mqtt-password", .error = -EACCES}}},
    {TLS_BROKER "cert_file = /cert\n",
     "",
     "/run/c/railhead_mqtt-key",
     NULL,
     {{.path = "/run/c/railhead_mqtt-key", .text = KEY}}},
    {TLS_BROKER, "", "", NULL, {{.path = "/run/c/mqtt-key", .text = KEY}}},
    {TLS_BROKER "cert_file = /cert\nkey_file = /closed\n",
     "",
     "/run/c/closed",
     NULL,
     {{.path = "/run/c/closed", .text = KEY}}},
};

static void check_credentials(const struct credential_row *row, const struct fake_file *files, size_t n)
{
    struct rh_config *config = load_good(files, n);

    assert_string_equal(config->mqtt.password_file, row->password);
    assert_string_equal(config->mqtt.key_file, row->key);
    char *text = dumped(config, false);
    struct fake_file again[RH_COUNT(disk) + 3];
    memcpy(again, files, n * sizeof(*files));
    again[n - 1].text = text;
    struct rh_config *second = load_good(again, n);
    assert_true(config->mqtt.fingerprint == second->mqtt.fingerprint);
    free(text);
    rh_config_free(second);
    rh_config_free(config);
}

static void credentials(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(credential_rows); i++) {
        const struct credential_row *row = &credential_rows[i];
        struct fake_file files[RH_COUNT(disk) + 3];
        size_t n = RH_COUNT(disk);
        char expected[1000];

        memcpy(files, disk, sizeof(disk));
        for (size_t c = 0; c < RH_COUNT(row->credentials) && row->credentials[c].path; c++)
            files[n++] = row->credentials[c];
        files[n++] = (struct fake_file){.path = "/x.ini", .text = row->text};
        fake_credentials = "/run/c";
        if (row->messages) {
            snprintf(expected, sizeof(expected), NO_LINE "%s", row->messages);
            expect_messages(files, n, expected);
        } else {
            check_credentials(row, files, n);
        }
        fake_credentials = NULL;
    }
}

/* Outside of systemd nothing is looked for. */
static void no_credentials(void **state)
{
    const struct fake_file files[] = {{.path = "/mqtt-password", .text = "p"},
                                      {.path = "/x.ini", .text = ""}};
    struct rh_config *config = load_good(files, RH_COUNT(files));

    (void)state;
    assert_string_equal(config->mqtt.password_file, "");
    rh_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),      cmocka_unit_test(what_brokers_come_to),
        cmocka_unit_test(without_certificates), cmocka_unit_test(credentials),
        cmocka_unit_test(no_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
