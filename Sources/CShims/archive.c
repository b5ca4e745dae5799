#include "cshims_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct archive *(*read_new)(void);
    int (*filter_gzip)(struct archive *);
    int (*filter_bzip2)(struct archive *);
    int (*filter_xz)(struct archive *);
    int (*filter_zstd)(struct archive *);
    int (*format_raw)(struct archive *);
    int (*open)(struct archive *, void *, archive_open_callback *, archive_read_callback *, archive_close_callback *);
    int (*next_header)(struct archive *, struct archive_entry **);
    int (*data_block)(struct archive *, const void **, size_t *, la_int64_t *);
    const char *(*error_string)(struct archive *);
    int (*free)(struct archive *);
    int is_ready;
    char failure[256];
} library;

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static int find(void *handle, const char *name, void *pointer) {
    void *symbol = dlsym(handle, name);
    if (!symbol) {
        snprintf(library.failure, sizeof library.failure, "libarchive has no %s", name);
        return 0;
    }
    /* POSIX lets a pointer from dlsym stand for a function, ISO C has no conversion for it. */
    memcpy(pointer, &symbol, sizeof symbol);
    return 1;
}

static void load(void) {
    void *handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *failure = dlerror();
        snprintf(library.failure, sizeof library.failure, "%s", failure ? failure : "libarchive.so.13 is not there");
        return;
    }
    library.is_ready = find(handle, "archive_read_new", &library.read_new) &&
                       find(handle, "archive_read_support_filter_gzip", &library.filter_gzip) &&
                       find(handle, "archive_read_support_filter_bzip2", &library.filter_bzip2) &&
                       find(handle, "archive_read_support_filter_xz", &library.filter_xz) &&
                       find(handle, "archive_read_support_filter_zstd", &library.filter_zstd) &&
                       find(handle, "archive_read_support_format_raw", &library.format_raw) &&
                       find(handle, "archive_read_open", &library.open) &&
                       find(handle, "archive_read_next_header", &library.next_header) &&
                       find(handle, "archive_read_data_block", &library.data_block) &&
                       find(handle, "archive_error_string", &library.error_string) &&
                       find(handle, "archive_read_free", &library.free);
}

struct swb_decompressor {
    struct archive *archive;
    void *context;
    swb_archive_input input;
};

static la_ssize_t read_input(struct archive *archive, void *client, const void **bytes) {
    struct swb_decompressor *decompressor = client;
    (void)archive;
    return decompressor->input(decompressor->context, bytes);
}

int swb_archive_open(struct swb_decompressor **result, void *context, swb_archive_input input) {
    *result = NULL;
    pthread_once(&library_once, load);
    if (!library.is_ready) return SWB_ARCHIVE_NO_LIBRARY;
    struct swb_decompressor *decompressor = malloc(sizeof *decompressor);
    struct archive *archive = library.read_new();
    if (!decompressor || !archive) {
        if (archive) library.free(archive);
        free(decompressor);
        return SWB_ARCHIVE_NO_MEMORY;
    }
    *decompressor = (struct swb_decompressor){.archive = archive, .context = context, .input = input};
    *result = decompressor;
    /* Not all that libarchive knows: for some of it, it would look for programs to run. */
    library.filter_gzip(archive);
    library.filter_bzip2(archive);
    library.filter_xz(archive);
    library.filter_zstd(archive);
    /* As one member: what is in it is for the tar reader to see. */
    library.format_raw(archive);
    struct archive_entry *entry;
    if (library.open(archive, decompressor, NULL, read_input, NULL) != ARCHIVE_OK ||
        library.next_header(archive, &entry) != ARCHIVE_OK)
        return SWB_ARCHIVE_CORRUPT;
    return SWB_ARCHIVE_OK;
}

int swb_archive_next(struct swb_decompressor *decompressor, const void **bytes, size_t *count) {
    la_int64_t offset;
    int code = library.data_block(decompressor->archive, bytes, count, &offset);
    if (code == ARCHIVE_EOF) return SWB_ARCHIVE_END;
    return code == ARCHIVE_OK || code == ARCHIVE_WARN ? SWB_ARCHIVE_OK : SWB_ARCHIVE_CORRUPT;
}

const char *swb_archive_problem(struct swb_decompressor *decompressor) {
    return library.error_string(decompressor->archive);
}

void swb_archive_close(struct swb_decompressor *decompressor) {
    library.free(decompressor->archive);
    free(decompressor);
}

const char *swb_archive_failure(void) { return library.failure; }
