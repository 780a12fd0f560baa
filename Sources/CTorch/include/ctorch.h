// The engine's C face: libtorch behind opaque handles.
//
// Every function that can fail returns 0 on success and 1 on failure; after a failure
// `ct_last_error` holds the engine's text for the calling thread. A function that makes a tensor
// writes a handle that the caller owns and gives back with `ct_free`. Handles passed in are
// borrowed. Shapes are int64, outermost dimension first; a negative dimension counts from the last.

#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_tensor_s *ct_tensor;

// Element types and devices, numbered for this interface alone.
enum { CT_FLOAT32 = 0, CT_FLOAT64, CT_BFLOAT16, CT_FLOAT16, CT_INT64, CT_BOOL };
enum { CT_CPU = 0, CT_CUDA, CT_MPS };

// The text of the last failure on this thread; valid until the next failure.
const char *ct_last_error(void);

// Between these two, the first failure is kept: every later call on this thread fails at once with
// its text. `ct_end_scope` closes the innermost scope and, if it was the last, forgets the failure;
// it says whether there was one.
void ct_begin_scope(void);
bool ct_end_scope(void);
// Whether this thread is inside a scope.
bool ct_in_scope(void);

// ---- The engine ----

void ct_set_threads(int count);
int ct_threads(void);
// Keeps up to half a gigabyte of freed memory for reuse, where the C library can be told so.
void ct_keep_freed_memory(void);
// The version of the libtorch that was loaded, such as "2.11.0".
const char *ct_engine_version(void);
// Loads libtorch_cuda.so at run time; succeeds only if a device answers.
int ct_load_cuda(const char *path);
bool ct_mps_available(void);
void ct_seed(uint64_t seed);

// ---- Life and shape ----

int ct_empty(const int64_t *shape, int rank, int type, int device, ct_tensor *out);
int ct_full(const int64_t *shape, int rank, double value, int type, int device, ct_tensor *out);
int ct_normal(const int64_t *shape, int rank, int type, int device, ct_tensor *out);
// Copies `count` elements of `type` from host memory.
int ct_from_data(
    const void *data, const int64_t *shape, int rank, int type, int device, ct_tensor *out);
// A tensor over elements that stand in host memory, without a copy. `release(owner)` is called once:
// when the last tensor that sees them goes, or before a failure returns. Nothing may write into it.
int ct_borrow(
    const void *data, const int64_t *shape, int rank, int type, void (*release)(void *),
    void *owner, ct_tensor *out);
// Copies a tensor's elements, converted to `type`, to host memory of `bytes` bytes.
int ct_copy_out(ct_tensor x, int type, void *data, size_t bytes);
void ct_free(ct_tensor x);
int ct_rank(ct_tensor x);
int64_t ct_size(ct_tensor x, int dimension);
int ct_type(ct_tensor x);
int ct_device(ct_tensor x);
// The elements of a contiguous CPU tensor, else null.
void *ct_data(ct_tensor x);
int ct_to(ct_tensor x, int type, int device, ct_tensor *out);
int ct_contiguous(ct_tensor x, ct_tensor *out);

int ct_reshape(ct_tensor x, const int64_t *shape, int rank, ct_tensor *out);
int ct_transpose(ct_tensor x, int64_t a, int64_t b, ct_tensor *out);
int ct_narrow(ct_tensor x, int64_t dimension, int64_t start, int64_t length, ct_tensor *out);
int ct_concatenate(const ct_tensor *parts, int count, int64_t dimension, ct_tensor *out);
int ct_repeat_interleave(ct_tensor x, int64_t times, int64_t dimension, ct_tensor *out);
// The same elements seen in a larger shape, sizes of 1 repeated without memory.
int ct_expand(ct_tensor x, const int64_t *shape, int rank, ct_tensor *out);
int ct_index_select(ct_tensor x, int64_t dimension, ct_tensor index, ct_tensor *out);
// Copies `source` into rows [start, start + length) of `x` along `dimension`, in place.
int ct_write(ct_tensor x, int64_t dimension, int64_t start, ct_tensor source);

// ---- Arithmetic ----

int ct_add(ct_tensor a, ct_tensor b, ct_tensor *out);
int ct_subtract(ct_tensor a, ct_tensor b, ct_tensor *out);
int ct_multiply(ct_tensor a, ct_tensor b, ct_tensor *out);
int ct_divide(ct_tensor a, ct_tensor b, ct_tensor *out);
int ct_add_scalar(ct_tensor a, double b, ct_tensor *out);
int ct_multiply_scalar(ct_tensor a, double b, ct_tensor *out);
int ct_negate(ct_tensor x, ct_tensor *out);
int ct_exp(ct_tensor x, ct_tensor *out);
int ct_log(ct_tensor x, ct_tensor *out);
int ct_tanh(ct_tensor x, ct_tensor *out);
int ct_rsqrt(ct_tensor x, ct_tensor *out);
int ct_silu(ct_tensor x, ct_tensor *out);
int ct_relu(ct_tensor x, ct_tensor *out);
int ct_gelu(ct_tensor x, bool tanh_approximation, ct_tensor *out);
// relu(x)/x (0 at 0), gelu(x)/x and tanh(x)/x, with their limits at 0.
int ct_relu_ratio(ct_tensor x, ct_tensor *out);
int ct_gelu_ratio(ct_tensor x, bool tanh_approximation, ct_tensor *out);
int ct_tanh_ratio(ct_tensor x, ct_tensor *out);
int ct_sigmoid(ct_tensor x, ct_tensor *out);
// log(1 + exp(x)).
int ct_softplus(ct_tensor x, ct_tensor *out);
int ct_sum(ct_tensor x, int64_t dimension, bool keep, ct_tensor *out);
int ct_sum_all(ct_tensor x, ct_tensor *out);
int ct_mean(ct_tensor x, int64_t dimension, bool keep, ct_tensor *out);
int ct_argmax(ct_tensor x, int64_t dimension, ct_tensor *out);
int ct_softmax(ct_tensor x, int64_t dimension, ct_tensor *out);
int ct_log_softmax(ct_tensor x, int64_t dimension, ct_tensor *out);

// ---- Products and sublayers ----

int ct_matmul(ct_tensor a, ct_tensor b, ct_tensor *out);
// x [..., in] · weightᵀ [out, in] + bias; `bias` may be null.
int ct_linear(ct_tensor x, ct_tensor weight, ct_tensor bias, ct_tensor *out);
// x / sqrt(mean(x²) + epsilon) · weight, over the last dimension.
int ct_rms_norm(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor *out);
int ct_layer_norm(ct_tensor x, ct_tensor weight, ct_tensor bias, double epsilon, ct_tensor *out);
// Rotates pairs (i, i + half) of the last dimension: [batch, position, heads, headWidth] by
// cosine, sine [position, half]; dimensions past 2 · half pass through.
int ct_rotate(ct_tensor x, ct_tensor cosine, ct_tensor sine, ct_tensor *out);
// softmax(q·kᵀ·scale + mask)·v over [batch, heads, position, headWidth]; keys and values may have
// fewer heads, each shared by a group of queries. `mask` may be null.
int ct_attention(
    ct_tensor query, ct_tensor key, ct_tensor value, ct_tensor mask, bool causal, double scale,
    ct_tensor *out);

// h_t = exp(decay·step_t)·h_{t−1} + step_t·x_t·input_t and y_t = output_t·h_t + skip·x_t, for `x` and
// `step` [batch, position, channel], `decay` [channel, state] (not above 0), `input` and `output`
// [batch, position, state], `skip` [channel] and `state` [batch, channel, state], that before the first.
// Writes two tensors: y, and h after the last position.
int ct_selective_scan(
    ct_tensor x, ct_tensor step, ct_tensor decay, ct_tensor input, ct_tensor output,
    ct_tensor skip, ct_tensor state, ct_tensor *out);

// ---- Gradients ----

// Turns recording on or off for this thread; returns what it was.
bool ct_set_recording(bool on);
int ct_require_gradient(ct_tensor x);
int ct_detach(ct_tensor x, ct_tensor *out);
// Whether operations on it are recorded now.
bool ct_is_recorded(ct_tensor x);
// The values of one tensor with the gradient of another of its shape.
int ct_carry(ct_tensor value, ct_tensor carrier, ct_tensor *out);
// ∂(Σ output)/∂inputs; an input the output does not depend on gets zeros.
int ct_gradient(ct_tensor output, const ct_tensor *inputs, int count, ct_tensor *out);

// ---- The readout, streamed over slices of the vocabulary ----

// Running statistics of `rows` rows of logits z. All arrays are `rows` long unless said otherwise.
typedef struct {
  int64_t rows;
  double cap;              // z = cap · tanh(l / cap), or 0 for z = l
  double *maximum;         // running max of z; starts at −∞
  double *mass;            // Σ exp(z − maximum)
  double *moment;          // Σ exp(z − maximum) · z
  const int64_t *target;   // token whose logit is kept
  const int64_t *versus;   // a second one; −1 for none
  double *target_logit, *versus_logit;
  const double *threshold; // z must exceed this to count in `above`
  int64_t *above;
  int64_t top;             // how many of the largest are kept per row
  double *top_logit;       // [rows, top], descending; starts at −∞
  int64_t *top_id;         // [rows, top]
  const int64_t *model;    // the row holding the model's own logits, or null when not needed
  double *cross_maximum;   // running max of the model row's z; starts at −∞
  double *cross;           // Σ exp(z_model − cross_maximum) · z
} ct_rows;

// Running statistics of `segments` × `nodes` points of logits l = α·a + β·b + bias, where a and b
// are two rows, with dl = α′·a + β′·b. Arrays are [segments, nodes] unless said otherwise.
typedef struct {
  int64_t segments, nodes;
  double cap;
  const int64_t *from, *to;                // [segments] rows a and b
  const int64_t *target, *versus, *model;  // [segments]; versus −1 and model null for none
  const double *alpha, *beta, *alpha_slope, *beta_slope;
  bool second_moments;                     // whether `moment` and `moment_slope` are wanted
  double *maximum, *mass;                  // as above
  double *slope;                           // Σ e·dz with e = exp(z − maximum)
  double *moment;                          // Σ e·z
  double *moment_slope;                    // Σ e·z·dz
  double *target_logit, *target_slope, *versus_slope, *versus_logit;
  double *cross_maximum, *cross_mass;      // of the model row
  double *cross_slope;                     // Σ exp(z_model − cross_maximum) · dz
} ct_points;

// Adds the slice `logits` [rows, length] (float32 or float64, CPU, contiguous, without bias) of
// vocabulary entries first ..< first + length. `bias` [length] may be null.
int ct_rows_add(ct_rows *rows, ct_tensor logits, ct_tensor bias, int64_t first);
int ct_points_add(ct_points *points, ct_tensor logits, ct_tensor bias, int64_t first);

// Path gradients in vocabulary space: for each of `segments` segments, Σ over its `nodes` nodes of
// q_v = D_v [ (first + second·log p_v) p_v + target_weight·[v = y] + versus_weight·[v = x]
//             + model_weight·m_v ]
// with z = cap·tanh(l / cap), D = ∂z/∂l and p = exp(z − partition). Arrays are [segments, nodes]
// unless said otherwise.
typedef struct {
  int64_t segments, nodes;
  int64_t coarse;  // of the nodes, how many come first and belong to a coarser rule; 0 for none
  double cap;
  bool general;  // whether there is a cap, a `second` or a model; otherwise the fast loop serves
  const int64_t *from, *to;                // [segments] rows a and b
  const int64_t *target, *versus, *model;  // [segments]; versus −1 and model null for none
  const double *alpha, *beta;
  const double *partition;                 // log Σ exp z
  const double *first, *second;
  const double *target_weight, *versus_weight, *model_weight;
  const double *model_partition;           // [segments]
  double *drift;                           // [segments] adds Σ_v |Q_v − Q_coarse,v| ‖u_v‖
  const void *norms;                       // set by the call
  void *out;                               // set by the call
} ct_path;

// Makes Q of the finer rule for one slice, [segments, length]; arguments as for `ct_points_add`, and
// ‖u_v‖ of all entries, which may be null without a coarser rule.
int ct_path_add(
    const ct_path *path, ct_tensor logits, ct_tensor bias, ct_tensor norms, int64_t first,
    ct_tensor *out);

// Overwrites single elements of a matrix [rows, length] on the CPU, float32 or float64, in place.
int ct_put(
    ct_tensor x, const int64_t *rows, const int64_t *columns, const double *values,
    int64_t count);

// ---- Training ----

typedef struct ct_adam_s *ct_adam;

// Adam with AMSGrad over copies of `parameters`; given back with `ct_adam_free`.
int ct_adam_make(
    const ct_tensor *parameters, int count, double beta1, double beta2, double epsilon,
    double decay, ct_adam *out);
void ct_adam_free(ct_adam adam);
// One step with these gradients, one for each parameter.
int ct_adam_step(ct_adam adam, const ct_tensor *gradients, double rate);
// A parameter itself, which later steps change.
int ct_adam_parameter(ct_adam adam, int index, ct_tensor *out);
// Three tensors: the running means of the gradient and of its square, and the largest of the latter.
int ct_adam_moments(ct_adam adam, int index, ct_tensor *out);
// Puts a parameter, its three moments and its step count back.
int ct_adam_restore(
    ct_adam adam, int index, ct_tensor parameter, const ct_tensor *moments, int64_t step);

// −Σ m log softmax(z) for each row of `logits` z and `model` m, both [rows, vocabulary]. With
// `gradient`, `logits` then holds softmax(z) − m.
int ct_divergence_gradient(ct_tensor logits, ct_tensor model, bool gradient, ct_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
