// What training a lens needs of the engine: Adam, and the gradient of a divergence.

#include "guard.h"

#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/optim/adam.h>

using ct::box;
using ct::guard;

struct ct_adam_s {
  std::vector<at::Tensor> parameters;
  torch::optim::Adam adam;

  ct_adam_s(std::vector<at::Tensor> values, torch::optim::AdamOptions options)
      : parameters(std::move(values)), adam(parameters, options) {}

  torch::optim::AdamParamState *state(int index) {
    auto &states = adam.state();
    const auto found = states.find(parameters[index].unsafeGetTensorImpl());
    return found == states.end()
               ? nullptr
               : static_cast<torch::optim::AdamParamState *>(found->second.get());
  }
};

int ct_adam_make(
    const ct_tensor *parameters, int count, double beta1, double beta2, double epsilon,
    double decay, ct_adam *out) {
  return guard([&] {
    std::vector<at::Tensor> values;
    for (int i = 0; i < count; ++i) values.push_back(parameters[i]->value.detach().clone());
    torch::optim::AdamOptions options(0);
    options.betas({beta1, beta2}).eps(epsilon).weight_decay(decay).amsgrad(true);
    *out = new ct_adam_s(std::move(values), options);
  });
}

void ct_adam_free(ct_adam adam) { delete adam; }

int ct_adam_step(ct_adam adam, const ct_tensor *gradients, double rate) {
  return guard([&] {
    c10::AutoGradMode off(false);
    for (auto &group : adam->adam.param_groups()) group.options().set_lr(rate);
    for (size_t i = 0; i < adam->parameters.size(); ++i)
      adam->parameters[i].mutable_grad() = gradients[i]->value.detach();
    adam->adam.step();
    for (auto &parameter : adam->parameters) parameter.mutable_grad() = at::Tensor();
  });
}

int ct_adam_parameter(ct_adam adam, int index, ct_tensor *out) {
  return guard([&] { *out = box(adam->parameters[index]); });
}

int ct_adam_moments(ct_adam adam, int index, ct_tensor *out) {
  return guard([&] {
    auto *state = adam->state(index);
    TORCH_CHECK(state != nullptr, "adam: moments are asked for before the first step");
    out[0] = box(state->exp_avg());
    out[1] = box(state->exp_avg_sq());
    out[2] = box(state->max_exp_avg_sq());
  });
}

int ct_adam_restore(
    ct_adam adam, int index, ct_tensor parameter, const ct_tensor *moments, int64_t step) {
  return guard([&] {
    c10::AutoGradMode off(false);
    adam->parameters[index].copy_(parameter->value);
    auto state = std::make_unique<torch::optim::AdamParamState>();
    state->step(step);
    const auto like = adam->parameters[index].options();
    const auto copy = [&](ct_tensor x) { return x->value.detach().to(like, false, true); };
    state->exp_avg(copy(moments[0]));
    state->exp_avg_sq(copy(moments[1]));
    state->max_exp_avg_sq(copy(moments[2]));
    adam->adam.state()[adam->parameters[index].unsafeGetTensorImpl()] = std::move(state);
  });
}

// With p = softmax(z): KL(m ‖ p) = Σ m log m − Σ m log p, and ∂KL/∂z = p − m. The logits' own memory
// becomes the gradient, so that rows × vocabulary is held once for them.
int ct_divergence_gradient(ct_tensor logits, ct_tensor model, bool gradient, ct_tensor *out) {
  return guard([&] {
    c10::AutoGradMode off(false);
    at::Tensor &z = logits->value;
    const at::Tensor &m = model->value;
    TORCH_CHECK(z.sizes() == m.sizes() && z.dim() == 2, "divergence: shapes differ");
    at::Tensor log_p = at::log_softmax(z, -1);
    // A dot product for each row: nothing of the size of the rows is made.
    *out = box(at::bmm(m.unsqueeze(1), log_p.unsqueeze(2)).reshape({-1}).neg());
    if (gradient) z = log_p.exp_().sub_(m);
  });
}
