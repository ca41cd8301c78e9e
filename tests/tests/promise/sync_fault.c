/* Preloaded into the data plane: fails one chosen sync of the store's file after it was done, as a disk does that
 * wrote the bytes and lost the acknowledgement. SYNC_FAULT names a file with a number: that many syncs from now, one
 * fails. The file is removed with it. With -1 every sync fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_store(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    return name != NULL && strcmp(name, "/jobs.redb") == 0;
}

/* Whether it is this sync's turn. */
static int fails(void) {
    const char *control = getenv("SYNC_FAULT");
    FILE *file = control == NULL ? NULL : fopen(control, "r");
    int left = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &left) != 1)
        left = 0;
    fclose(file);
    if (left < 0)
        return 1; /* the disk is gone */
    if (left == 1)
        return unlink(control) == 0;
    if (left > 1 && (file = fopen(control, "w")) != NULL) {
        fprintf(file, "%d", left - 1);
        fclose(file);
    }
    return 0;
}

static int faulty(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int done = real(fd);
    if (done == 0 && is_store(fd) && fails()) {
        errno = EIO;
        return -1;
    }
    return done;
}

int fsync(int fd) { return faulty("fsync", fd); }

int fdatasync(int fd) { return faulty("fdatasync", fd); }
