"""A model as one GGUF file for llama.cpp: written tensor by tensor with the official `gguf` package, and read again.

Vectors and learned positions stay float32, as in llama.cpp's own conversion. `Q4_0` keeps the embedding and the head in
`Q8_0`. Rows that are no multiple of a block of 32 are F16.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from utils import files
from utils.errors import UserError, number_of, short, unknown
from utils.model.shape import context_of
from utils.release.gguf_vocabulary import LEAVE_OUT, vocabulary

FORMATS = ("F16", "BF16", "Q8_0", "Q4_0")
GELU = ("gelu_pytorch_tanh", "gelu_new", "gelu_fast")  # the same function, under three names
# llama.cpp's names of architectures, by transformers' `model_type`, and the only settings that it computes.
ARCHITECTURES: dict[str, tuple[str, dict[str, tuple]]] = {
    "gpt_bigcode": ("starcoder", {"activation_function": GELU, "multi_query": (True,), "scale_attn_weights": (True,)}),
    "starcoder2": ("starcoder2", {"hidden_act": GELU, "use_bias": (True,), "norm_type": ("layer_norm",)}),
    "llama": ("llama", {"hidden_act": ("silu",)}),
    "qwen2": ("qwen2", {"hidden_act": ("silu",)}),
    "qwen3": ("qwen3", {"hidden_act": ("silu",), "attention_bias": (False,)}),
}
ROPE: dict[str, tuple] = {"rope_type": ("default",), "partial_rotary_factor": (1.0,)}
BLOCK = 32  # numbers with one scale, in Q8_0 and Q4_0
# The largest error of a number, relative to the largest of its block: half a step of Q8_0, and a whole one of Q4_0,
# whose steps reach further below zero than above; both with the rounding of the scale to F16.
MAX_ERROR = {"F32": 0.0, "F16": 2**-11, "BF16": 2**-8, "Q8_0": 0.5 / 127 + 2**-10, "Q4_0": 1 / 8 + 2**-10}
MIN_ERROR = 2**-17  # of numbers so small that their scale is subnormal in F16
LARGEST = 65504  # in F16


def architecture(config) -> str:
    """llama.cpp's name for a model's architecture; raises `UserError` for a model that it does not compute."""
    if config.model_type not in ARCHITECTURES:
        error = unknown("architecture for GGUF", config.model_type, ARCHITECTURES)
        raise UserError(f"{error} {LEAVE_OUT}")
    name, settings = ARCHITECTURES[config.model_type]
    rope = getattr(config, "rope_parameters", None) or {}
    got = {setting: getattr(config, setting, allowed[0]) for setting, allowed in settings.items()}
    got |= {setting: rope.get(setting, allowed[0]) for setting, allowed in ROPE.items()}
    for setting, allowed in (settings | ROPE).items():
        if got[setting] not in allowed:
            raise UserError(
                f"GGUF: {config.model_type} with {setting}={short(got[setting])} cannot be written; allowed: "
                f"{', '.join(map(repr, allowed))}. {LEAVE_OUT}"
            )
    return name


def metadata(config, tokenizer, stops: Collection[int], chat_template: str, form: str) -> dict[str, Any]:
    """All fields of the file but the architecture's name, by their key; raises `UserError` as `vocabulary` does."""
    from gguf import GGML_QUANT_VERSION, Keys, LlamaFileType

    name, keys = architecture(config), Keys.LLM
    heads, width = config.num_attention_heads, config.hidden_size
    inner = getattr(config, "n_inner", None) or getattr(config, "intermediate_size", None) or 4 * width
    window = getattr(config, "sliding_window", None) or context_of(config)  # llama.cpp attends to all before
    fields = {
        keys.CONTEXT_LENGTH: min(context_of(config), window),
        keys.EMBEDDING_LENGTH: width,
        keys.FEED_FORWARD_LENGTH: inner,
        keys.BLOCK_COUNT: config.num_hidden_layers,
        keys.VOCAB_SIZE: config.vocab_size,
        Keys.Attention.HEAD_COUNT: heads,
        Keys.Attention.HEAD_COUNT_KV: 1 if name == "starcoder" else config.num_key_value_heads,
    }
    if "starcoder" in name:
        epsilon = config.layer_norm_epsilon if name == "starcoder" else config.norm_epsilon
        fields[Keys.Attention.LAYERNORM_EPS] = float(epsilon)
    else:
        fields[Keys.Attention.LAYERNORM_RMS_EPS] = float(config.rms_norm_eps)
    if name != "starcoder":
        size = getattr(config, "head_dim", None) or width // heads
        fields[Keys.Rope.FREQ_BASE] = float(config.rope_parameters["rope_theta"])
        fields |= dict.fromkeys(
            (Keys.Rope.DIMENSION_COUNT, Keys.Attention.KEY_LENGTH, Keys.Attention.VALUE_LENGTH), size
        )
    general = {
        Keys.General.TYPE: "model",
        Keys.General.FILE_TYPE: int(LlamaFileType[f"MOSTLY_{form}"]),
        Keys.General.QUANTIZATION_VERSION: GGML_QUANT_VERSION,
        Keys.Tokenizer.CHAT_TEMPLATE: chat_template,
    }
    fields = {key.format(arch=name): value for key, value in fields.items()}
    return general | fields | vocabulary(tokenizer, config.vocab_size, stops)


def tensors(model_dir: Path, config) -> Iterator[tuple[str, tuple[int, ...], Callable[[], np.ndarray]]]:
    """llama.cpp's name, the shape, and a function that reads it as float32, of every tensor; in a constant order.

    Raises `UserError` for a tensor without such a name.
    """
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map
    from safetensors import safe_open

    arch = {name: number for number, name in MODEL_ARCH_NAMES.items()}[architecture(config)]
    names = get_tensor_name_map(arch, config.num_hidden_layers)
    with ExitStack() as stack:
        for path in sorted(model_dir.glob("*.safetensors")):
            file = stack.enter_context(safe_open(path, framework="pt"))
            for own in file.keys():  # noqa: SIM118
                if own == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                name = names.get_name(own, try_suffixes=(".weight", ".bias"))
                if name is None:
                    raise UserError(f"GGUF: llama.cpp has no name for {short(own)} of {config.model_type}. {LEAVE_OUT}")
                shape = tuple(file.get_slice(own).get_shape())
                yield (
                    name,
                    shape,
                    lambda file=file, own=own: _rotated(own, file.get_tensor(own).float().numpy(), config),
                )


def _rotated(own: str, data: np.ndarray, config) -> np.ndarray:
    """The queries and keys of llama with the two halves of every head interleaved, as llama.cpp rotates them."""
    part = own.rpartition(".")[0].rpartition(".")[2]
    if config.model_type != "llama" or part not in ("q_proj", "k_proj"):
        return data
    heads = config.num_attention_heads if part == "q_proj" else config.num_key_value_heads
    return data.reshape(heads, 2, -1, *data.shape[1:]).swapaxes(1, 2).reshape(data.shape)  # (heads, 2, half, …)


def _type_of(name: str, shape: tuple[int, ...], form: str) -> str:
    if len(shape) == 1 or name == "position_embd.weight":
        return "F32"
    if form.startswith("Q") and shape[-1] % BLOCK:
        return "F16"
    return "Q8_0" if form == "Q4_0" and name in ("token_embd.weight", "output.weight") else form


def write(path: Path, model_dir: Path, config, fields: dict[str, Any], form: str) -> None:
    """Write the file atomically, with one tensor in memory at a time.

    Raises `UserError` for numbers that the format cannot hold, as `tensors`, and for a failed write that the user can
    fix.
    """
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quant_shape_to_byte_shape, quantize

    with files.replacing(path) as file:
        writer = GGUFWriter(file.name, architecture(config))
        for key, value in fields.items():
            _add(writer, key, value)
        for name, shape, _ in tensors(model_dir, config):
            kind = GGMLQuantizationType[_type_of(name, shape, form)]
            size = int(np.prod(quant_shape_to_byte_shape(shape, kind)))
            writer.add_tensor_info(name, shape, np.dtype(np.float32), size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        file.seek(0, os.SEEK_END)
        for name, _, read in tensors(model_dir, config):
            data = read()
            kind = _type_of(name, data.shape, form)
            if not np.isfinite(data).all() or (kind in ("F16", "Q8_0", "Q4_0") and abs(data).max() > LARGEST):
                raise UserError(
                    f"{name} has numbers that are not finite, or above {LARGEST:,}, which {kind} cannot hold. Choose "
                    "BF16, or another checkpoint of the run."
                )
            # Not `write_tensor_data`: numpy does not say why it could not write.
            file.write(bytes(-file.tell() % writer.data_alignment))
            file.write(quantize(data, GGMLQuantizationType[kind]).tobytes())
        file.write(bytes(-file.tell() % writer.data_alignment))


def _add(writer, key: str, value: Any) -> None:
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    add.get(type(value), writer.add_array)(key, value)


def verify(path: Path, model_dir: Path, config, fields: dict[str, Any]) -> dict[str, str]:
    """What reading the file again with `gguf` found; raises `UserError` where it differs from the model."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(path)
    written = {tensor.name: tensor for tensor in reader.tensors}
    fields = fields | {"general.architecture": architecture(config)}
    for key, value in fields.items():
        field = reader.fields.get(key)
        if field is None or field.contents() != (float(np.float32(value)) if isinstance(value, float) else value):
            raise _differs(path, key)
    largest: dict[str, float] = {}
    for name, _, read in tensors(model_dir, config):
        tensor, data = written.pop(name, None), read()
        if tensor is None or tuple(tensor.shape[::-1]) != data.shape:
            raise _differs(path, name)
        kind = tensor.tensor_type.name
        errors = abs(dequantize(tensor.data, tensor.tensor_type) - data)
        # F16 and BF16 round every number by itself; (blocks, numbers)
        blocks = [array.reshape(-1, BLOCK if kind.startswith("Q") else 1) for array in (errors, abs(data))]
        error, scale = (block.max(axis=1) for block in blocks)
        if not (error <= MAX_ERROR[kind] * scale + (MIN_ERROR if kind != "F32" else 0)).all():
            raise _differs(path, name)
        largest[kind] = max(largest.get(kind, 0.0), float(errors.max()))
    if written:
        raise _differs(path, next(iter(written)))
    found = ", ".join(f"{error:.2g} ({kind})" for kind, error in largest.items())
    num_tensors = number_of(len(reader.tensors), "tensor")
    return {
        "metadata": f"{number_of(len(fields), 'field')} as written",
        "tensors": f"{num_tensors} read again; their numbers differ from the model's by at most {found}",
    }


def _differs(path: Path, what: str) -> UserError:
    return UserError(f"{path}: {what} is not the model's when it is read again. Check the disk, and try again.")
