// Arithmetic, products and published sublayers.

#include "guard.h"
#include "parallel.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

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

// f(x)/x, with its limit at 0.
int ct_gelu_ratio(ct_tensor x_, bool tanh_approximation, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value;
    constexpr double root2 = 1.4142135623730950488, root2overPi = 0.79788456080286535588;
    *out = box(
        tanh_approximation
            ? 0.5 * (1 + at::tanh(root2overPi * (x + 0.044715 * x * x * x)))
            : 0.5 * at::erfc(x * (-1 / root2)));
  });
}

int ct_relu_ratio(ct_tensor x, ct_tensor *out) {
  return guard([&] { *out = box((x->value > 0).to(x->value.scalar_type())); });
}

int ct_tanh_ratio(ct_tensor x_, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value;
    *out = box(at::where(x == 0, at::ones_like(x), at::tanh(x) / x));
  });
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
// pass of its own; that of a constant weight is the same product with the weight transposed.
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

namespace {

// x · weightᵀ + bias for a weight that wants no gradient: what goes back is g · weight.
struct RecordedLinear : torch::autograd::Function<RecordedLinear> {
  static at::Tensor forward(
      torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
      const std::optional<at::Tensor> &bias) {
    context->save_for_backward({weight});
    context->saved_data["bias"] = bias && bias->requires_grad();
    return linear_onednn(x.contiguous(), weight, bias);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
    const at::Tensor weight = context->get_saved_variables()[0];
    const at::Tensor g = gradients[0].contiguous();
    at::Tensor bias;
    if (context->saved_data["bias"].toBool()) bias = g.reshape({-1, g.size(-1)}).sum(0);
    return {linear_onednn(g, weight.t(), std::nullopt), at::Tensor(), bias};
  }
};

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
    if (!plain || !has_onednn_linear() || (recorded && weight.requires_grad()))
      *out = box(at::linear(x, weight, bias));
    else
      *out = box(
          recorded ? RecordedLinear::apply(x, weight, bias)
                   : linear_onednn(x.contiguous(), weight, bias));
  });
}

namespace {

// y = weight ⊙ x · s with s = 1/√(mean(x²) + ε); s is kept where `scales` is not null.
template <typename T>
void rms_norm_rows(
    const T *x, const T *weight, T *y, T *scales, int64_t rows, int64_t width, double epsilon) {
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
    if (scales != nullptr) scales[r] = scale;
    for (int64_t k = 0; k < width; ++k) to[k] = weight[k] * (from[k] * scale);
  };
  if (rows * width < 32768) {
    for (int64_t r = 0; r < rows; ++r) row(r);
  } else {
    ct::parallel(rows, row);
  }
}

at::Tensor rms_norm_fused(
    const at::Tensor &x, const at::Tensor &weight, double epsilon, at::Tensor *scales) {
  const at::Tensor from = x.contiguous(), scale = weight.contiguous();
  at::Tensor to = at::empty_like(from);
  const int64_t width = from.size(-1), rows = width == 0 ? 0 : from.numel() / width;
  TORCH_CHECK(scale.numel() == width, "rms norm: weight of ", scale.numel(), " for ", width);
  if (scales != nullptr) {
    auto shape = from.sizes().vec();
    shape.back() = 1;
    *scales = at::empty(shape, from.options());
  }
  auto run = [&](auto zero) {
    using T = decltype(zero);
    rms_norm_rows<T>(
        from.data_ptr<T>(), scale.data_ptr<T>(), to.data_ptr<T>(),
        scales == nullptr ? nullptr : scales->data_ptr<T>(), rows, width, epsilon);
  };
  if (x.scalar_type() == at::kFloat) run(float(0));
  else run(double(0));
  return to;
}

// For a weight that wants no gradient, with n the width:
//
//     ∂/∂x ⟨g, y⟩ = s (h − x · s² ⟨h, x⟩ / n),    h = weight ⊙ g
struct RecordedRMSNorm : torch::autograd::Function<RecordedRMSNorm> {
  static at::Tensor forward(
      torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
      double epsilon) {
    at::Tensor scales;
    const at::Tensor y = rms_norm_fused(x, weight, epsilon, &scales);
    context->save_for_backward({x, weight, scales});
    return y;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext *context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[2];
    const at::Tensor h = gradients[0] * saved[1];
    const at::Tensor along = (h * x).sum({-1}, true) * scale * scale / double(x.size(-1));
    return {scale * (h - x * along), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

int ct_rms_norm(ct_tensor x_, ct_tensor weight_, double epsilon, ct_tensor *out) {
  return guard([&] {
    const at::Tensor &x = x_->value, &weight = weight_->value;
    const auto type = x.scalar_type();
    if (x.is_cpu() && (type == at::kFloat || type == at::kDouble) &&
        weight.scalar_type() == type && !ct::recording(weight)) {
      *out = box(
          ct::recording(x) ? RecordedRMSNorm::apply(x, weight, epsilon)
                           : rms_norm_fused(x, weight, epsilon, nullptr));
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
