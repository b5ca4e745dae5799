#include "greet.h"

#include <stdio.h>
#include <string.h>

#ifndef VERSION
#define VERSION "unknown"
#endif

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--version") == 0) return printf("greet " VERSION "\n") < 0;
    return greet(argc > 1 ? argv[1] : "world") < 0;
}
