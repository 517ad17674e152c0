"""Executed notebooks as pages that need no Jupyter, in a light and a dark theme, linked to one another."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from html import escape
from pathlib import Path

from utils import files, paths, plots
from utils.artifacts import ROOT
from utils.errors import masked
from utils.static_view import STATE, STYLE, VIEW, panel

INDEX, GLOSSARY = "index.html", "glossary"
NOTE = "<p><em>Widgets are live in JupyterLab: make lab.</em></p>"  # in place of one that has nothing to show
LINKS = "<!-- links to the other pages -->"
# A page runs no scripts and loads nothing, whatever a model wrote into it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
META = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
TEMPLATE = (
    """{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}
META
{%- endblock -%}
{%- block notebook_css -%}
{{ super() }}
{%- set dark = resources.include_css("static/theme-dark.css") -%}
{{ dark | replace('<style type="text/css">', '<style type="text/css">@media screen and (prefers-color-scheme: dark) {')
  | replace('</style>', 'body { background: var(--jp-layout-color0); color-scheme: dark; } FIGURES }</style>') | safe }}
<style type="text/css">STYLE
.pages { padding: 8px 16px; font-family: var(--jp-ui-font-family, sans-serif); line-height: 2; }
.pages a { margin-right: 16px; color: var(--jp-content-link-color, royalblue); }
.pages a[aria-current] { color: inherit; font-weight: bold; text-decoration: none; }
</style>
{%- endblock -%}
{%- block body_header -%}{{ super() }}LINKS{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
""".replace("META", META)
    .replace("FIGURES", f"img.figure {plots.INVERTED}")
    .replace("STYLE", STYLE)
    .replace("LINKS", LINKS)
)
CONTENTS = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
META
<title>TITLE</title>
<style>:root { color-scheme: light dark; font: 16px/1.8 system-ui, sans-serif; } body { margin: 2em; }</style></head>
<body><main><h1>TITLE</h1><ol>LINKS</ol></main></body>
</html>
""".replace("META", META)


def to_html(notebook, title: str, *folders: Path) -> str:
    """A self-contained page: images inside, panels as they were at the end; no scripts, requests and credentials.

    The user's own folders and `folders` become `…`, so that the page can be sent to somebody else.
    """
    from nbconvert import HTMLExporter

    notebook = deepcopy(notebook)
    models = notebook.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if view := output.get("data", {}).get(VIEW):
                output["data"] = {"text/html": panel(models, view["model_id"]) or NOTE}
    exporter = HTMLExporter(raw_template=TEMPLATE, embed_images=True)
    exporter.log.setLevel("ERROR")  # it warns about figures without alternative text
    page = masked(exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0])
    return paths.own_folders(*folders).sub("…", page)


def linked(pages: Mapping[str, str], run: str = "") -> dict[str, str]:
    """Pages by name as files by name: each with links to all of them, an index that names the run, and the glossary."""
    pages = {**pages, GLOSSARY: _glossary()}
    links = _links(pages)
    linked_pages = {INDEX: _index(links, run)}
    for name, page in pages.items():
        here = links | {name: links[name].replace("<a ", '<a aria-current="page" ', 1)}
        bar = f'<nav class="pages" aria-label="Notebooks"><a href="{INDEX}">All</a>{"".join(here.values())}</nav>'
        page = page.replace(f'href="{GLOSSARY}.md', f'href="{GLOSSARY}.html')
        linked_pages[f"{name}.html"] = page.replace(LINKS, bar, 1)
    return linked_pages


def rename(folder: Path, run: str) -> None:
    """Let the index in a folder of pages, if there is one, name the run so."""
    if (folder / INDEX).exists():
        names = sorted(path.stem for path in folder.glob("*.html") if path.name != INDEX)
        files.write_bytes(folder / INDEX, _index(_links(names), run).encode(errors="replace"))


def _links(names: Iterable[str]) -> dict[str, str]:
    return {name: f'<a href="{escape(name)}.html">{escape(name)}</a>' for name in names}


def _index(links: Mapping[str, str], run: str) -> str:
    items = "".join(f"<li>{link}</li>" for link in links.values())
    title = escape(f"Notebooks of {run}" if run else "Notebooks")
    return CONTENTS.replace("LINKS", items).replace("TITLE", title)


@cache
def _glossary() -> str:
    from nbformat import v4

    text = (ROOT / "notebooks" / f"{GLOSSARY}.md").read_text()
    return to_html(v4.new_notebook(cells=[v4.new_markdown_cell(text)]), GLOSSARY)
