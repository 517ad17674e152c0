"""Exports of a model: what is written is read again, in real llama.cpp too, and what differs is refused."""

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from support.world import RESPONSES
from utils.artifacts import ROOT
from utils.errors import UserError
from utils.model.loading import SPECIAL_TOKENS, load
from utils.release import contents, export, gguf_file, gguf_vocabulary, llama_runner, modelfile
from utils.tokens.prompts import ALPACA, ALPACA_NEWLINE, CHAT, format_prompt

END, BEGIN = "<|im_end|>", "<|im_start|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SIZES = dict(
    hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=512, initializer_range=0.2,
)  # fmt: skip
# Tiny models of every architecture, and of one that is not exported, with what is particular about them.
TINY = {
    "gpt_bigcode": dict(n_layer=2, n_embd=64, n_head=4, n_positions=512, initializer_range=0.2),
    "llama": dict(SIZES, attention_bias=True, mlp_bias=True, head_dim=32, tie_word_embeddings=False),
    "qwen2": dict(SIZES, tie_word_embeddings=True),
    "qwen3": dict(SIZES, head_dim=32),
    "starcoder2": dict(SIZES, sliding_window=384),
    "gpt_neox": SIZES,
}


def split(pattern: str):
    steps = pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)
    return pre_tokenizers.Sequence(list(steps))


PLAIN = pre_tokenizers.ByteLevel(add_prefix_space=False)
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), PLAIN])
QWEN, LLAMA = (split(gguf_vocabulary.WORDS.format(digits=digits)) for digits in (r"\p{N}", r"\p{N}{1,3}"))
SPLITS = {"gpt_bigcode": DIGITS, "llama": LLAMA, "qwen2": QWEN, "qwen3": QWEN, "starcoder2": PLAIN}


def make_tokenizer(splitter=DIGITS, adds_bos=False, ignore_merges=False, **options) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[*SPECIAL_TOKENS, BEGIN, END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([*RESPONSES, "12345 it's we'll 123"] * 3, trainer)
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIAL_TOKENS[0], bos_token=BEGIN, pad_token=SPECIAL_TOKENS[4], **options
    )


def make_model(folder: Path, kind: str, tokenizer=None, **changes) -> Path:
    """A model folder with random weights, whose vectors are not the usual ones and zeros."""
    tokenizer = tokenizer or make_tokenizer(SPLITS.get(kind, DIGITS))
    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, **TINY[kind] | changes, vocab_size=328, eos_token_id=0, bos_token_id=5)
    network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def without_llama(monkeypatch):
    monkeypatch.setattr(llama_runner, "is_installed", lambda: False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A tiny gpt_bigcode model, which tests do not change."""
    return make_model(tmp_path_factory.mktemp("tiny") / "model", "gpt_bigcode")


def parts(model_dir: Path, form: str = "F16"):
    """What `gguf_file.write` takes besides the path."""
    network, tokenizer = load(str(model_dir))
    return model_dir, network.config, gguf_file.metadata(network.config, tokenizer, [0], "{{ x }}", form), form


def test_every_form_of_a_model_is_written_and_compared(tiny, tmp_path, without_llama):
    model_dir, out = shutil.copytree(tiny, tmp_path / "model"), tmp_path / "out"
    (model_dir / "optimizer.pt").write_bytes(b"not for a release")
    exported = export.export(model_dir, out, ALPACA, gguf_file.FORMATS)
    names = ["safetensors", *(f"GGUF {form}" for form in gguf_file.FORMATS), "Modelfile"]
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    model_files = {path.name for path in tiny.iterdir()}
    assert [form.name for form in exported] == names and written == model_files | {form.path for form in exported[1:]}
    assert [(out / form.path).stat().st_size for form in exported[1:]] == [form.num_bytes for form in exported[1:]]
    assert exported[0].num_bytes == sum((out / name).stat().st_size for name in model_files)
    assert exported[0].tokens_per_second > 0 and [form.tokens_per_second for form in exported[1:]] == [None] * 5
    assert all(form.checks for form in exported)
    assert (out / "Modelfile").read_text().startswith("FROM ./gguf/model-Q4_0.gguf\n")


def test_without_formats_the_model_folder_alone_is_written(tiny, tmp_path, without_llama):
    exported = export.export(tiny, tmp_path / "out", ALPACA, ())
    assert [form.name for form in exported] == ["safetensors"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in tiny.iterdir()}


def test_a_file_holds_the_tensors_and_the_settings_of_the_model(tiny, tmp_path):
    path = tmp_path / "model.gguf"
    gguf_file.write(path, *parts(tiny, "Q4_0"))
    reader, tokenizer = GGUFReader(path), AutoTokenizer.from_pretrained(tiny)
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert (types["blk.1.attn_qkv.weight"], types["token_embd.weight"]) == ("Q4_0", "Q8_0")
    assert types["position_embd.weight"] == types["blk.0.ffn_up.bias"] == "F32" and "output.weight" not in types
    value = {name: field.contents() for name, field in reader.fields.items()}
    assert value["general.architecture"] == "starcoder" and value["starcoder.attention.head_count_kv"] == 1
    assert value["starcoder.context_length"] == 512 and value["starcoder.feed_forward_length"] == 256
    tokens, types = value["tokenizer.ggml.tokens"], value["tokenizer.ggml.token_type"]
    assert tokens[: len(tokenizer)] == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert [types[0], types[len(tokenizer) - 1], types[-1]] == [3, 1, 5] and tokens[-1] == "[PAD327]"
    assert value["tokenizer.ggml.eos_token_id"] == 0 and value["tokenizer.ggml.fim_suf_token_id"] == 3
    assert value["tokenizer.ggml.pre"] == "starcoder" and not value["tokenizer.ggml.add_bos_token"]


@pytest.mark.parametrize("form", gguf_file.FORMATS)
def test_a_file_with_other_numbers_than_the_model_is_noticed(form, tiny, tmp_path):
    path, arguments = tmp_path / "model.gguf", parts(tiny, form)
    gguf_file.write(path, *arguments)
    assert "28 tensors" in gguf_file.verify(path, *arguments[:3])["tensors"]
    other = shutil.copytree(tiny, tmp_path / "other")
    weights = load_file(tiny / "model.safetensors")
    changed = weights["transformer.h.1.mlp.c_proj.weight"]
    changed[3, 5] += 0.2 * changed[3, :32].abs().max()
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="blk.1.ffn_down.weight is not the model's"):
        gguf_file.verify(path, other, *arguments[1:3])
    del weights["transformer.h.1.mlp.c_proj.weight"]
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="blk.1.ffn_down.weight is not the model's"):
        gguf_file.verify(path, other, *arguments[1:3])
    with pytest.raises(UserError, match="starcoder.context_length is not the model's"):
        gguf_file.verify(path, *arguments[:2], arguments[2] | {"starcoder.context_length": 513})


def test_rows_that_are_no_multiple_of_a_block_stay_f16(tmp_path):
    arguments = parts(make_model(tmp_path / "model", "gpt_bigcode", n_embd=40), "Q8_0")
    gguf_file.write(tmp_path / "model.gguf", *arguments)
    types = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    assert (types["blk.0.ffn_up.weight"], types["blk.0.ffn_down.weight"]) == ("F16", "Q8_0")
    assert "(F16)" in gguf_file.verify(tmp_path / "model.gguf", *arguments[:3])["tensors"]


def test_a_head_that_the_model_ties_to_its_embedding_is_not_written(tiny, tmp_path):
    model_dir = shutil.copytree(tiny, tmp_path / "model")
    weights = load_file(tiny / "model.safetensors")
    weights["lm_head.weight"] = torch.zeros_like(weights["transformer.wte.weight"])
    save_file(weights, model_dir / "model.safetensors", {"format": "pt"})
    gguf_file.write(tmp_path / "model.gguf", model_dir, *parts(tiny)[1:])
    assert "output.weight" not in {tensor.name for tensor in GGUFReader(tmp_path / "model.gguf").tensors}


def test_the_context_ends_with_the_window_that_llama_cpp_does_not_have():
    config = AutoConfig.for_model("starcoder2", **TINY["starcoder2"], vocab_size=328)
    fields = gguf_file.metadata(config, make_tokenizer(), [0], "", "F16")
    assert fields["starcoder2.context_length"] == 384


UNSUPPORTED = [
    ("llama", {"hidden_act": "gelu"}, "hidden_act='gelu'.*'silu'"),
    ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "rope_type='linear'"),
    ("qwen3", {"attention_bias": True}, "attention_bias=True"),
    ("gpt_bigcode", {"multi_query": False}, "multi_query=False"),
    ("gpt_bigcode", {"activation_function": "relu"}, "activation_function='relu'.*'gelu_pytorch_tanh'"),
    ("opt", {}, "unknown architecture for GGUF 'opt'.*'gpt_bigcode', 'starcoder2', 'llama', 'qwen2', 'qwen3'"),
]


@pytest.mark.parametrize("kind, changes, message", UNSUPPORTED)
def test_what_llama_cpp_would_compute_in_other_ways_is_refused(kind, changes, message):
    with pytest.raises(UserError, match=message):
        gguf_file.architecture(AutoConfig.for_model(kind, **changes))


def test_an_architecture_that_is_not_known_is_refused_before_anything_is_written(tmp_path):
    model_dir = make_model(tmp_path / "model", "gpt_neox")
    with pytest.raises(UserError, match=r"GGUF 'gpt_neox'.*starcoder2.*Leave GGUF out: FORMATS = \(\)"):
        export.export(model_dir, tmp_path / "out", ALPACA)
    assert not (tmp_path / "out").exists()


TAMPERED = {
    "config.json": (
        '{"auto_map": {"AutoModelForCausalLM": "other/repository--M"}}',
        "auto_map=.* must not make others",
    ),
    "tokenizer_config.json": ('{"auto_map": {}}', "names code"),
    "generation_config.json": ("[", "is not JSON"),
    "added_tokens.json": ("[]", "must be of type dict"),
    "model.safetensors.index.json": (
        '{"weight_map": {"a": "../other.safetensors"}}',
        "'../other.safetensors', which is",
    ),
    "vocab.json": (None, "is a link, or no file"),
    "merges.txt": (None, "is a link, or no file"),
    "model-00001-of-00002.safetensors": (None, "is a link, or no file"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_model_folder_that_was_tampered_with_is_refused(name, tiny, tmp_path):
    content, message = TAMPERED[name]
    model_dir = shutil.copytree(tiny, tmp_path / "model")
    if content is None:
        os.mkfifo(model_dir / name) if name == "merges.txt" else (model_dir / name).symlink_to(tiny / "config.json")
    else:
        (model_dir / name).write_text(content)
    with pytest.raises(UserError, match=message):
        contents.model_files(model_dir)


def test_an_end_of_text_that_is_no_id_ends_nothing(tiny, tmp_path, without_llama):
    model_dir = shutil.copytree(tiny, tmp_path / "model")
    (model_dir / "generation_config.json").write_text('{"eos_token_id": ["x", 3, null]}')
    export.export(model_dir, tmp_path / "out", ALPACA, ["F16"])
    assert (tmp_path / "out" / "Modelfile").read_text().count("PARAMETER stop") == 2


def test_a_format_that_is_not_known_is_refused(tiny, tmp_path):
    with pytest.raises(UserError, match="unknown GGUF format 'Q8_1'. Did you mean 'Q8_0'"):
        export.export(tiny, tmp_path / "out", ALPACA, ["Q8_1"])


@pytest.mark.parametrize("form, number, is_refused", [("F16", 1e5, True), ("BF16", 1e5, False), ("BF16", np.nan, True)])
def test_numbers_that_a_format_cannot_hold_are_refused(form, number, is_refused, tiny, tmp_path):
    model_dir, arguments = shutil.copytree(tiny, tmp_path / "model"), parts(tiny, form)
    weights = load_file(tiny / "model.safetensors")
    weights["transformer.wte.weight"][0, 0] = number
    save_file(weights, model_dir / "model.safetensors", {"format": "pt"})
    if is_refused:
        with pytest.raises(UserError, match="token_embd.weight has numbers that are not finite, or above 65,504"):
            gguf_file.write(tmp_path / "model.gguf", model_dir, *arguments[1:])
        assert {path.name for path in tmp_path.iterdir()} == {"model"}
    else:
        gguf_file.write(tmp_path / "model.gguf", model_dir, *arguments[1:])


@pytest.mark.parametrize("limit", [1000, 100_000], ids=["metadata", "tensors"])
def test_a_write_that_is_cut_off_leaves_nothing(limit, tiny, tmp_path):
    arguments, before = parts(tiny), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(UserError, match="model.gguf.* cannot be opened or written: .*ulimit -f"):
            gguf_file.write(tmp_path / "model.gguf", *arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_as_the_model_is_not_kept(tiny, tmp_path, without_llama, monkeypatch):
    def differs(path, *_):
        raise gguf_file._differs(path, "output_norm.bias")

    monkeypatch.setattr(gguf_file, "verify", differs)
    with pytest.raises(UserError, match="output_norm.bias is not the model's"):
        export.export(tiny, tmp_path / "out", ALPACA, ["F16"])
    assert list((tmp_path / "out" / "gguf").iterdir()) == []


def test_a_copied_model_that_answers_otherwise_is_refused(tiny, tmp_path, without_llama, monkeypatch):
    def load_changed(folder):
        network, tokenizer = load(folder)
        if folder.endswith("out"):
            network.transformer.ln_f.bias.data[0] += 1e-3
        return network, tokenizer

    monkeypatch.setattr(export.loading, "load", load_changed)
    with pytest.raises(UserError, match="out answers otherwise than .*model"):
        export.export(tiny, tmp_path / "out", ALPACA, ["F16"])


@pytest.mark.parametrize(
    "splitter, ignore_merges, name",
    [(DIGITS, False, "starcoder"), (PLAIN, False, "gpt-2"), (QWEN, False, "qwen2"), (LLAMA, True, "llama-bpe")],
)
def test_the_pre_tokenizer_that_splits_in_the_same_way_is_named(splitter, ignore_merges, name):
    fields = gguf_vocabulary.vocabulary(make_tokenizer(splitter, ignore_merges=ignore_merges), 328, [0])
    assert fields["tokenizer.ggml.pre"] == name


def test_a_tokenizer_that_llama_cpp_would_not_follow_is_refused():
    three = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\d{3}"), "isolated"), PLAIN])
    for splitter, ignore_merges in ((three, False), (LLAMA, False), (pre_tokenizers.ByteLevel(True), False)):
        with pytest.raises(UserError, match="split texts in other ways.*starcoder, gpt-2, qwen2, llama-bpe"):
            gguf_vocabulary.vocabulary(make_tokenizer(splitter, ignore_merges=ignore_merges), 328, [0])
    tokenizer = make_tokenizer()
    with pytest.raises(UserError, match=r"the tokenizer has \d+ tokens, and the model's embedding 100 rows"):
        gguf_vocabulary.vocabulary(tokenizer, 100, [0])
    for normalizer, decoder in ((normalizers.Lowercase(), decoders.ByteLevel()), (None, decoders.ByteFallback())):
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        backend.decoder = decoder
        if normalizer:
            backend.normalizer = normalizer
        other = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=SPECIAL_TOKENS[0])
        with pytest.raises(UserError, match="only byte-level BPE tokenizers"):
            gguf_vocabulary.vocabulary(other, 328, [0])


def test_bos_and_the_ends_of_a_chat_are_in_the_vocabulary():
    tokenizer = make_tokenizer(adds_bos=True)
    fields = gguf_vocabulary.vocabulary(tokenizer, 328, [0, 6])
    assert fields["tokenizer.ggml.add_bos_token"] and fields["tokenizer.ggml.bos_token_id"] == 5
    assert (fields["tokenizer.ggml.eos_token_id"], fields["tokenizer.ggml.eot_token_id"]) == (0, 6)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, 6)]
    )
    with pytest.raises(UserError, match="adds other tokens than BOS"):
        gguf_vocabulary.vocabulary(tokenizer, 328, [0])


INSTRUCTIONS = ["Add two numbers.", "Is {{ x }} a `dict`?\n\n### Response:", 'Print """ and \\n in 你好']


@pytest.mark.parametrize("template", [ALPACA, ALPACA_NEWLINE, CHAT])
@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_other_programs_get_the_prompt_of_training_byte_for_byte(template, instruction):
    tokenizer = make_tokenizer(chat_template=CHAT_TEMPLATE)
    expected = format_prompt(instruction, "", template, tokenizer)
    text = modelfile.modelfile("./x.gguf", template, tokenizer, [6, 0], 1024)
    assert modelfile.prompt_of(text, instruction) == expected
    assert text.splitlines()[-4:] == [
        'PARAMETER stop "<|endoftext|>"', 'PARAMETER stop "<|im_end|>"', "PARAMETER num_ctx 1024",
        "PARAMETER repeat_penalty 1.0",
    ]  # fmt: skip
    tokenizer.chat_template = modelfile.chat_template(template, tokenizer)
    message = [{"role": "user", "content": instruction}]
    assert tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False) == expected


def test_the_prompt_of_alpaca_ends_with_a_colon_in_the_modelfile():
    text = modelfile.modelfile("./x.gguf", ALPACA, make_tokenizer(), [0], 1024)
    assert '\n\n### Instruction:\n{{ .Prompt }}\n\n### Response:"""\nPARAMETER' in text


def test_a_template_that_a_modelfile_cannot_hold_is_refused():
    tokenizer = make_tokenizer(chat_template='{{ messages[0].content }}{{ \'"""\' }}')
    with pytest.raises(UserError, match="cannot be written to a Modelfile"):
        modelfile.modelfile("./x.gguf", CHAT, tokenizer, [0], 1024)
    tokenizer = make_tokenizer(chat_template="<{{ '{{' }}>{{ messages[0].content }}</>")
    text = modelfile.modelfile("./x.gguf", CHAT, tokenizer, [0], 1024)
    assert '"""<{{ "{{" }}>{{ .Prompt }}</>"""' in text and modelfile.prompt_of(text, "x") == "<{{>x</>"


def test_bos_that_llama_cpp_adds_is_not_in_the_template_again():
    tokenizer = make_tokenizer(adds_bos=True, chat_template=CHAT_TEMPLATE)
    text = modelfile.modelfile("./x.gguf", CHAT, tokenizer, [0], 1024)
    assert 'TEMPLATE """user\n{{ .Prompt }}' in text


@pytest.fixture
def llama(needs):
    needs(llama_runner.is_installed(), "llama.cpp (the package cyllama) is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("kind", gguf_file.ARCHITECTURES)
def test_llama_cpp_answers_as_the_model(kind, tmp_path, llama):
    options = dict(adds_bos=True, ignore_merges=True) if kind == "llama" else {}
    template = CHAT if kind == "qwen2" else ALPACA
    tokenizer = make_tokenizer(SPLITS[kind], chat_template=CHAT_TEMPLATE if template == CHAT else None, **options)
    exported = export.export(make_model(tmp_path / "model", kind, tokenizer), tmp_path / "out", template, ["F16"])
    checks = exported[1].checks
    assert exported[1].tokens_per_second > 0 and checks["token ids"].startswith("15 texts split")
    # Of random weights: near ties are frequent, and one of them changes all ids after it.
    assert int(checks["answers"].split()[0]) >= 3


@pytest.mark.slow
def test_llama_cpp_answers_as_the_bundled_model(tmp_path, llama):
    exported = {
        form.name: form for form in export.export(ROOT / "data" / "base", tmp_path / "out", ALPACA, ["F16", "Q8_0"])
    }
    assert int(exported["GGUF F16"].checks["answers"].split()[0]) >= 4  # 5, but for near ties
    assert exported["GGUF Q8_0"].num_bytes < 0.6 * exported["GGUF F16"].num_bytes


@pytest.mark.slow
def test_a_file_whose_answers_differ_in_llama_cpp_is_refused(tmp_path, llama, monkeypatch):
    """As it was without llama.cpp's order of queries and keys, which `verify` cannot notice."""
    monkeypatch.setattr(gguf_file, "_rotated", lambda own, data, config: data)
    model_dir = make_model(tmp_path / "model", "llama", make_tokenizer(LLAMA, ignore_merges=True))
    with pytest.raises(UserError, match=r"model-F16.gguf in llama.cpp: .* nats per token .* Leave this format out"):
        export.export(model_dir, tmp_path / "out", ALPACA, ["F16"])
    assert list((tmp_path / "out" / "gguf").iterdir()) == []


@pytest.mark.slow
def test_a_file_that_llama_cpp_cannot_run_is_named(tmp_path, llama):
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(UserError, match=r"llama.cpp cannot run .*model.gguf: .*Leave this format out"):
        llama_runner.run(tmp_path / "model.gguf", [], [[1, 2]], [[3]], [0], 4)
