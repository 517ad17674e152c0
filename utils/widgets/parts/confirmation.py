"""A question before something is deleted."""

from collections.abc import Callable

import ipywidgets as widgets

from utils.widgets.html import LINE, escape, guarded


class Confirmation(widgets.HBox):
    """A question with a button that does `action`, and one that does not; hidden until it is asked.

    Errors of the action are shown in `message`.
    """

    def __init__(self, yes: str, action: Callable[[], None], message: widgets.HTML):
        self.question = widgets.HTML()
        self.yes_button = widgets.Button(description=yes, button_style="danger")
        self.no_button = widgets.Button(description="Cancel")
        super().__init__([self.question, self.yes_button, self.no_button])
        self.layout = widgets.Layout(flex_flow="row wrap", display="none")
        self._action = action
        self.yes_button.on_click(guarded(self._do, message))
        self.no_button.on_click(lambda _: self.hide())

    def ask(self, question: str) -> None:
        self.question.value = f'<p role="alert" style="{LINE}">{escape(question)}</p>'
        self.layout.display = "flex"

    def hide(self) -> None:
        self.layout.display = "none"

    def _do(self) -> None:
        self.hide()
        self._action()
