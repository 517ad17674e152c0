"""The training loop of a run: `python -m utils.training RUN_DIR`, alone or under `accelerate launch` or `torchrun`.

In each update, the pairs are packed into blocks and the blocks distributed over the ranks. The summed loss is divided
by the target tokens of all blocks, the gradient is clipped, and the optimizer makes a step. Started again, a run
resumes.
"""

import math
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from utils import artifacts, files, hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading, lora, packing_support
from utils.runs import metrics
from utils.tokens import dataset, packing
from utils.training import checkpoint, optim, out_of_memory, resume, samples, schedule, task_answers
from utils.training.distributed import Ranks, StopRequest
from utils.training.loss import is_packed, num_computed_tokens, num_target_tokens, target_loss


class Training:
    """A run in this process: token rows, its shard of model and optimizer, and progress.

    Raises `UserError` when the tokens are missing or changed since the run began.
    """

    def __init__(self, run_dir: Path, config: RunConfig, ranks: Ranks):
        self.run_dir, self.config, self.ranks = run_dir, config, ranks
        self.stop_request = StopRequest(run_dir)  # before anything slow: the launcher may die
        tokens_dir = artifacts.tokens_dir(run_dir.parents[1], config)
        self.rows, self.eval_rows = (dataset.load(tokens_dir, split) for split in dataset.SPLITS)
        self.tokenizer = loading.load_tokenizer(config.model_name_or_path, config.revision)
        dataset.verify(tokens_dir, config, self.tokenizer)
        self.chosen = packing.choose_rows(self.rows, config.max_length, config.max_train_samples, config.seed)
        self.eval_chosen = packing.choose_rows(
            self.eval_rows, config.max_length, config.max_eval_samples, config.seed, is_needed=False
        )
        if config.early_stopping_patience and not len(self.eval_chosen):
            raise UserError("early_stopping_patience needs validation pairs, and there are none: set it to 0.")
        self.sampled = samples.choose(self.eval_rows, self.eval_chosen, config.num_samples)
        self.task_answers = task_answers.TaskAnswers(run_dir, config, self.tokenizer, ranks)
        self.num_updates = packing.num_updates(len(self.chosen), config.train_batch_size, config.num_train_epochs)
        facts = {"num_pairs": len(self.chosen), "num_updates": self.num_updates}
        self.run_id = ranks.from_first(resume.record(run_dir, tokens_dir, config, facts, ranks.is_first))
        self.trackers = metrics.Trackers(run_dir, config.report_to if ranks.is_first else "", asdict(config))
        torch.manual_seed(config.seed + ranks.rank)
        self.model = loading.load_for_training(config, ranks.device, ranks.num_ranks)
        for rows in (self.rows, self.eval_rows):
            dataset.check_ids(rows, self.model.config.get_text_config().vocab_size)
        self.optimizer = optim.build(self.model, config)
        self.saver = checkpoint.Saver(run_dir, ranks.rank, ranks.num_ranks, config.save_total_limit, self.run_id)
        self.flops = loading.load_shape(config).training_flops(config.lora_rank)  # per token and per target token
        self.product_dtype = hardware.product_dtype(config.dtype, ranks.device)
        self.float32_products = hardware.float32_products(config.weights_dtype, ranks.device)
        self.matrix_rate = hardware.matrix_rate(ranks.device, self.product_dtype) * ranks.num_ranks
        self.progress = self._resumed()

    def train(self) -> str:
        """Train to the end or until a stop request; returns `finished` or `stopped`."""
        config, progress = self.config, self.progress
        self.stop_request.listen()
        self.ranks.log(
            f"{len(self.chosen)} pairs, {self.ranks.num_ranks} ranks, update {progress.step}/{self.num_updates}, "
            f"matrix products in {str(self.product_dtype).removeprefix('torch.')}"
        )
        if not len(self.eval_chosen):
            self.ranks.log("no validation pairs: this run has no evaluations")
        if not is_packed(self.model):
            support = packing_support.training_support(loading.load_config(config), config)
            self.ranks.log(f"one pair per forward pass, which is slower than packing: {support.reason}")
        if progress.step == 0 and progress.eval_step < 0:
            self.evaluate()
            if config.early_stopping_patience:  # it may stay the best
                self.save_checkpoint()
        # A run that ended early may have been interrupted before its model was saved.
        updates = range(self.num_updates if self._has_stopped_early else progress.step, self.num_updates)
        for rows, blocks in packing.read_ahead(self._update_blocks, updates):
            start = time.perf_counter()
            rate = schedule.learning_rate(config, progress.step, self.num_updates)
            with out_of_memory.out_of_memory_explained(self.model, self.optimizer, config):
                result = self.update(rows, blocks, rate)
            seconds = time.perf_counter() - start
            progress.step += 1
            progress.total_tokens += result["num_tokens"]
            progress.seconds += seconds
            flops = self.flops[0] * result["num_computed_tokens"] + self.flops[1] * result["num_target_tokens"]
            share = flops / seconds / self.matrix_rate
            result |= {"tokens_per_second": result["num_tokens"] / seconds, "mfu": share}
            self._record(kind="train", learning_rate=rate, **result)
            is_last = progress.step == self.num_updates
            if is_last or progress.step % config.eval_steps == 0:
                self.evaluate()
                is_last |= self._has_stopped_early
            is_stopping = self.ranks.reduce([float(self.stop_request.is_made)])[0] > 0
            self.saver.check()
            is_new_best = progress.eval_step == progress.step and not progress.num_evals_since_best
            is_best = is_new_best and config.early_stopping_patience > 0
            if is_last or is_stopping or is_best or progress.step % config.save_steps == 0:
                self.save_checkpoint()
            if is_last:
                break
            if is_stopping:
                self.saver.wait()
                return "stopped"
        self.saver.wait()
        if config.early_stopping_patience:
            self._load_best()
        self.task_answers.finish(self.stop_request)
        self.save_model()
        self.trackers.finish()
        return "finished"

    @property
    def _has_stopped_early(self) -> bool:
        return 0 < self.config.early_stopping_patience <= self.progress.num_evals_since_best

    def update(self, rows: np.ndarray, blocks: list[packing.Block], learning_rate: float) -> dict[str, Any]:
        """One optimizer step on these rows, packed into blocks for all ranks; returns the metrics.

        Raises `UserError` before the weights change when the loss or the gradient norm is not finite.
        """
        ranks, config = self.ranks, self.config
        num_targets = sum(num_target_tokens(block) for block in blocks)
        loss_sum = torch.zeros((), device=ranks.device)
        own_blocks = blocks[ranks.rank :: ranks.num_ranks]
        with self.float32_products:
            for index, block in enumerate(own_blocks):
                if isinstance(self.model, FSDPModule) and not config.reshard_after_forward:
                    is_last = index == len(own_blocks) - 1
                    self.model.set_requires_gradient_sync(is_last)
                    self.model.set_reshard_after_backward(is_last)
                with self._compute_dtype(cache_enabled=False):
                    loss = target_loss(self.model, block, ranks.device)
                # FSDP averages gradients over the ranks; the loss is a sum over them.
                (loss * ranks.num_ranks / num_targets).backward()
                loss_sum += loss.detach()
        if config.lora_rank:  # FSDP averages only what it shards
            for parameter in lora.trained(self.model):
                if parameter.grad is None:  # not used by this rank's pairs
                    parameter.grad = torch.zeros_like(parameter)
                ranks.average(parameter.grad)
        grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.max_grad_norm or math.inf)
        grad_norm = float(grad_norm.full_tensor() if isinstance(grad_norm, DTensor) else grad_norm)
        sums = ranks.reduce([loss_sum.item() if rank == ranks.rank else 0.0 for rank in range(ranks.num_ranks)])
        loss = sum(sums) / num_targets
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            bad_ranks = [rank for rank, value in enumerate(sums) if not math.isfinite(value)] or "none"
            raise UserError(
                f"update {self.progress.step + 1}: loss {loss} (not finite on rank: {bad_ranks}), gradient norm "
                f"{grad_norm}; this update was not made. Lower learning_rate, or inspect the rows of the update: "
                f"{rows.tolist()}."
            )
        optim.set_learning_rate(self.optimizer, learning_rate)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {
            "loss": loss,
            "grad_norm": grad_norm,
            "num_tokens": sum(len(block.input_ids) for block in blocks),
            "num_computed_tokens": sum(num_computed_tokens(block, ranks.device) for block in blocks),
            "num_target_tokens": num_targets,
            "memory_bytes": int(ranks.reduce([hardware.peak_memory_bytes(ranks.device)], dist.ReduceOp.MAX)[0]),
        }

    @torch.no_grad()
    def evaluate(self) -> None:
        """Record the mean loss over the target tokens of the validation rows, in nats, and the samples."""
        if not len(self.eval_chosen):
            return
        ranks, start = self.ranks, time.perf_counter()
        self.model.eval()
        blocks = self._blocks(self.eval_rows, self.eval_chosen)
        loss_sum = torch.zeros((), device=ranks.device)
        with self.float32_products:
            for block in blocks[ranks.rank :: ranks.num_ranks]:
                with self._compute_dtype(cache_enabled=False):
                    loss_sum += target_loss(self.model, block, ranks.device)
            with self._compute_dtype():
                samples.write(
                    self.run_dir, self.progress.step, self.model, self.tokenizer, self.eval_rows, self.sampled, ranks
                )
                self.task_answers.write(self.progress.step, self.model)
        self.model.train()
        for module in self.model.modules():
            # Without a backward pass, gathered weights would not be resharded.
            if isinstance(module, FSDPModule):
                module.reshard()
        num_targets = sum(num_target_tokens(block) for block in blocks)
        loss = ranks.reduce([loss_sum.item()])[0] / num_targets
        if not math.isfinite(loss):
            raise UserError(f"evaluation after update {self.progress.step}: loss {loss}; the model is broken.")
        self.progress.add_evaluation(loss)
        seconds = time.perf_counter() - start
        self._record(kind="eval", eval_loss=loss, num_target_tokens=num_targets, eval_seconds=seconds)

    def _update_blocks(self, update: int) -> tuple[np.ndarray, list[packing.Block]]:
        """The rows of an update, and their blocks for all ranks."""
        rows = packing.update_rows(self.chosen, self.config.train_batch_size, self.config.seed, update)
        return rows, self._blocks(self.rows, rows)

    def _blocks(self, rows: dataset.TokenRows, chosen: np.ndarray) -> list[packing.Block]:
        return packing.blocks_of(
            rows, chosen, self.config.tokens_per_device, self.ranks.num_ranks, is_packed(self.model)
        )

    def save_checkpoint(self) -> None:
        tensors, own = optim.state_tensors(self.model, self.optimizer)
        self._require_finite([*tensors.values(), *own.values()])
        self.saver.save(self.progress.step, tensors, own, asdict(self.progress))
        self.ranks.log(f"checkpoint at update {self.progress.step}")

    def _require_finite(self, tensors: Iterable[torch.Tensor]) -> None:
        """Raise `UserError` on all ranks when a value to be saved is not finite on one of them."""
        if self.ranks.reduce([float(not optim.are_finite(tensors))])[0]:
            raise UserError(
                f"after update {self.progress.step}, weights or optimizer states are not finite and are not saved. "
                "Start a new run (FRESH=1) with a lower learning_rate."
            )

    def _best(self) -> tuple[str, float] | tuple[None, None]:
        """The intact checkpoint with the lowest validation loss, and this loss, the same on all ranks."""
        is_first = self.ranks.is_first
        best = checkpoint.best_good(self.run_dir, self.ranks.log, self.run_id) if is_first else None
        return self.ranks.from_first(best) or (None, None)

    def _load_best(self) -> None:
        """Load the best model, which early stopping is for; raises `UserError` when its checkpoint is not intact."""
        (folder, loss), expected = self._best(), self.progress.best_eval_loss
        if folder is None or loss != expected:
            raise UserError(
                f"the checkpoint of the best model (validation loss {expected}) is missing or damaged. Start again to "
                "continue with the best of those left, or start a new run (FRESH=1)."
            )
        tensors, own = optim.state_tensors(self.model, self.optimizer)
        state = checkpoint.load(Path(folder), tensors, own, self.ranks.rank)
        self.ranks.log(f"model/ is that of update {state['step']}, the best: validation loss {loss:.4g}")

    def save_model(self) -> None:
        """Merge adapters and save the tuned model atomically: `model/` marks a finished run."""
        if self.config.lora_rank:
            lora.merge(self.model)
        self._require_finite(self.model.parameters())
        temporary = self.run_dir / "model.tmp"
        try:
            loading.save(self.model, self.tokenizer, temporary)
        except Exception as error:
            raise files.explained(error, temporary) or error from error
        self.ranks.barrier()
        if self.ranks.is_first:
            temporary.rename(self.run_dir / "model")

    def _resumed(self) -> resume.Progress:
        """Load the newest intact checkpoint, if there is one, and remove later metrics."""
        newest = checkpoint.newest_good(self.run_dir, self.ranks.log, self.run_id) if self.ranks.is_first else None
        newest = self.ranks.from_first(newest and str(newest))
        progress = resume.Progress()
        if newest:
            newest = Path(newest)
            tensors, own = optim.state_tensors(self.model, self.optimizer)
            progress = resume.Progress(**checkpoint.load(newest, tensors, own, self.ranks.rank))
            if not 0 <= progress.step <= self.num_updates:
                raise UserError(f"{newest} is of update {progress.step}, but the run has {self.num_updates} updates.")
            self.ranks.log(f"resuming from {newest.name}")
            best_loss = self._best()[1] if self.config.early_stopping_patience else progress.best_eval_loss
            if best_loss != progress.best_eval_loss:  # early stopping is new, or its checkpoint is damaged
                self.ranks.log(f"the best model is not saved: early stopping compares with loss {best_loss} from here")
                progress.best_eval_loss, progress.num_evals_since_best = best_loss, 0
        if self.ranks.is_first:
            metrics.truncate(self.run_dir, progress.step if newest else -1)
        return progress

    def _compute_dtype(self, cache_enabled: bool = True):
        """Autocast to bfloat16 if set, the same on one rank and several."""
        # Caching casts wastes memory in a single forward pass, which uses each weight once.
        is_autocast = self.config.dtype == "bfloat16" and self.product_dtype == torch.bfloat16
        return torch.autocast(self.ranks.device.type, torch.bfloat16, is_autocast, cache_enabled)

    def _record(self, **record: Any) -> None:
        """Append a line to metrics, trackers and log."""
        progress = self.progress
        epoch = progress.step / -(-len(self.chosen) // self.config.train_batch_size)
        position = dict(step=progress.step, epoch=epoch, total_tokens=progress.total_tokens, seconds=progress.seconds)
        if self.ranks.is_first:
            metrics.append(self.run_dir, record | position)
            self.trackers.log(record | position)
        shown = {name: record[name] for name in ("loss", "eval_loss", "tokens_per_second") if name in record}
        self.ranks.log(f"update {progress.step} " + " ".join(f"{name} {value:,.4g}" for name, value in shown.items()))
