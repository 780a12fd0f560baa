// What every body shares: one place where C++ exceptions end, and one where handles are made.

#pragma once

#include "ctorch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <string>

struct ct_tensor_s {
  at::Tensor value;
};

namespace ct {

inline thread_local std::string last_error;

// Inside a scope the first failure is kept and everything after it fails at once, so that a formula
// can run to its end and the failure be thrown there.
inline thread_local int scopes = 0;
inline thread_local bool failed = false;

inline ct_tensor box(at::Tensor value) { return new ct_tensor_s{std::move(value)}; }

inline at::IntArrayRef shape(const int64_t *sizes, int rank) {
  return {sizes, static_cast<size_t>(rank)};
}

// Runs a body; an exception becomes status 1 and a text.
template <typename Body> int guard(const Body &body) {
  if (failed) return 1;
  try {
    body();
    return 0;
  } catch (const c10::Error &error) {
    last_error = error.what_without_backtrace();
  } catch (const std::exception &error) {
    last_error = error.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  failed = scopes > 0;
  return 1;
}

// Whether autograd would record an operation on these tensors.
template <typename... Tensors> bool recording(const Tensors &...tensors) {
  return c10::GradMode::is_enabled() && ((tensors.defined() && tensors.requires_grad()) || ...);
}

}  // namespace ct
