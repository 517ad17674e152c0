"""Licence and architecture of the presets' models on the hub, so that they can be planned before a download.

Sizes are those of their `config.json`; a test compares the number of parameters with the published one. What is
trained is always read from the downloaded configuration.
"""

from dataclasses import dataclass
from typing import Any

from transformers import CONFIG_MAPPING

OPENRAIL, APACHE = "bigcode-openrail-m", "apache-2.0"


@dataclass(frozen=True)
class HubModel:
    """A model on the hub; a gated one needs an account that accepted its licence."""

    license: str
    architecture: str
    sizes: dict[str, Any]
    is_gated: bool = False

    @property
    def config(self):
        """Its configuration, as far as memory and time depend on it."""
        return CONFIG_MAPPING[self.architecture](**self.sizes)


def _starcoder(layers: int, heads: int, width: int) -> HubModel:
    sizes = dict(
        n_layer=layers, n_head=heads, n_embd=width, n_positions=8192, vocab_size=49152, bos_token_id=0, eos_token_id=0
    )
    return HubModel(OPENRAIL, "gpt_bigcode", sizes, is_gated=True)


def _open(
    license: str, architecture: str, layers: int, heads: int, kv_heads: int, width: int, inner: int, context: int,
    vocab_size: int = 49152, **others: Any,
) -> HubModel:  # fmt: skip
    sizes = dict(
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, hidden_size=width,
        intermediate_size=inner, max_position_embeddings=context, vocab_size=vocab_size, tie_word_embeddings=True,
        **others,
    )  # fmt: skip
    return HubModel(license, architecture, sizes)


HUB_MODELS = {
    "HuggingFaceTB/SmolLM2-135M": _open(APACHE, "llama", 30, 9, 3, 576, 1536, 8192),
    "HuggingFaceTB/SmolLM2-360M": _open(APACHE, "llama", 32, 15, 5, 960, 2560, 8192),
    "Qwen/Qwen2.5-Coder-0.5B": _open(APACHE, "qwen2", 24, 14, 2, 896, 4864, 32768, 151936),
    "Qwen/Qwen2.5-Coder-1.5B": _open(APACHE, "qwen2", 28, 12, 2, 1536, 8960, 32768, 151936),
    "bigcode/starcoder2-3b": _open(
        OPENRAIL, "starcoder2", 30, 24, 2, 3072, 12288, 16384, sliding_window=4096, bos_token_id=0, eos_token_id=0
    ),
    "bigcode/tiny_starcoder_py": _starcoder(20, 12, 768),
    "bigcode/starcoderbase-1b": _starcoder(24, 16, 2048),
    "bigcode/starcoder": _starcoder(40, 48, 6144),
}
