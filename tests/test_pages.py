"""Pages of executed notebooks: panels as they were, in both themes, linked; nothing in them runs."""

import re
import shutil
from pathlib import Path

import ipywidgets as widgets
import pytest
from ipywidgets.embed import dependency_state
from nbformat import v4

from utils import pages, static_view
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.widgets.html import CopyButton
from utils.widgets.parts.run_notes import RunNotes
from utils.widgets.settings_form import SettingsForm

HOSTILE = "</textarea><script>alert(1)</script>"
ESCAPED = "&lt;/textarea&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
ONE, TWO = widgets.Label("one"), widgets.Label("two")


def shown(widget) -> str:
    return static_view.panel(dependency_state(widget, drop_defaults=False), widget.model_id)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def cell_of(widget, **data):
    view = {static_view.VIEW: {"model_id": widget.model_id}, "text/plain": "VBox(children=(…"}
    return v4.new_code_cell("panel", outputs=[v4.new_output("display_data", data=view | data)])


def notebook_of(*shown_widgets):
    notebook = v4.new_notebook(cells=[cell_of(widget) for widget in shown_widgets])
    state = dependency_state(shown_widgets, drop_defaults=False)
    notebook.metadata.widgets = {static_view.STATE: {"state": state, "version_major": 2, "version_minor": 0}}
    return notebook


KINDS = {
    "HTML": (widgets.HTML("<b>bold</b>"), "bold"),
    "Label": (ONE, "one"),
    "Text": (widgets.Text("a b", description="Name"), "Name a b"),
    "Textarea": (widgets.Textarea("a\nb", description="Text"), "Text a b"),
    "Combobox": (widgets.Combobox(value="x", options=["x", "y"], description="Model"), "Model x"),
    "BoundedIntText": (widgets.BoundedIntText(3, description="Rows"), "Rows 3"),
    "BoundedFloatText": (widgets.BoundedFloatText(0.5, description="Share"), "Share 0.5"),
    "Checkbox": (widgets.Checkbox(True, description="Keep"), "☑ Keep"),
    "Dropdown": (widgets.Dropdown(options=[("first", 1), ("second", 2)], value=2, description="Pick"), "Pick second"),
    "ToggleButtons": (widgets.ToggleButtons(options=["a", "b"], value="b", description="Mode"), "Mode b"),
    "SelectMultiple": (widgets.SelectMultiple(options="abc", value=("a", "c"), description="Runs"), "Runs a, c"),
    "Accordion": (widgets.Accordion([ONE, TWO], titles=["First", "Second"], selected_index=1), "First one Second two"),
    "HBox": (widgets.HBox([ONE, TWO]), "one two"),
    "VBox": (widgets.VBox([ONE, TWO]), "one two"),
    "Button": (widgets.Button(description="Start"), ""),
    "CopyButton": (CopyButton(text="secret"), ""),
    "FloatProgress": (widgets.FloatProgress(3, max=4, description="Loading"), ""),
    "nothing chosen": (widgets.Dropdown(options=["a"], value=None, description="Pick"), "Pick –"),
    "hidden": (widgets.VBox([ONE, widgets.Label("two", layout={"display": "none"})]), "one"),
    "invisible": (widgets.HBox([widgets.Text("x", layout={"visibility": "hidden"}), TWO]), "two"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_widget_is_shown_with_its_value(kind):
    widget, expected = KINDS[kind]
    assert words(shown(widget)) == expected


def test_every_kind_of_widget_in_a_panel_is_known_here():
    source = "".join(path.read_text() for path in (ROOT / "utils" / "widgets").glob("*.py"))
    assert set(re.findall(r"\bwidgets\.([A-Z]\w+)\(", source)) - {"Layout"} <= KINDS.keys()


def test_the_open_section_is_open_and_a_long_text_scrolls():
    assert re.findall(r"<details (\w*)>", shown(KINDS["Accordion"][0])) == ["", "open"]
    framed = shown(widgets.VBox([widgets.HTML("x" * 9)], layout={"max_height": "26em", "overflow": "auto"}))
    assert 'style="max-height: 26em; overflow: auto"' in framed
    assert "url" not in shown(widgets.VBox([ONE], layout={"max_height": "1px; background: url(https://x.example)"}))
    assert '<progress aria-label="Loading" max="4.0" value="3.0">' in shown(KINDS["FloatProgress"][0])


@pytest.mark.parametrize(
    "widget",
    [
        widgets.Text(HOSTILE),
        widgets.Textarea(HOSTILE),
        widgets.Label(HOSTILE),
        widgets.Text("x", description=HOSTILE),
        widgets.Dropdown(options=[(HOSTILE, 1)]),
        widgets.SelectMultiple(options=[HOSTILE], value=[HOSTILE]),
        widgets.Checkbox(True, description=HOSTILE),
        widgets.Accordion([ONE], titles=[HOSTILE]),
    ],
)
def test_text_is_escaped(widget):
    assert ESCAPED in shown(widget) and "<script" not in shown(widget)


def test_a_panel_takes_the_place_of_its_repr(tmp_path):
    form = SettingsForm(RunConfig.from_preset("tiny"), tmp_path)
    page = pages.to_html(notebook_of(form, widgets.Button()), "a title")
    assert "VBox(children" not in page and "learning_rate" in words(page)
    assert page.count("Widgets are live in JupyterLab") == 1  # of the button, which shows nothing without Jupyter
    assert "<script" not in page and static_view.STATE not in page and "IPY_MODEL_" not in page


def test_a_page_has_two_themes_and_never_changes_the_notebook():
    notebook = notebook_of(ONE)
    before = v4.writes(notebook)
    page = pages.to_html(notebook, "a title")
    assert v4.writes(notebook) == before
    dark = re.search(r"@media screen and \(prefers-color-scheme: dark\) \{(.*?)</style>", page, re.DOTALL)
    assert dark and "--jp-layout-color0" in dark[1] and dark[1].count("{") + 1 == dark[1].count("}")


def test_a_page_tells_no_folders_of_its_maker(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/export/people/jane")
    texts = f"/export/people/jane/x {ROOT}/utils/x.py {tmp_path}/runs/x /export/people/janet /usr/bin"
    picture = v4.new_output("display_data", data={"image/png": "aGk="})
    notebook = v4.new_notebook(cells=[v4.new_code_cell("", outputs=[v4.new_output("stream", text=texts), picture])])
    page = pages.to_html(notebook, "a title", tmp_path)
    assert "data:image/png;base64,aGk=" in page and "default-src 'none'" in page
    assert "…/x …/utils/x.py …/runs/x /export/people/janet /usr/bin" in page


def test_the_pages_of_a_run_are_linked():
    explained = v4.new_notebook(cells=[v4.new_markdown_cell("the [loss](glossary.md#loss)")])
    whole = {name: pages.to_html(explained, name) for name in ("01_data", "02_<b>")}
    linked = pages.linked(whole, "my <label> · tiny")
    assert linked["index.html"].count("Notebooks of my &lt;label&gt; · tiny</") == 2
    assert sorted(linked) == ["01_data.html", "02_<b>.html", "glossary.html", "index.html"]
    assert 'href="glossary.html#loss"' in linked["01_data.html"] and 'id="loss"' in linked["glossary.html"]
    for name, page in linked.items():
        links = re.findall(r'href="([^"#]+)"', page)
        assert {"01_data.html", "02_&lt;b&gt;.html"} <= set(links) and pages.POLICY in page.replace("&#39;", "'")
        assert ("index.html" in links) == (name != "index.html") and "<b>" not in page
    assert linked["01_data.html"].count('aria-current="page"') == 1


def test_a_new_label_is_in_the_index_at_once(tmp_path):
    run_dir = tmp_path / "runs" / "a"
    notes = RunNotes()
    (run_dir / "notebooks").mkdir(parents=True)
    for name, page in pages.linked({"01_data": "", "02_alpaca_format": ""}, "a").items():
        (run_dir / "notebooks" / name).write_text(page)
    before = (run_dir / "notebooks" / "index.html").read_text()
    notes.offer([run_dir])
    notes.label.value = "the <best>"
    after = (run_dir / "notebooks" / "index.html").read_text()
    assert after == before.replace("Notebooks of a<", "Notebooks of the &lt;best&gt; · a<") != before


@pytest.mark.slow
def test_in_a_browser_nothing_runs_or_loads_and_both_themes_can_be_read(tmp_path, needs):
    from playwright.sync_api import sync_playwright

    needs(shutil.which("chromium") is not None, "no chromium")
    bad = "<script>document.title='run'</script><img src='https://x.example/a.png' onerror=\"document.title='run'\">"
    whole = pages.linked({name: pages.to_html(notebook_of(widgets.HTML(f"ok {bad}")), name) for name in ("a", "b")})
    for name, page in whole.items():
        (tmp_path / name).write_text(page)
    requests, colours = [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for theme in ("light", "dark"):
            page = browser.new_page(color_scheme=theme)
            page.on("requestfinished", lambda request: requests.append(request.url))
            page.goto((Path(tmp_path) / "index.html").as_uri())
            page.click("li >> nth=1 >> a")
            assert page.title() == "b" and page.locator(".panel").inner_text().startswith("ok")
            page.click("nav a >> nth=1")
            assert page.title() == "a"
            style = "element => [getComputedStyle(element).color, getComputedStyle(document.body).backgroundColor]"
            colours[theme] = page.locator(".panel").evaluate(style)
        browser.close()
    assert all(url.startswith(tmp_path.as_uri()) for url in requests)
    brightness = {
        theme: [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in two] for theme, two in colours.items()
    }
    assert brightness["light"][0] < 300 < 600 < brightness["light"][1], colours
    assert brightness["dark"][1] < 150 < 600 < brightness["dark"][0], colours
