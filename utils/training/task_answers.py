"""Pass rates during training: answers to the tasks of `eval_tasks`, judged by a process of their own.

At every evaluation rank 0 writes `<run>/evaluation/training/step-00000040.jsonl` and starts `python -m utils.evaluation
judge-run`, which judges with low priority while training continues. Results become lines of `metrics.jsonl` at the next
evaluation. Not covered: trackers, whose steps may not go back.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from utils import files
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.evaluation import tasks
from utils.model.shape import context_of
from utils.runs import metrics
from utils.tokens.prompts import encode_prompts, format_prompt
from utils.training import samples
from utils.training.distributed import Ranks, StopRequest

MAX_TASKS = 32
MAX_NEW_TOKENS = 256
WAIT_SECONDS = 120  # for the judge, at the end of the run
JUDGE_LOG = "judge.log"


class TaskAnswers:
    """The first tasks of `eval_tasks`; without any, nothing is done. Raises `UserError` when they cannot be read."""

    def __init__(self, run_dir: Path, config: RunConfig, tokenizer, ranks: Ranks):
        self.run_dir, self.tokenizer, self.ranks = run_dir, tokenizer, ranks
        self.tasks: list[tasks.Task] = []
        if config.eval_tasks:  # loaded, and if necessary downloaded, by rank 0
            loaded = tasks.load(config.eval_tasks, run_dir.parents[1])[:MAX_TASKS] if ranks.is_first else []
            self.tasks = [tasks.Task(**values) for values in ranks.from_first([vars(task) for task in loaded])]
        texts = [format_prompt(tasks.instruction(task), "", config.template, tokenizer) for task in self.tasks]
        self.prompts = encode_prompts(texts, tokenizer, config.template) if texts else []
        self._recorded: set[int] | None = None  # steps; None: not read yet
        self._judge: subprocess.Popen | None = None
        self._has_failed = False

    def write(self, step: int, network) -> None:
        """Answer the tasks and have the answers judged; all ranks must call it, in eval mode.

        A prompt that leaves no room for an answer gets an empty one.
        """
        if not self.tasks:
            return
        context = context_of(network.config)
        fitting = [number for number, prompt in enumerate(self.prompts) if len(prompt) < context]
        prompts = [self.prompts[number] for number in fitting]
        written = samples.greedy(network, self.tokenizer, prompts, MAX_NEW_TOKENS, self.ranks) if prompts else []
        if not self.ranks.is_first:
            return
        answers = {number: answer.text for number, answer in zip(fitting, written, strict=True)}
        lines = []
        for number, task in enumerate(self.tasks):
            answer = answers.get(number, "")
            source = tasks.source_of(task, answer)
            lines.append(json.dumps({"task_id": task.task_id, "source": source, "answer": answer}) + "\n")
        path = self.run_dir / metrics.TASK_ANSWERS / f"step-{step:08d}.jsonl"
        files.make_folder(path.parent)
        files.write_text(path, "".join(lines))
        self._record_results()
        self._start_judge()

    def finish(self, stop_request: StopRequest) -> None:
        """Record the remaining results: waits for them at most `WAIT_SECONDS`, and not after a stop request."""
        end = time.monotonic() + WAIT_SECONDS
        while self.tasks and self.ranks.is_first and self._record_results():
            if time.monotonic() > end or stop_request.is_made:
                return self.ranks.log("the last answers to tasks are not judged yet: their pass rates are missing")
            self._start_judge()  # it may have ended just before the last answers were written
            time.sleep(0.1)

    def _record_results(self) -> bool:
        """Append new results to the metrics; whether a judge may still give others."""
        if self._recorded is None:
            self._recorded = {line["step"] for line in metrics.task_lines(metrics.read(self.run_dir))}
        status = self._judge.poll() if self._judge else None
        found = metrics.task_answers(self.run_dir)
        for step in sorted(found.keys() - self._recorded):
            path = found[step].with_suffix(".json")
            if path.exists():
                result = files.read_json(path, {"num_passed": int, "num_tasks": int})
                rate, number = result["num_passed"] / result["num_tasks"], result["num_tasks"]
                metrics.append(self.run_dir, dict(kind="tasks", step=step, pass_rate=rate, num_tasks=number))
                self._recorded.add(step)
        if status:
            log = (self.run_dir / metrics.TASK_ANSWERS / JUDGE_LOG).read_text(errors="replace").strip()
            self._log_failure(log.splitlines()[-1] if log else f"the judge ended with status {status}")
        return not status and not found.keys() <= self._recorded

    def _start_judge(self) -> None:
        """Start a judge where this process has none that runs; one of an earlier process finishes first."""
        if self._judge is None or self._judge.poll() is not None:
            command = ["nice", sys.executable, "-m", "utils.evaluation", "judge-run", str(self.run_dir)]
            try:
                with open(self.run_dir / metrics.TASK_ANSWERS / JUDGE_LOG, "w", opener=files.opener) as log:
                    self._judge = subprocess.Popen(
                        command, cwd=ROOT, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
            except OSError as error:
                self._log_failure(str(error))

    def _log_failure(self, reason: str) -> None:
        if not self._has_failed:
            self.ranks.log(f"answers to tasks are not judged, so their pass rates are missing: {reason}")
        self._has_failed = True
