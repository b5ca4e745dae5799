#define _GNU_SOURCE
// What the linker knows of this program, which Swift cannot name.

#include "cshims_startup.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// <sys/mman.h> of older C libraries lacks it; Linux 5.14.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

// The writable data of the program: the beginning of `.data` as the C library's startup code names it, and end(3).
extern char __data_start[], _end[];

void cshims_populate_data(void) {
    uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    uintptr_t first = (uintptr_t)__data_start & ~mask;
    uintptr_t last = ((uintptr_t)_end + mask) & ~mask;
    (void)madvise((void *)first, last - first, MADV_POPULATE_WRITE);
}
