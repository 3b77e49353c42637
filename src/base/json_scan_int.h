/* What the files of the module `json_scan` share, and json.c, which mends what the scanner refuses, with them. */
#ifndef JSON_SCAN_INT_H
#define JSON_SCAN_INT_H

/* The code unit of the four hexadecimal digits at `at`; -1 where they are none. */
int json_scan_unit(const char *at, const char *end);

#endif
