// Path-mean gradients in vocabulary space: one pass that mixes, exponentiates and accumulates.
//
// At node t of a segment the logits are z = α a + β b + bias (soft-capped where the model caps), with
// p = exp(z − log Z) and log Z known from the statistics of the same point. Every target's gradient
// has the form
//
//     q_v = D_v [ (first + second · log p_v) p_v + target·[v = y] + versus·[v = x] + model·m_v ],
//
// with D = ∂z/∂l, 1 without a cap, and m the model's own output. Q = Σ_t q is written for one slice of
// the vocabulary: a few tens of numbers in registers take all nodes before they are stored, and the
// ends' logits are read once. Each segment belongs to one thread and its nodes are added in order, so
// results do not depend on the thread count.

#include "softmax.h"

namespace {

constexpr int64_t block = 4 * lanes;
constexpr double log2_e = 1.44269504088896340736;

template <typename T> struct Nodes {
  // Per node: α, β, −log Z and the coefficient of p, the first three in units of log 2.
  std::vector<T> alpha, beta, start, first;
};

// The common case: no cap, q = first · p and what belongs to single entries.
template <typename T>
INLINE void add_plain(
    const Nodes<T> &nodes, int64_t count, const T *a, const T *b, const T *bias, int64_t length,
    T *q) {
  for (int64_t i = 0; i < length; i += block) {
    T sum[block] = {};
    for (int64_t n = 0; n < count; ++n) {
      const T alpha = nodes.alpha[n], beta = nodes.beta[n];
      const T start = nodes.start[n], first = nodes.first[n];
      for (int64_t k = 0; k < block; ++k)
        sum[k] += first * exp2_negative(alpha * a[i + k] + (beta * b[i + k] + (bias[i + k] + start)));
    }
    for (int64_t k = 0; k < block; ++k) q[i + k] = sum[k];
  }
}

// Every other target, and caps, node after node.
template <typename T>
INLINE void add_general(
    const ct_path &path, int64_t s, const T *a, const T *b, const T *model, const T *bias,
    int64_t length, T *q) {
  for (int64_t i = 0; i < length; ++i) q[i] = 0;
  for (int64_t n = s * path.nodes; n < (s + 1) * path.nodes; ++n) {
    const T alpha = T(path.alpha[n]), beta = T(path.beta[n]), partition = T(path.partition[n]);
    const T first = T(path.first[n]), second = T(path.second[n]);
    const T of_model = model == nullptr ? T(0) : T(path.model_weight[n]);
    for (int64_t i = 0; i < length; ++i) {
      T z = alpha * a[i] + (beta * b[i] + bias[i]), d = 1;
      if (path.cap > 0) {
        const double u = std::tanh(double(z) / path.cap);
        z = T(path.cap * u);
        d = T(1 - u * u);
      }
      const T log_p = z - partition;
      T value = (first + second * log_p) * exp_negative(log_p < T(0) ? log_p : T(0));
      if (model != nullptr) value += of_model * model[i];
      q[i] += d * value;
    }
  }
}

// What single entries receive: the target and the token it is measured against.
template <typename T>
void add_entries(
    const ct_path &path, int64_t s, const T *a, const T *b, const T *bias, int64_t first,
    int64_t length, T *q) {
  const auto add = [&](int64_t token, const double *weight) {
    const int64_t i = token - first;
    if (token < 0 || i < 0 || i >= length) return;
    double sum = 0;
    for (int64_t n = s * path.nodes; n < (s + 1) * path.nodes; ++n) {
      double d = 1;
      if (path.cap > 0) {
        const double z = path.alpha[n] * double(a[i]) + path.beta[n] * double(b[i]) +
                         (bias == nullptr ? 0 : double(bias[i]));
        const double u = std::tanh(z / path.cap);
        d = 1 - u * u;
      }
      sum += weight[n] * d;
    }
    q[i] += T(sum);
  };
  add(path.target[s], path.target_weight);
  add(path.versus[s], path.versus_weight);
}

template <typename T> struct PathScratch {
  alignas(64) T a[slice_limit], b[slice_limit], bias[slice_limit], model[slice_limit];
  alignas(64) T q[slice_limit];
  Nodes<T> nodes;
};

template <typename T> PathScratch<T> &path_scratch() {
  thread_local PathScratch<T> scratch;
  return scratch;
}

template <typename T>
INLINE void add_path(
    const ct_path &path, int64_t s, const T *logits, const T *bias, int64_t first,
    int64_t length) {
  PathScratch<T> &scratch = path_scratch<T>();
  T *q = static_cast<T *>(path.out) + s * length;
  const T *a = logits + path.from[s] * length, *b = logits + path.to[s] * length;
  const bool is_plain = !path.general;
  const T scale = is_plain ? T(log2_e) : T(1);
  for (int64_t i = 0; i < length; ++i) scratch.bias[i] = bias == nullptr ? T(0) : bias[i] * scale;
  if (is_plain) {
    // Whole blocks: a padded copy only where the slice has a tail.
    const int64_t whole = (length + block - 1) / block * block;
    Nodes<T> &nodes = scratch.nodes;
    for (auto *list : {&nodes.alpha, &nodes.beta, &nodes.start, &nodes.first})
      list->resize(size_t(path.nodes));
    bool any = false;
    for (int64_t n = 0; n < path.nodes; ++n) {
      const int64_t point = s * path.nodes + n;
      nodes.alpha[n] = T(path.alpha[point] * log2_e);
      nodes.beta[n] = T(path.beta[point] * log2_e);
      nodes.start[n] = T(-path.partition[point] * log2_e);
      nodes.first[n] = T(path.first[point]);
      any = any || path.first[point] != 0;
    }
    if (!any) {
      for (int64_t i = 0; i < length; ++i) q[i] = 0;
    } else if (whole == length) {
      add_plain(nodes, path.nodes, a, b, scratch.bias, length, q);
    } else {
      for (int64_t i = 0; i < whole; ++i) {
        scratch.a[i] = i < length ? a[i] : T(0);
        scratch.b[i] = i < length ? b[i] : T(0);
        if (i >= length) scratch.bias[i] = 0;
      }
      add_plain(nodes, path.nodes, scratch.a, scratch.b, scratch.bias, whole, scratch.q);
      std::memcpy(q, scratch.q, size_t(length) * sizeof(T));
    }
  } else {
    T *model = nullptr;
    if (path.model != nullptr) {
      model = scratch.model;
      const T *m = logits + path.model[s] * length;
      const T partition = T(path.model_partition[s]);
      for (int64_t i = 0; i < length; ++i) {
        T z = m[i] + scratch.bias[i];
        if (path.cap > 0) z = T(path.cap * std::tanh(double(z) / path.cap));
        model[i] = exp_negative(z - partition < T(0) ? z - partition : T(0));
      }
    }
    add_general(path, s, a, b, model, scratch.bias, length, q);
  }
  add_entries(path, s, a, b, bias, first, length, q);
}

DISPATCHED(path, ct_path, add_path)

}  // namespace

int ct_path_add(
    const ct_path *path, ct_tensor logits_, ct_tensor bias_, int64_t first, ct_tensor *out) {
  return ct::guard([&] {
    const at::Tensor &logits = logits_->value;
    const at::Tensor bias = bias_ == nullptr ? at::Tensor() : bias_->value;
    check_slice(logits, bias);
    at::Tensor result = at::empty({path->segments, logits.size(1)}, logits.options());
    AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "ct_path_add", [&] {
      static const auto add = path_for_processor<scalar_t>();
      ct_path work = *path;
      work.out = result.data_ptr<scalar_t>();
      const scalar_t *l = logits.data_ptr<scalar_t>();
      const scalar_t *b = bias.defined() ? bias.data_ptr<scalar_t>() : nullptr;
      ct::parallel(
          work.segments, [&](int64_t s) { add(work, s, l, b, first, logits.size(1)); });
    });
    *out = ct::box(result);
  });
}
