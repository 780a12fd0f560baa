// Fork and join on the threads that the engine's own products run on.
//
// libtorch's CPU products run on the OpenMP runtime that it brings. A second pool would compete
// with that one's waiting threads for the same cores, so this borrows its team: `GOMP_parallel` is
// the runtime's documented entry, looked up in what is loaded because the wheel and the other
// distributions of libtorch bring differently named runtimes. Without one the body runs alone.

#pragma once

#include <ATen/Parallel.h>
#include <atomic>
#include <dlfcn.h>

namespace ct {

// Calls body(i) for i in 0 ..< count; which thread takes which i is not fixed, so a body may write
// only what belongs to its own i.
template <typename Body> void parallel(int64_t count, const Body &body) {
  using Fork = void (*)(void (*)(void *), void *, unsigned, unsigned);
  static const Fork fork = reinterpret_cast<Fork>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  const int threads = static_cast<int>(std::min<int64_t>(at::get_num_threads(), count));
  if (fork == nullptr || threads < 2) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  struct Work {
    const Body &body;
    int64_t count;
    std::atomic<int64_t> next{0};
  } work{body, count};
  fork(
      [](void *data) {
        auto &work = *static_cast<Work *>(data);
        for (int64_t i; (i = work.next.fetch_add(1)) < work.count;) work.body(i);
      },
      &work, static_cast<unsigned>(threads), 0);
}

}  // namespace ct
