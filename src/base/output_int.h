/* What the files of output share: output.c finds the text, output_link.c tells links to files. */
#ifndef BASE_OUTPUT_INT_H
#define BASE_OUTPUT_INT_H

#include <stddef.h>

#include "base/output.h"

/* Appends a link to a file as Markdown. */
void output_append_link(const char *text, size_t length, struct buf *out);

#endif
