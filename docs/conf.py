"""The documentation, built by `make docs`; a warning is an error there."""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_remote import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "jupyter_remote"
author = "jupyter_remote developers"
project_copyright = author
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Relative links that lead out of docs/ are for who reads the files themselves; `reference` mends them here.
suppress_warnings = ["myst.header"]
html_theme = "furo"
html_title = f"jupyter_remote {__version__}"
html_static_path: list[str] = []
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
nitpicky = False
