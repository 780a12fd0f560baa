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
//
// The first `coarse` nodes of a segment may belong to a coarser rule than the others. Then Q is that of
// the others, and the rules' difference is bounded without a product with U:
// ‖Uᵀ(Q − Q_coarse)‖ ≤ Σ_v |Q_v − Q_coarse,v| ‖u_v‖.

#include "softmax.h"

namespace {

constexpr int64_t block = 4 * lanes;

// Per node: α, β, log Z as far as T holds it, and the coefficient of p, which takes up the rest:
// then p sums to 1 to within what single entries lose, however large the logits are.
template <typename T> struct Nodes {
  std::vector<T> alpha, beta, partition, first;
};

// The common case: no cap, q = first · p and what belongs to single entries.
template <typename T>
INLINE void add_plain(
    const Nodes<T> &nodes, int64_t begin, int64_t end, const T *a, const T *b, const T *bias, int64_t length,
    T *q) {
  for (int64_t i = 0; i < length; i += block) {
    T sum[block] = {};
    for (int64_t n = begin; n < end; ++n) {
      const T alpha = nodes.alpha[n], beta = nodes.beta[n];
      const T partition = nodes.partition[n], first = nodes.first[n];
      for (int64_t k = 0; k < block; ++k) {
        // As the statistics have it, so that both round alike.
        T z = alpha * a[i + k] + beta * b[i + k];
        z += bias[i + k];
        sum[k] += first * exp_below(z - partition);
      }
    }
    for (int64_t k = 0; k < block; ++k) q[i + k] = sum[k];
  }
}

// Every other target, and caps, node after node.
template <typename T>
INLINE void add_general(
    const ct_path &path, int64_t begin, int64_t end, const T *a, const T *b, const T *model,
    const T *bias, int64_t length, T *q) {
  for (int64_t i = 0; i < length; ++i) q[i] = 0;
  for (int64_t n = begin; n < end; ++n) {
    const T alpha = T(path.alpha[n]), beta = T(path.beta[n]), partition = T(path.partition[n]);
    const T first = T(path.first[n]), second = T(path.second[n]);
    const T of_model = model == nullptr ? T(0) : T(path.model_weight[n]);
    for (int64_t i = 0; i < length; ++i) {
      T z = alpha * a[i] + beta * b[i], d = 1;
      z += bias[i];
      if (path.cap > 0) {
        const double u = std::tanh(double(z) / path.cap);
        z = T(path.cap * u);
        d = T(1 - u * u);
      }
      const T log_p = z - partition;
      T value = (first + second * log_p) * exp_below(log_p);
      if (model != nullptr) value += of_model * model[i];
      q[i] += d * value;
    }
  }
}

// What single entries receive: the target and the token it is measured against.
template <typename T>
void add_entries(
    const ct_path &path, int64_t s, int64_t begin, int64_t end, const T *a, const T *b,
    const T *bias, int64_t first, int64_t length, T *q) {
  const auto add = [&](int64_t token, const double *weight) {
    const int64_t i = token - first;
    if (token < 0 || i < 0 || i >= length) return;
    double sum = 0;
    for (int64_t n = begin; n < end; ++n) {
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
  alignas(64) T q[slice_limit], coarse[slice_limit];
  Nodes<T> nodes;
};

template <typename T> PathScratch<T> &path_scratch() {
  thread_local PathScratch<T> scratch;
  return scratch;
}

// Everything that the nodes of a segment need, before any are added.
template <typename T>
INLINE void prepare(
    const ct_path &path, int64_t s, const T *logits, const T *bias, int64_t length,
    PathScratch<T> &scratch) {
  const int64_t whole = (length + block - 1) / block * block;
  for (int64_t i = 0; i < whole; ++i)
    scratch.bias[i] = bias == nullptr || i >= length ? T(0) : bias[i];
  if (path.general) {
    if (path.model == nullptr) return;
    const T *m = logits + path.model[s] * length;
    const T partition = T(path.model_partition[s]);
    for (int64_t i = 0; i < length; ++i) {
      T z = m[i] + scratch.bias[i];
      if (path.cap > 0) z = T(path.cap * std::tanh(double(z) / path.cap));
      scratch.model[i] = exp_below(z - partition);
    }
    return;
  }
  Nodes<T> &nodes = scratch.nodes;
  for (auto *list : {&nodes.alpha, &nodes.beta, &nodes.partition, &nodes.first})
    list->resize(size_t(path.nodes));
  for (int64_t n = 0; n < path.nodes; ++n) {
    const int64_t point = s * path.nodes + n;
    const T partition = T(path.partition[point]);
    nodes.alpha[n] = T(path.alpha[point]);
    nodes.beta[n] = T(path.beta[point]);
    nodes.partition[n] = partition;
    nodes.first[n] = T(path.first[point] * std::exp(double(partition) - path.partition[point]));
  }
}

// Q of some of a segment's nodes; a and b are readable to a whole number of blocks.
template <typename T>
INLINE void add_nodes(
    const ct_path &path, int64_t s, int64_t begin, int64_t end, const T *a, const T *b,
    const T *bias, int64_t first, int64_t length, PathScratch<T> &scratch, T *q) {
  const int64_t point = s * path.nodes;
  if (path.general) {
    add_general(
        path, point + begin, point + end, a, b, path.model == nullptr ? nullptr : scratch.model,
        scratch.bias, length, q);
  } else {
    add_plain(
        scratch.nodes, begin, end, a, b, scratch.bias, (length + block - 1) / block * block, q);
  }
  add_entries(path, s, point + begin, point + end, a, b, bias, first, length, q);
}

template <typename T>
INLINE void add_path(
    const ct_path &path, int64_t s, const T *logits, const T *bias, int64_t first,
    int64_t length) {
  PathScratch<T> &scratch = path_scratch<T>();
  T *q = static_cast<T *>(path.out) + s * length;
  const T *a = logits + path.from[s] * length, *b = logits + path.to[s] * length;
  prepare(path, s, logits, bias, length, scratch);
  const bool has_tail = length % block != 0;
  if (has_tail) {
    // A padded copy, so that the loops have no tails.
    const int64_t whole = (length + block - 1) / block * block;
    for (int64_t i = 0; i < whole; ++i) {
      scratch.a[i] = i < length ? a[i] : T(0);
      scratch.b[i] = i < length ? b[i] : T(0);
    }
    a = scratch.a;
    b = scratch.b;
  }
  T *fine = has_tail ? scratch.q : q;
  add_nodes(path, s, path.coarse, path.nodes, a, b, bias, first, length, scratch, fine);
  if (has_tail) std::memcpy(q, fine, size_t(length) * sizeof(T));
  if (path.coarse == 0) return;
  add_nodes(path, s, 0, path.coarse, a, b, bias, first, length, scratch, scratch.coarse);
  const T *norms = static_cast<const T *>(path.norms) + first;
  double drift = 0;
  for (int64_t start = 0; start < length; start += block) {
    T part = 0;
    const int64_t end = std::min(start + block, length);
    for (int64_t i = start; i < end; ++i) part += std::abs(fine[i] - scratch.coarse[i]) * norms[i];
    drift += double(part);
  }
  path.drift[s] += drift;
}

DISPATCHED(path, ct_path, add_path)

}  // namespace

int ct_path_add(
    const ct_path *path, ct_tensor logits_, ct_tensor bias_, ct_tensor norms_, int64_t first,
    ct_tensor *out) {
  return ct::guard([&] {
    const at::Tensor &logits = logits_->value;
    const at::Tensor bias = bias_ == nullptr ? at::Tensor() : bias_->value;
    check_slice(logits, bias);
    at::Tensor result = at::empty({path->segments, logits.size(1)}, logits.options());
    AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "ct_path_add", [&] {
      static const auto add = path_for_processor<scalar_t>();
      ct_path work = *path;
      TORCH_CHECK(
          work.coarse == 0 ||
              (norms_ != nullptr && norms_->value.is_contiguous() &&
               norms_->value.scalar_type() == logits.scalar_type() &&
               norms_->value.numel() >= first + logits.size(1)),
          "readout: the norms of the entries do not fit the slice");
      if (norms_ != nullptr) work.norms = norms_->value.data_ptr<scalar_t>();
      work.out = result.data_ptr<scalar_t>();
      const scalar_t *l = logits.data_ptr<scalar_t>();
      const scalar_t *b = bias.defined() ? bias.data_ptr<scalar_t>() : nullptr;
      ct::parallel(
          work.segments, [&](int64_t s) { add(work, s, l, b, first, logits.size(1)); });
    });
    *out = ct::box(result);
  });
}
