"""The fields of how an answer is drawn: temperature and its like, checked when they are read."""

from dataclasses import asdict

import ipywidgets as widgets
import torch

from utils.errors import UserError
from utils.model.generation import GenerationSettings
from utils.widgets.html import LINE

# Each number: its label, how its text is read, and what it does.
NUMBERS: dict[str, tuple[str, type, str]] = {
    "temperature": (
        "Temperature",
        float,
        "0 is greedy: always the likeliest token. About 0.2 for code, 0.8 for ideas.",
    ),
    "top_p": ("Top-p", float, "draw among the likeliest tokens that together have this probability. 1: all."),
    "top_k": ("Top-k (tokens)", int, "draw among this many likeliest tokens. 0: all."),
    "repetition_penalty": ("Repetition penalty", float, "above 1, tokens that stand there already are less likely."),
    "max_new_tokens": ("New tokens", int, "the longest answer; a token is some three or four characters of code."),
    "seed": ("Seed", int, "the same seed and settings give the same answer, alone or beside others."),
    "num_answers": ("Answers", int, "how many each model gives, the second with seed + 1 and so on."),
}
STOP_HINT = "the answer ends before the first of these; one a line, with \\n for a newline and \\t for a tab."


class GenerationForm(widgets.VBox):
    """The fields; not sliders, which have no name for a screen reader."""

    def __init__(self):
        narrow = dict(layout={"width": "15em"}, style={"description_width": "9em"})
        wide = dict(layout={"width": "auto"}, style={"description_width": "9em"})
        self.numbers = {
            name: widgets.Text(description=label, continuous_update=False, **narrow)
            for name, (label, _, _) in NUMBERS.items()
        }
        self.stop = widgets.Textarea(description="Stop strings", rows=2, **wide)
        self.static_cache = widgets.Checkbox(description="Compiled decoding: the first answer waits for it")
        self.static_cache.layout.display = "" if torch.cuda.is_available() else "none"
        hints = "".join(f"<li><b>{label}</b>: {hint}</li>" for label, _, hint in NUMBERS.values())
        explained = widgets.HTML(f'<ul style="{LINE}">{hints}<li><b>Stop strings</b>: {STOP_HINT}</li></ul>')
        numbers = widgets.HBox(list(self.numbers.values()), layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([numbers, self.stop, self.static_cache, explained])
        self.put(GenerationSettings(), 1)

    def read(self) -> tuple[GenerationSettings, int]:
        """The settings and the number of answers; raises `UserError` for a value that cannot be."""
        values = {}
        for name, (label, kind, _) in NUMBERS.items():
            try:
                values[name] = kind(self.numbers[name].value)
            except ValueError:
                expected = "a whole number" if kind is int else "a number"
                raise UserError(f"{label} must be {expected}, got {self.numbers[name].value!r}.") from None
        num_answers = values.pop("num_answers")
        lines = (line.replace("\\n", "\n").replace("\\t", "\t") for line in self.stop.value.split("\n"))
        stop = tuple(line for line in lines if line)
        return GenerationSettings(**values, stop=stop, static_cache=self.static_cache.value), num_answers

    def put(self, settings: GenerationSettings, num_answers: int) -> None:
        """Show these."""
        for name, value in (asdict(settings) | {"num_answers": num_answers}).items():
            if name in self.numbers:
                self.numbers[name].value = str(value)
        self.stop.value = "\n".join(one.replace("\n", "\\n").replace("\t", "\\t") for one in settings.stop)
        self.static_cache.value = settings.static_cache
