"""The notebooks as a reader uses them: JupyterLab in a browser, the form of 03 and the playground of 05."""

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
from conftest import make_world
from playwright.sync_api import expect, sync_playwright

from utils.artifacts import ROOT

SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, wherever it is scrolled to
    "apputils-extension/notification": {"fetchNews": "false"},
}
IS_READY = """() => {
    const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel
    return kernel?.connectionStatus === "connected" && kernel?.status === "idle"
}"""
RUN = """([what, id]) => {
    const notebook = window.jupyterapp.shell.currentWidget.content
    notebook.activeCellIndex = notebook.widgets.findIndex((cell) => cell.model.id === id)
    return window.jupyterapp.commands.execute(`notebook:run-${what}`)
}"""


@pytest.fixture
def lab(needs, tmp_path):
    """JupyterLab on copies of the notebooks, over a small model and some pairs: its address and the data folder."""
    needs(shutil.which("chromium") is not None, "no chromium")
    data_dir, config = make_world(tmp_path)
    for name in ("notebooks", "utils"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_*"))
    for name, settings in SETTINGS.items():
        path = tmp_path / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    changes = {name: str(tmp_path / name.lower()) for name in folders}
    changes |= {"JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"), "DATA": str(data_dir), "PAIRS": config.pairs}
    changed = ("model_name_or_path", "max_length", "tokens_per_device", "num_processes", "eval_steps")
    changes["OVERRIDES"] = json.dumps({name: getattr(config, name) for name in changed})
    options = ["--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    options += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={tmp_path}"]
    with open(tmp_path / "lab.log", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, cwd=tmp_path, env=os.environ | changes, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api", server)
        yield SimpleNamespace(address=address, data_dir=data_dir)
    finally:
        server.terminate()
        server.wait(20)


def wait_for(address: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, "JupyterLab ended"
            time.sleep(0.1)
    raise AssertionError("JupyterLab does not answer")


@pytest.fixture
def page(lab):
    """A page of a browser; at the end nothing but this machine must have been asked for anything."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page, asked = browser.new_page(), []
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        yield page
        browser.close()
    assert {urlsplit(url).hostname for url in asked} <= {"127.0.0.1", None}  # data: and blob: have no host


def open_notebook(page, lab, name: str) -> None:
    page.goto(f"{lab.address}/lab/tree/notebooks/{name}.ipynb?reset")
    page.wait_for_function(IS_READY)


def test_settings_a_run_and_the_playground(lab, page):
    open_notebook(page, lab, "03_train_fsdp")
    page.evaluate(RUN, ["all-above", "about-plan"])
    rate, alert = page.get_by_label("learning_rate"), page.get_by_role("alert")
    for wrong in ("7", "fast", ""):
        rate.fill(wrong)
        rate.press("Tab")
        expect(alert).to_contain_text("learning_rate must be")
        expect(alert).to_contain_text(wrong)
    rate.fill("2e-3")
    rate.press("Tab")
    expect(alert).to_have_count(0)
    page.evaluate(RUN, ["all-below", "about-plan"])
    expect(page.get_by_text("finished · update 3 of 3").first).to_be_visible()
    (run_dir,) = (lab.data_dir / "runs").iterdir()
    assert json.loads((run_dir / "config.json").read_text())["learning_rate"] == 0.002

    open_notebook(page, lab, "05_playground")
    page.evaluate(RUN, ["all-cells", "question"])
    page.get_by_label("New tokens").fill("20")
    page.get_by_label("Instruction").fill("Number 3: say it 3 times.")
    page.get_by_role("button", name="Generate").click()
    for name in ("base", "tuned"):
        answered = page.get_by_text(re.compile(rf"^{name} · (end-of-text|limit) · [1-9]\d* tokens"))
        expect(page.locator(".widget-vbox", has=answered).last.locator("pre")).not_to_be_empty()
