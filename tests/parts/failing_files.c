// Preloaded ahead of the C library: makes calls on files fail as the file $WEIR_FAULTS says, for as long as
// it says so. Each of its lines is CALL WHICH ERRNO PATH-PREFIX. CALL: read, facts or write. WHICH: all, or
// old, which means only descriptors that were open before the file was written, like stale handles. Each
// failure adds a line to the file $WEIR_FAULTS-met.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { kMaxDescriptors = 65536 };
static long long opened_ns[kMaxDescriptors];

static long long ns(struct timespec at) { return at.tv_sec * 1000000000LL + at.tv_nsec; }

static int fault(const char* call, int fd) {
  FILE* faults = fopen(getenv("WEIR_FAULTS"), "re");
  if (faults == NULL) return 0;
  char link[64], path[4096], line[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  struct stat told;
  int error = 0;
  if (size > 0 && fstat(fileno(faults), &told) == 0) {
    path[size] = '\0';
    while (error == 0 && fgets(line, sizeof line, faults) != NULL) {
      char which_call[16], which[16], prefix[3000];
      int number;
      if (sscanf(line, "%15s %15s %d %2999s", which_call, which, &number, prefix) != 4) continue;
      if (strcmp(which_call, call) != 0 || strncmp(path, prefix, strlen(prefix)) != 0) continue;
      if (strcmp(which, "old") == 0 && fd < kMaxDescriptors && opened_ns[fd] > ns(told.st_mtim)) continue;
      error = number;
      snprintf(line, sizeof line, "%s-met", getenv("WEIR_FAULTS"));
      FILE* met = fopen(line, "ae");
      if (met != NULL) {
        fprintf(met, "%s %d\n", call, number);
        fclose(met);
      }
    }
  }
  fclose(faults);
  return error;
}

static int opened(int fd) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (fd >= 0 && fd < kMaxDescriptors) opened_ns[fd] = ns(now);
  return fd;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(call, fd)                        \
  do {                                        \
    const int failed = fault(call, fd);       \
    if (failed != 0) return errno = failed, -1; \
  } while (0)

static mode_t mode_of(int flags, va_list rest) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}
int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(REAL(open)(path, flags, mode));
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(REAL(open64)(path, flags, mode));
}
ssize_t pread(int fd, void* out, size_t size, off_t at) {
  FAIL("read", fd);
  return REAL(pread)(fd, out, size, at);
}
ssize_t pread64(int fd, void* out, size_t size, off64_t at) {
  FAIL("read", fd);
  return REAL(pread64)(fd, out, size, at);
}
ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  FAIL("write", fd);
  return REAL(pwrite)(fd, from, size, at);
}
ssize_t pwrite64(int fd, const void* from, size_t size, off64_t at) {
  FAIL("write", fd);
  return REAL(pwrite64)(fd, from, size, at);
}
int statx(int fd, const char* restrict path, int flags, unsigned mask, struct statx* restrict out) {
  if (path[0] == '\0') FAIL("facts", fd);
  return REAL(statx)(fd, path, flags, mask, out);
}
