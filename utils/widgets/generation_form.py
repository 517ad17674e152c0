"""The form for sampling parameters, which are checked when they are read."""

from dataclasses import asdict

import ipywidgets as widgets

from utils.errors import UserError
from utils.model.generation import GenerationSettings
from utils.model.prompt_modes import MAX_ANSWERS
from utils.widgets.html import LINE, alert

# Each number: its label, its type, and its help text.
NUMBERS: dict[str, tuple[str, type, str]] = {
    "temperature": (
        "Temperature",
        float,
        "0 is greedy decoding. Usual values: 0.2 for code, 0.8 for ideas.",
    ),
    "top_p": ("Top-p", float, "samples from the likeliest tokens with this cumulative probability. 1: all."),
    "top_k": ("Top-k (tokens)", int, "samples from this many likeliest tokens. 0: all."),
    "repetition_penalty": ("Repetition penalty", float, "above 1, tokens of prompt and answer become less likely."),
    "max_new_tokens": (
        "New tokens",
        int,
        "the maximum length of an answer; a token is three or four characters of code.",
    ),
    "seed": ("Seed", int, "the same seed and settings give the same answer."),
    "num_answers": ("Answers", int, "the number of answers per model; the second one uses seed + 1, and so on."),
}
STOP_HINT = "the answer ends before the first of these; one per line, \\n for a newline and \\t for a tab."


class GenerationForm(widgets.VBox):
    """The fields; no sliders, which have no accessible name."""

    def __init__(self):
        narrow = dict(layout={"width": "16em"}, style={"description_width": "11em"})
        wide = dict(layout={"width": "auto"}, style={"description_width": "11em"})
        self.numbers = {
            name: widgets.Text(description=label, continuous_update=False, **narrow)
            for name, (label, _, _) in NUMBERS.items()
        }
        self.stop = widgets.Textarea(description="Stop strings", rows=2, **wide)
        self.notes = {name: widgets.HTML(layout={"max_width": "16em"}) for name in NUMBERS}
        hints = "".join(f"<li><b>{label}</b>: {hint}</li>" for label, _, hint in NUMBERS.values())
        explained = widgets.HTML(f'<ul style="{LINE}">{hints}<li><b>Stop strings</b>: {STOP_HINT}</li></ul>')
        fields = [widgets.VBox([self.numbers[name], self.notes[name]]) for name in NUMBERS]
        numbers = widgets.HBox(fields, layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([numbers, self.stop, explained])
        self.put(GenerationSettings(), 1)

    def read(self) -> tuple[GenerationSettings, int]:
        """The settings and the number of answers; raises `UserError` for an invalid value, which its field shows."""
        for note in self.notes.values():
            note.value = ""
        try:
            return self._read()
        except UserError as error:
            if error.field in self.notes:
                self.notes[error.field].value = alert(str(error))
            raise

    def _read(self) -> tuple[GenerationSettings, int]:
        values = {}
        for name, (label, kind, _) in NUMBERS.items():
            typed = self.numbers[name].value
            try:
                values[name] = kind(typed)
            except ValueError:
                expected = "a whole number" if kind is int else "a number"
                point = " Write decimals with a point." if "," in typed else ""
                raise UserError(f"{label} must be {expected}, got {typed!r}.{point}", name) from None
        num_answers = values.pop("num_answers")
        if not 1 <= num_answers <= MAX_ANSWERS:
            raise UserError(f"num_answers must be between 1 and {MAX_ANSWERS}, got {num_answers}.", "num_answers")
        lines = (line.replace("\\n", "\n").replace("\\t", "\t") for line in self.stop.value.split("\n"))
        stop = tuple(line for line in lines if line)
        return GenerationSettings(**values, stop=stop), num_answers

    def put(self, settings: GenerationSettings, num_answers: int) -> None:
        for name, value in (asdict(settings) | {"num_answers": num_answers}).items():
            if name in self.numbers:
                self.numbers[name].value = str(value)
        self.stop.value = "\n".join(text.replace("\n", "\\n").replace("\t", "\\t") for text in settings.stop)
