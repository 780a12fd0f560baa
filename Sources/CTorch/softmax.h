// What the streamed loops over a vocabulary share: exponentials that the compiler can vectorise,
// padding, and one loop compiled for three instruction sets, of which the processor chooses at run
// time.

#pragma once

#include "guard.h"
#include "parallel.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace {

constexpr int64_t lanes = 16;
constexpr int64_t slice_limit = 8192;

#define INLINE inline __attribute__((always_inline))

// exp(x) for x ≤ 0 to within 2 ulp: x = n·ln 2 + r with |r| ≤ ln 2 / 2, a polynomial for exp(r),
// and n added to the exponent. Below −87 the result is 0.
INLINE float exp_negative(float x) {
  const float clamped = x < -87.0f ? -87.0f : x;
  // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
  const float shifted = clamped * 1.44269504088896341f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  int32_t bits, exponent;
  std::memcpy(&bits, &p, 4);
  std::memcpy(&exponent, &shifted, 4);
  bits += exponent << 23;
  float result;
  std::memcpy(&result, &bits, 4);
  return x < -87.0f ? 0.0f : result;
}

INLINE double exp_negative(double x) { return std::exp(x); }

// 2^x for x up to a few, to within 2 ulp: x = n + r with |r| ≤ 1/2, a polynomial for 2^r, and n
// added to the exponent. Below the smallest normal number's exponent the result stays there: nothing
// beside 1.
INLINE float exp2_negative(float x) {
  const float clamped = x < -126.0f ? -126.0f : x;
  const float shifted = clamped + 12582912.0f;
  const float r = clamped - (shifted - 12582912.0f);
  float p = 1.5345891730e-4f;
  p = p * r + 1.3399930553e-3f;
  p = p * r + 9.6184885079e-3f;
  p = p * r + 5.5503287770e-2f;
  p = p * r + 2.4022646898e-1f;
  p = p * r + 6.9314720574e-1f;
  p = p * r + 1.0f;
  int32_t bits, exponent;
  std::memcpy(&bits, &p, 4);
  std::memcpy(&exponent, &shifted, 4);
  bits += exponent << 23;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}

INLINE double exp2_negative(double x) { return std::exp2(x); }

// Pads a slice to whole lanes with −∞ (mass 0) so that the loops have no tails.
template <typename T> struct Slice {
  alignas(64) T value[slice_limit];
  alignas(64) T slope[slice_limit];
  alignas(64) T model[slice_limit];
};

template <typename T> Slice<T> &scratch() {
  thread_local Slice<T> slice;
  return slice;
}

INLINE int64_t padded(int64_t length) { return (length + lanes - 1) / lanes * lanes; }

void check_slice(const at::Tensor &logits, const at::Tensor &bias) {
  TORCH_CHECK(
      logits.is_cpu() && logits.is_contiguous() && logits.dim() == 2,
      "readout: a slice must be [rows, length], contiguous, on the CPU");
  TORCH_CHECK(
      logits.size(1) > 0 && logits.size(1) <= slice_limit, "readout: a slice of ", logits.size(1),
      " entries; at most ", slice_limit);
  TORCH_CHECK(
      !bias.defined() ||
          (bias.is_contiguous() && bias.scalar_type() == logits.scalar_type() &&
           bias.numel() == logits.size(1)),
      "readout: bias does not fit its slice");
}

}  // namespace

// One loop, three instruction sets.
#define DISPATCHED(name, statistics, body) \
  template <typename T> \
  void name##_plain( \
      const statistics &s, int64_t i, const T *l, const T *b, int64_t f, int64_t n) { \
    body(s, i, l, b, f, n); \
  } \
  TARGETED(name, statistics, body)

#if defined(__x86_64__)
#define TARGETED(name, statistics, body) \
  template <typename T> \
  __attribute__((target("avx2,fma"))) void name##_avx2( \
      const statistics &s, int64_t i, const T *l, const T *b, int64_t f, int64_t n) { \
    body(s, i, l, b, f, n); \
  } \
  template <typename T> \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void \
  name##_avx512( \
      const statistics &s, int64_t i, const T *l, const T *b, int64_t f, int64_t n) { \
    body(s, i, l, b, f, n); \
  } \
  template <typename T> auto name##_for_processor() { \
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) \
      return name##_avx512<T>; \
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return name##_avx2<T>; \
    return name##_plain<T>; \
  }
#else
#define TARGETED(name, statistics, body) \
  template <typename T> auto name##_for_processor() { return name##_plain<T>; }
#endif
