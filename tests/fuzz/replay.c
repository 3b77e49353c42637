/* Runs a fuzz target over the files of a folder, so that every build checks what fuzzing has found, without a fuzzer.
 *
 * Arguments are folders; without any it is tests/fuzz/corpus/NAME, where the program is called replay_NAME. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX_BYTES = 1 << 26 };

static bool replay_file(const char *path)
{
    char piece[4096];
    struct buf data;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    buf_init(&data, FILE_MAX_BYTES);
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_append(&data, piece, length);
    fclose(file);
    LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&data), data.length);
    buf_dispose(&data);
    return true;
}

/* How many files were run; -1 where one could not be read. A folder without files proves nothing. */
static int replay_folder(const char *name)
{
    int count = 0;
    DIR *folder = opendir(name);
    if (folder == NULL) {
        perror(name);
        return -1;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && count >= 0; entry = readdir(folder)) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        count = replay_file(path) ? count + 1 : -1;
    }
    closedir(folder);
    return count;
}

static bool report(const char *name)
{
    int count = replay_folder(name);
    if (count > 0)
        printf("%s: %d files\n", name, count);
    else if (count == 0)
        fprintf(stderr, "%s: no files\n", name);
    return count > 0;
}

int main(int argc, char **argv)
{
    static const char prefix[] = "replay_";
    bool fine = true;
    for (int i = 1; i < argc; i++)
        fine = report(argv[i]) && fine;
    if (argc < 2) {
        const char *slash = strrchr(argv[0], '/');
        const char *name = slash != NULL ? slash + 1 : argv[0];
        char path[256];
        if (strncmp(name, prefix, sizeof prefix - 1) == 0)
            name += sizeof prefix - 1;
        snprintf(path, sizeof path, "tests/fuzz/corpus/%s", name);
        fine = report(path);
    }
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
