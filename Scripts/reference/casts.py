"""The transformers code asks for float32 inside norms, rope and softmax whatever the model's dtype.

Here these requests mean the model's dtype, and that they do is checked, operation by operation.
"""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _OneFloatingDtype(TorchDispatchMode):
    """Refuses an operation that makes a floating-point tensor of another dtype."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype
        self.operations = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                self.operations += 1
                assert value.dtype == self.dtype, f"{function} made {value.dtype}"
        return result


@contextlib.contextmanager
def everything_in(dtype):
    """Runs its body with `torch.float32`, `torch.float` and `.float()` meaning `dtype`."""
    saved = torch.float32, torch.float, torch.Tensor.float, torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    torch.float32 = torch.float = dtype
    torch.Tensor.float = lambda tensor, **_: tensor.to(dtype)
    try:
        with _OneFloatingDtype(dtype) as watch:
            yield
        assert watch.operations > 0, "nothing ran: the check of dtypes saw no operation"
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved[:3]
        torch.set_default_dtype(saved[3])
