"""The run panel: start, watch, stop, resume and remove runs.

All state is in the run's folder, so a panel made after a reload or kernel restart shows the run as it is.
"""

import asyncio
import shlex
import time
from collections.abc import Collection
from pathlib import Path

import ipywidgets as widgets

from utils import artifacts, hardware
from utils.config import RunConfig
from utils.errors import UserError, encodable
from utils.planning import planner, timing
from utils.runs import curves, folders, labels, launch, metrics
from utils.sweeps import queue
from utils.training import preflight
from utils.widgets import run_status
from utils.widgets.html import (
    FRAMED,
    CopyButton,
    Headers,
    alert,
    connection_note,
    follow,
    guarded,
    muted,
    pre,
    progress,
    update,
)
from utils.widgets.parts.confirmation import Confirmation
from utils.widgets.parts.hover import HoverPictures
from utils.widgets.parts.run_notes import RunNotes

POLL_SECONDS = 0.5
DRAWING_SHARE = 0.05  # of a core, at most, for drawing curves during training
SMOOTHING = 0.8
REFUSED = "A setting above is not allowed: correct it first."
RUNNING = ("starting", "training", "stopping", "saving")


class RunPanel(widgets.VBox):
    """The panel. `config` are the settings of the run that `Start training` starts; `choose` changes them.

    `run` names the run to show first, existing or new; `fresh` chooses a new one even if a run has the same settings.
    """

    def __init__(self, data_dir: Path, config: RunConfig, run: str = "", fresh: bool = False):
        self.data_dir = Path(data_dir).resolve()
        config = _decided(config)
        self.run_dir = folders.named(self.data_dir, run) if run else folders.choose_run(self.data_dir, config, fresh)
        self._watching: asyncio.Task | None = None
        self._make_widgets()
        self._config, self._refusal = config, ""
        self._show_run()

    def _make_widgets(self) -> None:
        wide = dict(
            layout=widgets.Layout(width="44em", max_width="calc(100% - 4px)"), style={"description_width": "4em"}
        )
        self.list = widgets.Dropdown(description="Run", **wide)
        self.remove_button = widgets.Button(description="Remove…", icon="trash", tooltip="Delete this run")
        self.command, self.copy = widgets.HTML(), CopyButton(description="Copy")
        self.start_button = widgets.Button(description="Start training", button_style="primary", icon="play")
        tooltip = "Save a checkpoint after the current update, then stop"
        self.stop_button = widgets.Button(description="Stop and save", icon="stop", tooltip=tooltip)
        self.bar = widgets.HTML(layout=widgets.Layout(flex="1 1 0", min_width="6em"))
        self.state, self.numbers, self.message = (widgets.HTML() for _ in range(3))
        self.confirmation = Confirmation("Delete the run", self.remove, self.message)
        self.figure, self.notes = HoverPictures(), RunNotes(self._list_runs)
        self.log_page, self.sample = (
            widgets.HTML(layout=widgets.Layout(max_height="26em", **FRAMED), tabbable=True) for _ in range(2)
        )
        self.sample_step = widgets.Dropdown(description="After update", style={"description_width": "8em"})
        more = [widgets.VBox([self.sample_step, self.sample]), self.log_page, self.notes]
        self.more = widgets.Accordion(more, titles=("Samples: answers during training", "Log", "Label and note"))
        self._take = guarded(self._take_listed, self.message)
        self.list.observe(self._take, "value")
        self.sample_step.observe(guarded(self._show_sample, self.message), "value")
        for button, action in (
            (self.start_button, self.start),
            (self.stop_button, self.stop),
            (self.remove_button, self._ask),
        ):
            button.on_click(guarded(action, self.message))
        buttons = widgets.HBox([self.start_button, self.stop_button, self.bar])
        chosen = widgets.HBox([self.list, self.remove_button], layout=widgets.Layout(flex_flow="row wrap"))
        self.command.layout = widgets.Layout(flex="1 1 0", max_height="6em", overflow="auto")
        self.command.tabbable = True  # to scroll by keyboard
        rows = [widgets.HBox([self.command, self.copy]), buttons, self.message, self.state, self.numbers, self.figure]
        super().__init__([connection_note(), Headers(), chosen, self.confirmation, *rows, self.more])

    def choose(self, config: RunConfig | None, several: Collection[str] = ()) -> None:
        """Set the settings of the next run, and show the run that already has them, if there is one.

        A running run stays in view. With None, settings that are not allowed, and where settings have several values,
        no new run can be started.
        """
        self._refusal = "" if config else REFUSED
        if config and several:
            names = " and ".join(several)
            self._refusal = f"Several values of {names}: start the sweep below, or type one value to train one run."
        config = _decided(config or self._config)
        if config == self._config:
            self._show()
        else:
            self._config = config
            if launch.state(self.run_dir) != "running":
                self.run_dir = folders.choose_run(self.data_dir, config)
            self._show_run()

    def start(self) -> None:
        """Start or resume the run that is shown.

        Raises `UserError` when it is running or finished, a sweep is running, its tokens failed a check, or it does
        not fit.
        """
        state = launch.state(self.run_dir)
        if state == "running":
            raise UserError(f"{self.run_dir.name} is already running.")
        if sweep := queue.running(self.data_dir):
            raise UserError(f"{sweep.folder.name} is training. Pause it first, or add this run to it below.")
        if state == "new" and self._refusal:
            raise UserError(self._refusal)
        if state == "finished":
            raise UserError(f"{self.run_dir.name} is finished. Change a setting, or choose “new run” in the list.")
        config = self._config if state == "new" else RunConfig.load(self.run_dir / "config.json")
        tokens_dir = artifacts.tokens_dir(self.data_dir, config)
        artifacts.require(tokens_dir, "02_alpaca_format")
        preflight.require(tokens_dir)
        plan = planner.plan(config, self.data_dir)
        planner.check(plan)
        launch.start(self.run_dir, config, plan.save_seconds)
        self._show_run()

    def stop(self) -> None:
        launch.stop(self.run_dir)
        self._show()

    def remove(self) -> None:
        launch.remove(self.run_dir)
        self.run_dir = folders.choose_run(self.data_dir, self._config)
        self._show_run()

    async def wait(self) -> None:
        """Wait until the run ends; raises `UserError` with the reason when it failed."""
        while launch.state(self.run_dir) == "running":
            await asyncio.sleep(POLL_SECONDS)
        self._show()
        if launch.state(self.run_dir) not in ("finished", "stopped"):
            raise UserError(f"the run failed: {launch.failure(self.run_dir)}")

    def _ask(self) -> None:
        if launch.state(self.run_dir) in ("new", "running"):
            raise UserError(f"{self.run_dir.name} is {launch.state(self.run_dir)}: there is nothing to remove.")
        size = hardware.format_bytes(folders.size_bytes(self.run_dir))
        others = ", ".join(folders.continuing(self.data_dir, self.run_dir))
        size += f", from which {others} began and will be without a base model" if others else ""
        name = self.run_dir.name
        self.confirmation.ask(f"Delete {name} with its checkpoints and model, {size}? This cannot be undone.")

    def _take_listed(self) -> None:
        self.confirmation.hide()
        self.run_dir = Path(self.list.value)
        self._show_run()

    def _show_run(self) -> None:
        """Show `self.run_dir`, and follow it while it runs."""
        self.message.value = ""
        self.metrics, self.samples = (metrics.Tail(self.run_dir, file) for file in (metrics.METRICS, metrics.SAMPLES))
        self.train, self.evals, self.tasks = [], [], []
        self._sorted, self._num_sorted = None, 0
        self._drawn_at, self._drawing_seconds = 0.0, 0.0
        self._list_runs()
        self.notes.offer([self.run_dir])
        is_readable = launch.state(self.run_dir) not in ("new", "unreadable")
        self._run_config = RunConfig.load(self.run_dir / "config.json") if is_readable else self._config
        parts = (["cd", str(artifacts.ROOT)], launch.command(self.run_dir, self._run_config))
        command = " && ".join(map(shlex.join, parts))
        update(self.command, value=pre(command, "padding: 4px 0; "))
        update(self.copy, text=encodable(command))
        self._show()
        if launch.state(self.run_dir) == "running" and self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    def _list_runs(self) -> None:
        """List every run with state and size, and the new run that could be started."""
        known = folders.runs(self.data_dir)
        titles = folders.titles(known)
        is_new = launch.state(self.run_dir) == "new"
        fresh = self.run_dir if is_new else folders.new_run_dir(self.data_dir, self._config)
        options = [(f"new run {encodable(fresh.name)}, with the settings above", str(fresh))]
        for run_dir in known:
            parts = [titles[run_dir], state := launch.state(run_dir)]
            if state != "running":  # it is listed again at its end
                parts.append(hardware.format_bytes(folders.size_bytes(run_dir)))
            options.append((" · ".join(parts), str(run_dir)))
        with muted(self._take, [self.list]):  # new options select the first one for a moment
            self.list.options = options
            self.list.value = str(self.run_dir)

    async def _watch(self) -> None:
        await follow(lambda: launch.state(self.run_dir) == "running", self._show, self.message, POLL_SECONDS)
        self._watching = None
        self._show_run()

    def _show(self) -> None:
        phase = launch.phase(self.run_dir)
        (is_new, fault), (has_samples, other) = _read(self.metrics), _read(self.samples)
        if is_new:
            self._sort_lines()
        is_running = phase in RUNNING
        update(self.start_button, description="Resume" if phase in ("stopped", "failed") else "Start training")
        refusal = self._refusal if phase == "new" else ""
        update(self.start_button, disabled=is_running or bool(refusal) or phase in ("finished", "unreadable"))
        update(self.stop_button, disabled=not is_running or phase == "stopping")
        update(self.remove_button, disabled=is_running or phase == "new")
        total = run_status.num_updates(self.run_dir)
        update(self.bar, value=progress("Updates done", self.train[-1]["step"] if self.train else 0, total))
        recent = [*self.evals, *self.train[-timing.MAX_RECENT_UPDATES - timing.NUM_WARMUP_UPDATES :]]
        faults = "".join(map(alert, filter(None, (fault, other, refusal))))
        update(self.state, value=run_status.phase_html(self.run_dir, phase, recent) + faults)
        update(self.numbers, value=run_status.numbers(self.train, self.evals))
        update(self.log_page, value=pre(launch.log_tail(self.run_dir, 40) or "nothing yet"))
        if has_samples and self.samples.records:
            steps = sorted({record["step"] for record in self.samples.records}, reverse=True)
            seen = self.sample_step.value if self.sample_step.index else steps[0]  # the newest is followed
            self.sample_step.options = [(f"{step:,}", step) for step in steps]
            self.sample_step.value = seen if seen in steps else steps[0]
        self._show_sample()
        if is_new or not is_running:
            self._draw(is_running)

    def _sort_lines(self) -> None:
        """Sort new lines by kind; all lines again if the file was rewritten."""
        if self._sorted is not self.metrics.records:
            self._sorted, self._num_sorted = self.metrics.records, 0
            self.train, self.evals, self.tasks = [], [], []
        new = self._sorted[self._num_sorted :]
        self._num_sorted += len(new)
        self.train += metrics.train_lines(new)
        self.evals += metrics.eval_lines(new)
        self.tasks += metrics.task_lines(new)

    def _draw(self, is_running: bool) -> None:
        """Draw the curves; during training at intervals that keep the cost below `DRAWING_SHARE`."""
        pause = max(2.0, self._drawing_seconds / DRAWING_SHARE)
        if is_running and time.monotonic() - self._drawn_at < pause:
            return
        began = time.process_time()
        lines = self.train, self.evals, self.tasks
        run = curves.Run(self.run_dir.name, "", self._run_config, *lines, labels.about(self.run_dir))
        figures = [draw([run], smoothing=SMOOTHING) for draw in (curves.compare, curves.details)]
        self.figure.show(figures if run.train or run.evals else [], [run], smoothing=SMOOTHING)
        self._drawn_at, self._drawing_seconds = time.monotonic(), time.process_time() - began

    def _show_sample(self) -> None:
        chosen = [record for record in self.samples.records if record["step"] == self.sample_step.value]
        update(self.sample, value=run_status.samples(chosen))


def _read(tail: metrics.Tail) -> tuple[bool, str]:
    """Whether a file has new lines, and why it cannot be read."""
    try:
        return tail.read(), ""
    except UserError as error:
        return False, str(error)


def _decided(config: RunConfig) -> RunConfig:
    """The settings with the number of processes of this machine if it is automatic."""
    return config.with_changes(num_processes=len(hardware.devices(config.num_processes)))
