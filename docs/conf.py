"""Sphinx configuration: ``sphinx-build docs docs/_build``."""

import skactive

project = "skactive"
author = "The skactive developers"
release = skactive.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build", "results/benchmarks_table.md"]
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
html_theme = "alabaster"
html_theme_options = {"description": "Robust active learning with a scikit-learn API"}
