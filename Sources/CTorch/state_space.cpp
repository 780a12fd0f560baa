// The selective scan of state-space models (Gu and Dao 2023).
//
// For every channel c and state n, with a step Δ that depends on the token,
//
//     h_t = exp(A_cn Δ_tc) h_{t−1} + Δ_tc B_tn x_tc,     y_tc = Σ_n C_tn h_tcn + D_c x_tc
//
// The recurrence runs over positions; channels are independent. One pass holds the states of a group
// of channels close by and goes through the text once, so nothing of size positions × channels ×
// states is ever written. What autograd records is written out in its operations instead.

#include "softmax.h"

#include <ATen/ops/stack.h>

using ct::box;
using ct::guard;

namespace {

// Channels that run together: one group's states stay in the first cache.
constexpr int64_t group = 16;

template <typename T> struct Scan {
  int64_t positions, channels, states;
  const T *x, *step;         // [batch, position, channel]
  const T *decay;            // [state, channel], A ≤ 0
  const T *input, *output;   // [batch, position, state]
  const T *skip;             // [channel]
  T *state;                  // [batch, state, channel], before and after
  T *y;                      // [batch, position, channel]
};

template <typename T>
INLINE void scan_group(const Scan<T> &s, int64_t batch, int64_t first, int64_t count, T *kept) {
  T own[group] = {}, step[group] = {}, pushed[group] = {}, sum[group] = {}, decay[group] = {};
  for (int64_t n = 0; n < s.states; ++n)
    for (int64_t c = 0; c < group; ++c)
      kept[n * group + c] =
          c < count ? s.state[(batch * s.states + n) * s.channels + first + c] : T(0);
  for (int64_t t = 0; t < s.positions; ++t) {
    const int64_t row = batch * s.positions + t;
    for (int64_t c = 0; c < count; ++c) {
      own[c] = s.x[row * s.channels + first + c];
      step[c] = s.step[row * s.channels + first + c];
    }
    for (int64_t c = 0; c < group; ++c) {
      pushed[c] = step[c] * own[c];
      sum[c] = 0;
    }
    for (int64_t n = 0; n < s.states; ++n) {
      const T in = s.input[row * s.states + n], out = s.output[row * s.states + n];
      for (int64_t c = 0; c < count; ++c) decay[c] = s.decay[n * s.channels + first + c];
      T *h = kept + n * group;
      for (int64_t c = 0; c < group; ++c) {
        h[c] = exp_negative(decay[c] * step[c]) * h[c] + in * pushed[c];
        sum[c] += out * h[c];
      }
    }
    for (int64_t c = 0; c < count; ++c)
      s.y[row * s.channels + first + c] = sum[c] + s.skip[first + c] * own[c];
  }
  for (int64_t n = 0; n < s.states; ++n)
    for (int64_t c = 0; c < count; ++c)
      s.state[(batch * s.states + n) * s.channels + first + c] = kept[n * group + c];
}

// One loop, three instruction sets; a full group has its length at compile time.
#define SCAN(name, target) \
  template <typename T> \
  target void name(const Scan<T> &s, int64_t batch, int64_t first, int64_t count, T *kept) { \
    if (count == group) \
      scan_group(s, batch, first, group, kept); \
    else \
      scan_group(s, batch, first, count, kept); \
  }

SCAN(scan_plain, )
#if defined(__x86_64__)
SCAN(scan_avx2, __attribute__((target("avx2,fma"))))
SCAN(scan_avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))))
#endif

template <typename T> auto scan_for_processor() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return scan_avx512<T>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return scan_avx2<T>;
#endif
  return scan_plain<T>;
}

template <typename T> void scan_all(const Scan<T> &scan, int64_t batches) {
  const int64_t groups = (scan.channels + group - 1) / group;
  const auto run = scan_for_processor<T>();
  ct::parallel(batches * groups, [&](int64_t task) {
    thread_local std::vector<T> kept;
    kept.resize(size_t(scan.states * group));
    const int64_t first = task % groups * group;
    run(scan, task / groups, first, std::min(group, scan.channels - first), kept.data());
  });
}

template <typename T>
void scan_fused(
    const at::Tensor &x, const at::Tensor &step, const at::Tensor &decay, const at::Tensor &input,
    const at::Tensor &output, const at::Tensor &skip, at::Tensor &state, at::Tensor &y) {
  const at::Tensor x_ = x.contiguous(), step_ = step.contiguous(),
                   decay_ = decay.t().contiguous(), input_ = input.contiguous(),
                   output_ = output.contiguous(), skip_ = skip.contiguous();
  at::Tensor turned = state.transpose(1, 2).clone(at::MemoryFormat::Contiguous);
  y = at::empty_like(x_);
  scan_all<T>(
      {x.size(1), x.size(2), decay.size(1), x_.data_ptr<T>(), step_.data_ptr<T>(),
       decay_.data_ptr<T>(), input_.data_ptr<T>(), output_.data_ptr<T>(), skip_.data_ptr<T>(),
       turned.data_ptr<T>(), y.data_ptr<T>()},
      x.size(0));
  state = turned.transpose(1, 2);
}

}  // namespace

int ct_selective_scan(
    ct_tensor x_, ct_tensor step_, ct_tensor decay_, ct_tensor input_, ct_tensor output_,
    ct_tensor skip_, ct_tensor state_, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value, &step = step_->value, &decay = decay_->value,
                     &input = input_->value, &output = output_->value, &skip = skip_->value;
    at::Tensor state = state_->value;
    const bool fits =
        x.dim() == 3 && decay.dim() == 2 && step.sizes() == x.sizes() && input.dim() == 3 &&
        input.sizes() == output.sizes() && input.size(0) == x.size(0) &&
        input.size(1) == x.size(1) && input.size(2) == decay.size(1) &&
        decay.size(0) == x.size(2) && skip.dim() == 1 && skip.size(0) == x.size(2) &&
        state.dim() == 3 && state.size(0) == x.size(0) && state.size(1) == x.size(2) &&
        state.size(2) == decay.size(1);
    TORCH_CHECK(fits, "selective scan: shapes do not fit");
    const auto type = x.scalar_type();
    bool plain = x.is_cpu() && (type == at::kFloat || type == at::kDouble) &&
                 !ct::recording(x, step, decay, input, output, skip, state);
    for (const at::Tensor &other : {step, decay, input, output, skip, state})
      plain = plain && other.is_cpu() && other.scalar_type() == type;
    if (plain) {
      at::Tensor y;
      if (type == at::kFloat)
        scan_fused<float>(x, step, decay, input, output, skip, state, y);
      else
        scan_fused<double>(x, step, decay, input, output, skip, state, y);
      out[0] = box(y);
      out[1] = box(state);
      return;
    }
    // Low-precision states are summed in float32, as every published model does.
    const bool low = type == at::kBFloat16 || type == at::kHalf;
    const auto wide = [&](const at::Tensor &value) { return low ? value.to(at::kFloat) : value; };
    const at::Tensor own = wide(x), steps = wide(step);
    const at::Tensor kept = at::exp(steps.unsqueeze(3) * wide(decay));
    const at::Tensor pushed = (steps * own).unsqueeze(3) * wide(input).unsqueeze(2);
    std::vector<at::Tensor> states;
    state = wide(state);
    for (int64_t t = 0; t < x.size(1); ++t) {
      state = kept.select(1, t) * state + pushed.select(1, t);
      states.push_back(state);
    }
    const at::Tensor read =
        at::matmul(at::stack(states, 1), wide(output).unsqueeze(3)).squeeze(3);
    out[0] = box((read + own * wide(skip)).to(type));
    out[1] = box(state);
  });
}
