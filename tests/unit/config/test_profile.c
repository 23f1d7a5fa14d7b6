/* SPDX-License-Identifier: MIT */
/* Profiles: found by name, their mistakes said once and at their own place, parameters. */
#include "tests/unit/config/check.h"

#define SITE                                                                                                 \
    "[line a]\nport = /dev/a\n[devices]\n"                                                                   \
    "m{1..3} = a {1..3} meter\n"

static void mistakes_in_a_profile_are_said_once(void **state)
{
    const struct fake_file files[] = {{.path = "/profiles/meter.ini",
                                       .text = "[profile]\n"
                                               "vendor = Acme\n"
                                               "turnaround = 9\n" /* 3 */
                                               "addres = 7\n"     /* 4 */
                                               "line = a\n"       /* 5 */
                                               "[profile]\n"      /* 6 */
                                               "title = {ct2}\n"  /* 7 */
                                               "[parameters]\n"
                                               "ct = 0 1..10 \"ratio\"\n" /* 9 */
                                               "pt = 1 10..1\n"           /* 10 */
                                               "title = x\n"              /* 11 */
                                               "vt = 1 1..2 help more\n"  /* 12: two */
                                               "[points]\n"
                                               "v = input 0 f33\n"            /* 14 */
                                               "w = input 0 f32 scale={cd}\n" /* 15 */
                                               "w = input 2 f32\n"            /* 16 */
                                               "[gruop x]\n"},
                                      {.path = "/x.ini", .text = SITE}};

    (void)state;
    expect_messages(
        files, 2,
        "/profiles/meter.ini:3:14: error: turnaround = \"9\": the unit is missing (ms, s, min, h, d); did "
        "you "
        "mean \"9ms\"?\n"
        "/profiles/meter.ini:4:1: error: unknown key \"addres\" in [profile]; did you mean \"address\"?\n"
        "/profiles/meter.ini:5:1: error: \"line\" does not belong into a profile\n"
        "/profiles/meter.ini:6:1: error: a second [profile] in one file\n"
        "/profiles/meter.ini:7:9: error: {ct2}: nothing of this name can be put in here; did you mean "
        "\"ct\"?\n"
        "/profiles/meter.ini:9:6: error: parameter ct = \"0\": must be a number from 1 to 10\n"
        "/profiles/meter.ini:10:8: error: \"10..1\" is not a pair of bounds: 1..100\n"
        "/profiles/meter.ini:11:1: error: \"title\" is a key of every device: name it otherwise\n"
        "/profiles/meter.ini:12:13: error: a parameter's text stands in quotes\n"
        "/profiles/meter.ini:12:18: error: a parameter is its default, bounds and a text: vt = 1 1..100 "
        "\"help\"\n"
        "/profiles/meter.ini:14:13: error: wrong type\n"
        "/profiles/meter.ini:15:23: error: {cd}: nothing of this name can be put in here\n"
        "/profiles/meter.ini:16:1: error: duplicate point \"w\" in [points], first in line 15\n"
        "/profiles/meter.ini:17:1: error: driver modbus-rtu knows no groups\n"
        "/profiles/meter.ini:17:2: error: unknown section [gruop]; did you mean \"group\"?\n");
}

static void the_sites_mistakes_with_a_profile(void **state)
{
    const struct fake_file files[] = {
        {.path = "/profiles/meter.ini",
         .text = "[profile]\n[parameters]\nct = 1 1..100\n[points]\nv = input 0 f32 scale={ct}\n"},
        {.path = "/profiles/metro.ini", .error = -EACCES},
        {.path = "/x.ini",
         .text = "[line a]\nport = /dev/a\n[devices]\n"
                 "a = a 1 metr ct=7 intervall=5s\n" /* 4: only what looks like a known key is unknown */
                 "b = a 2 metro\n"                  /* 5 */
                 "c = a 3 meter ct=0\n"             /* 6 */
                 "d = a 4 meter cr=1\n"             /* 7 */
                 "e = a 5 meter ct={ct}\n"          /* 8 */
                 "f = a 6 meter ct=\n"              /* 9 */
                 "g = a 7 ../meter\n"               /* 10 */
                 "[points c]\nv = input 0 f32 scale={cr}\n"}};

    (void)state;
    expect_messages(files, 3,
                    "/x.ini:4:9: error: unknown profile \"metr\"; did you mean \"meter\"?\n"
                    "/x.ini:4:19: error: unknown key \"intervall\" in row \"a\" of [devices]; did you mean "
                    "\"interval\"?\n"
                    "/x.ini:5:9: error: profile /profiles/metro.ini cannot be read: Permission denied\n"
                    "/x.ini:6:18: error: parameter ct = \"0\": must be a number from 1 to 100\n"
                    "/x.ini:7:15: error: unknown key \"cr\" in row \"d\" of [devices]\n"
                    "/x.ini:8:18: error: {ct}: nothing of this name can be put in here\n"
                    "/x.ini:9:18: error: parameter ct has no value\n"
                    "/x.ini:10:9: error: \"../meter\" is not the name of a profile\n"
                    "/x.ini:12:23: error: {cr}: nothing of this name can be put in here\n");
}

static void the_first_folder_wins(void **state)
{
    const struct fake_file files[] = {
        {.path = "/more/meter.ini", .text = "[profile]\ntitle = second\n[points]\nv = input 0 f32\n"},
        {.path = "/more/other.ini", .text = "[profile]\ntitle = other\n[points]\nv = input 0 f32\n"},
        {.path = "/profiles/meter.ini", .text = "[profile]\ntitle = first\n[points]\nv = input 0 f32\n"},
        {.path = "/x.ini", .text = SITE "o = a 9 other\n"}};
    struct rh_config *config = load_good(files, 4);

    (void)state;
    assert_string_equal(config->lines[0].devices[0].title, "first");
    assert_string_equal(config->lines[0].devices[3].title, "other");
    rh_config_free(config);
}

/* A point of the site goes over the profile's, in its place; the profile's is checked all the same. */
static void points_on_top_of_a_profile(void **state)
{
    const struct fake_file files[] = {
        {.path = "/profiles/meter.ini",
         .text = "[profile]\n[points]\nv = input 0 f32\nw = input 2 f32\nx = coil 3\n"},
        {.path = "/x.ini", .text = SITE "[points m2]\nw = coil 9\nnew = coil 7\n"}};
    struct rh_config *config = load_good(files, 2);
    const struct rh_line_conf *line = &config->lines[0];

    (void)state;
    assert_int_equal(line->n_points, 10);
    assert_string_equal(line->points[4].name, "w");
    assert_int_equal(line->points[4].type, RH_TYPE_BIT);
    assert_int_equal(line->points[1].type, RH_TYPE_F32);
    assert_string_equal(line->points[6].name, "new");
    rh_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_in_a_profile_are_said_once),
        cmocka_unit_test(the_sites_mistakes_with_a_profile),
        cmocka_unit_test(the_first_folder_wins),
        cmocka_unit_test(points_on_top_of_a_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
