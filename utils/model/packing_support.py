"""Which models can be trained on packed blocks, proven on a small copy before the weights are loaded.

The copy has the model's own configuration with cut widths, enough layers to include every kind of layer, and random
weights. Its logits for a packed block are compared with those of each pair alone by transformers' eager attention. Not
covered: GPU kernels, and differences that the cut widths remove.
"""

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from utils.config import RunConfig
from utils.errors import UserError
from utils.model import attention
from utils.model.activation_checkpointing import checkpoint_blocks
from utils.model.shape import blocks_of, config_key, config_of, context_of, cut_layers

EAGER = "eager"
TOLERANCE = 1e-5  # of the largest logit, in float32
SHORT_LENGTHS, NUM_COMMON = (3, 17, 8), 2
MAX_COPY_PARAMETERS = 500_000_000
# Widths of the copy; where they do not fit together in an architecture, the next ones are tried.
COMMON_WIDTHS = {
    "vocab_size": 256,
    "vocab_size_per_layer_input": 256,
    "intermediate_size": 96,
    "moe_intermediate_size": 48,
}
WIDTHS: tuple[dict[str, Any], ...] = (
    {"hidden_size": 64, "attention_hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "rotary_dim": 16},
    {"hidden_size": 64, "attention_hidden_size": 64, "num_attention_heads": 4},
    {"hidden_size": 256},
    {},
)


@dataclass(frozen=True)
class Support:
    """The attention implementation to train with; `reason` says why pairs are not packed, and is empty if they are."""

    attn_implementation: str
    reason: str = ""

    @property
    def is_packed(self) -> bool:
        return self.attn_implementation == attention.PACKED


def training_support(model_config: PreTrainedConfig, config: RunConfig) -> Support:
    """How the pairs of a run are trained: packed where that is exact, else one per forward pass.

    Raises `UserError` for a model that is not causal, is random in training, has too short a context, or has other
    gradients with the run's activation checkpointing.
    """
    context = context_of(model_config)
    if config.max_length > context:
        raise UserError(
            f"max_length is {config.max_length:,} tokens, but the context of the model has {context:,}: "
            "lower max_length.",
            field="max_length",
        )
    key = config_key(model_config)
    support = _support(key, config.max_length, config.tokens_per_device)
    if config.activation_checkpointing != "none":
        _check_recomputation(key, support, config.activation_checkpointing)
    return support


def remove_noise(model_config: PreTrainedConfig) -> None:
    """Set every dropout, jitter and noise of a configuration to 0, in place, also in nested configurations."""
    for name, value in vars(model_config).items():
        if isinstance(value, PreTrainedConfig):
            remove_noise(value)
        elif isinstance(value, float) and any(word in name for word in ("drop", "jitter", "noise")):
            setattr(model_config, name, 0.0)


def remove_dropout(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


@lru_cache(maxsize=32)
def _support(key: str, max_length: int, num_tokens: int) -> Support:
    network = small_copy(key, max(num_tokens, max_length + sum(SHORT_LENGTHS)))
    try:
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
            return _prove(network, max_length, num_tokens)
    except UserError:
        raise
    except Exception as error:  # positions that are not there, for example
        raise _does_not_run(network.config, error) from error


@lru_cache(maxsize=32)
def _check_recomputation(key: str, support: Support, mode: str) -> None:
    """Raise `UserError` when activation checkpointing changes the gradients of a small copy of the model.

    Selective checkpointing does where an architecture overwrites a stored result in place.
    """
    pair = torch.arange(SHORT_LENGTHS[1])  # (T,)
    network = small_copy(key, len(pair))
    try:
        with torch.random.fork_rng(devices=[]):
            gradients = []  # of all parameters, without and with recomputation
            for is_recomputed in (False, True):
                twin = _copy_of(network, _without_noise(network.config), support.attn_implementation)
                if is_recomputed:
                    checkpoint_blocks(twin, mode)
                logits = _packed_logits(twin, [pair], len(pair)) if support.is_packed else _logits(twin, pair)
                logits.square().sum().backward()
                gradients.append(torch.cat([p.grad.flatten() for p in twin.parameters() if p.grad is not None]))
        fault = "" if _is_close(*gradients, float(gradients[0].abs().max())) else "its gradients are wrong"
    except UserError:
        raise
    except Exception as error:
        fault = _line(error)
    if fault:
        raise UserError(
            f"{network.config.model_type} cannot be trained with activation_checkpointing={mode} ({fault}): set it to "
            f"{'full or none' if mode == 'selective' else 'none'}.",
            field="activation_checkpointing",
        )


def small_copy(key: str, num_positions: int = 2**20) -> PreTrainedModel:
    """A model with this configuration (a `shape.config_key`), cut widths and random weights.

    `num_positions` are those that it is tested with; it has no more of them where nothing else follows from the number.
    Raises `UserError` when its code runs with no choice of widths.
    """
    config, reason = config_of(key), None
    try:
        # Masks for 8,192 positions take seconds to make. Rotary embeddings may be scaled by the number of positions.
        if num_positions < context_of(config) < 2**20 and _get(config.get_text_config(), "rope_parameters") is None:
            config.get_text_config().max_position_embeddings = num_positions
        for small in _small_configs(config):
            try:
                network = _small_network(small)
                with torch.no_grad():
                    network(input_ids=torch.zeros(1, 2, dtype=torch.long), use_cache=False)
                return network
            except Exception as error:  # whatever an architecture raises where widths do not fit together
                reason = error
    except Exception as error:  # a configuration that is not a language model's
        reason = error
    raise _does_not_run(config, reason)


def _does_not_run(config: PreTrainedConfig, error: Exception | None) -> UserError:
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return UserError(f"memory ran out while a small copy of {config.model_type} was checked: lower max_length.")
    return UserError(f"{config.model_type} cannot be trained here: a small copy of it does not run ({_line(error)}).")


def _small_configs(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    num_layers = _num_layers_of_every_kind(config)
    for widths in WIDTHS:
        small = copy.deepcopy(config)
        text = small.get_text_config()
        num_heads, num_kv_heads = _get(text, "num_attention_heads"), _get(text, "num_key_value_heads")
        cut_layers(small, num_layers)
        cut = {"use_cache": False} | COMMON_WIDTHS | widths
        for name, value in text.to_dict().items():
            if name.endswith("_token_id") and isinstance(value, int) and value >= COMMON_WIDTHS["vocab_size"]:
                cut[name] = COMMON_WIDTHS["vocab_size"] - 1
        if "num_attention_heads" in widths and num_kv_heads:
            cut["num_key_value_heads"] = 4 if num_kv_heads == num_heads else min(num_kv_heads, 2)
        for name, value in cut.items():
            if _get(text, name) is not None:
                with suppress(AttributeError):  # a property that follows from others
                    setattr(text, name, value)
        yield small
    yield copy.deepcopy(config)  # where a list is as long as there are layers by coincidence


def _get(config: PreTrainedConfig, name: str) -> Any:
    try:
        return getattr(config, name, None)
    except Exception:  # transformers refuses a value that differs from layer to layer
        return None


def _num_layers_of_every_kind(config: PreTrainedConfig) -> int:
    """The number of first layers that include every kind: with and without a window, experts, recurrence."""
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(copy.deepcopy(config))
    kinds = [_kind(block) for block in blocks_of(network)[1]]
    return max((kinds.index(kind) + 1 for kind in kinds), default=config.get_text_config().num_hidden_layers)


def _kind(block: nn.Module) -> str:
    """Classes and settings of all modules of a block, without its index."""
    simple = (bool, float, int, str, type(None))
    return str([
        (name, type(module).__name__, sorted((key, str(value)) for key, value in vars(module).items()
                                             if isinstance(value, simple) and "idx" not in key))
        for name, module in block.named_modules()
    ])  # fmt: skip


def _small_network(config: PreTrainedConfig) -> PreTrainedModel:
    """A model with random weights that are large enough for every part to affect the logits."""
    with torch.device("meta"):
        num_parameters = AutoModelForCausalLM.from_config(copy.deepcopy(config)).num_parameters()
    if num_parameters > MAX_COPY_PARAMETERS:
        raise ValueError(f"it has {num_parameters:,} parameters with cut widths, at most {MAX_COPY_PARAMETERS:,}")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(0)  # `torch.manual_seed` would also reset a GPU's generator
        network = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=EAGER).eval()
        remove_dropout(network)
        for module in network.modules():
            for parameter in module.parameters(recurse=False):
                if isinstance(module, nn.Embedding):
                    parameter.normal_()
                elif parameter.ndim >= 2:
                    parameter.normal_(std=parameter.shape[-1] ** -0.5)
                else:
                    parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return network


@torch.no_grad()
def _prove(network: PreTrainedModel, max_length: int, num_tokens: int) -> Support:
    name, vocab_size = network.config.model_type, int(network.config.get_text_config().vocab_size)
    generator = torch.Generator().manual_seed(0)
    lengths = [min(length, max_length) for length in (SHORT_LENGTHS[0], max_length, *SHORT_LENGTHS[1:])]
    pairs = [torch.randint(vocab_size // 2, [length], generator=generator) for length in lengths]  # (T,)
    for pair in pairs:  # a common beginning, which is computed once
        pair[:NUM_COMMON] = pairs[1][: len(pair)][:NUM_COMMON]
    alone = [_logits(network, pair) for pair in pairs]  # (T, vocabulary)
    largest = float(max(logits.abs().max() for logits in alone))
    half = max_length // 2
    if not _is_close(_logits(network, pairs[1][:half]), alone[1][:half], largest):
        raise UserError(f"{name} is not a causal language model: later tokens change its earlier predictions.")
    training = _copy_of(network, _without_noise(network.config), EAGER)
    if not all(_is_close(_logits(training, pairs[1]), alone[1], largest) for _ in range(2)):
        raise UserError(f"{name} predicts something else in training than in use, even without dropout.")
    try:
        packed = _copy_of(network, _without_noise(network.config), attention.register())
        # At the start of a block and at the end of one as long as in training: some models count places in the block.
        num_more, rest = divmod(max(0, num_tokens - sum(lengths)), sum(lengths))
        for before in ([], [pairs[1][:rest]] * (rest > 0) + pairs * num_more):
            logits = _packed_logits(packed, before + pairs, sum(lengths))
            if not all(_is_close(*both, largest) for both in zip(logits.split(lengths), alone, strict=True)):
                return Support(EAGER, f"{name} predicts something else for packed pairs than for each alone")
    except UserError as error:
        return Support(EAGER, str(error))
    except Exception as error:  # an argument it does not take, a mask it expects
        return Support(EAGER, f"{name} does not run on a packed block ({_line(error)})")
    return Support(attention.PACKED)


def _without_noise(config: PreTrainedConfig) -> PreTrainedConfig:
    config = copy.deepcopy(config)
    remove_noise(config)
    return config


def _is_close(values: torch.Tensor, expected: torch.Tensor, largest: float) -> bool:
    return values.shape == expected.shape and bool(((values - expected).abs() <= TOLERANCE * largest).all())


def _copy_of(network: PreTrainedModel, config: PreTrainedConfig, attn_implementation: str) -> PreTrainedModel:
    twin = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=attn_implementation)
    twin.load_state_dict(network.state_dict())
    remove_dropout(twin)
    return twin.train()


def _logits(network: PreTrainedModel, pair: torch.Tensor) -> torch.Tensor:
    return network(input_ids=pair[None], use_cache=False).logits[0]


def _packed_logits(network: PreTrainedModel, pairs: list[torch.Tensor], num_last: int) -> torch.Tensor:
    """The logits of the last tokens of a block (num_last, vocabulary)."""
    lengths = [len(pair) for pair in pairs]
    starts = [0, *accumulate(lengths)]
    positions = torch.cat([torch.arange(length) for length in lengths])  # (T,)
    last = torch.arange(starts[-1] - num_last, starts[-1])
    num_shared = min(NUM_COMMON, min(lengths) - 1) if len(pairs) > 1 else 0
    inputs = attention.packed_inputs(torch.cat(pairs), positions, starts, num_shared, last, torch.device("cpu"))
    return network(**inputs).logits[0]


def _line(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
