"""The processes of a run: which one this is, what they agree on, and what they say."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run."""

    rank: int = 0
    num_ranks: int = 1
    device: torch.device = torch.device("cpu")

    @classmethod
    def join(cls) -> "Ranks":
        """Read the launcher's environment and, if there are several processes, join their group."""
        num_ranks, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        if num_ranks > 1:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(rank, num_ranks, device)

    def leave(self) -> None:
        if self.num_ranks > 1:
            dist.destroy_process_group()

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def reduce(self, values: list[float], operation=dist.ReduceOp.SUM) -> list[float]:
        """The sum, or another reduction, of each value over all ranks, in float64."""
        if self.num_ranks == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, operation)
        return tensor.tolist()

    def from_first(self, value: Any) -> Any:
        """The first rank's value, on every rank."""
        values = [value]
        if self.num_ranks > 1:
            dist.broadcast_object_list(values, device=self.device)
        return values[0]

    def barrier(self) -> None:
        if self.num_ranks > 1:
            dist.barrier()

    def log(self, message: str) -> None:
        if self.is_first:
            print(time.strftime("%H:%M:%S"), message, flush=True)


@dataclass
class StopRequest:
    """Whether someone asked the run to save and end: by a file `STOP` in its folder, SIGTERM or SIGINT."""

    run_dir: Path
    signals: list[int] = field(default_factory=list)

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.signals.append(number))

    @property
    def is_made(self) -> bool:
        return bool(self.signals) or (self.run_dir / "STOP").exists()
