// One HTTP request at a time through libcurl, which is opened when it is first needed.
//
// Building needs no header of libcurl, and a program that never downloads needs no libcurl: its
// binary interface has been stable since 7.16 (soname 4), and what is used of it is declared here.
// Redirects are not followed: the caller decides what it sends where.

#ifndef CCURL_H
#define CCURL_H

#include <stddef.h>
#include <stdint.h>

// Opens the library once. `path` names a copy, or is NULL for the system's own. Returns 0, or 1 with
// the loader's words in `error`. Thread-safe; a failure is tried again at the next call.
int ccurl_open(const char *path, char *error, size_t capacity);

typedef struct {
  const char *url;                // http or https; nothing else is spoken
  const char *const *headers;     // "Name: value", the last one NULL
  int head;                       // 1: the headers alone
  int64_t range_start;            // 0: all; else from this byte on
  long connect_seconds;           // the most until a connection stands
  long idle_seconds;              // the most without a byte
  const char *certificates;       // a file of trusted certificates, or NULL for libcurl's own
  const char *user_agent;
  // Each gets `context`. `header` gets one line with its end, also the status line; both return 0 to
  // go on, anything else to end the request.
  int (*header)(const char *bytes, size_t count, void *context);
  int (*body)(const void *bytes, size_t count, void *context);
  void *context;
} ccurl_request;

typedef enum {
  CCURL_DONE = 0,
  CCURL_STOPPED,      // a callback ended it
  CCURL_NO_HOST,      // the host or the proxy has no address
  CCURL_NO_CONNECTION,
  CCURL_TIMEOUT,
  CCURL_TLS,          // no secure connection
  CCURL_CUT,          // the connection ended too soon
  CCURL_OTHER,
} ccurl_outcome;

// Performs a request. `status` is the HTTP status, 0 if none came; `error` is libcurl's own words
// where the outcome is not CCURL_DONE. ccurl_open must have returned 0.
ccurl_outcome ccurl_perform(
    const ccurl_request *request, long *status, char *error, size_t capacity);

#endif
