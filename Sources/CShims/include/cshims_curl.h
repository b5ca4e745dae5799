#ifndef SWBUILD_CSHIMS_CURL_H
#define SWBUILD_CSHIMS_CURL_H

#include <stddef.h>
#include <stdint.h>

/*
 * HTTP exchanges through libcurl. In C for two reasons:
 *
 * - libcurl is loaded when the first exchange is made, not linked: it and the dozens of libraries behind it cost more
 *   than 10 ms at each start of the program, and most builds use no network at all;
 * - curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call.
 */

/* What a callback of a request answers. */
enum { SWB_HTTP_CONTINUE = 0, SWB_HTTP_STOP = 1 };

/* `code` of a result when there is no libcurl; other values are libcurl's own (CURLcode). */
enum { SWB_HTTP_NO_LIBRARY = -1 };

/* The values of CURLcode that callers tell apart: their numbers are part of libcurl's stable interface. */
enum {
    SWB_HTTP_OK = 0,
    SWB_HTTP_UNSUPPORTED_PROTOCOL = 1,
    SWB_HTTP_UNKNOWN_PROXY = 5,
    SWB_HTTP_UNKNOWN_HOST = 6,
    SWB_HTTP_NOT_CONNECTED = 7,
    SWB_HTTP_HTTP2 = 16,
    SWB_HTTP_PARTIAL_FILE = 18,
    SWB_HTTP_TIMED_OUT = 28,
    SWB_HTTP_TLS_FAILED = 35,
    SWB_HTTP_TOO_MANY_REDIRECTS = 47,
    SWB_HTTP_GOT_NOTHING = 52,
    SWB_HTTP_SEND_ERROR = 55,
    SWB_HTTP_RECEIVE_ERROR = 56,
    SWB_HTTP_BAD_CLIENT_CERTIFICATE = 58,
    SWB_HTTP_UNTRUSTED = 60,
    SWB_HTTP_TOO_LARGE = 63,
    SWB_HTTP_BAD_AUTHORITIES = 77,
    SWB_HTTP_HTTP2_STREAM = 92
};

/*
 * What a request sends: `size` bytes in memory, or, where `bytes` is null, of a file. The file is read here, by position:
 * libcurl asks for its bytes again where it has to send them anew on another connection.
 */
struct swb_http_body {
    const uint8_t *_Nullable bytes;
    int file;
    int64_t offset, size;
};

struct swb_http_request {
    const char *_Nonnull url;
    /* `PUT`; null for GET. */
    const char *_Nullable method;
    /* Null where nothing is sent: not even that there is nothing. */
    const struct swb_http_body *_Nullable body;
    /* `Name: value`; may be null when header_count is 0. */
    const char *_Nullable const *_Nullable headers;
    uint32_t header_count;
    /* Certificates to trust (PEM) in place of the system's; null for those. */
    const char *_Nullable certificates;
    /* A directory of such certificates, named by their hashes; null for the system's. */
    const char *_Nullable certificate_directory;
    /* What this side shows of itself (PEM); null for nothing. */
    const char *_Nullable client_certificate, *_Nullable client_key;
    /* Takes any certificate, of any name. */
    int is_unverified;
    /* The proxy to use; null for that of the environment, as libcurl reads it. NO_PROXY counts for both. */
    const char *_Nullable proxy;
    int ignores_proxies;
    uint32_t maximum_redirects;
    uint32_t connect_seconds;
    /* The exchange ends when it has been slower than this for so long. */
    uint32_t slow_bytes_per_second, slow_seconds;
    int64_t maximum_size;

    void *_Nonnull context;
    /* A line of the head, each response's first one (`HTTP/1.1 200 OK`) included, line ending and all. */
    int (*_Nonnull on_header)(void *_Nonnull context, const uint8_t *_Nonnull bytes, size_t count);
    /* A piece of the body of the response whose status is given. */
    int (*_Nonnull on_body)(void *_Nonnull context, long status, const uint8_t *_Nonnull bytes, size_t count);
    /* Called at least once a second, whether bytes come in or not, with the number of those that were sent. */
    int (*_Nonnull on_tick)(void *_Nonnull context, int64_t sent);
};

struct swb_http_result {
    int code;
    /* The last response's, 0 when there was none. */
    long status;
    /* The response's Last-Modified in seconds since 1970, -1 when unknown. */
    int64_t last_modified;
    /* The seconds that the server asks to wait for (Retry-After), 0 when it says nothing of it. */
    int64_t retry_after;
    /* What a proxy answered when asked for a connection (CONNECT), 0 when none was. */
    long proxy_status;
    /* What the file that is sent could not be read for (errno), 0 when it could. */
    int read_error;
    /* What went wrong, in libcurl's or the dynamic loader's words; empty when nothing did. */
    char reason[256];
};

/*
 * The connections that exchanges leave open for the next ones. One exchange at a time uses a session; any thread may,
 * and end it.
 */
struct swb_http_session;
struct swb_http_session *_Nullable swb_http_session_begin(void);
void swb_http_session_end(struct swb_http_session *_Nonnull session);

/*
 * Makes a request; returns when it is over. Any thread may call it, and several at once. Without a session, its
 * connection is its own, and closed at the end.
 */
void swb_http_perform(struct swb_http_session *_Nullable session, const struct swb_http_request *_Nonnull request,
                      struct swb_http_result *_Nonnull result);

#endif
