"""What a class page shows: members that skactive defines, inherited ones too, and no more.

``nn.Module`` and skorch bring over a hundred methods that are described at their own place. A class
page names these bases, with a link, and documents in full what any class of skactive in the line of
inheritance defines; of skorch's hooks those that have something to say.
"""

import inspect
from importlib import import_module


def _find(fullname):
    parts = fullname.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ImportError(fullname)


def _is_ours(cls):
    return cls.__module__.split(".")[0] == "skactive"


def _own(cls, wanted):
    """Names of public members that a class of skactive in the MRO defines, in its order."""
    names = {}
    for base in filter(_is_ours, inspect.getmro(cls)):
        for name, member in vars(base).items():
            if not name.startswith("_") and wanted(member) and _is_told(cls, name):
                names.setdefault(name)
    return list(names)


def _is_told(cls, name):
    """Whether it has a docstring, and more than a line if it is one of skorch's hooks."""
    told = inspect.getdoc(getattr(cls, name)) or ""
    bases = [base for base in cls.__mro__ if base.__module__.startswith("skorch")]
    hook = any(inspect.isfunction(vars(base).get(name)) for base in bases)
    return "\n---" in told if hook else bool(told)


def _is_method(member):
    by_kind = inspect.isfunction(member) or isinstance(member, classmethod | staticmethod)
    return by_kind or hasattr(member, "attribute_name")  # scikit-learn's available_if


def own_methods(fullname):
    """Methods, static ones and those of the class among them."""
    return _own(_find(fullname), _is_method)


def own_properties(fullname):
    """Properties with a docstring."""
    return _own(_find(fullname), lambda member: isinstance(member, property))


def foreign_bases(fullname):
    """The nearest bases that other libraries document, as full names."""
    shown = {
        "skorch.classifier.NeuralNetClassifier",
        "torch.nn.modules.module.Module",
        "sklearn.base.BaseEstimator",
    }
    names = [f"{base.__module__}.{base.__qualname__}" for base in inspect.getmro(_find(fullname))]
    found = [name for name in names if name in shown]
    return found[:1]


def setup(app):
    """Hand the functions to the templates of autosummary."""
    functions = [own_methods, own_properties, foreign_bases]
    app.config.autosummary_context = {function.__name__: function for function in functions}
    return {"parallel_read_safe": True}
