"""Learners of every kind, and what they do next; see test_goes_on.

``python -m tests.goes_on FOLDER`` reads each file in a folder, lets it go on, and writes what came
of it beside it.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import all_estimators
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import OneCycleLR

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.attacks import FGSM, PGD
from skactive.callbacks import AWP, EMA, SWA, BestEpoch, EpsWarmup
from skactive.losses import MART, TRADES
from skactive.strategies import all_strategies
from tests.models import SmallMLP

N_FIRST, N_POOL = 40, 90


def samples():
    """A table of numbers in [0, 1] and its labels."""
    rng = np.random.default_rng(0)
    X = rng.random((N_FIRST + N_POOL, 4)).astype(np.float32)
    return X, (X[:, 0] > X[:, 1]).astype(int)


POOLS = {
    "array": np.asarray,
    "float64": lambda X: X.astype(np.float64),
    "frame": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "csr": sp.csr_matrix,
    "tensor": torch.as_tensor,
    "list": lambda X: X.tolist(),
}
LABELS = {
    "int": np.array([3, 7]),
    "str": np.array(["no", "yes"]),
    "object": np.array(["no", "yes"], dtype=object),
    "bool": np.array([False, True]),
    "date": np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"),
}


def net(**params):
    """A small net."""
    params = {"attack": FGSM(eps=0.05), "max_epochs": 2, "lr": 0.01, "batch_size": 16, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


def nets():
    """Nets, one for each thing that bends a training run."""
    yield "plain", net(attack=None)
    yield "pgd", net(attack=PGD(eps=0.1, steps=2, random_start=True))
    yield "named attack", net(attack="fgsm")
    yield "trades", net(loss=TRADES(beta=2.0))
    yield "mart", net(loss=MART(beta=2.0))
    yield "ema", net(callbacks=[EMA(0.9)])
    yield "swa", net(callbacks=[SWA(0.3)])
    yield "awp", net(callbacks=[AWP(0.01), EpsWarmup(0.5)])
    yield "best", net(callbacks=[BestEpoch("robust")])
    yield "sgd", net(optimizer=torch.optim.SGD, optimizer__momentum=0.9, optimizer__nesterov=True)
    yield "adamw", net(optimizer=torch.optim.AdamW, optimizer__amsgrad=True)
    cycle = LRScheduler(OneCycleLR, step_every="batch", max_lr=0.1, total_steps=40)
    yield "cycle", net(callbacks=[("cycle", cycle)])
    yield "rst", net(unlabeled="rst")
    yield "uat", net(unlabeled="uat++", unlabeled_fraction=0.3)
    yield "smoothed", net(criterion__label_smoothing=0.1)
    yield "instance", AdversarialNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 2)),
        attack=None, max_epochs=2,
    )  # fmt: skip


def classifiers():
    """Every classifier of scikit-learn that learns two classes from a small table."""
    for name, kind in all_estimators(type_filter="classifier"):
        try:
            yield name, kind()
        except TypeError:
            inner = LogisticRegression()
            makers = (lambda: kind(inner), lambda: kind([("a", inner), ("b", clone(inner))]))
            for make in makers:
                try:
                    get = make()
                    get.fit(np.eye(8, 4), np.arange(8) % 2)
                except Exception:
                    continue
                yield name, make()
                break


def cases():
    """Learners that were not fitted, with the pool and labels they are for, by name."""
    rng = np.random.default_rng(1)
    for name, strategy in all_strategies().items():
        committee = {"vote_entropy", "consensus_entropy", "max_disagreement"}
        if name in committee:
            learner = Committee(LogisticRegression(), name, n_members=2, bootstrap=True)
        elif set(strategy()._capabilities()) <= {"predict_proba", "embed"}:
            learner = ActiveLearner(LogisticRegression(), strategy())
        else:
            learner = ActiveLearner(net(), strategy())
        yield f"strategy {name}", learner, "array", rng.choice(list(LABELS))
    for name, estimator in nets():
        pool = "use_pool" if getattr(estimator, "unlabeled", None) else None
        learner = ActiveLearner(estimator, "margin", warm_start=bool(rng.integers(2)))
        yield f"net {name}", learner.set_params(use_pool=bool(pool)), "array", "str"
    for name, estimator in classifiers():
        yield f"classifier {name}", ActiveLearner(estimator, "random"), "float64", "int"
    for number, pool in enumerate(POOLS):
        for labels in list(LABELS)[number % 2 :: 2]:
            learner = ActiveLearner(LogisticRegression(), "least_confidence")
            yield f"{pool} {labels}", learner, pool, labels
    pipes = {
        "net in a pipeline": make_pipeline(MinMaxScaler(clip=True), net()),
        "pipeline": make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")),
        "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, scoring="accuracy"),
        "search over nets": GridSearchCV(net(), {"attack__eps": [0.0, 0.1]}, cv=2),
    }
    for name, estimator in pipes.items():
        yield (
            name,
            ActiveLearner(estimator, "random", warm_start=name == "pipeline"),
            "array",
            "str",
        )
    for kind, seed in {
        "RandomState": np.random.RandomState(3),
        "Generator": np.random.default_rng(4),
    }.items():
        yield kind, ActiveLearner(LogisticRegression(), "random", random_state=seed), "csr", "bool"
    custom = {"deepgini": 1, "classes": 2}
    for name, n in custom.items():
        learner = ActiveLearner(LogisticRegression(C=float(n)), "margin", verbose=0)
        yield name, learner.set_params(classes=list(LABELS["int"])), "array", "int"


def prepared(learner, pool, labels):
    """Fit a learner and ask it, as far as both are possible; its pool and what was asked."""
    X, y = samples()
    rows, names = POOLS[pool](X), LABELS[labels][y]
    if learner.random_state is None:
        learner.set_params(random_state=5)
    first = rows.iloc[:N_FIRST] if pool == "frame" else rows[:N_FIRST]
    learner.fit(first, names[:N_FIRST])
    return learner, learner.query(rows, n=6)[0]


def go_on(learner, pool, labels, asked):
    """All that a learner can be told apart by: it is taught, predicts, and is asked again."""
    X, y = samples()
    rows, names = POOLS[pool](X), LABELS[labels][y]
    found = {"before": np.asarray(learner.predict(rows)).astype(str)}
    if learner.use_pool:
        learner.query(rows, n=2)  # a file leaves the pool out
    taught = (
        rows.iloc[asked]
        if pool == "frame"
        else ([rows[i] for i in asked] if pool == "list" else rows[asked])
    )
    learner.teach(taught, names[asked])
    found["after"] = np.asarray(learner.predict(rows)).astype(str)
    if hasattr(learner, "predict_proba"):
        found["proba"] = learner.predict_proba(rows)
    found["picks"], _, scores = learner.query(rows, n=7, return_scores=True)
    found["scores"] = np.zeros(0) if scores is None else np.asarray(scores)
    found["twins"] = np.asarray([learner.labeled_.n_twins, learner.history_[-1]["pseudo"]])
    found["training"] = np.asarray([row["training"] for row in learner.history_])
    return found


def main(folder):
    """Let each learner in a folder go on."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for path in sorted(Path(folder).glob("*.skactive")):
        pool, labels, *asked = path.with_suffix(".txt").read_text().split()
        try:
            learner = skactive.load(path, modules={"SmallMLP": SmallMLP})
            found = go_on(learner, pool, labels, np.array(asked, int))
        except Exception as error:
            found = {"error": np.array(f"{type(error).__name__}: {error}")}
        np.savez(path.with_suffix(".npz"), **found)


if __name__ == "__main__":
    main(sys.argv[1])
