/* Preloaded: the Nth write to one file writes a part of what it is given, and says how much; or dies right then, which
   leaves a torn write. What strace cannot inject. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long seen;

static size_t cut(int fd, const char *call, size_t bytes) {
    const char *path = getenv("SHORT_PATH"), *name = getenv("SHORT_CALL"), *at = getenv("SHORT_AT");
    char link[64], target[4096];
    ssize_t length;
    if (!path || !name || !at || bytes < 2 || strcmp(call, name))
        return bytes;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return bytes;
    target[length] = 0;
    if (strcmp(target, path) || __sync_add_and_fetch(&seen, 1) != atol(at))
        return bytes;
    const char *keep = getenv("SHORT_KEEP");
    size_t kept = bytes * (size_t)(keep ? atol(keep) : 50) / 100;
    return kept ? kept : 1;
}

static ssize_t ended(size_t asked, size_t bytes, ssize_t written) {
    if (asked != bytes && getenv("SHORT_THEN_DIE"))
        kill(getpid(), SIGKILL);
    return written;
}

ssize_t write(int fd, const void *from, size_t bytes) {
    size_t asked = cut(fd, "write", bytes);
    return ended(asked, bytes, syscall(SYS_write, fd, from, asked));
}

ssize_t pwrite64(int fd, const void *from, size_t bytes, off_t at) {
    size_t asked = cut(fd, "pwrite64", bytes);
    return ended(asked, bytes, syscall(SYS_pwrite64, fd, from, asked, at));
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) { return pwrite64(fd, from, bytes, at); }
