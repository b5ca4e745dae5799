#pragma once

#include <stddef.h>
#include <stdint.h>

/// Runs libFuzzer with its command line: LLVM's documentation, "libFuzzer", "Using libFuzzer as a library".
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

/// A new empty file in memory: memfd_create(2), which Swift's module of the C library lacks. -1 where it fails.
int cfuzzer_memory_file(void);
