/* SPDX-License-Identifier: MIT */
/* What is wrong is said: all of it, at its exact place, once, with a suggestion where one is near. */
#include "tests/unit/config/check.h"

#define NO_LINE "/x.ini: warning: there is no line: nothing is read\n"
#define LINE "[line a]\nport = /dev/a\n"
#define ONE_POINT "[points x]\np = coil 1\n"

static void ten_mistakes_in_one_file(void **state)
{
    (void)state;
    expect("[gatewy]\n" /* 1 */
           "name = g\n"
           "[mqtt]\n"
           "  qos = 3\n"        /* 4 */
           "\tkeepalive = 60\n" /* 5 */
           "broker = wss://b\n" /* 6 */
           "[line a]\n"
           "port = /dev/a\n"
           "baudrat = 9600 ; comment\n" /* 9 */
           "baud = fast\n"              /* 10 */
           "baud = 300\n"               /* 11 */
           "[devices]\n"
           "x = b 1 -   intervall=1s\n" /* 13: two */
           "y = a 1 -   interval=10\n"  /* 14 */
           "[points x]\n"
           "p = coil 70000 urgent unti=V\n" /* 16: two */
           "[points yy]\n"                  /* 17 */
           "p = input 3 u77\n",             /* 18 */
           "/x.ini:1:2: error: unknown section [gatewy]; did you mean \"gateway\"?\n"
           "/x.ini:4:9: error: qos = \"3\": must be from 0 to 2\n"
           "/x.ini:5:14: error: keepalive = \"60\": the unit is missing (ms, s, min, h, d); did you mean "
           "\"60s\"?\n"
           "/x.ini:6:10: error: broker = \"wss://b\": wss:// is not built yet\n"
           "/x.ini:9:1: error: unknown key \"baudrat\" in [line a]; did you mean \"baud\"?\n"
           "/x.ini:10:8: error: baud = \"fast\": must be a whole number\n"
           "/x.ini:11:1: error: duplicate key \"baud\" in [line a], first in line 10\n"
           "/x.ini:13:5: error: unknown line \"b\"\n"
           "/x.ini:13:13: error: unknown key \"intervall\" in row \"x\" of [devices]; did you mean "
           "\"interval\"?\n"
           "/x.ini:14:1: warning: row \"y\" of [devices] has no points\n"
           "/x.ini:14:22: error: interval = \"10\": the unit is missing (ms, s, min, h, d); did you mean "
           "\"10s\"?\n"
           "/x.ini:16:10: error: no address\n"
           "/x.ini:16:23: error: unknown key \"unti\" in point \"p\" of [points x]; did you mean \"unit\"?\n"
           "/x.ini:17:1: error: [points yy]: there is no device \"yy\"\n"
           "/x.ini:18:13: error: wrong type\n");
}

static const struct {
    const char *text, *messages;
} rows[] = {
    /* --- form --- */
    {"key = 1\n", "/x.ini:1:1: error: this stands before the first [section]\n"},
    {"[gateway]\nname\n", "/x.ini:2:1: error: \"=\" is missing: key = value\n"},
    {"[gateway]\n  = 3\n", "/x.ini:2:3: error: a key is missing before \"=\"\n"},
    {"[gateway\nname = g\n", "/x.ini:1:9: error: \"]\" is missing at the end of the section\n"},
    {"[gateway] x\n", "/x.ini:1:10: error: text after the section's \"]\"\n"},
    {"[]\n", "/x.ini:1:1: error: a section needs a kind: [line NAME]\n"},
    {"[line a b]\nport=/dev/a\n",
     "/x.ini:1:1: warning: [line a] has no devices\n"
     "/x.ini:1:9: error: a section is [kind] or [kind name], names have no blanks\n"},
    {"[gateway g]\n", "/x.ini:1:10: error: [gateway] takes no name\n"},
    {"[line]\n", "/x.ini:1:1: error: [line] needs a name: [line NAME]\n"},
    {"[line a.b]\n", "/x.ini:1:7: error: \"a.b\" is not a name: letters, digits, - and _, at most 64\n"},
    {"[gateway]\nname = \"g\n", "/x.ini:2:8: error: the quote that begins here is not closed on this line\n"},
    {"[gateway]\nname = g\ntag.a = \"\\q\"\n",
     "/x.ini:3:10: error: \\q: unknown escape; there are \\\" \\\\ \\n \\r \\t \\xNN\n"},
    {"[gateway]\nname = {x}\n", "/x.ini:2:8: error: {x}: nothing of this name can be put in here\n"},
    {"[gateway]\ntag.a = {1..2}\n",
     "/x.ini:2:9: error: {1..2}: a range stands only in names and addresses\n"},
    {"[gateway]\nna\x01me = g\n",
     "/x.ini:2:1: error: unknown key \"na?me\" in [gateway]; did you mean \"name\"?\n"
     "/x.ini:2:3: error: control character 0x01\n"},
    {"[gateway]\n# \xC3\xA4 ok\n; caf\xE9\nname = g\n", "/x.ini:3:6: error: byte 0xe9 is not valid UTF-8\n"},
    {"[clock]\nx = y\n", "/x.ini:1:2: error: [clock] is not built yet\n"},
    /* --- [gateway], [mqtt], [store] --- */
    {"[gateway]\nname = a.b\n",
     "/x.ini:2:8: error: name = \"a.b\": a name has letters, digits, - and _, at most 64\n"},
    {"[mqtt]\npsk_file = /x\n", "/x.ini:2:1: error: \"psk_file\" in [mqtt] is not built yet\n"},
    {"[mqtt]\nbroker = mqtt://u:secret@b\n",
     "/x.ini:2:10: error: broker: a password never stands in the URL; use username and password_file\n"},
    {"[mqtt]\nbroker = b:1883\n",
     "/x.ini:2:10: error: broker = \"b:1883\": must be a URL; did you mean \"mqtt://b:1883\"?\n"},
    {"[mqtt]\nbroker = mqtts://a, tcp://b:5\n", "/x.ini:2:21: error: broker = \"tcp://b:5\": unknown scheme: "
                                                "mqtt://, mqtts://; did you mean \"mqtt://b:5\"?\n"},
    {"[mqtt]\nbroker = mqtt://a:0\n",
     "/x.ini:2:10: error: broker = \"mqtt://a:0\": the port must be from 1 to 65535\n"},
    {"[mqtt]\nbroker = mqtt://::1\n",
     "/x.ini:2:10: error: broker = \"mqtt://::1\": an IPv6 address stands in brackets: mqtt://[::1]:1883\n"},
    {"[mqtt]\nbroker = \n", "/x.ini:2:9: error: broker = \"\": must be a URL; did you mean \"mqtt://\"?\n"},
    {"[mqtt]\nroot = a/+/b\n",
     "/x.ini:2:8: error: root = \"a/+/b\": a topic to publish to has no wildcards + and #\n"},
    {"[mqtt]\ndata_topic = a/#\n", "/x.ini:2:14: error: data_topic: a topic to publish to has no wildcards + "
                                   "and #: \"a/#\" of device \"device\"\n"},
    {"[mqtt]\ndata_topic = {rot}/x\n",
     "/x.ini:2:14: error: data_topic: unknown placeholder {rot}; did you mean \"root\"?\n"},
    {"[mqtt]\nformat = json, senml, jsn\n",
     "/x.ini:2:16: error: format = \"senml\": not built yet\n"
     "/x.ini:2:23: error: format = \"jsn\": unknown format; did you mean \"json\"?\n"},
    {"[mqtt]\npassword_file = /none\n",
     "/x.ini:2:17: error: password_file \"/none\" cannot be read: No such file or directory\n"},
    {"[mqtt]\nbackoff_min = 5min\n", "/x.ini:2:15: error: backoff_min is longer than backoff_max\n"},
    {"[mqtt]\nversion = 4\n", "/x.ini:2:11: error: version = \"4\": must be one of auto, 5, 3.1.1\n"},
    {"[store]\ndurability = relaxed\nwhen_full = drop-newest\nmax_size = 100KB\ncommit_interval = 5ms\n",
     "/x.ini:2:14: error: durability = \"relaxed\": not built yet\n"
     "/x.ini:3:13: error: when_full = \"drop-newest\": not built yet\n"
     "/x.ini:4:12: error: max_size = \"100KB\": unknown unit (B, KiB, MiB, GiB); did you mean \"100KiB\"?\n"
     "/x.ini:5:19: error: commit_interval = \"5ms\": must be from 10ms to 1h\n"},
    {"[store]\nmax_size = 64KiB\npath =\n",
     "/x.ini:2:12: error: max_size = \"64KiB\": must be from 1MiB to 16384GiB\n"
     "/x.ini:3:7: error: path = \"\": must not be empty\n"},
    /* --- lines --- */
    {"[defaults line]\nbaud = x\nhots = 1\n[defaults devices]\n",
     "/x.ini:2:8: error: baud = \"x\": must be a whole number\n"
     "/x.ini:3:1: error: unknown key \"hots\" in [defaults line]\n"
     "/x.ini:4:1: error: there are [defaults line] and [defaults device], not [defaults devices]; did you "
     "mean "
     "\"device\"?\n"},
    {LINE "driver = modbus-ascii\n"
          "[devices]\nx = a 1 -\n" ONE_POINT,
     "/x.ini:3:10: error: driver \"modbus-ascii\" is not built yet\n"},
    {LINE "driver = modbus-rut\n"
          "[devices]\nx = a 1 -\n" ONE_POINT,
     "/x.ini:3:10: error: unknown driver \"modbus-rut\"; did you mean \"modbus-rtu\"?\n"},
    {"[line a]\n[devices]\nx = a 1 -\n" ONE_POINT, "/x.ini:1:1: error: [line a] needs \"port\"\n"},
    {"[line a]\nport = \"\\q\"\nbaud = \n[devices]\nx = a 1 -\n" ONE_POINT,
     "/x.ini:2:9: error: \\q: unknown escape; there are \\\" \\\\ \\n \\r \\t \\xNN\n"
     "/x.ini:3:7: error: baud = \"\": must be a whole number\n"},
    {LINE "[line b]\nport = /dev/a\n[devices]\nx = a 1 -\ny = b 1 -\n[points {}]\n" ONE_POINT
          "[points y]\np = coil 1\n",
     "/x.ini:4:8: error: [line b] is on the same port as [line a] in line 1: /dev/a\n"
     "/x.ini:8:9: error: {} is not a range: {1..12}\n"},
    /* --- devices --- */
    {LINE "[devices]\nx = a 1\n" ONE_POINT, "/x.ini:4:8: error: row \"x\" of [devices] needs three columns: "
                                            "line, address and profile (- for none)\n"},
    {LINE "[devices]\nx = a 1 - here\n" ONE_POINT,
     "/x.ini:4:11: error: \"here\" in row \"x\" of [devices] is no option: after the three columns come "
     "key=value\n"},
    {LINE "[devices]\nx = a 1 - max_read=3  max_read=4\n" ONE_POINT,
     "/x.ini:4:23: error: duplicate key \"max_read\" in row \"x\" of [devices]\n"},
    {LINE "[devices]\nx = a 1 -\nx = a 2 -\n" ONE_POINT,
     "/x.ini:5:1: error: duplicate device \"x\", first in line 4\n"},
    {LINE "[devices]\nx = a 1 -\n" ONE_POINT
          "[devices]\nx{1..3} = a {1..2} -\n[points x{1..3}]\nq = coil 1\n",
     "/x.ini:8:13: error: {1..2}: the range must be as long as that of the name (3)\n"},
    {LINE "[devices]\nx{3..1} = a 1 -\nx{1..2}{1..3} = a 1 -\ny{1..2000} = a 1 -\n",
     "/x.ini:1:1: warning: [line a] has no devices\n"
     "/x.ini:4:2: error: a range counts up: {3..1} does not\n"
     "/x.ini:5:9: error: ranges side by side must be equally long: 3 here, 2 before\n"
     "/x.ini:6:2: error: a range of 2000: at most 1000 are allowed\n"},
    {LINE "[device x]\naddress = 1\n" ONE_POINT "[devices]\ngateway = a 1 -\n",
     "/x.ini:3:1: error: [device x] has no line\n"
     "/x.ini:8:1: warning: row \"gateway\" of [devices] has no points\n"
     "/x.ini:8:1: error: the device \"gateway\" is built in: choose another name\n"},
    {LINE "[devices]\nx = a 999 mtr\n" ONE_POINT, "/x.ini:4:7: error: unit \"999\" is not 1..247\n"
                                                  "/x.ini:4:11: error: unknown profile \"mtr\"\n"},
    {LINE "[devices]\nx = a - -\n" ONE_POINT, "/x.ini:4:7: error: row \"x\" of [devices] has no address\n"},
    {LINE "[devices]\nx = a 1 -\n[device x]\nwrites = some\nhost = y\n" ONE_POINT,
     "/x.ini:6:10: error: writes = \"some\": must be one of deny, allow\n"
     "/x.ini:7:1: error: unknown key \"host\" in [device x]\n"},
    {LINE "[devices]\na = - 1 - host=h\n[points a]\np = coil 1\n",
     "/x.ini:1:1: warning: [line a] has no devices\n"
     "/x.ini:4:1: error: \"host\" gives device \"a\" a line of its own, but there is a [line a] in line 1\n"},
    /* --- points --- */
    {LINE "[devices]\nx = a 1 -\n[points x]\np = urgent\nq = coil 1 unit urgent=7 every=5\nq = coil 1\n",
     "/x.ini:6:5: error: point \"p\" of [points x] does not say where it is read\n"
     "/x.ini:7:12: error: wrong type\n"
     "/x.ini:7:24: error: urgent = \"7\": must be yes or no\n"
     "/x.ini:7:32: error: every = \"5\": the unit is missing (ms, s, min, h, d); did you mean \"5s\"?\n"
     "/x.ini:8:1: error: duplicate point \"q\" in [points x], first in line 7\n"},
    {LINE
     "[devices]\nx = a 1 -\n[points x]\np = coil 1 lease=9s scale=0 scale=2 unit drop=never enum=0:a,b,0:c\n",
     "/x.ini:6:12: error: \"lease\" in point \"p\" of [points x] is not built yet\n"
     "/x.ini:6:27: error: scale = \"0\": must not be zero\n"
     "/x.ini:6:29: error: duplicate key \"scale\" in point \"p\" of [points x]\n"
     "/x.ini:6:37: error: \"unit\" needs a value: unit=TEXT\n"
     "/x.ini:6:47: error: drop = \"never\": must be one of oldest, last\n"
     "/x.ini:6:62: error: enum = \"b\": must be CODE:LABEL, as in 0:off,1:auto\n"
     "/x.ini:6:64: error: enum = \"0:c\": this code has a label already\n"},
    {LINE "[devices]\nx = a 1 -\n[points x]\np q = coil 1\n",
     "/x.ini:4:1: warning: row \"x\" of [devices] has no points\n"
     "/x.ini:6:1: error: \"p q\" is not a name: letters, digits, - and _, at most 64\n"},
    {"[points gateway]\n", "/x.ini:1:1: error: [points gateway] is not built yet\n"},
    {LINE "[devices]\nx = a 1 -\n[points x]\np = coil 1 deadband=1 report=all\n",
     "/x.ini:6:30: warning: point \"p\" of [points x]: deadband= has no effect with report=all; did you mean "
     "\"change\"?\n"},
};

static void rows_of_messages(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_report report;
        struct rh_config *config = NULL;
        struct fake_file file = {.path = "/x.ini", .text = rows[i].text};

        rh_report_init(&report);
        int r = fake_load(&file, 1, "box7", &report, &config);
        char *text = printed(&report);
        /* Nothing but [mqtt] and the like: nothing is read, and that is said. */
        const char *said = strncmp(text, NO_LINE, strlen(NO_LINE)) == 0 ? text + strlen(NO_LINE) : text;
        if (strcmp(said, rows[i].messages) != 0 || r != (report.n_errors ? -EINVAL : 0)) {
            print_error("row %zu:\n%s\n--- says\n%s\n--- not\n%s\n", i, rows[i].text, said, rows[i].messages);
            wrong++;
        }
        free(text);
        rh_report_fini(&report);
        rh_config_free(config);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_mistakes_in_one_file),
        cmocka_unit_test(rows_of_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
