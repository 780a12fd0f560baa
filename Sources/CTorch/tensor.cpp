// Life, shape and movement of tensors, and the engine's settings.

#include "guard.h"

#if defined(__linux__)
#include <malloc.h>
#include <sys/mman.h>
#endif

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/version.h>

using ct::box;
using ct::guard;
using ct::shape;

namespace {

at::ScalarType scalar_type(int type) {
  switch (type) {
    case CT_FLOAT32: return at::kFloat;
    case CT_FLOAT64: return at::kDouble;
    case CT_BFLOAT16: return at::kBFloat16;
    case CT_FLOAT16: return at::kHalf;
    case CT_INT64: return at::kLong;
    case CT_BOOL: return at::kBool;
    default: throw std::invalid_argument("unknown element type " + std::to_string(type));
  }
}

at::Device device_of(int device) {
  switch (device) {
    case CT_CPU: return at::Device(at::kCPU);
    case CT_CUDA: return at::Device(at::kCUDA, 0);
    case CT_MPS: return at::Device(at::kMPS);
    default: throw std::invalid_argument("unknown device " + std::to_string(device));
  }
}

at::TensorOptions options(int type, int device) {
  return at::TensorOptions().dtype(scalar_type(type)).device(device_of(device));
}

// Asks for large pages under large tensors, whose memory is new: half a million faults for each two
// gigabytes take longer than filling them. A wish only, so its failure is of no matter.
void ask_for_large_pages(const at::Tensor &x) {
#if defined(MADV_HUGEPAGE)
  constexpr uintptr_t page = 2 << 20;
  if (!x.is_cpu() || x.nbytes() < 4 * page) return;
  const auto start = reinterpret_cast<uintptr_t>(x.data_ptr());
  const uintptr_t first = (start + page - 1) & ~(page - 1);
  const uintptr_t end = (start + x.nbytes()) & ~(page - 1);
  madvise(reinterpret_cast<void *>(first), end - first, MADV_HUGEPAGE);
#endif
}

}  // namespace

const char *ct_last_error(void) { return ct::last_error.c_str(); }

void ct_begin_scope(void) { ++ct::scopes; }

bool ct_end_scope(void) {
  const bool failed = ct::failed;
  if (--ct::scopes == 0) ct::failed = false;
  return failed;
}

bool ct_in_scope(void) { return ct::scopes > 0; }

void ct_set_threads(int count) { at::set_num_threads(count); }
int ct_threads(void) { return at::get_num_threads(); }

void ct_keep_freed_memory(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}
const char *ct_engine_version(void) { return TORCH_VERSION; }

int ct_load_cuda(const char *path) {
  return guard([&] {
    if (dlopen(path, RTLD_NOW | RTLD_GLOBAL) == nullptr) throw std::runtime_error(dlerror());
    if (!at::hasCUDA() || at::globalContext().getAcceleratorHooksInterface(at::kCUDA).deviceCount() < 1)
      throw std::runtime_error("no CUDA device answers");
  });
}

bool ct_mps_available(void) { return at::hasMPS(); }
void ct_seed(uint64_t seed) { at::manual_seed(seed); }

int ct_empty(const int64_t *sizes, int rank, int type, int device, ct_tensor *out) {
  return guard([&] {
    auto made = at::empty(shape(sizes, rank), options(type, device));
    ask_for_large_pages(made);
    *out = box(std::move(made));
  });
}

int ct_full(const int64_t *sizes, int rank, double value, int type, int device, ct_tensor *out) {
  return guard([&] { *out = box(at::full(shape(sizes, rank), value, options(type, device))); });
}

int ct_normal(const int64_t *sizes, int rank, int type, int device, ct_tensor *out) {
  return guard([&] { *out = box(at::randn(shape(sizes, rank), options(type, device))); });
}

int ct_from_data(
    const void *data, const int64_t *sizes, int rank, int type, int device, ct_tensor *out) {
  return guard([&] {
    auto view = at::from_blob(
        const_cast<void *>(data), shape(sizes, rank), at::TensorOptions().dtype(scalar_type(type)));
    *out = box(view.to(device_of(device), scalar_type(type), false, /*copy=*/true));
  });
}

int ct_borrow(
    const void *data, const int64_t *sizes, int rank, int type, void (*release)(void *),
    void *owner, ct_tensor *out) {
  // Whatever happens below, the last of these to go releases the owner.
  std::shared_ptr<void> held(owner, release);
  return guard([&] {
    *out = box(at::from_blob(
        const_cast<void *>(data), shape(sizes, rank), [held](void *) {},
        at::TensorOptions().dtype(scalar_type(type))));
  });
}

int ct_copy_out(ct_tensor x, int type, void *data, size_t bytes) {
  return guard([&] {
    auto host = x->value.detach().to(at::kCPU, scalar_type(type)).contiguous();
    TORCH_CHECK(
        host.nbytes() == bytes, "copy of ", host.nbytes(), " bytes into ", bytes, " bytes");
    if (bytes > 0) std::memcpy(data, host.data_ptr(), bytes);
  });
}

void ct_free(ct_tensor x) { delete x; }
int ct_rank(ct_tensor x) { return static_cast<int>(x->value.dim()); }
int64_t ct_size(ct_tensor x, int dimension) { return x->value.size(dimension); }

int ct_type(ct_tensor x) {
  switch (x->value.scalar_type()) {
    case at::kFloat: return CT_FLOAT32;
    case at::kDouble: return CT_FLOAT64;
    case at::kBFloat16: return CT_BFLOAT16;
    case at::kHalf: return CT_FLOAT16;
    case at::kLong: return CT_INT64;
    default: return CT_BOOL;
  }
}

int ct_device(ct_tensor x) {
  switch (x->value.device().type()) {
    case at::kCUDA: return CT_CUDA;
    case at::kMPS: return CT_MPS;
    default: return CT_CPU;
  }
}

void *ct_data(ct_tensor x) {
  const auto &t = x->value;
  return t.is_cpu() && t.is_contiguous() ? t.data_ptr() : nullptr;
}

int ct_to(ct_tensor x, int type, int device, ct_tensor *out) {
  return guard([&] { *out = box(x->value.to(device_of(device), scalar_type(type))); });
}

int ct_contiguous(ct_tensor x, ct_tensor *out) {
  return guard([&] { *out = box(x->value.contiguous()); });
}

int ct_reshape(ct_tensor x, const int64_t *sizes, int rank, ct_tensor *out) {
  return guard([&] { *out = box(x->value.reshape(shape(sizes, rank))); });
}

int ct_transpose(ct_tensor x, int64_t a, int64_t b, ct_tensor *out) {
  return guard([&] { *out = box(x->value.transpose(a, b)); });
}

int ct_narrow(ct_tensor x, int64_t dimension, int64_t start, int64_t length, ct_tensor *out) {
  return guard([&] { *out = box(x->value.narrow(dimension, start, length)); });
}

int ct_concatenate(const ct_tensor *parts, int count, int64_t dimension, ct_tensor *out) {
  return guard([&] {
    std::vector<at::Tensor> list;
    list.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) list.push_back(parts[i]->value);
    *out = box(at::cat(list, dimension));
  });
}

int ct_repeat_interleave(ct_tensor x, int64_t times, int64_t dimension, ct_tensor *out) {
  return guard([&] { *out = box(x->value.repeat_interleave(times, dimension)); });
}

int ct_expand(ct_tensor x, const int64_t *shape, int rank, ct_tensor *out) {
  return guard([&] { *out = box(x->value.expand(at::IntArrayRef(shape, rank))); });
}

int ct_index_select(ct_tensor x, int64_t dimension, ct_tensor index, ct_tensor *out) {
  return guard([&] { *out = box(x->value.index_select(dimension, index->value)); });
}

int ct_write(ct_tensor x, int64_t dimension, int64_t start, ct_tensor source) {
  return guard([&] {
    x->value.narrow(dimension, start, source->value.size(dimension)).copy_(source->value);
  });
}

int ct_put(
    ct_tensor x_, const int64_t *rows, const int64_t *columns, const double *values,
    int64_t count) {
  return ct::guard([&] {
    at::Tensor &x = x_->value;
    TORCH_CHECK(x.is_cpu() && x.is_contiguous() && x.dim() == 2, "put: a matrix on the CPU");
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "ct_put", [&] {
      scalar_t *data = x.data_ptr<scalar_t>();
      for (int64_t i = 0; i < count; ++i) {
        TORCH_CHECK(
            rows[i] >= 0 && rows[i] < x.size(0) && columns[i] >= 0 && columns[i] < x.size(1),
            "put: element (", rows[i], ", ", columns[i], ") of ", x.sizes());
        data[rows[i] * x.size(1) + columns[i]] = scalar_t(values[i]);
      }
    });
  });
}
