#ifndef SWBUILD_CSHIMS_ARCHIVE_H
#define SWBUILD_CSHIMS_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

/*
 * libarchive, loaded when the first compressed archive is read. It brings nine other libraries, which would cost each
 * start of the program more than the rest of the start does.
 */

struct swb_decompressor;

/* Gives the next bytes of the compressed file in `*bytes`: how many, 0 at its end, or less than 0 to give up. */
typedef long (*swb_archive_input)(void *_Nonnull context, const void *_Nullable *_Nonnull bytes);

enum {
    SWB_ARCHIVE_OK = 0,
    SWB_ARCHIVE_END = 1,
    SWB_ARCHIVE_NO_LIBRARY = -1,
    SWB_ARCHIVE_NO_MEMORY = -2,
    SWB_ARCHIVE_CORRUPT = -3,
};

/*
 * Begins to decompress what `input` gives: gzip, bzip2, xz, zstd, or plain bytes, as the content tells. 0 or less; after
 * SWB_ARCHIVE_CORRUPT, too, `*decompressor` is there, for swb_archive_problem().
 */
int swb_archive_open(struct swb_decompressor *_Nullable *_Nonnull decompressor, void *_Nonnull context,
                     swb_archive_input _Nonnull input);

/* The next decompressed bytes, valid until the next call; SWB_ARCHIVE_END when there are no more. */
int swb_archive_next(struct swb_decompressor *_Nonnull decompressor, const void *_Nullable *_Nonnull bytes,
                     size_t *_Nonnull count);

/* What is wrong, in libarchive's words; NULL where it has none. */
const char *_Nullable swb_archive_problem(struct swb_decompressor *_Nonnull decompressor);

void swb_archive_close(struct swb_decompressor *_Nonnull decompressor);

/* Why the library cannot be used. */
const char *_Nonnull swb_archive_failure(void);

#endif
