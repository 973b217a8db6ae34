"""Sphinx configuration: ``sphinx-build -W --keep-going docs docs/_build/html``."""

import os
import sys
from pathlib import Path

import matplotlib

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.append(
    str(HERE.parent)
)  # benchmarks; skactive itself is the installed one, if there is one

import skactive  # noqa: E402
from benchmarks.claims import evidence  # noqa: E402

matplotlib.use("Agg")  # the pages' plots are files, also where a display is at hand

evidence.write()  # docs/evidence.md: what was measured when, on which code

project = "skactive"
author = "The skactive developers"
copyright = f"2026, {author}"
release = skactive.__version__
version = release

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "inventories",
    "own_members",
]
exclude_patterns = ["_build", "_ext", "_templates", "results/*.md", "sg_execution_times.rst"]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]  # own_members' functions are not kept between builds
nitpicky = True  # a cross-reference that leads nowhere is a warning, and warnings are errors

# Pages in Markdown
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 4
myst_substitutions = {"version": release}

# Reference: everything public, with what it inherits from skactive's own classes (own_members)
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Docstrings are checked while they are read: sections in order, parameters that are there, whole
# sentences. Hooks of bases that say it once, and "See Also" everywhere, are not asked for.
numpydoc_validation_checks = {
    *("GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL09", "GL10"),
    *("SS01", "SS03", "SS04", "SS06", "PR02", "PR05", "PR09", "PR10", "SA02", "SA04"),
}
numpydoc_validation_exclude = {r"\.load_dataset$"}  # its options are those of the loaders

# Other projects: a committed list of the names used here, so that a build needs no network
own_inventories = HERE / "_ext" / "inventories.toml"

# Gallery: one thread, one example after another, all files named plot_*
os.environ.setdefault("OMP_NUM_THREADS", "1")
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skactive",),
    "reference_url": {"skactive": None},
    "parallel": False,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib", "gallery_look.of_the_house"),
    "show_memory": False,
    "plot_gallery": "True",
    "min_reported_time": 1,
    "nested_sections": False,
    "within_subsection_order": "FileNameSortKey",
}
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = f"skactive {release}"
toc_object_entries_show_parents = "hide"  # "fit()" beside the page, not "ActiveLearner.fit()"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["skactive.css"]
html_show_sourcelink = False
html_baseurl = os.environ.get("SKACTIVE_DOCS_URL", "")
html_theme_options = {
    "logo": {
        "text": "skactive",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo-dark.svg",
        "alt_text": "skactive",
    },
    "switcher": {
        "json_url": f"{html_baseurl}_static/switcher.json",
        "version_match": release,
    },
    "check_switcher": False,
    "navbar_align": "left",
    "navbar_start": ["navbar-logo"],
    "navbar_end": ["version-switcher", "theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "install": [], "changelog": [], "glossary": []}
