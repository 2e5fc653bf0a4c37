"""Float32 matrix products on the CPU: torch's, or the kernel where torch uses half the processor.

torch multiplies float32 matrices with MKL, which on an AMD processor uses vectors of 256 bits even
where there are 512. There the kernel of ``kernels/product.h`` is used instead. Which of the two is
a property of the machine, never of a timing: a resumed run must round as the first did.
"""

import ctypes
import functools

import torch
from torch import Tensor

from nas_env.child.cell.kernel_build import KernelUnavailableError, load_kernel
from nas_env.system.machine import cpu_info

WIDE_VECTOR_BYTES = 64
MIN_ROWS = 64
"""With fewer rows, packing the right operand costs more than it gains."""


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b``, not differentiable.

    Args:
        a: (m, k), of any strides.
        b: (k, n), of any strides and the dtype and device of ``a``.

    Returns:
        (m, n), contiguous where the kernel made it.
    """
    float32 = a.dtype == torch.float32 and a.device.type == "cpu"
    if float32 and len(a) >= MIN_ROWS and kernel_is_faster():
        return packed_product(a, b)
    return a @ b


def packed_product(a: Tensor, b: Tensor) -> Tensor:
    """``product`` of float32 CPU matrices by the kernel, on a machine that can build it."""
    library = _kernel()
    if library is None:
        raise KernelUnavailableError("The compiled kernel could not be built; see the log.")
    (rows, depth), columns = a.shape, b.shape[1]
    transposed = b.t().is_contiguous() and not b.is_contiguous()
    a, b = a.contiguous(), b.t() if transposed else b.contiguous()
    out = a.new_empty(rows, columns)
    space = a.new_empty(library.cell_packed_elements_float(depth, columns))
    addresses = (a.data_ptr(), b.data_ptr(), int(transposed), space.data_ptr(), out.data_ptr())
    library.cell_product_float(rows, depth, columns, *addresses, torch.get_num_threads())
    return out


@functools.cache
def kernel_is_faster() -> bool:
    """Whether this machine is one on which torch uses half the processor."""
    mkl = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    if not (mkl and _made_by_amd()):
        return False
    library = _kernel()
    return library is not None and library.cell_vector_bytes() >= WIDE_VECTOR_BYTES


@functools.cache
def _kernel() -> ctypes.CDLL | None:
    library = load_kernel()
    if library is None:
        return None
    size, multiply = library.cell_packed_elements_float, library.cell_product_float
    size.argtypes, size.restype = [ctypes.c_int64, ctypes.c_int64], ctypes.c_int64
    number, address = ctypes.c_int64, ctypes.c_void_p
    multiply.argtypes = [number] * 3 + [address, address, number, address, address, number]
    multiply.restype = None
    return library


def _made_by_amd() -> bool:
    return "AuthenticAMD" in cpu_info()
