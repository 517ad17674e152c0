"""A finished run, and a stand-in for the exports that only copies the model."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from utils import artifacts, files
from utils.release import export
from utils.release.export import Exported
from utils.runs import metrics
from utils.training.distributed import Ranks
from utils.training.trainer import Training

STATEMENTS = {"base_license": "MIT", "data_license": "written by me", "contact": "a@example.org", "author": "A. Person"}
MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person…\n"


@contextmanager
def copied_exports(error: Exception | None = None):
    """In the block, an export copies the model, and a GGUF file is a line of text."""

    def copy(model_dir: Path, out: Path, template: str, formats=("F16", "Q8_0")) -> list[Exported]:
        shutil.copytree(model_dir, out, dirs_exist_ok=True)
        (out / "gguf").mkdir()
        (out / "gguf" / "model-F16.gguf").write_text("GGUF")
        if error:
            raise error
        size = (out / "model.safetensors").stat().st_size
        checks = {"greedy ids": "the same for 5 prompts", "logits": "at most 1e-3 | apart"}
        return [
            Exported("safetensors", "model.safetensors", size, 12.0, checks),
            Exported("F16", "gguf/model-F16.gguf", 4, None, {}),
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "export", copy)
        yield


def finished_run(world, name: str, **changes) -> Path:
    """A run of the tiny world, trained to its end; the licence of its base model is in `licences/`."""
    data_dir, config = world
    run_dir, config = data_dir / "runs" / name, config.with_changes(**changes)
    run_dir.mkdir(parents=True)
    config.save(run_dir / "config.json")
    Training(run_dir, config, Ranks()).train()
    files.make_folder(data_dir / "licences")
    files.write_text(data_dir / "licences" / f"{artifacts.slug(config.model_name_or_path)}.txt", MIT)
    assert metrics.read(run_dir)
    return run_dir
