/* SPDX-License-Identifier: MIT */
/* TLS with a real broker and certificates made here: what is refused, and that the reason is told. */
#include "bench.h"
#include "mosquitto.h"

#include <limits.h>
#include <sys/stat.h>

static char dir[] = "/tmp/rh-tls-XXXXXX";

/* ca and other: two authorities. good, wrong (host name), expired: the broker's. client, stranger (of the
 * other authority), sealed (key with the password "secret"): ours. */
static const char script[] =
    "set -e; exec >log 2>&1\n"
    "ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1'\n"
    "for a in ca other; do openssl req -x509 $ec -nodes -keyout $a.key -out $a.pem -subj /CN=$a-authority "
    "-days 30; done\n"
    "leaf() {\n"
    "  openssl req $ec -nodes -keyout $1.key -out $1.csr -subj /CN=$1\n"
    "  printf \"subjectAltName=$3\\n\" >ext\n"
    "  : >index; printf 'unique_subject=no\\n' >index.attr\n"
    "  openssl ca -batch -config cnf -cert $2.pem -keyfile $2.key -startdate $4 -enddate $5 -in $1.csr "
    "-out $1.pem -notext -extfile ext\n"
    "}\n"
    "printf "
    "'[ca]\\ndefault_ca=d\\n[d]\\nrand_serial=yes\\nnew_certs_dir=.\\ndatabase=index\\ndefault_md="
    "sha256\\npolicy=p\\n"
    "[p]\\ncommonName=supplied\\n' >cnf\n"
    "then=20200101000000Z; past=20200201000000Z; future=20491231000000Z\n"
    "leaf good ca DNS:localhost,IP:127.0.0.1 $then $future\n"
    "leaf wrong ca DNS:broker.example,DNS:other.example $then $future\n"
    "leaf expired ca DNS:localhost $then $past\n"
    "leaf early ca DNS:localhost 20480101000000Z $future\n"
    "leaf client ca DNS:client $then $future\n"
    "leaf stranger other DNS:client $then $future\n"
    "leaf old ca DNS:client $then $past\n"
    "openssl ec -in client.key -aes128 -passout pass:secret -out sealed.key\n";

static const char *path(const char *name)
{
    static char paths[32][64];
    static int next;
    char *at = paths[next++ % 32];
    snprintf(at, sizeof(paths[0]), "%s/%s", dir, name);
    return at;
}

static void run(char *const arguments[], int *ret_status)
{
    pid_t pid = 0;
    assert_int_equal(posix_spawnp(&pid, "sh", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, ret_status, 0), pid);
}

static int make(void **state)
{
    (void)state;
    char shell[] = "sh";
    char option[] = "-c";
    char text[sizeof(script) + 64];
    assert_non_null(mkdtemp(dir));
    snprintf(text, sizeof(text), "cd %s; %s", dir, script);
    char *arguments[] = {shell, option, text, NULL};
    int status = 0;
    run(arguments, &status);
    return status;
}

static int clean(void **state)
{
    (void)state;
    char text[64];
    char shell[] = "sh";
    char option[] = "-c";
    snprintf(text, sizeof(text), "rm -r %s", dir);
    char *arguments[] = {shell, option, text, NULL};
    int status = 0;
    run(arguments, &status);
    return status;
}

struct scene {
    const char *certificate; /* of the broker; NULL: it speaks no TLS */
    bool required;           /* it wants a client certificate */
    const char *host;
    const char *ca, *cert, *key, *key_password; /* ours */
    enum rh_connect_outcome outcome;
    const char *why; /* part of it */
};

static pid_t start_broker(const struct scene *scene, unsigned port)
{
    char more[512] = "";
    if (scene->certificate)
        snprintf(more, sizeof(more),
                 "cafile %s\ncertfile %s/%s.pem\nkeyfile %s/%s.key\nrequire_certificate %s\n", path("ca.pem"),
                 dir, scene->certificate, dir, scene->certificate, scene->required ? "true" : "false");
    return mosquitto_start(port, more);
}

static struct bench *open_scene(const struct scene *scene, unsigned port)
{
    struct bench *bench = bench_open();
    snprintf(bench->url, sizeof(bench->url), "mqtts://%s:%u", scene->host ? scene->host : "localhost", port);
    bench->options.tls = (struct rh_session_tls){
        .ca_file = scene->ca ? path(scene->ca) : NULL,
        .cert_file = scene->cert ? path(scene->cert) : "",
        .key_file = scene->key ? path(scene->key) : "",
        .key_password = scene->key_password,
    };
    bench_session(bench);
    return bench;
}

static void play(const struct scene *scene)
{
    unsigned port = mosquitto_port();
    pid_t pid = start_broker(scene, port);
    struct bench *bench = open_scene(scene, port);
    enum rh_connect_outcome outcome = bench_connect(bench);
    if (outcome != scene->outcome || !strstr(bench->info.why, scene->why))
        fail_msg("broker %s, client %s: outcome %d instead of %d: \"%s\" instead of \"%s\"",
                 scene->certificate ? scene->certificate : "plain", scene->cert ? scene->cert : "-",
                 (int)outcome, (int)scene->outcome, bench->info.why, scene->why);
    assert_true(bench->longest_us < 7000000);
    if (outcome == RH_CONNECT_OK) {
        assert_true(rh_session_fd(bench->session) >= 0);
        for (int qos = 0; qos <= 2; qos++)
            bench_fill(bench, 20, qos);
        bench_drain(bench, 10);
        assert_int_equal(bench_counters(bench).acknowledged, 40);
    }
    rh_session_free(bench->session);
    free(bench);
    mosquitto_end(pid);
}

static void test_verified(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {"good", .ca = "ca.pem", .outcome = RH_CONNECT_OK, .why = ""},
        {"good", .ca = "ca.pem", .host = "127.0.0.1", .outcome = RH_CONNECT_OK, .why = ""},
        {"wrong", .ca = "ca.pem", .outcome = RH_CONNECT_REFUSED,
         .why = "the broker's certificate is not for the host name localhost but for broker.example, "
                "other.example"},
        {"wrong", .ca = "ca.pem", .host = "127.0.0.1", .outcome = RH_CONNECT_REFUSED,
         .why = "is not for the host name 127.0.0.1 but for broker.example"},
        {"good", .ca = "other.pem", .outcome = RH_CONNECT_REFUSED,
         .why = "the broker's certificate is from an unknown CA: ca-authority is not in /tmp/rh-tls-"},
        {"good", .outcome = RH_CONNECT_REFUSED,
         .why = "the broker's certificate is from an unknown CA: ca-authority is not in the system's "
                "certificates"},
        {"expired", .ca = "ca.pem", .outcome = RH_CONNECT_REFUSED,
         .why = "the broker's certificate expired on 2020-02-01"},
        {"early", .ca = "ca.pem", .outcome = RH_CONNECT_REFUSED,
         .why =
             "the broker's certificate is not valid before 2048-01-01 (is the clock of this machine right?)"},
        {NULL, .ca = "ca.pem", .outcome = RH_CONNECT_REFUSED,
         .why = "closed the connection during the TLS handshake: does it speak TLS there?"},
    };
    for (size_t i = 0; i < RH_COUNT(scenes); i++)
        play(&scenes[i]);
}

static void test_client_certificate(void **state)
{
    (void)state;
    const struct scene scenes[] = {
        {"good", true, .ca = "ca.pem", .cert = "client.pem", .key = "client.key", .outcome = RH_CONNECT_OK,
         .why = ""},
        {"good", true, .ca = "ca.pem", .cert = "client.pem", .key = "sealed.key", .key_password = "secret",
         .outcome = RH_CONNECT_OK, .why = ""},
        {"good", true, .ca = "ca.pem", .outcome = RH_CONNECT_CREDENTIALS,
         .why = "the broker wants a client certificate"},
        {"good", true, .ca = "ca.pem", .cert = "stranger.pem", .key = "stranger.key",
         .outcome = RH_CONNECT_CREDENTIALS,
         .why = "the broker refuses the client certificate: it does not know its CA"},
        {"good", true, .ca = "ca.pem", .cert = "old.pem", .key = "old.key", .outcome = RH_CONNECT_CREDENTIALS,
         .why = "the broker refuses the client certificate: it has expired"},
        {"good", true, .ca = "ca.pem", .cert = "client.pem", .key = "old.key", .outcome = RH_CONNECT_FAILED,
         .why = "cannot be used: key values mismatch"},
        {"good", true, .ca = "ca.pem", .cert = "client.pem", .key = "sealed.key",
         .outcome = RH_CONNECT_FAILED, .why = "/sealed.key cannot be used: "},
        {"good", true, .ca = "ca.pem", .cert = "missing.pem", .outcome = RH_CONNECT_FAILED,
         .why = "/missing.pem cannot be used: No such file or directory"},
        {"good", .ca = "missing.pem", .outcome = RH_CONNECT_FAILED,
         .why = "/missing.pem cannot be used: No such file or directory"},
        {"good", .ca = "cnf", .outcome = RH_CONNECT_FAILED, .why = "/cnf cannot be used: "},
    };
    for (size_t i = 0; i < RH_COUNT(scenes); i++)
        play(&scenes[i]);
}

static void copy(const char *from, const char *to)
{
    char buffer[4096];
    FILE *in = fopen(path(from), "r");
    FILE *out = fopen(path(to), "w");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(buffer, 1, sizeof(buffer), in);
    assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    fclose(out);
}

/* A session goes on with the files that lie there at its next connect. */
static void test_rotated(void **state)
{
    (void)state;
    const struct scene scene = {"good", true, .ca = "ca.pem", .cert = "now.pem", .key = "now.key"};
    unsigned port = mosquitto_port();
    pid_t pid = start_broker(&scene, port);
    copy("old.pem", "now.pem");
    copy("old.key", "now.key");
    struct bench *bench = open_scene(&scene, port);
    assert_int_equal(bench_connect(bench), RH_CONNECT_CREDENTIALS);
    copy("client.pem", "now.pem");
    copy("client.key", "now.key");
    assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
    bench_ready(bench);
    rh_session_disconnect(bench->session, "bye", 1000);
    copy("stranger.pem", "now.pem");
    copy("stranger.key", "now.key");
    assert_int_equal(bench_connect(bench), RH_CONNECT_CREDENTIALS);
    rh_session_free(bench->session);
    free(bench);
    mosquitto_end(pid);
}

/* A server that speaks TLS 1.1 at most is refused, and that is what is said. */
static void test_old_protocol(void **state)
{
    (void)state;
    const struct scene scene = {"good", .ca = "ca.pem"};
    unsigned port = mosquitto_port();
    char text[512];
    char shell[] = "sh";
    char option[] = "-c";
    snprintf(
        text, sizeof(text),
        "exec openssl s_server -quiet -accept 127.0.0.1:%u -cert %s -key %s -tls1_1 -cipher ALL:@SECLEVEL=0 "
        "</dev/null >/dev/null 2>&1",
        port, path("good.pem"), path("good.key"));
    char *arguments[] = {shell, option, text, NULL};
    pid_t pid = mosquitto_spawn("sh", arguments);
    mosquitto_await(port);
    struct bench *bench = open_scene(&scene, port);
    assert_int_equal(bench_connect(bench), RH_CONNECT_REFUSED);
    assert_string_equal(bench->info.why, "the broker speaks no TLS 1.2 or later");
    rh_session_free(bench->session);
    free(bench);
    mosquitto_end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_rotated),
        cmocka_unit_test(test_old_protocol),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
