"""
A labelling session
===================

Three people share the work. A :class:`~skactive.labeling.LabelingSession` hands out what the
learner wants to know, writes every answer down before it says so, teaches the learner now and
then, and goes on where it stopped after whatever stopped it. ``session.serve()`` opens a page to
label in, and ``session.widget()`` the same in a notebook; here a program answers, so that the
page runs by itself.
"""

# %%
# A session
# ---------
#
# Biopsies of scikit-learn's table, each of which two people look at. The store is a file; it
# holds ids and answers, not the table.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

from skactive import ActiveLearner
from skactive.labeling import LabelingSession, OracleAnnotator

biopsies = load_breast_cancer(as_frame=True)
table = biopsies.data
truth = biopsies.target.map({0: "malignant", 1: "benign"}).to_numpy()
store = Path(tempfile.mkdtemp()) / "labels.db"


def open_session():
    learner = ActiveLearner(
        HistGradientBoostingClassifier(min_samples_leaf=5), random_state=0
    )
    return LabelingSession(
        store,
        table,
        learner=learner,
        classes=["benign", "malignant"],
        overlap=2,
    )


session = open_session()

# %%
# An annotator's loop is ``claim`` and ``label``. What was said can be taken back.

for item in session.claim("ada", n=3):
    print(f"{item.id}: mean radius {item.content['mean radius']:.1f}")
    session.label(item.id, truth[item.position], "ada")
session.undo("ada").state

# %%
# Three people, and a computer that is switched off
# -------------------------------------------------
#
# :class:`~skactive.labeling.OracleAnnotator` simulates people: Ada hardly ever errs, Bob does in
# one case of ten, Cleo in one of five. In the middle of it the session is closed. Opened again
# with the same lines, it has every answer, and its learner is the same learner.

accuracies = {"ada": 0.99, "bob": 0.9, "cleo": 0.8}
people = [
    OracleAnnotator(truth, name=name, accuracy=accuracy, random_state=seed)
    for seed, (name, accuracy) in enumerate(accuracies.items())
]
for _ in range(4):
    for person in people:
        person.annotate(session, 10)
before = session.progress()
session.close()

session = open_session()
for _ in range(4):
    for person in people:
        person.annotate(session, 10)
session.teach()
print(
    before["n_labels"],
    "labels before,",
    session.progress()["n_labels"],
    "after",
)

# %%
# Who agrees with whom
# --------------------
#
# Two people looked at each biopsy, so that their answers can be compared, with a measure that
# leaves out what chance would agree on.

kappas = session.agreement().cohen
fig, (left, right) = plt.subplots(
    1, 2, figsize=(10, 3.6), layout="constrained"
)
left.barh([" and ".join(pair) for pair in kappas], list(kappas.values()))
left.set(xlabel="Cohen's kappa", xlim=(0, 1))
session.plot(ax=right)
plt.show()

# %%
# Cases in dispute are put before somebody who decides for everybody, and the learner is taught
# what was settled.

disputed = session.disagreements()
for case in disputed:
    item = session.item(case.id, "referee")  # what there is to see
    session.relabel(case.id, truth[item.position], "referee", final=True)
session.teach()
left_over = table.index.difference(session.to_frame()["position"])
accuracy = session.learner.score(table.loc[left_over], truth[left_over])
print(
    f"{len(disputed)} disputes settled; accuracy on biopsies nobody saw: {accuracy:.1%}"
)
session.to_frame().head()
