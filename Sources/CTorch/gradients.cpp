// Gradients by libtorch's autograd.

#include "guard.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

using ct::box;
using ct::guard;

bool ct_set_recording(bool on) {
  const bool was = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(on);
  return was;
}

int ct_require_gradient(ct_tensor x) {
  return guard([&] { x->value.requires_grad_(true); });
}

int ct_detach(ct_tensor x, ct_tensor *out) {
  return guard([&] { *out = box(x->value.detach()); });
}

bool ct_is_recorded(ct_tensor x) {
  return x != nullptr && c10::GradMode::is_enabled() && x->value.requires_grad();
}

namespace {

// The values of one tensor with the gradient of another.
struct Carried : torch::autograd::Function<Carried> {
  static at::Tensor forward(
      torch::autograd::AutogradContext *, const at::Tensor &value, const at::Tensor &carrier) {
    TORCH_CHECK(
        value.sizes() == carrier.sizes(), "values of shape ", value.sizes(),
        " cannot carry a gradient of shape ", carrier.sizes());
    return value.detach();
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext *, torch::autograd::variable_list gradients) {
    return {at::Tensor(), gradients[0]};
  }
};

}  // namespace

int ct_carry(ct_tensor value, ct_tensor carrier, ct_tensor *out) {
  return guard([&] { *out = box(Carried::apply(value->value.detach(), carrier->value)); });
}

int ct_gradient(ct_tensor output, const ct_tensor *inputs, int count, ct_tensor *out) {
  return guard([&] {
    std::vector<at::Tensor> wanted;
    for (int i = 0; i < count; ++i) wanted.push_back(inputs[i]->value);
    const auto gradients = torch::autograd::grad(
        {output->value.sum()}, wanted, {}, /*retain_graph=*/true, /*create_graph=*/false,
        /*allow_unused=*/true);
    for (int i = 0; i < count; ++i)
      out[i] = box(gradients[i].defined() ? gradients[i] : at::zeros_like(wanted[i]));
  });
}
