"""The machine: devices and their free memory, matrix multiplication rate, supported dtypes."""

import contextlib
import os
import resource
import sys
from dataclasses import dataclass

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.benchmark import Timer

from utils import files
from utils.errors import UserError, number_of

GIB = 2**30
# Large enough to reach the peak rate, small enough for a tenth of a second.
SIZES = {"cpu": 1024, "cuda": 8192}
NUM_PRODUCTS, NUM_TRIALS = 4, 3
# Variables that keep torch or oneDNN from using a CPU's bfloat16 instructions.
CAPPED = {
    "ATEN_CPU_CAPABILITY": ("default", "avx2"),
    "ONEDNN_MAX_CPU_ISA": (
        "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI",
    ),
}  # fmt: skip


def keep_compiled_code_private() -> None:
    """Set torch's cache of compiled code, which it loads again, to a folder that only this user can write.

    The default is in the shared temporary folder, where any user can create it first.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(files.private_folder() / "compiled"))


def format_bytes(num_bytes: float) -> str:
    """Bytes for display: 5.4 GiB, 128.0 MiB."""
    return f"{num_bytes / GIB:,.1f} GiB" if num_bytes >= GIB else f"{num_bytes / 2**20:.1f} MiB"


@dataclass(frozen=True)
class Device:
    """The device of one process, and its free memory."""

    name: str
    free_bytes: int
    type: str = "cuda"


def devices(num_processes: int = 0) -> tuple[Device, ...]:
    """One device per process: this machine's GPUs, or its CPU shared by `num_processes` processes (0: two)."""
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        if num_processes > count:
            raise UserError(
                f"num_processes is {num_processes}, but this machine has {number_of(count, 'GPU')}: use at most "
                "one process per GPU.",
                field="num_processes",
            )
        found = [Device(torch.cuda.get_device_name(i), torch.cuda.mem_get_info(i)[0]) for i in range(count)]
        return tuple(found[: num_processes or count])
    count = num_processes or 2
    return (Device("CPU", psutil.virtual_memory().available // count, "cpu"),) * count


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """The highest measured rate of square matrix products in this dtype, in FLOP/s."""
    size = SIZES[device.type]
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    timer = Timer("left @ right", globals=dict(left=left, right=right), num_threads=torch.get_num_threads())
    return 2 * size**3 / min(timer.timeit(NUM_PRODUCTS).mean for _ in range(NUM_TRIALS))


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`; copied to a GPU from pinned memory, without synchronization."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether this device has bfloat16 instructions, without which a CPU is many times slower in bfloat16.

    Environment variables such as `ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2` disable them.
    """
    if device.type != "cpu":
        return True
    is_capped = any(os.environ.get(name) in values for name, values in CAPPED.items())
    capabilities = torch.cpu.get_capabilities()
    return not is_capped and any(value is True for name, value in capabilities.items() if name.endswith("bf16"))


def product_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype of matrix products for a `RunConfig.dtype`: float32 where the device has no bfloat16 instructions."""
    return torch.float32 if dtype == "float32" or not multiplies_bfloat16(device) else torch.bfloat16


class Float32Products(TorchDispatchMode):
    """A mode in which matrix products and attention of bfloat16 tensors on a CPU are computed in float32 and rounded.

    Also in the backward pass when it is run inside the mode. Compiled blocks are not compiled inside it. Not covered:
    convolutions and products of vectors.
    """

    # How many of an operation's results are rounded to bfloat16; the others are always float32.
    _NUM_ROUNDED = {
        torch.ops.aten.mm.default: 1,
        torch.ops.aten.addmm.default: 1,
        torch.ops.aten.bmm.default: 1,
        torch.ops.aten.baddbmm.default: 1,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default: 1,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default: 3,
    }

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        num_rounded, kwargs = self._NUM_ROUNDED.get(func), kwargs or {}
        if num_rounded is None or not any(map(_is_low, tree_leaves((args, kwargs)))):
            return func(*args, **kwargs)
        args, kwargs = tree_map(lambda value: value.float() if _is_low(value) else value, (args, kwargs))
        results = func(*args, **kwargs)
        if isinstance(results, torch.Tensor):
            return results.bfloat16()
        return (*(result.bfloat16() for result in results[:num_rounded]), *results[num_rounded:])


def float32_products(dtype: str, device: torch.device) -> contextlib.AbstractContextManager:
    """`Float32Products` for bfloat16 tensors on a CPU without bfloat16 instructions, else no mode."""
    is_needed = dtype == "bfloat16" and not multiplies_bfloat16(device)
    return Float32Products() if is_needed else contextlib.nullcontext()


def _is_low(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16 and value.device.type == "cpu"


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory of this process on its device; on a CPU, its resident set size."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB on Linux
