"""The sweep panel: what the form's several values cost, and the runs of a sweep while they train.

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
from utils.widgets.settings_form import SettingsForm

POLL_SECONDS = 2.0


class SweepPanel(widgets.VBox):
    """The panel of the sweep that the several values in a form make; `choose` says that they changed.

    Not covered: sweeps of several machines.
    """

    def __init__(self, data_dir: Path, form: SettingsForm):
        self.data_dir, self.form = Path(data_dir).resolve(), form
        self._config: RunConfig | None = form.config
        self._watching: asyncio.Task | None = None
        self._make_widgets()
        self._plan()
        guarded(self._list, self.message)()

    def _make_widgets(self) -> None:
        wide, row = widgets.Layout(width="36em", max_width="100%"), widgets.Layout(flex_flow="row wrap")
        labelled = {"description_width": "7em"}
        self.name = widgets.Dropdown(
            options=tuple(space.OTHERS), value="optim", description="Also vary", style=labelled
        )
        self.values = widgets.Text(description="Values", continuous_update=False, layout=wide, style=labelled)
        widgets.dlink((self.name, "value"), (self.values, "placeholder"), space.OTHERS.get)
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
        for field in (self.name, self.values, self.is_halving):
            field.observe(guarded(self._plan, self.message), "value")
        self._take = guarded(self._show_sweep, self.message)
        self.list.observe(self._take, "value")
        self._take_run = guarded(self._show, self.message)
        self.run.observe(self._take_run, "value")
        for button, action in (
            (self.start_button, self.start),
            (self.add_button, self.add),
            (self.pause_button, lambda: self._sweep().pause()),
            (self.resume_button, lambda: self._resume(self._sweep())),
            (self.delete_button, self._ask),
            (self.stop_button, lambda: self._sweep().stop(self._number())),
            (self.use_button, lambda: self.form.show(self._sweep().settings(self._number()))),
            (self.clone_button, self.clone),
        ):
            button.layout.width = "auto"
            button.on_click(guarded(lambda action=action: self._act(action), self.message))
        other = widgets.HBox([self.name, self.values], layout=row)
        buttons = [self.start_button, self.add_button]
        chosen = [self.list, self.pause_button, self.resume_button, self.delete_button]
        steering = [self.run, self.stop_button, self.use_button, self.change, self.clone_button]
        self.following = widgets.VBox(
            [
                *(widgets.HBox(chosen, layout=row), self.confirmation, self.status, self.runs),
                widgets.HBox(steering, layout=row),
            ]
        )
        plan = [self.planned, other, self.is_halving, widgets.HBox(buttons, layout=row), self.message]
        super().__init__([connection_note(), *plan, self.following])

    def _act(self, action: Callable[[], None]) -> None:
        try:
            action()
        finally:
            self._show()

    def choose(self, config: RunConfig | None) -> None:
        """Plan with the form's settings, of which `config` are the first; None where they are not allowed."""
        self._config = config
        self._plan()

    def start(self) -> None:
        """Queue the planned runs as a new sweep, and start it."""
        if other := queue.running(self.data_dir):
            raise UserError(f"{other.folder.name} is training. Add these runs to it, or wait for its end.")
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
        return self._made(self._shared(), space.combinations(self._shared(), self._typed()))[0]

    def _typed(self) -> dict[str, str]:
        return self.form.several | ({self.name.value: self.values.value} if self.values.value else {})

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
            if typed := self._typed():
                config = self._shared()
                said, more = self._said(*self._made(config, space.combinations(config, typed)))
                self.form.offer(f"A sweep: {said} Start it at the end of this notebook.")
                values = "; ".join(f"{name} {text}" for name, text in typed.items())
                said, is_allowed = f"{values}: {said} {more}", True
            else:
                said = "No setting has several values yet: type them into a field of the form, or below."
            self.planned.value = f'<p style="{LINE}">{escape(said)}</p>'
        except UserError as error:
            self.planned.value = alert(str(error))
            if self._config:
                self.form.offer(f"No sweep: {error}")
        update(self.start_button, disabled=not is_allowed)
        update(self.add_button, disabled=not is_allowed)

    def _said(self, trials: list[Trial], seconds: float | None) -> tuple[str, str]:
        """How many runs and how long; and when it takes longer, and what compares them."""
        runs = [
            Progress(i, queue.group(trial), trial.num_updates, trial.config.eval_steps, {})
            for i, trial in enumerate(trials)
        ]
        longest = sum(trial.num_updates for trial in trials)
        updates = halving.num_updates(runs, self.is_halving.value)
        num_rows = min(trial.config.max_eval_samples for trial in trials)

        def time_of(updates: int) -> str:
            return "" if seconds is None else f", about {duration(seconds * updates / longest)}"

        said = f"{number_of(len(trials), 'run')}, {updates:,} updates{time_of(updates)}, without start-up and saving."
        more = ""
        if updates < longest:
            more = f"If no losses differ clearly, no run is stopped early: {longest:,} updates{time_of(longest)}. "
        elif self.is_halving.value:
            more = (
                "No run can be stopped early: that needs several runs with the same schedule, and an evaluation before "
                "half of the updates (eval_steps). "
            )
        pairs = number_of(num_rows, "validation pair")
        more += f"The runs are compared on {pairs}; the winner is scored again on the others, at least as many."
        return said, more

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
            with muted(self._take_run, [self.run]):
                self.run.options = numbers
                self.run.value = chosen if chosen in sweep.trials() else next(iter(sweep.trials()), None)
        state = table["state"][sweep.run_dir(self.run.value).name] if self.run.value else ""
        update(self.stop_button, disabled=state not in results.OPEN)
