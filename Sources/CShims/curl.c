#include "cshims_curl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Any libcurl that distributions build with TLS; Debian has the one with OpenSSL under the first name. */
static const char *const library_names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

static struct {
    CURLcode (*global_init)(long);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
    void (*easy_reset)(CURL *);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    CURLcode (*easy_perform)(CURL *);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
    int is_ready;
    char failure[256];
} curl;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static int find(void *library, const char *name, void *pointer) {
    void *symbol = dlsym(library, name);
    if (!symbol) {
        snprintf(curl.failure, sizeof curl.failure, "libcurl has no %s", name);
        return 0;
    }
    /* POSIX lets a pointer from dlsym stand for a function, ISO C has no conversion for it. */
    memcpy(pointer, &symbol, sizeof symbol);
    return 1;
}

static void load(void) {
    void *library = NULL;
    for (size_t i = 0; i < sizeof library_names / sizeof *library_names && !library; i++) {
        library = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
        const char *failure = library ? NULL : dlerror();
        if (failure && i == 0) snprintf(curl.failure, sizeof curl.failure, "%s", failure);
    }
    if (!library) return;
    if (!find(library, "curl_global_init", &curl.global_init) || !find(library, "curl_easy_init", &curl.easy_init) ||
        !find(library, "curl_easy_cleanup", &curl.easy_cleanup) ||
        !find(library, "curl_easy_reset", &curl.easy_reset) ||
        !find(library, "curl_easy_setopt", &curl.easy_setopt) ||
        !find(library, "curl_easy_getinfo", &curl.easy_getinfo) ||
        !find(library, "curl_easy_perform", &curl.easy_perform) ||
        !find(library, "curl_easy_strerror", &curl.easy_strerror) ||
        !find(library, "curl_slist_append", &curl.slist_append) ||
        !find(library, "curl_slist_free_all", &curl.slist_free_all))
        return;
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(curl.failure, sizeof curl.failure, "libcurl cannot be initialised");
        return;
    }
    curl.is_ready = 1;
}

struct exchange {
    const struct swb_http_request *request;
    CURL *handle;
    /* How much of the body libcurl has asked for. */
    int64_t sent;
    int read_error;
};

static size_t take_header(char *bytes, size_t size, size_t count, void *context) {
    const struct exchange *exchange = context;
    const struct swb_http_request *request = exchange->request;
    int answer = request->on_header(request->context, (const uint8_t *)bytes, size * count);
    return answer == SWB_HTTP_CONTINUE ? size * count : 0;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
    const struct exchange *exchange = context;
    const struct swb_http_request *request = exchange->request;
    long status = 0;
    curl.easy_getinfo(exchange->handle, CURLINFO_RESPONSE_CODE, &status);
    int answer = request->on_body(request->context, status, (const uint8_t *)bytes, size * count);
    if (answer == SWB_HTTP_CONTINUE) return size * count;
    /* Any other number of bytes ends the transfer, but for 0 where a piece is empty. */
    return size * count == 0 ? 1 : 0;
}

static size_t give_body(char *bytes, size_t size, size_t count, void *context) {
    struct exchange *exchange = context;
    const struct swb_http_body *body = exchange->request->body;
    int64_t rest = body->size - exchange->sent;
    size_t wanted = size * count;
    if ((int64_t)wanted > rest) wanted = (size_t)rest;
    if (wanted == 0) return 0;
    if (body->bytes) {
        memcpy(bytes, body->bytes + exchange->sent, wanted);
    } else {
        ssize_t got;
        do got = pread(body->file, bytes, wanted, (off_t)(body->offset + exchange->sent));
        while (got < 0 && errno == EINTR);
        if (got <= 0) {
            /* The file is shorter than it was: what was announced cannot be sent. */
            exchange->read_error = got < 0 ? errno : EIO;
            return CURL_READFUNC_ABORT;
        }
        wanted = (size_t)got;
    }
    exchange->sent += (int64_t)wanted;
    return wanted;
}

static int seek_body(void *context, curl_off_t offset, int origin) {
    struct exchange *exchange = context;
    if (origin != SEEK_SET || offset < 0 || offset > exchange->request->body->size) return CURL_SEEKFUNC_FAIL;
    exchange->sent = offset;
    return CURL_SEEKFUNC_OK;
}

static int take_tick(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t sent) {
    const struct exchange *exchange = context;
    (void)a, (void)b, (void)c;
    return exchange->request->on_tick(exchange->request->context, sent);
}

/*
 * Keeps redirects, too, to HTTP: never to file: and the many others that libcurl knows. And what was asked for over TLS
 * comes over TLS: a redirect to plain HTTP would give up what the URL promises.
 */
static void allow_http_only(CURL *handle, const char *url) {
    int is_secure = strncasecmp(url, "https:", 6) == 0;
    if (curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl.easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, is_secure ? "https" : "http,https") == CURLE_OK)
        return;
    /* Before libcurl 7.85 these were bit masks; the numbers are those of CURLOPT_PROTOCOLS and ..REDIR_PROTOCOLS. */
    long both = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    curl.easy_setopt(handle, (CURLoption)181, both);
    curl.easy_setopt(handle, (CURLoption)182, is_secure ? (long)CURLPROTO_HTTPS : both);
}

static void set_trust(CURL *handle, const struct swb_http_request *request) {
    if (request->certificates) curl.easy_setopt(handle, CURLOPT_CAINFO, request->certificates);
    if (request->certificate_directory) curl.easy_setopt(handle, CURLOPT_CAPATH, request->certificate_directory);
    if (request->client_certificate) curl.easy_setopt(handle, CURLOPT_SSLCERT, request->client_certificate);
    if (request->client_key) curl.easy_setopt(handle, CURLOPT_SSLKEY, request->client_key);
    if (request->is_unverified) {
        curl.easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        curl.easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request->proxy) curl.easy_setopt(handle, CURLOPT_PROXY, request->proxy);
    if (request->ignores_proxies) curl.easy_setopt(handle, CURLOPT_NOPROXY, "*");
}

static void set_method(CURL *handle, struct exchange *exchange) {
    const struct swb_http_request *request = exchange->request;
    if (request->method && strcmp(request->method, "HEAD") == 0) {
        curl.easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request->body) {
        curl.easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl.easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body->size);
        curl.easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
        curl.easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
        curl.easy_setopt(handle, CURLOPT_READDATA, exchange);
        curl.easy_setopt(handle, CURLOPT_SEEKFUNCTION, seek_body);
        curl.easy_setopt(handle, CURLOPT_SEEKDATA, exchange);
        curl.easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
    } else if (request->method) {
        curl.easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

static void set_limits(CURL *handle, const struct swb_http_request *request) {
    curl.easy_setopt(handle, CURLOPT_FOLLOWLOCATION, request->maximum_redirects > 0 ? 1L : 0L);
    curl.easy_setopt(handle, CURLOPT_MAXREDIRS, (long)request->maximum_redirects);
    curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, (long)request->connect_seconds);
    curl.easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, (long)request->slow_bytes_per_second);
    curl.easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (long)request->slow_seconds);
    curl.easy_setopt(handle, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->maximum_size);
}

static void set_options(CURL *handle, struct exchange *exchange, struct curl_slist *headers, char *reason) {
    const struct swb_http_request *request = exchange->request;
    curl.easy_setopt(handle, CURLOPT_URL, request->url);
    curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
    curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl.easy_setopt(handle, CURLOPT_USERAGENT, "swbuild");
    allow_http_only(handle, request->url);
    set_limits(handle, request);
    set_trust(handle, request);
    set_method(handle, exchange);
    curl.easy_setopt(handle, CURLOPT_FILETIME, 1L);
    /* Large pieces: each is a call into Swift. This is the most that libcurl took before 7.88. */
    curl.easy_setopt(handle, CURLOPT_BUFFERSIZE, 512L << 10);
    /* Without this, a time-out while a name is looked up arrives as SIGALRM, in whichever thread. */
    curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
    curl.easy_setopt(handle, CURLOPT_HEADERDATA, exchange);
    curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl.easy_setopt(handle, CURLOPT_WRITEDATA, exchange);
    curl.easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl.easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, take_tick);
    curl.easy_setopt(handle, CURLOPT_XFERINFODATA, exchange);
}

static void perform(CURL *handle, struct swb_http_result *result) {
    curl_off_t last_modified = -1, retry_after = 0;
    result->code = (int)curl.easy_perform(handle);
    curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &result->status);
    curl.easy_getinfo(handle, CURLINFO_HTTP_CONNECTCODE, &result->proxy_status);
    if (curl.easy_getinfo(handle, CURLINFO_FILETIME_T, &last_modified) == CURLE_OK)
        result->last_modified = last_modified;
    if (curl.easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK) result->retry_after = retry_after;
}

/* A list of the request's header lines; returns 0 where there is no memory for it. */
static int make_headers(const struct swb_http_request *request, struct curl_slist **headers) {
    for (uint32_t i = 0; i <= request->header_count; i++) {
        /* The last: nobody is asked whether a body is welcome, which costs a round trip, or a second where unanswered. */
        const char *line = i < request->header_count ? request->headers[i] : "Expect:";
        struct curl_slist *longer = curl.slist_append(*headers, line);
        if (!longer) return 0;
        *headers = longer;
    }
    return 1;
}

struct swb_http_session *swb_http_session_begin(void) {
    pthread_once(&curl_once, load);
    return curl.is_ready ? (struct swb_http_session *)curl.easy_init() : NULL;
}

void swb_http_session_end(struct swb_http_session *session) { curl.easy_cleanup((CURL *)session); }

void swb_http_perform(struct swb_http_session *session, const struct swb_http_request *request,
                      struct swb_http_result *result) {
    *result = (struct swb_http_result){.code = SWB_HTTP_NO_LIBRARY, .last_modified = -1};
    pthread_once(&curl_once, load);
    CURL *handle = session ? (CURL *)session : curl.is_ready ? curl.easy_init() : NULL;
    if (!handle) {
        snprintf(result->reason, sizeof result->reason, "%s", curl.failure);
        return;
    }
    struct exchange exchange = {.request = request, .handle = handle};
    struct curl_slist *headers = NULL;
    char reason[CURL_ERROR_SIZE] = "";
    if (make_headers(request, &headers)) {
        set_options(handle, &exchange, headers, reason);
        /* A session is one connection at a time, so HTTP/2 has nothing to give, and its windows slow large bodies. */
        if (session) curl.easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        perform(handle, result);
        result->read_error = exchange.read_error;
    } else {
        result->code = CURLE_OUT_OF_MEMORY;
    }
    if (result->code != CURLE_OK)
        snprintf(result->reason, sizeof result->reason, "%s",
                 reason[0] ? reason : curl.easy_strerror((CURLcode)result->code));
    /* Forgets the options, which point to what ends here, and keeps connections, names and TLS sessions. */
    if (session) curl.easy_reset(handle);
    curl.slist_free_all(headers);
    if (!session) curl.easy_cleanup(handle);
}
