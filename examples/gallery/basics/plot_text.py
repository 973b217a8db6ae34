"""
Texts
=====

A pool may be a list of strings. The texts here are sentences from documentation that is installed
on this machine, and the question about each is which library it documents.

The model is what one would write without active learning: TF-IDF and logistic regression in a
pipeline.
"""

# %%
# The texts
# ---------
#
# The first sentences of functions and classes of five libraries, without the libraries' names.

import inspect
import re

import matplotlib.axes
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy
import sklearn
import torch
from sklearn.model_selection import train_test_split

PLACES = {
    "matplotlib": [plt, matplotlib.axes.Axes],
    "pandas": [pd, pd.DataFrame, pd.Series, pd.Index],
    "scipy": [
        scipy.linalg,
        scipy.optimize,
        scipy.signal,
        scipy.sparse,
        scipy.spatial,
    ],
    "sklearn": [
        sklearn.ensemble,
        sklearn.linear_model,
        sklearn.metrics,
        sklearn.preprocessing,
    ],
    "torch": [torch, torch.nn, torch.nn.functional],
}
NAMES = re.compile("|".join(PLACES), flags=re.IGNORECASE)


def first_paragraphs(place):
    for name, thing in inspect.getmembers(place, callable):
        for paragraph in (inspect.getdoc(thing) or "").split("\n\n"):
            text = NAMES.sub("", " ".join(paragraph.split()))
            if name[0] != "_" and len(text) > 40 and "(" not in text:
                yield text
                break


found = {
    text: library
    for library, places in PLACES.items()
    for place in places
    for text in first_paragraphs(place)
}
texts, libraries = list(found), np.array(list(found.values()))
pool, test, y_pool, y_test = train_test_split(
    texts, libraries, test_size=0.3, stratify=libraries, random_state=0
)
print(f"{len(pool)} texts in the pool, for instance:")
for text, library in zip(pool[:5], y_pool, strict=False):
    print(f"{library:>10}: {text[:70]}")

# %%
# The loop
# --------
#
# The vectoriser is part of the model: in each round it learns its vocabulary from the labelled
# texts. ``query`` gives strings, and ``teach`` takes them.

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skactive import ActiveLearner

model = make_pipeline(
    TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=500)
)
learner = ActiveLearner(model, "margin", classes=list(PLACES), random_state=0)
first = np.random.default_rng(0).choice(len(pool), 20, replace=False)
learner.fit([pool[i] for i in first], y_pool[first])
for _ in range(9):
    idx, asked = learner.query(pool, n=20)
    learner.teach(asked, y_pool[idx])
print(
    f"accuracy with {len(learner.y_labeled_)} labels: {learner.score(test, y_test):.1%}"
)
print("What it asked for last:")
for text, library in zip(asked[:5], y_pool[idx], strict=False):
    print(f"{library:>10}: {text[:70]}")

# %%
# What it learned, as the words that speak most for each library:

vectorizer, classifier = learner.estimator_
words = vectorizer.get_feature_names_out()

fig, axes = plt.subplots(1, 5, figsize=(11, 3), layout="constrained")
for ax, library, weights in zip(
    axes, classifier.classes_, classifier.coef_, strict=True
):
    top = np.argsort(weights)[-8:]
    ax.barh(words[top], weights[top])
    ax.set_title(library)
fig.supxlabel("weight in the logistic regression")

# %%
# Against texts drawn at random
# -----------------------------
#
# The same number of labels, on six splits of the same texts. The bands are 95 % intervals of the
# mean.

from sklearn.model_selection import StratifiedShuffleSplit

from skactive.analysis import ActiveLearningCurveDisplay

ActiveLearningCurveDisplay.from_estimator(
    model,
    texts,
    libraries,
    ["random", "margin"],
    n_initial=20,
    n_per_query=60,
    budget=500,
    cv=StratifiedShuffleSplit(6, test_size=0.3, random_state=0),
    scoring="accuracy",
    random_state=0,
)
plt.show()

# sphinx_gallery_thumbnail_number = 2
