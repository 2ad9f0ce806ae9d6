"""The site: ``python -m sphinx -W --keep-going docs docs/_build``.

It is read from a folder without a network: no font, script or style comes from elsewhere, and
formulas are MathML, which browsers draw themselves.
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("extensions")))

project = "tinygrad-lstm"
author = "The tinygrad-lstm authors"
copyright = "the tinygrad-lstm authors, MIT licence"
version = release = installed("tinygrad-lstm")

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_nb",
    "family",
    "mathml",
    "players",
    "program_help",
    "run",
]
exclude_patterns = [
    "package_index.md",
    "explanation/compiled_step.md",
    "explanation/scale.md",
    "_build",
    "extensions",
    "**.ipynb_checkpoints",
]
nitpicky = True  # a reference that leads nowhere is a warning, and warnings are errors
nitpick_ignore_regex = [  # other projects', which only a network could look up
    ("py:.*", r"(numpy|np|scipy|torch|matplotlib|graphviz|collections|pathlib|os)\b.*"),
]
suppress_warnings = ["config.cache"]  # the renderer of formulas is an object

autodoc_typehints = "none"  # numpydoc's sections give types, with shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

html_theme = "furo"
html_title = f"tinygrad-lstm {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
templates_path = ["templates"]
