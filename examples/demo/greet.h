#ifndef GREET_H
#define GREET_H

/* Writes a greeting of `name` to standard output; returns what printf does. */
int greet(const char *name);

#endif
