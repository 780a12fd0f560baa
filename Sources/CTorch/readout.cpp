// The readout's inner loops: statistics of softmax over a vocabulary that is seen one slice at a
// time and never held whole.
//
// With a running maximum M and sums of e = exp(z − M), a slice with a larger maximum M′ multiplies
// what has been summed by exp(M − M′); the order of slices is fixed, each row (or point) belongs
// to one thread, and sums are kept in double, so results do not depend on the thread count.

#include "softmax.h"

namespace {

template <typename T> INLINE T maximum_of(const T *z, int64_t count) {
  T best[lanes];
  for (int64_t k = 0; k < lanes; ++k) best[k] = z[k];
  for (int64_t i = lanes; i < count; i += lanes)
    for (int64_t k = 0; k < lanes; ++k) best[k] = z[i + k] > best[k] ? z[i + k] : best[k];
  T result = best[0];
  for (int64_t k = 1; k < lanes; ++k) result = best[k] > result ? best[k] : result;
  return result;
}

// Raises a running maximum; returns the factor by which older sums shrink.
INLINE double raise(double &maximum, double candidate) {
  if (!(candidate > maximum)) return 1;
  const double factor = std::exp(maximum - candidate);
  maximum = candidate;
  return factor;
}

INLINE double total(const double *sums) {
  double result = 0;
  for (int64_t k = 0; k < lanes; ++k) result += sums[k];
  return result;
}

template <typename T> INLINE void pad(T *z, int64_t length, T value) {
  for (int64_t i = length; i < padded(length); ++i) z[i] = value;
}

// z = l + bias, soft-capped; padded with −∞.
template <typename T>
INLINE void capped_logits(const T *l, const T *bias, double cap, int64_t length, T *z) {
  if (bias != nullptr)
    for (int64_t i = 0; i < length; ++i) z[i] = l[i] + bias[i];
  else
    for (int64_t i = 0; i < length; ++i) z[i] = l[i];
  if (cap > 0)
    for (int64_t i = 0; i < length; ++i) z[i] = T(cap * std::tanh(double(z[i]) / cap));
  pad(z, length, -std::numeric_limits<T>::infinity());
}

// Keeps the `top` largest of what has been seen, descending; of equal ones the first seen.
template <typename T>
INLINE void keep_top(
    const T *z, int64_t length, int64_t first, int64_t top, double *logits, int64_t *ids) {
  for (int64_t start = 0; start < length; start += 4 * lanes) {
    const int64_t end = std::min(start + 4 * lanes, padded(length));
    if (!(double(maximum_of(z + start, end - start)) > logits[top - 1])) continue;
    for (int64_t i = start; i < std::min(end, length); ++i) {
      const double value = double(z[i]);
      if (!(value > logits[top - 1])) continue;
      int64_t place = top - 1;
      for (; place > 0 && value > logits[place - 1]; --place) {
        logits[place] = logits[place - 1];
        ids[place] = ids[place - 1];
      }
      logits[place] = value;
      ids[place] = first + i;
    }
  }
}

template <typename T>
INLINE void add_row(
    const ct_rows &rows, int64_t r, const T *logits, const T *bias, int64_t first,
    int64_t length) {
  Slice<T> &slice = scratch<T>();
  T *z = slice.value;
  capped_logits(logits + r * length, bias, rows.cap, length, z);
  const int64_t whole = padded(length);

  const double shrink = raise(rows.maximum[r], double(maximum_of(z, whole)));
  const T reference = T(rows.maximum[r]);
  double mass[lanes] = {}, moment[lanes] = {};
  for (int64_t i = 0; i < whole; i += lanes)
    for (int64_t k = 0; k < lanes; ++k) {
      const T e = exp_negative(z[i + k] - reference);
      // A padded −∞ has mass 0 and must not become 0 · ∞.
      const T product = e > T(0) ? e * z[i + k] : T(0);
      mass[k] += double(e);
      moment[k] += double(product);
    }
  rows.mass[r] = rows.mass[r] * shrink + total(mass);
  rows.moment[r] = rows.moment[r] * shrink + total(moment);

  const double threshold = rows.threshold[r];
  int64_t above = 0;
  for (int64_t i = 0; i < length; ++i) above += double(z[i]) > threshold ? 1 : 0;
  rows.above[r] += above;

  const int64_t target = rows.target[r] - first, versus = rows.versus[r] - first;
  if (target >= 0 && target < length) rows.target_logit[r] = double(z[target]);
  if (rows.versus[r] >= 0 && versus >= 0 && versus < length)
    rows.versus_logit[r] = double(z[versus]);

  if (rows.top > 0)
    keep_top(
        z, length, first, rows.top, rows.top_logit + r * rows.top, rows.top_id + r * rows.top);

  if (rows.model != nullptr) {
    T *m = slice.model;
    capped_logits(logits + rows.model[r] * length, bias, rows.cap, length, m);
    const double factor = raise(rows.cross_maximum[r], double(maximum_of(m, whole)));
    const T model_reference = T(rows.cross_maximum[r]);
    pad(z, length, T(0));
    double cross[lanes] = {};
    for (int64_t i = 0; i < whole; i += lanes)
      for (int64_t k = 0; k < lanes; ++k)
        cross[k] += double(exp_negative(m[i + k] - model_reference) * z[i + k]);
    rows.cross[r] = rows.cross[r] * factor + total(cross);
  }
}

template <typename T>
INLINE void add_point(
    const ct_points &points, int64_t p, const T *logits, const T *bias, int64_t first,
    int64_t length) {
  const int64_t s = p / points.nodes;
  Slice<T> &slice = scratch<T>();
  T *z = slice.value, *dz = slice.slope;
  const T *a = logits + points.from[s] * length, *b = logits + points.to[s] * length;
  const T alpha = T(points.alpha[p]), beta = T(points.beta[p]);
  const T alpha_slope = T(points.alpha_slope[p]), beta_slope = T(points.beta_slope[p]);
  for (int64_t i = 0; i < length; ++i) {
    z[i] = alpha * a[i] + beta * b[i];
    dz[i] = alpha_slope * a[i] + beta_slope * b[i];
  }
  if (bias != nullptr)
    for (int64_t i = 0; i < length; ++i) z[i] += bias[i];
  if (points.cap > 0)
    for (int64_t i = 0; i < length; ++i) {
      const double u = std::tanh(double(z[i]) / points.cap);
      z[i] = T(points.cap * u);
      dz[i] = T(double(dz[i]) * (1 - u * u));
    }
  pad(z, length, -std::numeric_limits<T>::infinity());
  pad(dz, length, T(0));
  const int64_t whole = padded(length);

  const double shrink = raise(points.maximum[p], double(maximum_of(z, whole)));
  const T reference = T(points.maximum[p]);
  double mass[lanes] = {}, slope[lanes] = {};
  if (points.second_moments) {
    double moment[lanes] = {}, moment_slope[lanes] = {};
    for (int64_t i = 0; i < whole; i += lanes)
      for (int64_t k = 0; k < lanes; ++k) {
        const T e = exp_negative(z[i + k] - reference);
        const T product = e > T(0) ? e * z[i + k] : T(0);
        mass[k] += double(e);
        slope[k] += double(e * dz[i + k]);
        moment[k] += double(product);
        moment_slope[k] += double(product) * double(dz[i + k]);
      }
    points.moment[p] = points.moment[p] * shrink + total(moment);
    points.moment_slope[p] = points.moment_slope[p] * shrink + total(moment_slope);
  } else {
    // Sixteen numbers are added as they are, then in double: their sum loses nothing that a float
    // of its size holds, and the conversions no longer cost more than the exponentials.
    for (int64_t start = 0; start < whole; start += 16 * lanes) {
      T part[lanes] = {}, part_slope[lanes] = {};
      const int64_t end = std::min(start + 16 * lanes, whole);
      for (int64_t i = start; i < end; i += lanes)
        for (int64_t k = 0; k < lanes; ++k) {
          const T e = exp_negative(z[i + k] - reference);
          part[k] += e;
          part_slope[k] += e * dz[i + k];
        }
      for (int64_t k = 0; k < lanes; ++k) {
        mass[k] += double(part[k]);
        slope[k] += double(part_slope[k]);
      }
    }
  }
  points.mass[p] = points.mass[p] * shrink + total(mass);
  points.slope[p] = points.slope[p] * shrink + total(slope);

  const int64_t target = points.target[s] - first, versus = points.versus[s] - first;
  if (target >= 0 && target < length) {
    points.target_logit[p] = double(z[target]);
    points.target_slope[p] = double(dz[target]);
  }
  if (points.versus[s] >= 0 && versus >= 0 && versus < length) {
    points.versus_logit[p] = double(z[versus]);
    points.versus_slope[p] = double(dz[versus]);
  }

  if (points.model != nullptr) {
    T *m = slice.model;
    capped_logits(logits + points.model[s] * length, bias, points.cap, length, m);
    const double factor = raise(points.cross_maximum[p], double(maximum_of(m, whole)));
    const T model_reference = T(points.cross_maximum[p]);
    double cross_mass[lanes] = {}, cross_slope[lanes] = {};
    for (int64_t i = 0; i < whole; i += lanes)
      for (int64_t k = 0; k < lanes; ++k) {
        const T e = exp_negative(m[i + k] - model_reference);
        cross_mass[k] += double(e);
        cross_slope[k] += double(e * dz[i + k]);
      }
    points.cross_mass[p] = points.cross_mass[p] * factor + total(cross_mass);
    points.cross_slope[p] = points.cross_slope[p] * factor + total(cross_slope);
  }
}

DISPATCHED(row, ct_rows, add_row)
DISPATCHED(point, ct_points, add_point)

}  // namespace

int ct_rows_add(ct_rows *rows, ct_tensor logits_, ct_tensor bias_, int64_t first) {
  return ct::guard([&] {
    const at::Tensor &logits = logits_->value;
    const at::Tensor bias = bias_ == nullptr ? at::Tensor() : bias_->value;
    check_slice(logits, bias);
    TORCH_CHECK(logits.size(0) == rows->rows, "readout: slice and statistics differ in rows");
    AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "ct_rows_add", [&] {
      static const auto add = row_for_processor<scalar_t>();
      const scalar_t *l = logits.data_ptr<scalar_t>();
      const scalar_t *b = bias.defined() ? bias.data_ptr<scalar_t>() : nullptr;
      ct::parallel(rows->rows, [&](int64_t r) { add(*rows, r, l, b, first, logits.size(1)); });
    });
  });
}

int ct_points_add(ct_points *points, ct_tensor logits_, ct_tensor bias_, int64_t first) {
  return ct::guard([&] {
    const at::Tensor &logits = logits_->value;
    const at::Tensor bias = bias_ == nullptr ? at::Tensor() : bias_->value;
    check_slice(logits, bias);
    AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "ct_points_add", [&] {
      static const auto add = point_for_processor<scalar_t>();
      const scalar_t *l = logits.data_ptr<scalar_t>();
      const scalar_t *b = bias.defined() ? bias.data_ptr<scalar_t>() : nullptr;
      ct::parallel(points->segments * points->nodes, [&](int64_t p) {
        add(*points, p, l, b, first, logits.size(1));
      });
    });
  });
}
