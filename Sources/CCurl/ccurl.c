#define _DEFAULT_SOURCE 1  // signals, where the compiler is asked for plain C

#include "ccurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

// The numbers below are libcurl's own, from its documentation; they never change.
enum {
  OPTION_LONG = 0,
  OPTION_POINTER = 10000,
  OPTION_FUNCTION = 20000,

  OPTION_WRITEDATA = OPTION_POINTER + 1,
  OPTION_URL = OPTION_POINTER + 2,
  OPTION_RANGE = OPTION_POINTER + 7,
  OPTION_ERRORBUFFER = OPTION_POINTER + 10,
  OPTION_WRITEFUNCTION = OPTION_FUNCTION + 11,
  OPTION_USERAGENT = OPTION_POINTER + 18,
  OPTION_LOW_SPEED_LIMIT = OPTION_LONG + 19,
  OPTION_LOW_SPEED_TIME = OPTION_LONG + 20,
  OPTION_HTTPHEADER = OPTION_POINTER + 23,
  OPTION_HEADERDATA = OPTION_POINTER + 29,
  OPTION_NOBODY = OPTION_LONG + 44,
  OPTION_FOLLOWLOCATION = OPTION_LONG + 52,
  OPTION_CAINFO = OPTION_POINTER + 65,
  OPTION_CONNECTTIMEOUT = OPTION_LONG + 78,
  OPTION_HEADERFUNCTION = OPTION_FUNCTION + 79,
  OPTION_NOSIGNAL = OPTION_LONG + 99,
  OPTION_PROTOCOLS = OPTION_LONG + 181,

  INFO_RESPONSE_CODE = 0x200000 + 2,

  GLOBAL_ALL = 3,
  PROTOCOL_HTTP_AND_HTTPS = 3,
  ERROR_SIZE = 256,
};

typedef size_t (*write_function)(char *, size_t, size_t, void *);

static struct {
  void *library;
  int (*global_init)(long);
  void *(*easy_init)(void);
  int (*easy_setopt)(void *, int, ...);
  int (*easy_perform)(void *);
  int (*easy_getinfo)(void *, int, ...);
  void (*easy_cleanup)(void *);
  const char *(*easy_strerror)(int);
  void *(*slist_append)(void *, const char *);
  void (*slist_free_all)(void *);
} curl;

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static int find(void *library, const char *name, void *function) {
  void *found = dlsym(library, name);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

static int find_all(void *library) {
  return find(library, "curl_global_init", &curl.global_init) &&
         find(library, "curl_easy_init", &curl.easy_init) &&
         find(library, "curl_easy_setopt", &curl.easy_setopt) &&
         find(library, "curl_easy_perform", &curl.easy_perform) &&
         find(library, "curl_easy_getinfo", &curl.easy_getinfo) &&
         find(library, "curl_easy_cleanup", &curl.easy_cleanup) &&
         find(library, "curl_easy_strerror", &curl.easy_strerror) &&
         find(library, "curl_slist_append", &curl.slist_append) &&
         find(library, "curl_slist_free_all", &curl.slist_free_all);
}

static int open_one(const char *name, char *error, size_t capacity) {
  dlerror();
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    snprintf(error, capacity, "%s", reason ? reason : name);
    return 1;
  }
  if (!find_all(library) || curl.global_init(GLOBAL_ALL) != 0) {
    snprintf(error, capacity, "%s is no libcurl that can be used", name);
    dlclose(library);
    return 1;
  }
  curl.library = library;
  return 0;
}

int ccurl_open(const char *path, char *error, size_t capacity) {
  static const char *const names[] = {
#ifdef __APPLE__
      "/usr/lib/libcurl.4.dylib",
      "libcurl.4.dylib",
#else
      "libcurl.so.4",
      "libcurl-gnutls.so.4",
      "libcurl.so",
#endif
  };
  pthread_mutex_lock(&opening);
  int failed = curl.library == NULL;
  if (failed && path) {
    failed = open_one(path, error, capacity);
  } else if (failed) {
    // The first name's failure says most: the others are seldom there.
    char later[ERROR_SIZE];
    for (size_t index = 0; failed && index < sizeof names / sizeof *names; index++) {
      failed = open_one(names[index], index ? later : error, index ? sizeof later : capacity);
    }
  }
  pthread_mutex_unlock(&opening);
  return failed;
}

// libcurl takes any count but the given one for a wish to stop.
static size_t pass_header(char *bytes, size_t size, size_t count, void *request) {
  const ccurl_request *to = request;
  return to->header(bytes, size * count, to->context) ? 0 : size * count;
}

static size_t pass_body(char *bytes, size_t size, size_t count, void *request) {
  const ccurl_request *to = request;
  size_t all = size * count;
  return all > 0 && to->body(bytes, all, to->context) ? 0 : all;
}

static ccurl_outcome outcome(int code) {
  switch (code) {
  case 0: return CCURL_DONE;
  case 5: case 6: return CCURL_NO_HOST;
  case 7: return CCURL_NO_CONNECTION;
  case 28: return CCURL_TIMEOUT;
  case 35: case 51: case 53: case 54: case 58: case 59: case 60: case 64: case 66: case 77:
  case 80: case 82: case 83: case 90: case 91: return CCURL_TLS;
  case 16: case 18: case 52: case 55: case 56: case 92: return CCURL_CUT;
  case 23: case 42: return CCURL_STOPPED;
  default: return CCURL_OTHER;
  }
}

// Writing to a connection that the other side has closed raises SIGPIPE, in TLS libraries too. It is
// held back from this thread meanwhile, and taken away if it came.
static int perform_without_sigpipe(void *handle) {
  sigset_t pipe, old, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  int was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &old);
  int code = curl.easy_perform(handle);
  sigpending(&pending);
  if (!was_pending && sigismember(&pending, SIGPIPE)) {
    int signal;
    sigwait(&pipe, &signal);
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return code;
}

ccurl_outcome ccurl_perform(
    const ccurl_request *request, long *status, char *error, size_t capacity) {
  *status = 0;
  void *handle = curl.easy_init();
  char words[ERROR_SIZE] = "";
  if (!handle) {
    snprintf(error, capacity, "libcurl has no memory");
    return CCURL_OTHER;
  }
  void *headers = NULL;
  int failed = 0;
  for (const char *const *header = request->headers; *header; header++) {
    void *longer = curl.slist_append(headers, *header);
    failed |= longer == NULL;
    if (longer) headers = longer;
  }
  char range[32];
  snprintf(range, sizeof range, "%lld-", (long long)request->range_start);

#define SET(option, value) failed |= curl.easy_setopt(handle, option, value)
  SET(OPTION_ERRORBUFFER, words);
  SET(OPTION_NOSIGNAL, 1L);
  SET(OPTION_PROTOCOLS, (long)PROTOCOL_HTTP_AND_HTTPS);
  SET(OPTION_FOLLOWLOCATION, 0L);
  SET(OPTION_URL, request->url);
  SET(OPTION_HTTPHEADER, headers);
  SET(OPTION_USERAGENT, request->user_agent);
  SET(OPTION_CONNECTTIMEOUT, request->connect_seconds);
  SET(OPTION_LOW_SPEED_LIMIT, 1L);
  SET(OPTION_LOW_SPEED_TIME, request->idle_seconds);
  SET(OPTION_HEADERFUNCTION, (write_function)pass_header);
  SET(OPTION_HEADERDATA, (void *)request);
  SET(OPTION_WRITEFUNCTION, (write_function)pass_body);
  SET(OPTION_WRITEDATA, (void *)request);
  if (request->head) SET(OPTION_NOBODY, 1L);
  if (request->range_start > 0) SET(OPTION_RANGE, range);
  if (request->certificates) SET(OPTION_CAINFO, request->certificates);
#undef SET

  int code = failed ? -1 : perform_without_sigpipe(handle);
  if (!failed) {
    curl.easy_getinfo(handle, INFO_RESPONSE_CODE, status);
    if (code != 0) {
      snprintf(error, capacity, "%s", words[0] ? words : curl.easy_strerror(code));
    }
  } else {
    snprintf(error, capacity, "libcurl refuses an option");
  }
  curl.slist_free_all(headers);
  curl.easy_cleanup(handle);
  return outcome(code);
}
