"""Load and save models and tokenizers: from the hub, a local folder or the workbook, sharded or whole.

Only safetensors are read, and no code of a model repository is run.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GPTBigCodeConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    initialization,
)
from transformers.distributed import DistributedConfig
from transformers.utils import cached_file

from utils import files, hardware
from utils.artifacts import ROOT, building, sha256_file, sha256_text
from utils.config import EMBEDDED, PACKAGED, RunConfig
from utils.errors import UserError, mask_logs
from utils.model import activation_checkpointing, hub_access, lora, packaged, packing_support, sharding
from utils.model.shape import Shape, config_key, shape_of
from utils.tokens.prompts import stop_ids

REPORTED = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
# StarCoder's, with its ids 0 to 4.
SPECIAL_TOKENS = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"]


def locate(name_or_path: str) -> str:
    """The hub id or local folder of a model: `embedded` is `data/base`; the packaged one is converted on first use."""
    if name_or_path == PACKAGED:
        return str(packaged.folder())
    return str(ROOT / "data" / "base") if name_or_path == EMBEDDED else name_or_path


def create_fresh(folder: Path, texts: Iterable[str], vocab_size: int = 6144) -> None:
    """Write a small StarCoder with random weights (7.6 M parameters) and a tokenizer trained on these texts."""
    tokenizer = Tokenizer(models.BPE())
    digits, byte_level = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    config = GPTBigCodeConfig(
        vocab_size=tokenizer.get_vocab_size(), n_positions=1024, n_embd=320, n_layer=5, n_head=5,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=SPECIAL_TOKENS[0], eos_token=SPECIAL_TOKENS[0],
        pad_token=SPECIAL_TOKENS[4], extra_special_tokens=SPECIAL_TOKENS[1:4],
    )  # fmt: skip
    with building(folder, {}, {"seed": 0}) as temporary:
        wrapped.save_pretrained(temporary)
        network.save_pretrained(temporary)


def _from_pretrained(auto_class, name_or_path: str, revision: str, **options):
    """`auto_class.from_pretrained`, with its errors as `UserError`s that say what to do."""
    source = locate(name_or_path)
    local = Path(source).is_dir()
    if not local and (source.count("/") != 1 or source.startswith((".", "/", "~"))):
        raise UserError(f"no model at {source!r}: expected a folder with a config.json, a hub id or {EMBEDDED!r}.")
    mask_logs("huggingface_hub", "transformers")
    try:
        # Without it, transformers would ask on the terminal whether to run a model's code.
        options = options | {"trust_remote_code": False} | ({} if local else hub_access.options(source, revision))
        return auto_class.from_pretrained(source, **options)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # of the hub, the file system, a configuration or a missing package
        cause = error
        while cause is not None and not isinstance(cause, (HfHubHTTPError, LocalEntryNotFoundError)):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, GatedRepoError):
            raise UserError(
                f"{source} is gated. Accept its licence at https://huggingface.co/{source}, make a token under "
                "Settings, Access Tokens, and log in with `hf auth login`."
            ) from error
        if isinstance(cause, RepositoryNotFoundError):
            raise UserError(
                f"the hub has no model {source!r} that you may see. Check the name, or log in with `hf auth login`."
            ) from error
        if not local:
            raise UserError(
                f"{source} cannot be fetched from the hub ({type(cause or error).__name__}). Check the network, or "
                f"give a local folder as the model. Without network use the preset `tiny`."
            ) from error
        raise UserError(f"{source} holds no model that transformers can load: {error}") from error


def _load_model(name_or_path: str, revision: str, **options) -> PreTrainedModel:
    """The model with exactly the tensors of its files; raises `UserError` when some are missing, extra or misshaped."""
    network, report = _from_pretrained(
        AutoModelForCausalLM, name_or_path, revision, output_loading_info=True, ignore_mismatched_sizes=True, **options
    )
    # transformers has already left out what the architecture declares as optional.
    faults = {name.removesuffix("_keys"): sorted(map(str, report[name])) for name in REPORTED if report.get(name)}
    if faults:
        found = "; ".join(f"{name}: {', '.join(keys[:5])}{', …' if keys[5:] else ''}" for name, keys in faults.items())
        raise UserError(
            f"the files of {name_or_path} do not fit its config.json ({found}): weights would be random. Use the "
            "complete model that the configuration describes, or correct the files."
        )
    if _overwrites_loaded(network):
        raise UserError(
            f"{name_or_path} cannot be used: transformers sets the loaded embedding of the padding token to zero in "
            f"{type(network).__name__}. Use another model."
        )
    return network


@torch.no_grad()
def _overwrites_loaded(network: PreTrainedModel) -> bool:
    """Whether the model's own initialization, which follows loading, changes a row of a loaded embedding."""
    if all(module.padding_idx is None for module in network.modules() if isinstance(module, nn.Embedding)):
        return False
    loaded = nn.Embedding(2, 2, padding_idx=0)
    loaded.weight.fill_(1)
    loaded.weight._is_hf_initialized = True  # ty: ignore[missing-attribute]  # transformers' mark of loaded tensors
    with torch.random.fork_rng(devices=[]), initialization.guard_torch_init_functions():
        network._init_weights(loaded)
    return bool((loaded.weight != 1).any())


def load_tokenizer(name_or_path: str, revision: str = "main") -> PreTrainedTokenizerFast:
    """The model's tokenizer; raises `UserError` when it cannot be loaded or has no end-of-text token."""
    tokenizer = _from_pretrained(AutoTokenizer, name_or_path, revision)
    if tokenizer.eos_token_id is None:
        raise UserError(f"the tokenizer of {name_or_path} has no end-of-text token; the model could not learn to stop.")
    return tokenizer


def load(name_or_path: str, revision: str = "main") -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Model and tokenizer for generation, in eval mode: bfloat16 on a GPU, float32 on a CPU."""
    tokenizer = load_tokenizer(name_or_path, revision)
    device, dtype = ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
    options = dict(dtype=dtype, use_safetensors=True, device_map={"": device})
    return _load_model(name_or_path, revision, **options).eval(), tokenizer


def load_config(config: RunConfig):
    return _from_pretrained(AutoConfig, config.model_name_or_path, config.revision)


def fingerprint(config: RunConfig) -> str:
    """One sha256 of what a resumed run takes from the base model: its configuration, and for LoRA its weights.

    The weights of a hub model are those of its commit.
    """
    source, found = locate(config.model_name_or_path), folder(config)
    parts = [sha256_file(found / "config.json")]
    if config.lora_rank and Path(source).is_dir():
        parts += map(sha256_file, sorted(found.glob("*.safetensors")))
    elif config.lora_rank:
        parts.append(found.name)  # the commit, in the hub's cache
    return sha256_text(" ".join(parts))


def folder(config: RunConfig) -> Path:
    """The local folder of the base model's files; of a hub model, that of its commit in the hub's cache."""
    load_config(config)  # with its errors in words
    source = locate(config.model_name_or_path)
    options = {} if Path(source).is_dir() else hub_access.options(source, config.revision)
    return Path(str(cached_file(source, "config.json", **options))).parent


def identity(config: RunConfig) -> str:
    """The commit of a hub model, or one sha256 of a local folder's configuration and weights."""
    found = folder(config)
    if not Path(locate(config.model_name_or_path)).is_dir():
        return found.name
    return sha256_text(" ".join(map(sha256_file, [found / "config.json", *sorted(found.glob("*.safetensors"))])))


def load_shape(config: RunConfig) -> Shape:
    """The sizes of the run's model, without loading weights."""
    return shape_of(config_key(load_config(config)))


def load_for_training(config: RunConfig, device: torch.device, num_ranks: int) -> PreTrainedModel:
    """The model without dropout, with packed attention where supported; each of several ranks loads its shard.

    With `lora_rank`, frozen and with adapters. Raises `UserError` when the model cannot be loaded or peft is missing,
    and as `check_offload` does.
    """
    check_offload(config, device.type, num_ranks)
    if device.type == "cuda" or config.torch_compile:
        hardware.keep_compiled_code_private()
    model_config = load_config(config)
    if getattr(model_config, "quantization_config", None):
        raise UserError(f"{config.model_name_or_path} is quantized: train the model that it was made from instead.")
    support = packing_support.training_support(model_config, config)
    packing_support.remove_noise(model_config)
    options = dict(config=model_config, dtype=getattr(torch, config.weights_dtype), use_safetensors=True)
    options["attn_implementation"] = support.attn_implementation
    if num_ranks > 1:
        plan = sharding.fsdp_plan(model_config, config.reshard_after_forward)
        options["distributed_config"] = DistributedConfig(
            fsdp_size=num_ranks, fsdp_plan=plan, fsdp_cpu_offload=config.cpu_offload
        )
    else:
        options["device_map"] = {"": device}  # tensor by tensor, without a copy in main memory
    network = _load_model(config.model_name_or_path, config.revision, **options)
    packing_support.remove_dropout(network)
    if config.lora_rank:
        lora.add(network, config.lora_rank, config.lora_alpha, config.seed)
    if config.activation_checkpointing != "none":
        activation_checkpointing.checkpoint_blocks(network, config.activation_checkpointing)
    if config.torch_compile:
        compile_blocks(network)
    return network.train()


def check_offload(config: RunConfig, device_type: str, num_ranks: int) -> None:
    """Raise `UserError` for `cpu_offload` with LoRA, or without several GPU processes."""
    if config.cpu_offload and (device_type == "cpu" or num_ranks == 1 or config.lora_rank):
        text = "cpu_offload needs several GPU processes and full fine-tuning (lora_rank=0): switch it off."
        raise UserError(text, field="cpu_offload")


def compile_blocks(network: PreTrainedModel, backend: str = "inductor") -> None:
    """Compile the blocks on first use, once for all blocks and lengths.

    On a CPU without attention, and not under `activation_checkpointing`. Not tried on a GPU.
    """
    for block in sharding.blocks(network)[1]:
        block.compile(dynamic=True, backend=backend)


def save(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save model and tokenizer for `from_pretrained`; all ranks must call it, rank 0 writes.

    Raises `UserError` when the folder is a symbolic link.
    """
    files.make_folder(folder)
    ends = sorted(stop_ids(network, tokenizer))
    if network.can_generate():  # transformers' own `generate` stops there too
        network.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    network.save_pretrained(folder)
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        tokenizer.init_kwargs.pop("local_files_only", None)  # how it was loaded is nothing of the tokenizer
        tokenizer.save_pretrained(folder)
        files.hand_down_mode(folder)
