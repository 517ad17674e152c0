"""The sweep panel: several values of settings, what they cost, and the runs of a sweep while they train.

All state is in the sweep's folder and its runs, so a panel made after a kernel restart shows the sweep as it is.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets

from utils import artifacts, hardware
from utils.config import RunConfig
from utils.errors import UserError, number_of
from utils.planning import planner
from utils.planning.timing import duration
from utils.runs import folders
from utils.sweeps import halving, held_out, queue, results, space
from utils.sweeps.halving import Progress
from utils.sweeps.queue import Sweep, Trial
from utils.training import preflight
from utils.widgets.html import LINE, alert, connection_note, escape, follow, guarded, muted, update
from utils.widgets.parts.confirmation import Confirmation

POLL_SECONDS = 2.0
HINTS = ("1e-4, 3e-4, 1e-3   or   1e-5 to 1e-3, 6 draws", "8, 16, 32   (empty: as in the form)", "1, 2")


class SweepPanel(widgets.VBox):
    """The panel. `config` are the settings that the runs share, and `choose` changes them; `use` takes those of a run.

    Not covered: sweeps of several machines.
    """

    def __init__(self, data_dir: Path, config: RunConfig, use: Callable[[RunConfig], None]):
        self.data_dir, self._use = Path(data_dir).resolve(), use
        self._config: RunConfig | None = config
        self._watching: asyncio.Task | None = None
        self._make_widgets()
        self._plan()
        guarded(self._list, self.message)()

    def _make_widgets(self) -> None:
        wide, row = widgets.Layout(width="36em", max_width="100%"), widgets.Layout(flex_flow="row wrap")
        labelled = {"description_width": "7em"}
        first = enumerate(("learning_rate", "train_batch_size", "num_train_epochs"), start=1)
        self.names, self.values = [], []
        for number, name in first:
            setting = widgets.Dropdown(options=space.SWEPT, value=name, description=f"Setting {number}", style=labelled)
            values = widgets.Text(
                placeholder=HINTS[number - 1], description=f"Values {number}", continuous_update=False, layout=wide
            )
            self.names.append(setting)
            self.values.append(values)
        text = "Stop runs early that are clearly worse at the same update"
        self.is_halving = widgets.Checkbox(True, description=text, indent=False, layout=wide)
        self.planned, self.message, self.status, self.runs = (widgets.HTML() for _ in range(4))
        self.start_button = widgets.Button(description="Start sweep", button_style="primary", icon="play")
        self.add_button = widgets.Button(
            description="Add to the sweep below", tooltip="Train these runs after those of the chosen sweep"
        )
        self.list = widgets.Dropdown(description="Sweep", style=labelled)
        self.pause_button = widgets.Button(description="Pause sweep", icon="pause")
        self.resume_button = widgets.Button(description="Resume sweep", icon="play")
        self.delete_button = widgets.Button(description="Delete sweep…", icon="trash")
        self.confirmation = Confirmation("Delete the sweep", self.delete, self.message)
        self.run = widgets.Dropdown(description="Run", style=labelled)
        self.stop_button = widgets.Button(description="Stop this run", icon="stop")
        self.use_button = widgets.Button(description="Settings into the form")
        self.change = widgets.Text(placeholder="learning_rate=2e-4", description="Clone it with", style=labelled)
        self.clone_button = widgets.Button(
            description="Queue the clone", tooltip="Train the chosen run once more, with this change"
        )
        for field in (*self.names, *self.values, self.is_halving):
            field.observe(guarded(self._plan, self.message), "value")
        self._take = guarded(self._show_sweep, self.message)
        self.list.observe(self._take, "value")
        for button, action in (
            (self.start_button, self.start),
            (self.add_button, self.add),
            (self.pause_button, lambda: self._sweep().pause()),
            (self.resume_button, lambda: self._resume(self._sweep())),
            (self.delete_button, self._ask),
            (self.stop_button, lambda: self._sweep().stop(self._number())),
            (self.use_button, lambda: self._use(self._sweep().settings(self._number()))),
            (self.clone_button, self.clone),
        ):
            button.layout.width = "auto"
            button.on_click(guarded(lambda action=action: self._act(action), self.message))
        rows = [widgets.HBox(pair, layout=row) for pair in zip(self.names, self.values, strict=True)]
        buttons = [self.start_button, self.add_button]
        chosen = [self.list, self.pause_button, self.resume_button, self.delete_button]
        steering = [self.run, self.stop_button, self.use_button, self.change, self.clone_button]
        self.following = widgets.VBox(
            [
                *(widgets.HBox(chosen, layout=row), self.confirmation, self.status, self.runs),
                widgets.HBox(steering, layout=row),
            ]
        )
        plan = [*rows, self.is_halving, self.planned, widgets.HBox(buttons, layout=row), self.message]
        super().__init__([connection_note(), *plan, self.following])

    def _act(self, action: Callable[[], None]) -> None:
        try:
            action()
        finally:
            self._show()

    def choose(self, config: RunConfig | None) -> None:
        """Set the settings that the runs share; None where they are not allowed."""
        self._config = config
        self._plan()

    def start(self) -> None:
        """Queue the planned runs as a new sweep, and start it."""
        trials = self._trials()
        sweep = queue.create(self.data_dir, self._shared(), trials, self.is_halving.value)
        try:
            sweep.start()
        finally:
            self._list(sweep)

    def add(self) -> None:
        """Queue the planned runs in the sweep that is shown."""
        self._sweep().add(self._trials())
        self._resume(self._sweep())

    def clone(self) -> None:
        """Queue the chosen run once more, with a change such as `learning_rate=2e-4`."""
        name, is_change, text = self.change.value.partition("=")
        if not is_change:
            raise UserError(f"Type a change such as learning_rate=2e-4, got {self.change.value!r}.")
        sweep, name = self._sweep(), name.strip()
        base = sweep.settings(self._number())
        sweep.add(self._made(base, space.combinations(base, {name: text}))[0])
        self._resume(sweep)

    def delete(self) -> None:
        """Delete the sweep that is shown, and its runs."""
        self._sweep().remove()
        self._list()

    def _ask(self) -> None:
        sweep = self._sweep()
        run_dirs = [run_dir for run_dir in map(sweep.run_dir, sweep.trials()) if run_dir.exists()]
        size = hardware.format_bytes(sum(map(folders.size_bytes, run_dirs)))
        runs = number_of(len(run_dirs), "run")
        self.confirmation.ask(
            f"Delete {sweep.folder.name} and its {runs} with their checkpoints and models, {size}, the winner too? "
            "This cannot be undone."
        )

    def _shared(self) -> RunConfig:
        if self._config is None:
            raise UserError("A setting above is not allowed: correct it first.")
        return self._config

    def _trials(self) -> list[Trial]:
        return self._made(self._shared(), self._combinations())[0]

    def _combinations(self) -> list[dict]:
        typed = [(name.value, text.value) for name, text in zip(self.names, self.values, strict=True) if text.value]
        if len(dict(typed)) < len(typed):
            raise UserError("A setting is chosen twice: give all of its values in one row.")
        if not typed:
            raise UserError(f"Type several values of a setting, such as {HINTS[0]}.")
        return space.combinations(self._shared(), dict(typed))

    def _made(self, base: RunConfig, combinations: list[dict]) -> tuple[list[Trial], float | None]:
        """The runs with these changes, and their seconds in all; raises `UserError` for one that cannot be trained."""
        plans: dict[RunConfig, planner.Plan] = {}
        trials, seconds, disk_bytes = [], 0.0, 0
        for changes in combinations:
            config = base.with_changes(**changes).resolved()
            tokens_dir = artifacts.tokens_dir(self.data_dir, config)
            artifacts.require(tokens_dir, "02_alpaca_format")
            # The rates change nothing that is planned.
            alike = config.with_changes(**{name: getattr(base, name) for name in space.LOGARITHMIC})
            if alike not in plans:
                preflight.require(tokens_dir)
                config = held_out.with_half(config, self.data_dir)
                plans[alike] = planner.plan(config, self.data_dir)
                planner.check(plans[alike])
            plan = plans[alike]
            config = config.with_changes(
                num_processes=plan.num_processes, max_eval_samples=plan.config.max_eval_samples
            )
            trials.append(Trial(config, changes, plan.num_updates or 0, plan.save_seconds))
            seconds = None if plan.seconds is None or seconds is None else seconds + plan.seconds
            disk_bytes += sum(plan.disk_bytes.values())
            if disk_bytes > plan.free_disk_bytes:
                free = hardware.format_bytes(plan.free_disk_bytes)
                raise UserError(
                    f"{number_of(len(combinations), 'run')} need more disk than the {free} that are free: give fewer "
                    "values, or lower save_total_limit."
                )
        return trials, seconds

    def _plan(self) -> None:
        """Say how many runs the values make and how long they take, before anything starts."""
        self.message.value = ""
        is_allowed = False
        try:
            if not any(field.value for field in self.values):
                said = "Type several values, and the number of runs and their time are shown here."
            else:
                said, is_allowed = self._said(*self._made(self._shared(), self._combinations())), True
            self.planned.value = f'<p style="{LINE}">{escape(said)}</p>'
        except UserError as error:
            self.planned.value = alert(str(error))
        update(self.start_button, disabled=not is_allowed)
        update(self.add_button, disabled=not is_allowed)

    def _said(self, trials: list[Trial], seconds: float | None) -> str:
        runs = [
            Progress(i, queue.group(trial), trial.num_updates, trial.config.eval_steps, {})
            for i, trial in enumerate(trials)
        ]
        longest = sum(trial.num_updates for trial in trials)
        updates = halving.num_updates(runs, self.is_halving.value)
        num_rows = min(trial.config.max_eval_samples for trial in trials)

        def time_of(updates: int) -> str:
            return "" if seconds is None else f", about {duration(seconds * updates / longest)}"

        said = f"{number_of(len(trials), 'run')}, {updates:,} updates{time_of(updates)}, without start-up and saving. "
        if updates < longest:
            said += f"If no losses differ clearly, no run is stopped early: {longest:,} updates{time_of(longest)}. "
        elif self.is_halving.value:
            said += (
                "No run can be stopped early: that needs several runs with the same schedule, and an evaluation before "
                "half of the updates (eval_steps). "
            )
        pairs = number_of(num_rows, "validation pair")
        return f"{said}The runs are compared on {pairs}; the winner is scored again on the others, at least as many."

    def _sweep(self) -> Sweep:
        if self.list.value is None:
            raise UserError("There is no sweep yet: start one above.")
        return Sweep(Path(self.list.value))

    def _number(self) -> int:
        if self.run.value is None:
            raise UserError("Choose a run of the sweep first.")
        return self.run.value

    def _list(self, chosen: Sweep | None = None) -> None:
        known = queue.sweeps(self.data_dir)
        self.confirmation.hide()
        with muted(self._take, [self.list]):
            self.list.options = [(sweep.folder.name, str(sweep.folder)) for sweep in known]
            if chosen or known:
                self.list.value = str((chosen or known[0]).folder)
        self._show_sweep()

    def _resume(self, sweep: Sweep) -> None:
        sweep.start()
        self._show_sweep()

    def _show_sweep(self) -> None:
        """Show the chosen sweep, and follow it while it runs."""
        self._show()
        if self.list.value and self._sweep().is_running and self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await follow(lambda: self._sweep().is_running, self._show, self.message, POLL_SECONDS)
        self._watching = None

    def _show(self) -> None:
        self.following.layout.display = "flex" if self.list.value else "none"
        if not self.list.value:
            return
        sweep = self._sweep()
        table, is_running, left = results.table(sweep), sweep.is_running, sweep.unfinished()
        if is_running:
            words = "pausing" if sweep.is_paused else "training"
            if "running" not in set(table["state"]) and (other := sweep.other_run()):
                words = f"waiting for the end of {other}"
        else:
            words = "finished" if not left else "paused" if sweep.is_paused else "interrupted"
            words += f", {number_of(len(left), 'run')} left" if left else ""
        said = f"{sweep.folder.name} is {words}. {results.score(sweep)}"
        update(self.status, value=f'<p role="status" style="{LINE}">{escape(said)}</p>')
        update(self.runs, value=table.to_html())
        update(self.pause_button, disabled=not is_running or sweep.is_paused)
        update(self.resume_button, disabled=is_running or not left)
        update(self.delete_button, disabled=is_running)
        numbers = tuple((sweep.run_dir(number).name, number) for number in sweep.trials())
        if self.run.options != numbers:
            chosen = self.run.value
            self.run.options = numbers
            self.run.value = chosen if chosen in sweep.trials() else next(iter(sweep.trials()), None)
