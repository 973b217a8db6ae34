"""Fixed runs and what they gave: the same picks, weights and numbers after a change of structure.

``python -m tests.golden --write`` before a change that must change no result,
``python -m tests.golden --check`` after it: digests are compared bit by bit, on one machine with
one set of versions. `test_golden.py` compares the rounded numbers on every machine.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skactive import (
    ActiveLearner,
    AdversarialNetClassifier,
    BudgetedLearner,
    Committee,
    FixMatch,
    active_learning_curve,
)
from skactive.attacks import FGSM, PGD
from skactive.callbacks import AWP, EMA, SWA, BestEpoch, EpsWarmup
from skactive.losses import MART, TRADES
from skactive.metrics import robust_accuracy_score
from skactive.strategies import all_strategies
from tests.models import InDouble

FILE = Path(__file__).with_name("golden.json")
COMMITTEE_ONLY = ("vote_entropy", "consensus_entropy", "max_disagreement")


def data():
    """Digits: 100 labelled images, a pool of 150, 100 to measure with."""
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    return (X[:100], y[:100]), X[300:450], (X[1000:1100], y[1000:1100])


def net(**params):
    """A small net, trained in a second."""
    params = {"attack": PGD(eps=0.1, alpha=0.05, steps=3), "max_epochs": 3, "lr": 0.01, **params}
    return AdversarialNetClassifier(InDouble, random_state=0, batch_size=32, **params)


def recipes():
    """Nets, one for each thing that bends a training run."""
    (X, y), pool, _ = data()
    made = {
        "standard": net(attack=None),
        "pgd": net(),
        "fgsm": net(attack=FGSM(eps=0.1)),
        "trades": net(loss=TRADES(beta=3.0)),
        "mart": net(loss=MART(beta=3.0)),
        "warmup": net(callbacks=[EpsWarmup(0.5)]),
        "awp": net(callbacks=[AWP(0.01)]),
        "ema": net(callbacks=[EMA(0.9)]),
        "swa": net(callbacks=[SWA(0.3)]),
        "best clean epoch": net(callbacks=[BestEpoch("clean")]),
        "best robust epoch": net(callbacks=[EMA(), BestEpoch("robust", patience=2)]),
    }
    for name, estimator in made.items():
        yield f"weights: {name}", estimator.fit(X, y)
    for kind in ("rst", "uat-ft", "uat-kl", "uat++"):
        taught = net(unlabeled=kind, callbacks=[AWP(0.005), EpsWarmup(0.3)])
        yield f"weights: {kind}", taught.fit(X, y, X_unlabeled=pool)
    teacher = FixMatch(max_epochs=2, updates_per_epoch=5, batch_size=40)
    alike = net(unlabeled="rst", unlabeled_fraction="data", teacher=teacher)
    yield "weights: alike, taught by fixmatch", alike.fit(X, y, X_unlabeled=pool)
    yield "weights: fixmatch", alike.teacher_


def weights(estimator):
    """Every weight and buffer of a net, in one vector."""
    values = estimator.module_.state_dict().values()
    return torch.cat([value.detach().double().flatten() for value in values]).numpy()


def picks():
    """What every strategy asks for, of a net and of a logistic regression."""
    (X, y), pool, _ = data()
    robust = net().fit(X, y)
    flat, flat_pool = X.reshape(len(X), -1), pool.reshape(len(pool), -1)
    plain = LogisticRegression(max_iter=500).fit(flat, y)
    for name, strategy in all_strategies().items():
        if name in COMMITTEE_ONLY:
            continue
        asked = strategy(random_state=0)
        yield f"picks: {name}", asked.query(robust, pool, n=12, X_labeled=X)
        if set(asked._capabilities()) <= {"predict_proba", "embed"}:
            found = asked.query(plain, flat_pool, n=12, X_labeled=flat)
            yield f"picks of a table: {name}", found
    for name in COMMITTEE_ONLY:
        committee = Committee(LogisticRegression(), name, n_members=3, bootstrap=True)
        committee.set_params(random_state=0).fit(flat, y)
        yield f"picks: {name}", committee.query(flat_pool, n=12)[0]


def runs():
    """Rounds of a learner, a budgeted learner, a curve, and a score under attack."""
    (X, y), pool, (X_test, y_test) = data()
    labels = load_digits().target[300:450]
    for name, warm in (("cold", False), ("warm", True)):
        learner = ActiveLearner(net(), "dfal", warm_start=warm, random_state=0).fit(X, y)
        for _ in range(2):
            idx, X_new = learner.query(pool, n=10)
            learner.teach(X_new, labels[idx])
        yield f"rounds: {name}", weights(learner.estimator_)
    learner.retrain(X_test[:10], y_test[:10], epochs=1)
    yield "retrained", weights(learner.estimator_)
    flat = X.reshape(len(X), -1)
    budgeted = BudgetedLearner(
        LogisticRegression(max_iter=500), "margin", n_initial=20, n_per_query=10, budget=50
    )
    yield "budgeted", budgeted.set_params(random_state=0).fit(flat, y).predict_proba(flat)
    _, _, curve = active_learning_curve(
        LogisticRegression(max_iter=500), flat, y, query_strategy="margin", budget=40, cv=2,
        random_state=0,
    )  # fmt: skip
    yield "curve", np.asarray(curve)
    score = robust_accuracy_score(learner, X_test, y_test, PGD(eps=0.1, steps=5, random_start=True))
    yield "robust accuracy", np.asarray(score)


def results():
    """Each run's digest, and a few numbers that survive another machine."""
    torch.set_num_threads(1)
    found = {}
    for name, value in recipes():
        found[name] = _entry(weights(value))
    for part in (picks(), runs()):
        for name, value in part:
            found[name] = _entry(np.asarray(value))
    return found


def _entry(values):
    digest = hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=8).hexdigest()
    if values.dtype.kind in "iu":
        return {"digest": digest, "picks": values.tolist()}
    return {"digest": digest, "mean": float(values.mean()), "std": float(values.std())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep what runs give now")
    parser.add_argument("--check", action="store_true", help="compare with what was kept")
    args = parser.parse_args()
    found = results()
    if args.write:
        FILE.write_text(json.dumps(found, indent=1) + "\n")
    if args.check:
        kept = json.loads(FILE.read_text())
        differing = [
            name for name in kept if found.get(name, {}).get("digest") != kept[name]["digest"]
        ]
        print("\n".join(f"differs: {name}" for name in differing))
        print(f"{len(kept) - len(differing)} passed, {len(differing)} failed")
        raise SystemExit(bool(differing))


if __name__ == "__main__":
    main()
