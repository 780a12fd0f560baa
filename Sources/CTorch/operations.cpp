// Arithmetic, products and published sublayers.

#include "guard.h"
#include "parallel.h"

#include <ATen/core/dispatch/Dispatcher.h>

using ct::box;
using ct::guard;

#define CT_UNARY(name, expression) \
  int ct_##name(ct_tensor x_, ct_tensor *out) { \
    return guard([&] { \
      const at::Tensor &x = x_->value; \
      *out = box(expression); \
    }); \
  }

#define CT_BINARY(name, expression) \
  int ct_##name(ct_tensor a_, ct_tensor b_, ct_tensor *out) { \
    return guard([&] { \
      const at::Tensor &a = a_->value, &b = b_->value; \
      *out = box(expression); \
    }); \
  }

CT_BINARY(add, a + b)
CT_BINARY(subtract, a - b)
CT_BINARY(multiply, a *b)
CT_BINARY(divide, a / b)
CT_BINARY(matmul, at::matmul(a, b))
CT_UNARY(negate, -x)
CT_UNARY(exp, x.exp())
CT_UNARY(log, x.log())
CT_UNARY(tanh, x.tanh())
CT_UNARY(rsqrt, x.rsqrt())
CT_UNARY(silu, at::silu(x))
CT_UNARY(relu, at::relu(x))
CT_UNARY(sigmoid, at::sigmoid(x))
CT_UNARY(softplus, at::softplus(x))
CT_UNARY(sum_all, x.sum())

int ct_add_scalar(ct_tensor a, double b, ct_tensor *out) {
  return guard([&] { *out = box(a->value + b); });
}

int ct_multiply_scalar(ct_tensor a, double b, ct_tensor *out) {
  return guard([&] { *out = box(a->value * b); });
}

int ct_gelu(ct_tensor x, bool tanh_approximation, ct_tensor *out) {
  return guard([&] { *out = box(at::gelu(x->value, tanh_approximation ? "tanh" : "none")); });
}

int ct_sum(ct_tensor x, int64_t dimension, bool keep, ct_tensor *out) {
  return guard([&] { *out = box(x->value.sum({dimension}, keep)); });
}

int ct_mean(ct_tensor x, int64_t dimension, bool keep, ct_tensor *out) {
  return guard([&] { *out = box(x->value.mean({dimension}, keep)); });
}

int ct_argmax(ct_tensor x, int64_t dimension, ct_tensor *out) {
  return guard([&] { *out = box(x->value.argmax(dimension)); });
}

int ct_softmax(ct_tensor x, int64_t dimension, ct_tensor *out) {
  return guard([&] { *out = box(x->value.softmax(dimension)); });
}

int ct_log_softmax(ct_tensor x, int64_t dimension, ct_tensor *out) {
  return guard([&] { *out = box(x->value.log_softmax(dimension)); });
}

namespace {

// oneDNN's float32 product dispatches on what the processor can do, MKL's on who made it; on many
// machines the first is 1.2 to 1.6 times as fast, on the others they are equal. It has no backward
// pass, so recorded products take the ordinary way.
at::Tensor linear_onednn(
    const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias) {
  using Signature = at::Tensor(
      const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, std::string_view,
      c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                             .typed<Signature>();
  return op.call(x, weight, bias, "none", c10::List<std::optional<at::Scalar>>(), "");
}

bool has_onednn_linear() {
  static const bool has =
      at::hasMKLDNN() &&
      c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""}).has_value();
  return has;
}

}  // namespace

int ct_linear(ct_tensor x_, ct_tensor weight_, ct_tensor bias_, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value, &weight = weight_->value;
    const std::optional<at::Tensor> bias =
        bias_ == nullptr ? std::nullopt : std::optional<at::Tensor>(bias_->value);
    const bool recorded = ct::recording(x, weight) || (bias && ct::recording(*bias));
    const bool plain = x.is_cpu() && x.scalar_type() == at::kFloat &&
                       weight.scalar_type() == at::kFloat && weight.dim() == 2 &&
                       (weight.is_contiguous() || weight.t().is_contiguous()) && x.numel() > 0;
    *out = box(
        plain && !recorded && has_onednn_linear() ? linear_onednn(x.contiguous(), weight, bias)
                                                  : at::linear(x, weight, bias));
  });
}

namespace {

template <typename T>
void rms_norm_rows(
    const T *x, const T *weight, T *y, int64_t rows, int64_t width, double epsilon) {
  auto row = [=](int64_t r) {
    const T *from = x + r * width;
    T *to = y + r * width;
    // Four running sums keep the additions apart, so that they vectorise and round less.
    double sums[4] = {0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 4 <= width; i += 4)
      for (int k = 0; k < 4; ++k) sums[k] += double(from[i + k]) * double(from[i + k]);
    for (; i < width; ++i) sums[0] += double(from[i]) * double(from[i]);
    const double mean = (sums[0] + sums[1] + sums[2] + sums[3]) / double(width);
    const T scale = T(1.0 / std::sqrt(mean + epsilon));
    for (int64_t k = 0; k < width; ++k) to[k] = weight[k] * (from[k] * scale);
  };
  if (rows * width < 32768) {
    for (int64_t r = 0; r < rows; ++r) row(r);
  } else {
    ct::parallel(rows, row);
  }
}

}  // namespace

int ct_rms_norm(ct_tensor x_, ct_tensor weight_, double epsilon, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value, &weight = weight_->value;
    const auto type = x.scalar_type();
    if (x.is_cpu() && (type == at::kFloat || type == at::kDouble) &&
        weight.scalar_type() == type && !ct::recording(x, weight)) {
      const at::Tensor from = x.contiguous(), scale = weight.contiguous();
      at::Tensor to = at::empty_like(from);
      const int64_t width = from.size(-1), rows = width == 0 ? 0 : from.numel() / width;
      TORCH_CHECK(scale.numel() == width, "rms norm: weight of ", scale.numel(), " for ", width);
      if (type == at::kFloat)
        rms_norm_rows<float>(
            from.data_ptr<float>(), scale.data_ptr<float>(), to.data_ptr<float>(),
            rows, width, epsilon);
      else
        rms_norm_rows<double>(
            from.data_ptr<double>(), scale.data_ptr<double>(),
            to.data_ptr<double>(), rows, width, epsilon);
      *out = box(to);
      return;
    }
    // Low-precision states are squared in float32, as every published model does.
    const bool low = type == at::kBFloat16 || type == at::kHalf;
    const at::Tensor wide = low ? x.to(at::kFloat) : x;
    const at::Tensor scale = at::rsqrt((wide * wide).mean({-1}, true) + epsilon);
    *out = box(weight * (wide * scale).to(type));
  });
}

int ct_layer_norm(
    ct_tensor x, ct_tensor weight, ct_tensor bias, double epsilon, ct_tensor *out) {
  return guard([&] {
    *out = box(at::layer_norm(
        x->value, {x->value.size(-1)}, weight->value,
        bias == nullptr ? at::Tensor() : bias->value, epsilon));
  });
}

int ct_rotate(ct_tensor x_, ct_tensor cosine_, ct_tensor sine_, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value;
    const int64_t half = cosine_->value.size(-1), width = x.size(-1);
    const at::Tensor cosine = cosine_->value.unsqueeze(1), sine = sine_->value.unsqueeze(1);
    const at::Tensor first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
    std::vector<at::Tensor> parts = {
        first * cosine - second * sine, second * cosine + first * sine};
    if (width > 2 * half) parts.push_back(x.narrow(-1, 2 * half, width - 2 * half));
    *out = box(at::cat(parts, -1));
  });
}

int ct_attention(
    ct_tensor query, ct_tensor key, ct_tensor value, ct_tensor mask, bool causal, double scale,
    ct_tensor *out) {
  return guard([&] {
    const bool grouped = query->value.size(1) != key->value.size(1);
    *out = box(at::scaled_dot_product_attention(
        query->value, key->value, value->value,
        mask == nullptr ? std::nullopt : std::optional<at::Tensor>(mask->value), 0.0, causal,
        scale, grouped));
  });
}
