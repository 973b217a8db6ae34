"""
A pool on a cluster
===================

A pool that fits into no memory, or that lies on other machines, is asked where it lies: the model
travels to the data, and only what may be picked travels back. To the learner a Dask array is a
pool like any other, and the picks are those that it would have made in memory.
"""

# %%
# A cluster, and a pool in partitions
# -----------------------------------
#
# Two workers in this very process stand for a cluster; ``Client("tcp://scheduler:8786")`` would
# be a real one. The pool is made by the workers, a partition each time that one is read, and
# never held as a whole.

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner

client = Client(
    processes=False,
    n_workers=2,
    threads_per_worker=1,
    dashboard_address="127.0.0.1:0",
)

N_PARTS, PER_PART = 20, 5000


def is_unlike(day):
    return day % 7 > 4


def make_part(block_info=None):
    """Sensor readings of one day; some days are unlike the others."""
    day = block_info[None]["chunk-location"][0]
    rng = np.random.default_rng(day)
    rows = rng.normal(size=(PER_PART, 8)).astype(np.float32)
    rows[:, 0] += 3.5 if is_unlike(day) else 0
    return rows


def truth(rows):
    return (rows[:, 0] + 0.5 * rows[:, 1] * rows[:, 2] > 1).astype(int)


pool = da.map_blocks(
    make_part,
    chunks=((PER_PART,) * N_PARTS, (8,)),
    dtype=np.float32,
    meta=np.empty((0, 8), np.float32),
)
pool

# %%
# The loop
# --------
#
# Nothing is different: ``query`` gives positions in the whole pool and the rows themselves, which
# are now in memory.

start = make_part({None: {"chunk-location": (0, 0)}})[:50]
learner = ActiveLearner(LogisticRegression(), "margin", random_state=0)
learner.fit(start, truth(start))
for _ in range(5):
    idx, rows = learner.query(pool, n=100)
    learner.teach(rows, truth(rows))
print(
    f"{pool.shape[0]:,} rows in {pool.numblocks[0]} partitions, {len(learner.y_labeled_)} labels"
)

# %%
# The same picks as in memory
# ---------------------------

in_memory = learner.query(pool.compute(), n=100)[0]
on_cluster, rows = learner.query(pool, n=100)
np.array_equal(in_memory, on_cluster)

# %%
# Which days were asked about
# ---------------------------
#
# On some days the readings are far from the border of the two classes; hardly anything is asked
# about them, though they were all read.

days = np.arange(N_PARTS)
asked = np.bincount(on_cluster // PER_PART, minlength=N_PARTS)
unlike = np.array([is_unlike(day) for day in days])
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.bar(days[~unlike], asked[~unlike], label="ordinary days")
ax.bar(days[unlike], asked[unlike], label="days unlike the others")
ax.set(
    xlabel="partition (a day)",
    ylabel="rows asked in the last round",
    xticks=days,
)
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()

client.close()
