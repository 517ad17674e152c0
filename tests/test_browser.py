"""The notebooks as a reader uses them: JupyterLab in a browser, the panel of 03, the curves of 04, the playground."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright
from transformers import AutoTokenizer

from support.payloads import PAYLOADS
from support.waiting import wait_until
from support.world import make_world
from utils.artifacts import ROOT
from utils.evaluation import tasks
from utils.model.prompt_modes import Question
from utils.playground import history
from utils.playground.history import Written
from utils.runs import folders, launch, metrics
from utils.tokens.prompts import encode_texts
from utils.widgets.settings_form import SettingsForm, keep_draft

pytestmark = pytest.mark.browser

SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, wherever it is scrolled to
    "apputils-extension/notification": {"fetchNews": "false"},
}
CHANGED = ("notebooks", "data", "model")  # by a test
SERIOUS = ("serious", "critical")  # of axe's findings
IS_READY = """() => {
    const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel
    return kernel?.connectionStatus === "connected" && kernel?.status === "idle"
}"""
RUN = """([what, id]) => {
    const notebook = window.jupyterapp.shell.currentWidget.content
    notebook.activeCellIndex = notebook.widgets.findIndex((cell) => cell.model.id === id)
    return window.jupyterapp.commands.execute(`notebook:run-${what}`)
}"""


@pytest.fixture(scope="module")
def server(needs, tmp_path_factory):
    """JupyterLab on copies of the notebooks, over a small model and some pairs: its address, the folder, settings."""
    needs(shutil.which("chromium") is not None, "no chromium")
    folder = tmp_path_factory.mktemp("lab")
    _, config = make_world(folder)
    for name in ("notebooks", "utils"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_*"))
    for name in CHANGED:
        shutil.copytree(folder / name, folder / "fresh" / name)
    for name, settings in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    changes = {name: str(folder / name.lower()) for name in folders}
    changes |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "DATA": str(folder / "data")}
    changed = ("model_name_or_path", "max_length", "tokens_per_device", "num_processes")
    overrides = {name: getattr(config, name) for name in changed} | {"eval_steps": 50, "max_restarts": 0}
    changes |= {"PAIRS": config.pairs, "OVERRIDES": json.dumps(overrides)}
    options = ["--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    options += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={folder}"]
    with open(folder / "lab.log", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        process = subprocess.Popen(command, cwd=folder, env=os.environ | changes, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api", process)
        yield SimpleNamespace(address=address, folder=folder, config=config)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def lab(server):
    for name in CHANGED:
        shutil.rmtree(server.folder / name)
        shutil.copytree(server.folder / "fresh" / name, server.folder / name)
    return SimpleNamespace(address=server.address, data_dir=server.folder / "data", config=server.config)


def wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, "JupyterLab ended"
            time.sleep(0.1)
    raise AssertionError("JupyterLab does not answer")


@pytest.fixture(scope="module")
def chromium(server):
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)


@pytest.fixture
def page(lab, chromium):
    """A page of a browser; at the end nothing but this machine must have been asked for anything."""
    context, asked = chromium.new_context(), []
    page = context.new_page()
    page.set_default_timeout(180_000)
    expect.set_options(timeout=180_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    yield page
    page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    context.close()
    assert {urlsplit(url).hostname for url in asked} <= {"127.0.0.1", None}  # data: and blob: have no host


def open_notebook(page, lab, name: str) -> None:
    page.goto(f"{lab.address}/lab/tree/notebooks/{name}.ipynb?reset")
    page.wait_for_function(IS_READY)


def wear(page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}"
    )


def check(page) -> None:
    """axe has no serious finding in what the cells of the notebook show, in neither theme."""
    for theme in ("Dark", "Light"):
        wear(page, theme)
        page.wait_for_timeout(300)
        found = Axe().run(page, ".jp-OutputArea-output").response["violations"]
        nodes = [(one["id"], node["html"][:200]) for one in found for node in one["nodes"] if one["impact"] in SERIOUS]
        assert nodes == [], theme


def look(page, name: str) -> None:
    """Keep a picture of the page, where SCREENSHOTS names a folder: in both themes, wide and narrow."""
    if folder := os.environ.get("SCREENSHOTS"):
        for theme in ("Light", "Dark"):
            wear(page, theme)
            for width in (1280, 900):
                page.set_viewport_size({"width": width, "height": 1100})
                page.wait_for_timeout(700)
                page.screenshot(path=f"{folder}/{name}-{theme.lower()}-{width}.png")


def cell(page, id: str):
    index = page.evaluate(
        "id => window.jupyterapp.shell.currentWidget.content.widgets.findIndex((cell) => cell.model.id === id)", id
    )
    found = page.locator(".jp-Notebook .jp-Cell").nth(index)
    found.scroll_into_view_if_needed()
    return found


def restart(page) -> None:
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_function(IS_READY)


@contextlib.contextmanager
def held_up(run_dir):
    """Keep a run from training meanwhile, so that it has updates left however long a page takes."""
    processes = launch.launcher(run_dir).children(recursive=True)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_a_run_is_started_found_again_stopped_resumed_and_removed(lab, page):
    open_notebook(page, lab, "03_train_fsdp")
    page.evaluate(RUN, ["all-cells", "question"])
    rate, alert = page.get_by_label("learning_rate", exact=True), cell(page, "settings").get_by_role("alert")
    for wrong in ("7", "fast", ""):
        rate.fill(wrong)
        rate.press("Tab")
        expect(alert).to_contain_text("learning_rate must be")
        expect(alert).to_contain_text(wrong)
    start, stop = (page.get_by_role("button", name=name) for name in ("Start training", "Stop and save"))
    expect(start).to_be_disabled()
    expect(cell(page, "plan")).to_contain_text("No plan")
    look(page, "form-refused")
    check(page)
    rate.fill("2e-3")
    rate.press("Tab")
    expect(alert).to_have_count(0)
    page.get_by_label("num_train_epochs", exact=True).fill("40")
    page.get_by_label("num_train_epochs", exact=True).press("Tab")
    expect(cell(page, "plan").get_by_role("img")).to_have_attribute("aria-label", re.compile("It fits"))
    expect(cell(page, "plan")).to_contain_text("120")  # updates: the plan follows the form
    look(page, "plan")
    state = cell(page, "start").get_by_role("status")
    expect(state).to_contain_text("new: not started yet")
    start.focus()
    page.keyboard.press("Enter")
    expect(state).to_contain_text(re.compile("training. Update [0-9]+ of 120, about"))
    (run_dir,) = (path.parent for path in (lab.data_dir / "runs").glob("*/config.json"))
    assert json.loads((run_dir / "config.json").read_text())["learning_rate"] == 0.002

    with held_up(run_dir):
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page.reload()
        page.wait_for_function(IS_READY)
        cell(page, "start")
        expect(state).to_contain_text(re.compile("training. Update"))
        before = state.inner_text()
    expect(state).not_to_have_text(before)  # live again

    with held_up(run_dir):
        disconnected = cell(page, "start").get_by_text("Disconnected: the kernel was restarted")
        expect(disconnected).to_be_hidden()
        restart(page)
        expect(disconnected).to_be_visible()
        look(page, "disconnected")
        page.evaluate(RUN, ["all-cells", "question"])
        expect(page.get_by_label("learning_rate", exact=True)).to_have_value("0.002")
        cell(page, "start")
        expect(state).to_contain_text(re.compile("training. Update"))
        expect(start).to_be_disabled()
        look(page, "training")
        stop.focus()
        page.keyboard.press("Space")
        expect(state).to_contain_text("stopping")
    expect(state).to_contain_text("stopped: a checkpoint is saved")
    stopped_at = json.loads((run_dir / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert 0 < stopped_at < 120
    page.get_by_role("button", name="Resume").click()
    expect(state).to_contain_text("finished: the tuned model is in the run's folder")
    samples = cell(page, "start").get_by_role("button", name="Samples: answers during training", expanded=False)
    samples.press("Enter")
    expect(cell(page, "start")).to_contain_text("the pair's own response")
    look(page, "finished")
    check(page)
    steps = [json.loads(line)["step"] for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [*range(121)]

    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Delete the run").click()
    expect(state).to_contain_text("new: not started yet")
    assert not run_dir.exists()


def test_a_run_that_fails_says_why_and_a_sweep_is_steered_and_compared(lab, page):
    runs = lab.data_dir / "runs"
    keep_draft(lab.data_dir, lab.config.with_changes(num_train_epochs=1.0, eval_steps=10_000, num_samples=0))
    shutil.move(lab.data_dir.parent / "model" / "model.safetensors", lab.data_dir.parent / "weights")
    open_notebook(page, lab, "03_train_fsdp")
    page.evaluate(RUN, ["all-cells", "question"])
    state = cell(page, "start").get_by_role("status")
    page.get_by_role("button", name="Start training").click()
    expect(state).to_contain_text("failed. Fix the problem below")
    expect(cell(page, "start")).to_contain_text("holds no model that transformers can load")
    look(page, "failed")
    shutil.move(lab.data_dir.parent / "weights", lab.data_dir.parent / "model" / "model.safetensors")
    page.get_by_role("button", name="Resume").click()
    expect(state).to_contain_text("finished")

    panel = cell(page, "sweep")
    status, start = panel.get_by_role("status"), panel.get_by_role("button", name="Start sweep")
    expect(start).to_be_disabled()
    field, form = page.get_by_label("num_train_epochs", exact=True), cell(page, "settings")
    for typed, said in (("1000, often", "num_train_epochs must be a number, got 'often'"), ("1000, 0.2", "2 runs, ")):
        field.fill(typed)
        field.press("Tab")
        expect(form).to_contain_text(said)
    look(page, "several-values")
    expect(cell(page, "start")).to_contain_text("Several values of num_train_epochs: start the sweep below")
    expect(panel).to_contain_text(re.compile("2 runs, 5,001 updates, about [0-9:]+, without start-up and saving"))
    assert not (lab.data_dir / "sweeps").exists()
    start.press("Enter")
    expect(status).to_contain_text("sweep-1 is training")
    wait_until(lambda: any(line["kind"] == "eval" for line in metrics.read(runs / "sweep-1-01")))
    row = panel.get_by_role("row").filter(has_text="sweep-1-01")
    expect(row).to_contain_text("running")
    look(page, "sweep-training")
    panel.get_by_role("button", name="Stop this run").press("Space")
    expect(row).to_contain_text("stopped")
    expect(status).to_contain_text(
        "sweep-1 is finished. sweep-1-02 has the lowest validation loss of the finished runs"
    )
    look(page, "sweep")
    check(page)
    names = sorted(path.parent.name for path in runs.glob("*/model"))
    assert names[0] == "sweep-1-02" and len(names) == 2

    open_notebook(page, lab, "04_loss_curves")
    page.evaluate(RUN, ["all-cells", "question"])
    picture = page.get_by_role("img", name=re.compile(f"{names[0]}.*{names[1]}|{names[1]}.*{names[0]}")).first
    expect(picture).to_be_visible()
    expect(page.get_by_text("num_train_epochs").first).to_be_visible()
    look(page, "compare")
    check(page)
    drawn, tip, ring = (cell(page, "view").locator(f".hover-pictures .{part}") for part in ("pictures", "tip", "ring"))
    drawn.focus()
    page.keyboard.press("ArrowRight")
    expect(tip).to_have_text(re.compile(r"epochs? · \S+\s+step 1\s+training, smoothed: [0-9.]+"))
    place = ring.bounding_box()
    drawn.hover(position={"x": 1, "y": 1})
    expect(tip).to_be_hidden()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(tip).to_contain_text(re.compile("step [0-9]+"))
    look(page, "compare-point")
    view = cell(page, "sweep")
    rows = [row.inner_text().split()[0] for row in view.get_by_role("row").all()[1:]]
    assert rows == ["sweep-1-02", "sweep-1-01"]
    label = "validation loss (nats per token) against num_train_epochs, 2 runs; best finished run: sweep-1-02."
    expect(view.get_by_role("img", name=label)).to_be_visible()
    look(page, "sweep-view")
    view.get_by_role("button", name="Winner's settings into the form").press("Enter")
    expect(view).to_contain_text("The form of notebook 03 has the settings of sweep-1-02")
    assert SettingsForm(lab.config, lab.data_dir).config.num_train_epochs == 0.2

    open_notebook(page, lab, "07_release")
    page.evaluate(RUN, ["all-above", "about-build"])
    expect(cell(page, "run")).to_contain_text("sweep-1-02")
    look(page, "release-form")
    check(page)


@pytest.fixture
def run_dir(lab):
    """A finished run of the notebooks' preset, its tuned model the base itself."""
    run_dir = folders.choose_run(lab.data_dir, lab.config)
    run_dir.mkdir(parents=True)
    lab.config.save(run_dir / "config.json")
    shutil.copytree(lab.config.model_name_or_path, run_dir / "model")
    return run_dir


def open_playground(page, lab) -> None:
    open_notebook(page, lab, "05_playground")
    page.evaluate(RUN, ["all-cells", "question"])
    cell(page, "playground")


def test_the_playground_streams_stops_fills_a_gap_and_remembers(lab, page, run_dir):
    open_playground(page, lab)
    columns = page.locator(".playground-column")
    status = columns.nth(0).get_by_role("status").first
    page.get_by_label("Instruction", exact=True).fill("Number 3: say it 3 times.")
    generate, stop = (page.get_by_role("button", name=name) for name in ("Generate", "Stop"))
    page.get_by_label("Instruction", exact=True).press("Control+Enter")
    for index in range(2):
        expect(columns.nth(index).get_by_role("status").first).to_contain_text("ended by: ")
        expect(columns.nth(index)).to_contain_text(re.compile("[0-9]+ tokens · [0-9]+ tokens/s"))
        expect(columns.nth(index).locator(".answer-html .text").first).not_to_be_empty()

    # A model that writes for a while: the embedded base, by its folder. By keyboard only.
    page.get_by_label("Model 1").select_option("another…")
    page.get_by_label("Name 1").fill(str(ROOT / "data" / "base"))
    page.get_by_label("Name 1").press("Tab")
    cell(page, "playground").get_by_role("button", name="Sampling", expanded=False).press("Space")
    page.get_by_label("New tokens").fill("900")
    page.get_by_label("New tokens").press("Tab")
    page.get_by_role("button", name="Completion").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Text", exact=True).fill("def f(a):\n")
    generate.focus()
    page.keyboard.press("Enter")
    expect(status).to_have_text("generating")
    expect(columns.nth(0)).to_contain_text(re.compile("[0-9]{2,} tokens ·"))
    written = columns.nth(0).locator(".answer-html .text").first
    before = written.inner_text()
    expect(written).not_to_have_text(before)  # it streams
    stop.focus()
    page.keyboard.press("Space")
    expect(status).to_contain_text("ended by: stopped")
    expect(written).to_contain_text(before.strip()[:20])
    look(page, "playground-stopped")

    page.get_by_label("Example").select_option("Fill a missing line")
    page.get_by_label("New tokens").fill("30")
    page.get_by_label("New tokens").press("Tab")
    generate.click()
    expect(status).to_contain_text("ended by:")
    expect(written).to_contain_text("def average(numbers):")
    expect(written).to_contain_text("return total / len(numbers)")
    expect(page.locator(".answer-html .around").first).to_contain_text("def average(numbers):")
    page.get_by_role("button", name="Probabilities").click()
    expect(columns.nth(0)).to_contain_text("Loss of this answer (nats per token)")
    columns.nth(0).locator(".answer-html .text [tabindex]").first.focus()
    look(page, "playground-probabilities")
    check(page)
    page.get_by_role("button", name="Copy 1").click()
    expect(columns.nth(0).get_by_role("button", name="Copied")).to_be_visible()

    restart(page)
    page.evaluate(RUN, ["all-cells", "question"])
    cell(page, "playground")
    assert len(history.load(run_dir)[0]) == 3
    page.get_by_label("History").select_option(index=1)
    page.get_by_role("button", name="Show again").click()
    expect(status).to_contain_text("ended by: stopped")
    expect(page.get_by_label("Text", exact=True)).to_have_value("def f(a):\n")
    page.get_by_role("button", name="Save as Markdown").click()
    expect(page.get_by_text("Saved as")).to_be_visible()
    assert "def f(a):" in next(run_dir.glob("playground-*.md")).read_text()
    look(page, "playground-history")


def test_nothing_that_a_model_writes_runs_or_leaves_the_page(lab, page, run_dir):
    tokenizer = AutoTokenizer.from_pretrained(run_dir / "model")
    texts = [payload.encode("utf-8", "replace").decode() for payload in PAYLOADS]
    ids = encode_texts(texts, tokenizer)
    answers = [Written(text, "limit", some, 9, 0.1, 9.0).__dict__ for text, some in zip(texts, ids, strict=True)]
    assert len(answers) >= 50
    column = {"model": PAYLOADS[0], "name": str(run_dir / "model"), "prompt": PAYLOADS[1], "note": PAYLOADS[2]}
    question = Question("Instruction", PAYLOADS[3], PAYLOADS[4])
    history.append(run_dir, question, [column | {"answers": answers[::2]}, column | {"answers": answers[1::2]}])
    open_playground(page, lab)
    page.get_by_role("button", name="Show again").click()
    expect(page.locator(".playground-column .answer-html")).to_have_count(len(answers))
    cell(page, "playground").get_by_role("button", name="Prompt", expanded=False).press("Enter")
    look(page, "playground-payloads")
    page.get_by_role("button", name="Probabilities").click()
    expect(page.get_by_text("Loss of this answer (nats per token)")).to_have_count(len(answers))
    for token in page.locator(".answer-html .text [tabindex]").all()[:200:20]:
        token.focus()
    page.get_by_role("button", name="Save as Markdown").click()
    expect(page.get_by_text("Saved as")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate("window.pwned") is None
    links = page.locator(
        ".playground-column a, .playground-column img, .playground-column script, .playground-column form"
    )
    assert links.count() == 0


def test_an_answer_runs_in_the_sandbox(lab, page, run_dir):
    answers = [
        "```python\ndef add(a, b):\n    return a + b\n```",
        "while True:\n    pass",
        "for _ in range(100):\n    print('x' * 10**6)",
        f"print({''.join(PAYLOADS[:50])!r})\nopen('/etc/passwd')",
    ]
    written = [vars(Written(answer, "limit", [5], 1, 0.1, 9.0)) for answer in answers]
    column = {"model": "tuned", "name": str(run_dir / "model"), "prompt": "", "note": "", "answers": written}
    (task,) = (task for task in tasks.load("basics-everyday", lab.data_dir) if task.task_id == "everyday/add")
    wrong = vars(Written(f"print('{PAYLOADS[0]}')\ndef add(a, b):\n    return a - b", "limit", [5], 1, 0.1, 9.0))
    history.append(
        run_dir, Question("Instruction", tasks.instruction(task)), [column | {"answers": [written[0], wrong]}]
    )
    history.append(run_dir, Question("Instruction", "Write code."), [column])
    open_playground(page, lab)
    page.get_by_role("button", name="Show again").click()
    expect(page.locator(".playground-column")).to_have_count(1)
    runner, choice = page.get_by_role("button", name="Run 1"), page.get_by_label("Answer 1", exact=True)
    page.get_by_label("Call 1").fill("add(1, 2)")
    results = ("✔ ended after", "✘ timed out after 1", "✘ too much output", "✘ raised an error")
    for index, result in enumerate(results):
        choice.select_option(index=index)
        runner.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".playground-column")).to_contain_text(result)
        expect(runner).to_be_enabled()
        if index == 0:
            expect(page.locator(".playground-column")).to_contain_text("Value3")
            page.get_by_label("Call 1").fill("")
            look(page, "playground-run")
    page.get_by_text("FileNotFoundError").last.scroll_into_view_if_needed()
    look(page, "playground-run-hostile")
    page.get_by_label("History").select_option(index=1)
    page.get_by_role("button", name="Show again").click()
    expect(page.get_by_label("Call 1")).to_have_attribute("placeholder", "empty: the tests of everyday/add")
    for index, result in enumerate(("✔ tests of everyday/add: passed after", "✘ tests of everyday/add: failed after")):
        choice.select_option(index=index)
        runner.click()
        expect(page.locator(".playground-column")).to_contain_text(result)
        expect(runner).to_be_enabled()
    expect(page.locator(".playground-column")).to_contain_text("Got-13Expected11")
    look(page, "playground-run-task")
    page.wait_for_timeout(500)
    assert page.evaluate("window.pwned") is None
    assert page.locator(".playground-column img, .playground-column script, .playground-column a").count() == 0


def test_an_evaluation_is_run_and_looked_through(lab, page, run_dir):
    path = lab.data_dir.parent / "notebooks" / "06_evaluate.ipynb"
    path.write_text(path.read_text().replace("NUM_TASKS = 0", "NUM_TASKS = 3"))
    open_notebook(page, lab, "06_evaluate")
    page.evaluate(RUN, ["all-cells", "question"])
    expect(cell(page, "sandbox")).to_contain_text("value='45'")
    expect(cell(page, "evaluate")).to_contain_text("6 of 6 answers recorded")
    expect(cell(page, "result")).to_contain_text("No difference shown with these 3 tasks")
    expect(cell(page, "figure").get_by_role("img", name=re.compile("neither 3"))).to_be_visible()
    view, asked = cell(page, "view"), tasks.load(tasks.BASICS, lab.data_dir)
    expect(view.get_by_role("status")).to_contain_text(f"{asked[0].task_id}: neither")
    view.get_by_role("button", name="Next").focus()
    page.keyboard.press("Space")
    expect(view.get_by_role("status")).to_contain_text(f"{asked[1].task_id}: neither")
    look(page, "evaluation")
    check(page)
    view.get_by_label("Tasks", exact=True).select_option(index=1)
    expect(view.get_by_role("status")).to_contain_text("There are no tasks in this group")
