"""Query strategies of three libraries in one loop, on data sets that are at hand.

    python -m benchmarks.comparison run --learners logistic        # goes on where it stopped
    python -m benchmarks.comparison run --learners net --seeds 0 1 --strategies random margin
    python -m benchmarks.comparison report                         # tables and picture of the page

Every strategy gets the same pool, the same first labels, the same learner, seed and budget. The
learner is tuned once for each data set, on samples that are in no pool and no test set. Results are
in docs/results/comparison/: a row for each data set, learner, strategy, seed and number of labels,
with CPU seconds on one thread. The images are read from the folder in ``SKACTIVE_DATA``;
scikit-activeml comes with ``pip install ".[bench]"``, modAL with ``pip install --no-deps
modAL-python`` (its pin of skorch 0.9 is not met by anything of today, what is used of it runs).
"""
