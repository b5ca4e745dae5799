#include "cshims_curl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Any libcurl that distributions build with TLS; Debian has the one with OpenSSL under the first name. */
static const char *const library_names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

static struct {
    CURLcode (*global_init)(long);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
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

static int take_tick(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    const struct exchange *exchange = context;
    (void)a, (void)b, (void)c, (void)d;
    return exchange->request->on_tick(exchange->request->context);
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

static void set_options(CURL *handle, struct exchange *exchange, struct curl_slist *headers, char *reason) {
    const struct swb_http_request *request = exchange->request;
    curl.easy_setopt(handle, CURLOPT_URL, request->url);
    curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
    curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl.easy_setopt(handle, CURLOPT_USERAGENT, "swbuild");
    allow_http_only(handle, request->url);
    curl.easy_setopt(handle, CURLOPT_FOLLOWLOCATION, request->maximum_redirects > 0 ? 1L : 0L);
    curl.easy_setopt(handle, CURLOPT_MAXREDIRS, (long)request->maximum_redirects);
    if (request->certificates) curl.easy_setopt(handle, CURLOPT_CAINFO, request->certificates);
    if (request->certificate_directory) curl.easy_setopt(handle, CURLOPT_CAPATH, request->certificate_directory);
    curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, (long)request->connect_seconds);
    curl.easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, (long)request->slow_bytes_per_second);
    curl.easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (long)request->slow_seconds);
    curl.easy_setopt(handle, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->maximum_size);
    curl.easy_setopt(handle, CURLOPT_FILETIME, 1L);
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
    if (curl.easy_getinfo(handle, CURLINFO_FILETIME_T, &last_modified) == CURLE_OK)
        result->last_modified = last_modified;
    if (curl.easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK) result->retry_after = retry_after;
}

void swb_http_get(const struct swb_http_request *request, struct swb_http_result *result) {
    *result = (struct swb_http_result){.code = SWB_HTTP_NO_LIBRARY, .last_modified = -1};
    pthread_once(&curl_once, load);
    CURL *handle = curl.is_ready ? curl.easy_init() : NULL;
    if (!handle) {
        snprintf(result->reason, sizeof result->reason, "%s", curl.failure);
        return;
    }
    struct exchange exchange = {.request = request, .handle = handle};
    struct curl_slist *headers = NULL;
    int is_complete = 1;
    for (uint32_t i = 0; i < request->header_count && is_complete; i++) {
        struct curl_slist *longer = curl.slist_append(headers, request->headers[i]);
        is_complete = longer != NULL;
        if (longer) headers = longer;
    }
    char reason[CURL_ERROR_SIZE] = "";
    if (is_complete) {
        set_options(handle, &exchange, headers, reason);
        perform(handle, result);
    } else {
        result->code = CURLE_OUT_OF_MEMORY;
    }
    if (result->code != CURLE_OK)
        snprintf(result->reason, sizeof result->reason, "%s",
                 reason[0] ? reason : curl.easy_strerror((CURLcode)result->code));
    curl.slist_free_all(headers);
    curl.easy_cleanup(handle);
}
