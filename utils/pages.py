"""Executed notebooks as pages that need no Jupyter."""

from utils.errors import masked

# The page runs no scripts and loads nothing, whatever a model wrote into it.
TEMPLATE = """{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block data_widget_view -%}<p><em>Widgets are live in JupyterLab: make lab.</em></p>{%- endblock -%}
"""


def to_html(notebook, title: str) -> str:
    """A self-contained page: embedded images, no scripts, no requests, no widgets, no credentials."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(raw_template=TEMPLATE, embed_images=True)
    exporter.log.setLevel("ERROR")  # it warns about figures without alternative text
    return masked(exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0])
