"""Files of every version of the format stay readable: kept here as they were written.

``python -m tests.test_formats`` writes those of the present format, once, when it is new.
"""

from pathlib import Path

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner, Committee
from skactive.attacks import PGD
from skactive.callbacks import EMA
from skactive.persistence import FORMAT
from skactive.strategies import DRE
from tests.models import SmallMLP

FOLDER = Path(__file__).with_name("formats")
FILES = sorted(FOLDER.glob("*.skactive"))


def version(text):
    """Version numbers, to be compared."""
    return [int(part) for part in text.split(".")[:2]]


def table():
    """The samples that all files are about."""
    X = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    return X, np.array(["no", "yes"])[(X[:, 0] > X[:, 1]).astype(int)]


def made():
    """One of each kind of object."""
    X, y = table()
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    learner = ActiveLearner(pipe, "margin", random_state=0).fit(X[:30], y[:30], ids=range(30))
    learner.query(X, n=3)
    yield "learner", learner.relabel([0], [y[0]])
    committee = Committee(LogisticRegression(), n_members=2, bootstrap=True, random_state=0)
    yield "committee", committee.fit(X[:30], y[:30])
    budgeted = BudgetedLearner(LogisticRegression(), "entropy", budget=20, random_state=0)
    yield "budgeted", budgeted.fit(X, y)
    params = {"attack": PGD(eps=0.05, steps=2), "callbacks": [EMA()], "random_state": 0}
    net = AdversarialNetClassifier(SmallMLP, max_epochs=2, **params)
    yield "net", ActiveLearner(net, DRE(), random_state=0).fit(X[:30], y[:30])
    yield "strategy", DRE(n_bins=7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_each_format_are_read(path):
    X, y = table()
    about = skactive.inspect(path)
    assert about.format <= FORMAT
    obj = skactive.load(path, modules={"SmallMLP": SmallMLP})
    if path.name.startswith("strategy"):
        assert obj.n_bins == 7
        return
    if version(about.versions["scikit-learn"]) > version(sklearn.__version__):
        return  # scikit-learn reads what older versions of it fitted, if any
    expected = np.load(path.with_suffix(".npy"))
    assert_allclose(obj.predict_proba(X), expected, rtol=1e-4, atol=1e-6)
    learner = getattr(obj, "learner_", obj)
    assert about.n_labels == len(learner.y_labeled_)
    n = about.n_labels
    learner.query(X, n=4)
    ids = None if learner.ids_ is None else [100, 101]
    learner.teach(X[-2:], y[-2:], ids=ids)
    assert learner.history_[-1]["n_labels"] == n + 2
    assert_array_equal(learner.classes_, ["no", "yes"])


def test_there_are_files_of_the_present_format():
    kinds = {path.name.partition(".")[0] for path in FILES if f".{FORMAT}." in path.name}
    assert kinds == {name for name, _ in made()}


if __name__ == "__main__":
    for name, obj in made():
        path = FOLDER / f"{name}.{FORMAT}.skactive"
        obj.save(path)
        if hasattr(obj, "predict_proba"):
            np.save(path.with_suffix(".npy"), obj.predict_proba(table()[0]))
