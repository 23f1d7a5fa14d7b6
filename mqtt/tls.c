/* SPDX-License-Identifier: MIT */
/*
 * tls.c - one handshake, on a non-blocking socket and with a deadline, that writes down the first thing it
 * meets: a file that does not load, a certificate of the broker's chain that does not verify, an alert.
 *
 * With TLS 1.3 the client is done before the broker has looked at the client's certificate, so a refusal of
 * it only comes with the first read.
 */
#include "mqtt/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"

struct ask {
    const struct rh_link_address *address;
    const struct rh_session_tls *tls;
    int64_t until_us;
    enum rh_tls_fault fault;
    bool shaken; /* the handshake is over, as far as the client is concerned */
    struct rh_text say;
};

static bool given(const char *string)
{
    return string && *string;
}

static void cleanup_ctx(SSL_CTX **ctx)
{
    SSL_CTX_free(*ctx);
}

static void cleanup_ssl(SSL **ssl)
{
    SSL_free(*ssl);
}

static const char *last_error(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "unknown error";
}

/* ---- our own files ---- */

static bool local(struct ask *ask, const char *what, const char *path)
{
    ask->fault = RH_TLS_LOCAL;
    rh_text_printf(&ask->say, "%s %s cannot be used: %s", what, path,
                   access(path, R_OK) < 0 ? strerror(errno) : last_error());
    return false;
}

/* Without this the TLS library would ask for a password at the terminal. */
static int password(char *buffer, int size, int writing, void *context)
{
    const char *key_password = context;
    (void)writing;
    if (!key_password || size <= 0 || strlen(key_password) >= (size_t)size)
        return 0;
    memcpy(buffer, key_password, strlen(key_password));
    return (int)strlen(key_password);
}

static bool load_files(struct ask *ask, SSL_CTX *ctx)
{
    const struct rh_session_tls *tls = ask->tls;
    if (!given(tls->ca_file))
        (void)SSL_CTX_set_default_verify_paths(ctx);
    else if (SSL_CTX_load_verify_file(ctx, tls->ca_file) != 1)
        return local(ask, "the CA file", tls->ca_file);
    if (!given(tls->cert_file))
        return true;
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert_file) != 1)
        return local(ask, "the client certificate", tls->cert_file);
    const char *key = given(tls->key_file) ? tls->key_file : tls->cert_file;
    SSL_CTX_set_default_passwd_cb(ctx, password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *)(uintptr_t)tls->key_password);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return local(ask, "the key", key);
    return true;
}

/* ---- the broker's certificate ---- */

static void put_name(struct rh_text *say, const X509_NAME *name)
{
    char common[128] = "";
    if (X509_NAME_get_text_by_NID(name, NID_commonName, common, sizeof(common)) > 0)
        rh_text_put(say, common);
    else
        rh_text_put(say, "one without a name");
}

/* The names that the certificate is for. */
static void put_hosts(struct rh_text *say, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool any = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < 4; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        rh_text_put(say, any ? ", " : "");
        rh_text_bytes(say, ASN1_STRING_get0_data(name->d.dNSName),
                      (size_t)ASN1_STRING_length(name->d.dNSName));
        any = true;
    }
    if (!any)
        put_name(say, X509_get_subject_name(certificate));
    GENERAL_NAMES_free(names);
}

static void put_day(struct rh_text *say, const ASN1_TIME *time)
{
    struct tm day = {0};
    if (ASN1_TIME_to_tm(time, &day) == 1)
        rh_text_printf(say, "%04d-%02d-%02d", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

static bool is_unknown_ca(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

static void describe_unknown_ca(struct ask *ask, const X509 *certificate)
{
    rh_text_put(&ask->say, "is from an unknown CA: ");
    put_name(&ask->say, X509_get_issuer_name(certificate));
    rh_text_printf(&ask->say, " is not in %s",
                   given(ask->tls->ca_file) ? ask->tls->ca_file : "the system's certificates");
}

static void describe_certificate(struct ask *ask, int error, int depth, const X509 *certificate)
{
    struct rh_text *say = &ask->say;
    bool unknown_ca = is_unknown_ca(error); /* said of the whole chain, wherever it ends */
    rh_text_put(say,
                depth == 0 || unknown_ca ? "the broker's certificate " : "a certificate above the broker's ");
    if (unknown_ca) {
        describe_unknown_ca(ask, certificate);
        return;
    }
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        rh_text_printf(say, "is not for the host name %s but for ", ask->address->host);
        put_hosts(say, certificate);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        rh_text_put(say, "expired on ");
        put_day(say, X509_get0_notAfter(certificate));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        rh_text_put(say, "is not valid before ");
        put_day(say, X509_get0_notBefore(certificate));
        rh_text_put(say, " (is the clock of this machine right?)");
        break;
    default:
        rh_text_printf(say, "is not accepted: %s", X509_verify_cert_error_string(error));
        break;
    }
}

/* Called for each certificate of the chain; the first error counts and ends the handshake. */
static int verified(int ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct ask *ask = SSL_get_app_data(ssl);
    if (!ok && ask->fault == RH_TLS_FINE) {
        ask->fault = RH_TLS_BROKER;
        describe_certificate(ask, X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store),
                             X509_STORE_CTX_get_current_cert(store));
    }
    return ok;
}

/* ---- alerts and the rest ---- */

/* Closed without a word: a plain listener may do so, having read something that is no CONNECT. */
static void describe_end(struct ask *ask)
{
    if (ask->shaken)
        return;
    ask->fault = RH_TLS_OTHER;
    rh_text_printf(&ask->say, "%s closed the connection during the TLS handshake: does it speak TLS there?",
                   ask->address->name);
}

static void describe_error(struct ask *ask)
{
    static const struct {
        int reason;
        enum rh_tls_fault fault;
        const char *text;
    } rows[] = {
        {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, RH_TLS_CLIENT, "the broker wants a client certificate"},
        {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, RH_TLS_CLIENT,
         "the broker refuses the TLS handshake: it may want a client certificate, or other ciphers"},
        {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, RH_TLS_CLIENT,
         "the broker refuses the client certificate as bad"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, RH_TLS_CLIENT,
         "the broker refuses the client certificate: it has expired"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, RH_TLS_CLIENT,
         "the broker refuses the client certificate: it is revoked"},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, RH_TLS_CLIENT, "the broker refuses the client certificate"},
        {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, RH_TLS_CLIENT,
         "the broker refuses the client certificate: not of a kind it takes"},
        {SSL_R_TLSV1_ALERT_UNKNOWN_CA, RH_TLS_CLIENT,
         "the broker refuses the client certificate: it does not know its CA"},
        {SSL_R_TLSV1_ALERT_ACCESS_DENIED, RH_TLS_CLIENT,
         "the broker refuses the client certificate: access denied"},
        {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, RH_TLS_CLIENT,
         "the broker refuses the client certificate: key and certificate do not match"},
        {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, RH_TLS_BROKER, "the broker speaks no TLS 1.2 or later"},
        {SSL_R_UNSUPPORTED_PROTOCOL, RH_TLS_BROKER, "the broker speaks no TLS 1.2 or later"},
        {SSL_R_WRONG_VERSION_NUMBER, RH_TLS_BROKER, "the broker does not speak TLS on this port"},
    };
    unsigned long error = ERR_peek_last_error();
    if (ask->fault != RH_TLS_FINE)
        return;
    if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        describe_end(ask);
        return;
    }
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        if (ERR_GET_LIB(error) != ERR_LIB_SSL || ERR_GET_REASON(error) != rows[i].reason)
            continue;
        ask->fault = rows[i].fault;
        rh_text_put(&ask->say, rows[i].text);
        return;
    }
    ask->fault = RH_TLS_OTHER;
    rh_text_printf(&ask->say, "the TLS handshake failed: %s", last_error());
}

/* ---- the handshake ---- */

/* Repeats a step of the TLS library until it is done or fails, or the time is over. True if it is done. */
static bool drive(struct ask *ask, SSL *ssl, int fd, int (*once)(SSL *ssl))
{
    for (;;) {
        ERR_clear_error();
        int rc = once(ssl);
        if (rc == 1)
            return true;
        int error = SSL_get_error(ssl, rc);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            describe_error(ask);
            return false;
        }
        struct pollfd wait = {.fd = fd, .events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT};
        int left_ms = rh_poll_timeout_ms(rh_mono_us(), ask->until_us);
        if (left_ms <= 0 || poll(&wait, 1, left_ms) != 1)
            return false;
    }
}

static int read_once(SSL *ssl)
{
    char byte;
    return SSL_read(ssl, &byte, 1);
}

static void shake_hands(struct ask *ask, SSL_CTX *ctx)
{
    RH_CLEANUP(cleanup_ssl) SSL *ssl = SSL_new(ctx);
    RH_CLEANUP(rh_cleanup_close)
    int fd = rh_link_connect(ask->address, rh_poll_timeout_ms(rh_mono_us(), ask->until_us));
    if (!ssl || fd < 0 || SSL_set_fd(ssl, fd) != 1)
        return;
    SSL_set_app_data(ssl, ask);
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, ask->address->host) != 1) {
        (void)X509_VERIFY_PARAM_set1_host(param, ask->address->host, 0);
        (void)SSL_set_tlsext_host_name(ssl, ask->address->host);
    }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, verified);
    ask->shaken = drive(ask, ssl, fd, SSL_connect);
    if (ask->shaken)
        (void)drive(ask, ssl, fd, read_once);
}

enum rh_tls_fault rh_tls_ask(const struct rh_link_address *address, const struct rh_session_tls *tls,
                             int timeout_ms, char *detail, size_t detail_cap)
{
    struct ask ask = {.address = address, .tls = tls, .until_us = rh_mono_us() + (int64_t)timeout_ms * 1000};
    rh_text_init(&ask.say, detail, detail_cap);
    RH_CLEANUP(cleanup_ctx) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && load_files(&ask, ctx))
        shake_hands(&ask, ctx);
    ERR_clear_error();
    return ask.fault;
}
