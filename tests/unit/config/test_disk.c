/* SPDX-License-Identifier: MIT */
/* Files as they are on a disk: missing, unreadable, not files at all; passwords; the folders of profiles. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config/check.h"

static char folder[64];

static const char *in(const char *name)
{
    static char path[2][128];
    static unsigned turn;

    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(in(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(in(name), mode), 0);
}

/* Loads x.ini; all messages, with the folder cut out of them. */
static char *load(int *ret_result)
{
    struct rh_report report;
    struct rh_config *config = NULL;
    char *at;

    rh_report_init(&report);
    *ret_result = rh_config_load(in("x.ini"), &fake_schema, &report, &config);
    char *text = printed(&report);
    while ((at = strstr(text, folder)))
        memmove(at, at + strlen(folder), strlen(at + strlen(folder)) + 1);
    rh_report_fini(&report);
    rh_config_free(config);
    return text;
}

static void expect_load(int result, const char *expected)
{
    int r;
    char *text = load(&r);

    assert_string_equal(text, expected);
    assert_int_equal(r, result);
    free(text);
}

#define NO_LINE "/x.ini: warning: there is no line: nothing is read\n"

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/railhead-config-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void remove_all(const char *path)
{
    DIR *entries = opendir(path);
    const struct dirent *entry;

    while (entries && (entry = readdir(entries))) {
        char inside[400];
        snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_all(inside);
    }
    if (entries)
        closedir(entries);
    remove(path);
}

static int teardown(void **state)
{
    (void)state;
    remove_all(folder);
    return access(folder, F_OK) < 0 ? 0 : -1;
}

static void main_file(void **state)
{
    (void)state;
    expect_load(-ENOENT, "/x.ini: error: cannot be read: No such file or directory\n");
    assert_int_equal(mkdir(in("x.ini"), 0700), 0);
    expect_load(-EISDIR, "/x.ini: error: cannot be read: Is a directory\n");
    assert_int_equal(rmdir(in("x.ini")), 0);
    assert_int_equal(mkfifo(in("x.ini"), 0600), 0);
    expect_load(-EINVAL, "/x.ini: error: cannot be read: Invalid argument\n");
    assert_int_equal(unlink(in("x.ini")), 0);
    put("x.ini", "[gateway]\nname = g\n", 0644);
    assert_int_equal(truncate(in("x.ini"), 20 << 20), 0);
    expect_load(-EFBIG, "/x.ini: error: cannot be read: it is larger than 16 MiB\n");
    put("x.ini", "[gateway]\nname = g\n", 0644);
    expect_load(0, NO_LINE);
}

static void drop_ins(void **state)
{
    (void)state;
    put("x.ini", "[gateway]\nname = g\n", 0644);
    put("x.d", "", 0644);
    expect_load(-EINVAL, NO_LINE "/x.d: error: cannot be read: Not a directory\n");
    assert_int_equal(unlink(in("x.d")), 0);
    assert_int_equal(mkdir(in("x.d"), 0700), 0);
    put("x.d/b.ini", "[gateway]\nnam = b\n", 0644);
    put("x.d/a.ini", "[mqtt]\nqos = 9\n", 0644);
    put("x.d/c.ini.bak", "rubbish", 0644);
    put("x.d/.d.ini", "rubbish", 0644);
    assert_int_equal(mkdir(in("x.d/e.ini"), 0700), 0);
    expect_load(-EINVAL,
                NO_LINE "/x.d/a.ini:2:7: error: qos = \"9\": must be from 0 to 2\n"
                        "/x.d/b.ini:2:1: error: unknown key \"nam\" in [gateway]; did you mean \"name\"?\n"
                        "/x.d/e.ini: error: cannot be read: Is a directory\n");
}

static void password(void **state)
{
    char text[200];

    (void)state;
    snprintf(text, sizeof(text), "[gateway]\nname = g\n[mqtt]\nusername = u\npassword_file = %s\n", in("pw"));
    put("x.ini", text, 0644);
    expect_load(-EINVAL, NO_LINE
                "/x.ini:5:17: error: password_file \"/pw\" cannot be read: No such file or directory\n");
    put("pw", "secret\n", 0644);
    expect_load(-EINVAL,
                NO_LINE "/x.ini:5:17: error: password_file \"/pw\" can be read by everybody: chmod o-r it\n");
    put("pw", "\n", 0640);
    expect_load(-EINVAL, NO_LINE "/x.ini:5:17: error: password_file \"/pw\" is empty\n");
    put("pw", "secret\n", 0640);
    expect_load(0, NO_LINE);
}

/* As systemd leaves them; the environment says where. */
static void credentials(void **state)
{
    (void)state;
    put("x.ini", "[gateway]\nname = g\n[mqtt]\nversion = 3.1.1\n", 0644);
    assert_int_equal(mkdir(in("c"), 0700), 0);
    put("c/railhead_mqtt-password", "secret\n", 0400);
    setenv("CREDENTIALS_DIRECTORY", in("c"), 1);
    expect_load(-EINVAL, NO_LINE "/x.ini:3:1: error: MQTT 3.1.1 knows no password without a username\n");
    put("x.ini", "[gateway]\nname = g\n", 0644);
    expect_load(0, NO_LINE);
    assert_int_equal(chmod(in("c/railhead_mqtt-password"), 0444), 0);
    expect_load(-EINVAL, "/x.ini: error: password_file \"/c/railhead_mqtt-password\" can be read by "
                         "everybody: chmod o-r it\n" NO_LINE);
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    expect_load(0, NO_LINE);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void profiles(void **state)
{
    char list[200];

    (void)state;
    put("x.ini", "[gateway]\nname = g\n[line a]\nport = /dev/a\n[devices]\nm = a 1 my-meter\n", 0644);
    assert_int_equal(mkdir(in("p"), 0700), 0);
    put("p/my-meter.ini", "[profile]\n[points]\nv = input 0 f32\n", 0644);
    snprintf(list, sizeof(list), "/nowhere:%s", in("p"));
    setenv("RAILHEAD_PROFILES", list, 1);
    expect_load(0, "");
    setenv("RAILHEAD_PROFILES", "/nowhere", 1);
    expect_load(-EINVAL, "/x.ini:6:9: error: unknown profile \"my-meter\"\n");
    unsetenv("RAILHEAD_PROFILES");
    put("x.ini", "[gateway]\nname = g\n[line a]\nport = /dev/a\n[devices]\nm = a 1 eastron-sdm6300\n", 0644);
    expect_load(-EINVAL,
                "/x.ini:6:9: error: unknown profile \"eastron-sdm6300\"; did you mean \"eastron-sdm630\"?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(main_file, setup, teardown),
        cmocka_unit_test_setup_teardown(drop_ins, setup, teardown),
        cmocka_unit_test_setup_teardown(password, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(profiles, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
