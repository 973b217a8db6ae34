"""Saved and loaded: a learner goes on bit by bit; what is no data is refused in words."""

import dataclasses
import datetime as dt
import functools
import importlib.resources
import json
import pickle
import re
import tracemalloc
import types
import zipfile
from collections import defaultdict, deque
from zoneinfo import ZoneInfo

import dateutil.tz
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from torch.utils.data import ConcatDataset, Subset, TensorDataset
from torchvision import tv_tensors

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner, Committee
from skactive.attacks import FGSM, PGD
from skactive.callbacks import EMA, BestEpoch
from skactive.exceptions import DamagedFileError, NewerFormatError, UnsavableError, UntrustedError
from skactive.losses import TRADES
from skactive.persistence import save
from skactive.persistence._attributes import restore_attributes
from skactive.persistence._frames import _decode_values
from skactive.persistence._kinds import KINDS
from skactive.strategies import CEAL, DFAL, DRE
from tests.models import SmallCNN, SmallMLP

OWN = {"SmallMLP": SmallMLP, "SmallCNN": SmallCNN}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.random((120, 4)).astype(np.float32)
    return X, (X[:, 0] > X[:, 1]).astype(int)


def mlp(module=SmallMLP, **params):
    params = {"attack": FGSM(eps=0.05), "max_epochs": 2, "random_state": 0, **params}
    return AdversarialNetClassifier(module, **params)


def weights(net):
    return torch.cat([t.detach().double().flatten() for t in net.module_.state_dict().values()])


def again(obj, tmp_path, **params):
    """What comes back from a file."""
    save(obj, tmp_path / "file.skactive")
    return skactive.load(tmp_path / "file.skactive", **{"modules": OWN, **params})


# -- learners go on ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=500),
        RandomForestClassifier(n_estimators=5),
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), FunctionTransformer(np.tanh), mlp(attack=None)),
        mlp(callbacks=[EMA(), BestEpoch("clean")], optimizer=torch.optim.SGD, lr=0.1),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("warm", [False, True])
def test_a_loaded_learner_goes_on_as_the_saved_one(table, tmp_path, estimator, warm):
    X, y = table
    if warm and isinstance(estimator, (RandomForestClassifier, KNeighborsClassifier)):
        warm = False
    words = np.array(["no", "yes"])[y]
    seed = np.random.default_rng(5) if warm else 3
    learner = ActiveLearner(estimator, DRE(), warm_start=warm, random_state=seed)
    learner.fit(X[:30], words[:30], ids=range(30))
    idx, rows = learner.query(X[30:], n=6)
    loaded = again(learner, tmp_path)
    assert loaded.history_ == learner.history_
    for each in (learner, loaded):
        each.teach(rows, words[30:][idx], ids=30 + idx)
    assert loaded.history_[-1]["training"] == ("warm" if warm else "cold")
    assert_array_equal(loaded.predict_proba(X), learner.predict_proba(X))
    assert_array_equal(loaded.query(X, n=9)[0], learner.query(X, n=9)[0])
    assert_array_equal(loaded.ids_, learner.ids_)
    assert loaded.get_params(deep=False).keys() == learner.get_params(deep=False).keys()


def test_what_is_pending_is_taught_by_the_loaded_one(digits, tmp_path):
    X, y = digits
    net = AdversarialNetClassifier(
        SmallCNN, attack=PGD(eps=0.1, steps=2), max_epochs=2, random_state=0
    )
    learner = ActiveLearner(net, DFAL(adversarial_twins=True), warm_start=True, random_state=0)
    learner.fit(X[:150], y[:150])
    idx, rows = learner.query(X[150:400], n=8)
    loaded = again(learner, tmp_path)
    for each in (learner, loaded):
        each.teach(rows, y[150:400][idx])
    assert loaded.labeled_.n_twins == learner.labeled_.n_twins > 0
    assert_array_equal(loaded.X_twins_, learner.X_twins_)
    assert torch.equal(weights(loaded.estimator_), weights(learner.estimator_))
    assert len(loaded.estimator_.history) == len(learner.estimator_.history) == 4


def test_committees_and_budgets_are_learners_too(table, tmp_path):
    X, y = table
    committee = Committee(LogisticRegression(), n_members=3, bootstrap=True, random_state=0)
    committee.fit(X[:30], y[:30])
    loaded = again(committee, tmp_path)
    for each in (committee, loaded):
        each.teach(X[30:40], y[30:40])
    assert_array_equal(loaded.vote_proba(X), committee.vote_proba(X))
    model = BudgetedLearner(LogisticRegression(), "margin", budget=30, random_state=0).fit(X, y)
    loaded = again(model, tmp_path)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(loaded.learning_curve_["n_labels"], model.learning_curve_["n_labels"])
    for each in (model, loaded):
        each.learner_.relabel(ids=each.queried_indices_[:2], y=[0, 1]).teach()
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_what_is_not_fitted_is_kept_too(table, tmp_path):
    X, y = table
    learner = ActiveLearner(mlp(loss=TRADES(beta=3.0)), DRE(n_bins=7), random_state=4)
    loaded = again(learner, tmp_path)
    assert loaded.query_strategy.n_bins == 7
    first, second = (each.fit(X[:30], y[:30]).estimator_ for each in (loaded, learner))
    assert torch.equal(weights(first), weights(second))


# -- what is on a net ---------------------------------------------------------------------------


def test_a_net_is_trained_on_as_it_would_have_been(table, tmp_path):
    X, y = table
    net = mlp(
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=0.1,
        callbacks=[EMA(0.9)],
        loss="mart",
        unlabeled="rst",
        iterator_train__shuffle=True,
    )
    net.fit(X[:60], y[:60], X_unlabeled=X[60:])
    net.module_[0].bias.requires_grad_(False)
    loaded = again(net, tmp_path)
    assert not loaded.module_[0].bias.requires_grad
    assert loaded.history == net.history
    assert loaded.teacher_.classes_.tolist() == [0, 1]
    before = torch.random.get_rng_state()
    for each in (net, loaded):
        each.partial_fit(X[:40], y[:40])
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(weights(net), weights(loaded))
    assert not loaded.module_.training
    assert_array_equal(net.predict_proba(X), loaded.predict_proba(X))


def test_a_module_that_is_an_object_needs_no_constructor(table, tmp_path):
    X, y = table
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 2)
    )
    module.double().half().float()
    module[3].weight = torch.nn.Parameter(module[3].weight.detach(), requires_grad=False)
    net = AdversarialNetClassifier.from_module(module, classes=["b", "a"], random_state=0)
    loaded = again(net, tmp_path, modules=None)
    assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))
    words = np.array(["a", "b"])[y]
    for each in (net, loaded):
        each.fit(X, words)
    assert torch.equal(weights(net), weights(loaded))


def test_weights_that_would_find_no_place_are_not_saved(table, tmp_path):
    X, y = table
    net = mlp().fit(X, y)
    net.module_.append(torch.nn.Linear(2, 2))
    with pytest.raises(UnsavableError, match="is not what the net's parameters build"):
        net.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_a_module_of_another_shape_is_told(table, tmp_path):
    X, y = table
    mlp().fit(X, y).save(tmp_path / "net")

    class SmallMLP(torch.nn.Linear):
        def __init__(self):
            super().__init__(4, 2)

    with pytest.raises(DamagedFileError, match="do not fit the module SmallMLP"):
        skactive.load(tmp_path / "net", modules={"SmallMLP": SmallMLP})


def small_mlp(n_features):
    """Makes a module, and is none."""
    return SmallMLP(n_features, 2)


class Maker:
    """Makes modules, and is none."""

    def __call__(self, n_features):
        return SmallMLP(n_features, 2)


@pytest.mark.parametrize("make", [functools.partial(SmallMLP, n_classes=2), small_mlp, Maker()])
def test_ones_own_makers_of_modules_are_kept(table, tmp_path, make):
    X, y = table
    net = mlp(functools.partial(functools.partial(make), 4)).fit(X, y)
    loaded = again(net, tmp_path, modules={**OWN, "small_mlp": small_mlp, "Maker": Maker})
    assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))


def test_plain_attributes_of_layers_are_kept(table, tmp_path):
    X, y = table
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1, random_state=0)
    images = np.repeat(X.reshape(-1, 1, 2, 2), 4, axis=2).repeat(4, axis=3)
    net.fit(images, y)
    net.module_[1].momentum = 0.37
    assert again(net, tmp_path).module_[1].momentum == 0.37


# -- samples ------------------------------------------------------------------------------------


def same(first, second):
    assert type(first) is type(second)
    if sp.issparse(first):
        first, second = first.toarray(), second.toarray()
    if isinstance(first, torch.utils.data.Dataset):
        assert len(first) == len(second)
        assert all(torch.equal(first[i][0], second[i][0]) for i in range(len(first)))
    elif isinstance(first, pd.DataFrame):
        pd.testing.assert_frame_equal(first, second)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
        assert first.dtype == second.dtype
    elif hasattr(first, "equals"):
        assert first.equals(second)
    elif isinstance(first, list) and hasattr(first[0], "getbands"):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    else:
        assert_array_equal(first, second)


def frame_of(X):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"], index=[f"r{i}" for i in range(len(X))])
    frame["words"] = [f"w{i % 3}" for i in range(len(X))]
    frame["kind"] = pd.Categorical(frame["words"], ordered=True)
    frame["n"] = pd.array([None, *range(1, len(X))], dtype="Int32")
    frame["text"] = pd.array([None, *map(str, range(1, len(X)))], dtype="string")
    frame["at"] = pd.date_range("2020-01-01", periods=len(X), tz="Europe/Berlin", unit="ns")
    frame["when"] = pd.date_range("2020-01-01", periods=len(X), unit="s")
    frame["flag"] = frame["a"] > 0.5
    return frame


def polars_of(X):
    import polars as pl

    return pl.DataFrame(X, schema=list("abcd")).with_columns(
        w=pl.Series([None, *["x", "y"] * 60][: len(X)]), n=pl.Series([None, *range(119)][: len(X)])
    )


def images_of(X):
    image = pytest.importorskip("PIL.Image")
    return [image.fromarray((row.reshape(2, 2) * 255).astype(np.uint8)) for row in X]


def datasets_of(X):
    whole = TensorDataset(torch.as_tensor(X))
    second = Subset(Subset(whole, range(60, 120)), range(60))
    return ConcatDataset([Subset(whole, range(60)), second])


@pytest.mark.parametrize(
    "wrap",
    [
        np.asfortranarray,
        lambda X: X[::2],
        lambda X: X.astype(np.float16),
        sp.csr_matrix,
        sp.csc_array,
        sp.coo_matrix,
        sp.lil_array,
        lambda X: sp.dia_matrix(np.eye(8, 4)),
        torch.as_tensor,
        lambda X: torch.as_tensor(X).bfloat16(),
        np.ndarray.tolist,
        lambda X: X.astype(object),
        lambda X: X.astype(str),
        lambda X: pd.DataFrame(X, columns=list("abcd")),
        frame_of,
        polars_of,
        images_of,
        datasets_of,
    ],
    ids=lambda wrap: getattr(wrap, "__name__", "other"),
)
def test_samples_of_every_kind_come_back(table, tmp_path, wrap):
    X, y = table
    rows = wrap(X)
    n = rows.shape[0] if hasattr(rows, "shape") else len(rows)
    learner = ActiveLearner(Untaught(), "random", random_state=0)
    learner.fit(rows, y[:n], sample_weight=np.arange(n))
    loaded = again(learner, tmp_path, modules={"Untaught": Untaught})
    same(loaded.X_labeled_, learner.X_labeled_)
    assert_array_equal(loaded.sample_weight_, learner.sample_weight_)


ZONES = {
    "of the database": ZoneInfo("Europe/Paris"),
    "fixed": dt.timezone(-dt.timedelta(hours=3, minutes=30)),
    "fixed, named as one of the database": dt.timezone(dt.timedelta(hours=1), "CET"),
    "fixed, named as none": dt.timezone(dt.timedelta(hours=2), "CEST"),
    "UTC": dt.UTC,
    "dateutil's UTC": dateutil.tz.tzutc(),
    "dateutil's offset": dateutil.tz.tzoffset("CET", 3600),
}


@pytest.mark.parametrize("kind", ZONES)
def test_time_zones_come_back(tmp_path, kind):
    zone = ZONES[kind]
    days = pd.to_datetime(["2024-01-01 12:00", "2024-07-01 12:00"]).tz_localize(zone)
    ambiguous = pd.Timestamp("2024-10-27 01:00:00.000000001", tz="UTC").tz_convert(zone)
    frame = pd.DataFrame({"at": days, "n": [1, 2]}, index=days)
    stamps, moments = [*days, ambiguous], days.to_pydatetime().tolist()
    values = {"frame": frame, "column": frame["at"], "stamps": stamps, "moments": moments}
    loaded = again(values, tmp_path)
    for found in (loaded["frame"]["at"].dt, loaded["frame"].index, loaded["column"].dt):
        assert found.hour.tolist() == [12, 12]
        naive = moments[0].replace(tzinfo=None)  # zones of pytz take no other
        assert found.tz.utcoffset(naive) == zone.utcoffset(naive)
    for part in ("stamps", "moments"):
        for before, after in zip(values[part], loaded[part], strict=True):
            assert (after, after.isoformat()) == (before, before.isoformat())
            assert after.tzname() == before.tzname()
            summer = dt.timedelta(days=182)
            assert (after + summer).isoformat() == (before + summer).isoformat()


def zone_of_a_file():
    pytest.importorskip("tzdata")
    with importlib.resources.files("tzdata.zoneinfo.Europe").joinpath("Paris").open("rb") as file:
        return ZoneInfo.from_file(file, "CET")


@pytest.mark.parametrize(
    "made", [lambda: dateutil.tz.gettz("Europe/Paris"), dateutil.tz.tzlocal, zone_of_a_file]
)
def test_zones_that_could_not_be_found_again_are_refused(tmp_path, made):
    zone = made()
    days = pd.date_range("2024-01-01", periods=2, tz=zone)
    moment = dt.datetime(2024, 1, 1, tzinfo=zone)
    for each in (pd.DataFrame({"t": days}), days, days[0], moment):
        with pytest.raises(UnsavableError, match=r"times in the zone .*'Europe/Paris'"):
            save({"at": each}, tmp_path / "a")


@pytest.mark.parametrize("zone", ["UTC", "UTC+02:00", "Europe/Paris"])
def test_zones_that_were_written_as_words_are_read(zone):
    days = np.array(["2024-01-01"], dtype="datetime64[us]")
    found = _decode_values({"values": days, "zone": zone}, ReadAlready())
    assert str(found.tz) == zone


def test_times_that_were_written_with_their_offset_are_read():
    word = "2024-01-01T12:00:00+01:00"
    stamp = {"class": "Timestamp", "value": word, "unit": "ns"}
    for kind, node in (("datetime", {"value": word}), ("pandas value", stamp)):
        assert KINDS.readers[kind](node, ReadAlready()).isoformat() == word


class ReadAlready:
    """A decoder of parts that need no decoding."""

    def decode(self, node):
        return node


def objects(values):
    return np.array(values, dtype=object)


def test_columns_of_objects_are_not_guessed_anew(tmp_path):
    stamp = pd.Timestamp("2020-01-01")
    names = objects(["text", "times"])
    frame = pd.DataFrame(
        objects([["u", stamp], [None, None], ["vv", stamp]]),
        index=pd.Index(objects(["x", None, "z"]), dtype=object),
        columns=pd.Index(names, dtype=object),
        dtype=object,
    )
    frame["kind"] = pd.Categorical.from_codes([0, 1, 0], pd.Index(names, dtype=object))
    frame.columns = frame.columns.astype(object)
    loaded = again({"frame": frame, "column": frame["text"], "index": frame.index}, tmp_path)
    pd.testing.assert_frame_equal(loaded["frame"], frame, check_column_type=True)
    pd.testing.assert_index_equal(loaded["frame"].columns, frame.columns, exact=True)
    pd.testing.assert_series_equal(loaded["column"], frame["text"])
    pd.testing.assert_index_equal(loaded["index"], frame.index, exact=True)
    for found in (loaded["frame"]["text"], loaded["frame"]["times"], loaded["index"]):
        assert found.dtype == object
        assert found.tolist()[1] is None  # not NaN


def test_what_is_missing_in_text_is_learned_as_before(tmp_path):
    columns = {"a": np.tile(objects(["u", None, "vv"]), 20), "b": np.tile(objects(["k", "l"]), 30)}
    X, y = pd.DataFrame(columns, dtype=object), np.arange(60) % 2
    pipe = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    learner = ActiveLearner(pipe, "margin", random_state=0).fit(X[:20], y[:20])
    loaded = again(learner, tmp_path)
    for each in (learner, loaded):
        each.teach(X[20:30], y[20:30])
    assert loaded.estimator_[0].categories_[0].tolist() == ["u", "vv", None]
    assert_array_equal(loaded.predict_proba(X), learner.predict_proba(X))


class Untaught(LogisticRegression):
    """Takes samples of any kind."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self


LABELS = {
    "words": np.array(["no", "yes"]),
    "objects": np.array(["no", "yes, indeed"], dtype=object),
    "bools": np.array([False, True]),
    "small": np.array([-3, 7], dtype=np.int8),
    "floats": np.array([1.0, 2.0]),
    "dates": np.array(["2020-01-02", "2021-01-01"], dtype="datetime64[D]"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind_come_back(table, tmp_path, kind):
    X, y = table
    labels = LABELS[kind][y]
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0).fit(X[:30], labels[:30])
    loaded = again(learner, tmp_path)
    assert loaded.y_labeled_.dtype == learner.y_labeled_.dtype
    assert loaded.predict(X).tolist() == learner.predict(X).tolist()
    for each in (learner, loaded):
        each.teach(X[30:50], labels[30:50])
    assert_array_equal(loaded.predict_proba(X), learner.predict_proba(X))


def test_values_of_many_kinds_come_back(tmp_path):
    values = {
        "numbers": [
            1,
            2.5,
            float("inf"),
            -0.0,
            2**80,
            1j,
            True,
            None,
            np.float32(0.1),
            np.bool_(1),
        ],
        "containers": ((1, [2]), {3, 1}, frozenset("ab"), {1: "a", (2, 3): "b"}, range(2, 9, 3)),
        "times": [
            dt.date(2020, 1, 2),
            dt.datetime(2020, 1, 2, 3, 4, 5, 6, dt.UTC),
            dt.datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),
            dt.time(2, 30, tzinfo=ZoneInfo("Europe/Paris")),
            dt.time(2, 30, tzinfo=dt.timezone(dt.timedelta(hours=1), "CET")),
            dt.timedelta(3),
        ],
        "array of dates": np.array(["2020-01-02", "NaT"], dtype="datetime64[D]"),
        "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "bytes": b"\x00\xff",
        "types": [np.dtype("f4"), torch.float16, torch.device("cpu"), torch.optim.SGD, np.log1p],
        "size": torch.Size([1, 2]),
        "nothing": [np.str_(""), np.bytes_(b""), np.void(b"")],
    }
    loaded = again(values, tmp_path)
    assert repr(loaded) == repr(values)
    nan = again([float("nan")], tmp_path)[0]
    assert nan != nan


def test_slices_come_back(tmp_path):
    values = [slice(np.int64(0), np.int64(3)), slice(None, 4), slice("a", (1, 2), None)]
    assert repr(again(values, tmp_path)) == repr(values)


@pytest.mark.parametrize("align", [False, True])
def test_structures_in_structures_come_back(tmp_path, align):
    fields = [("a", "i1"), ("b", [("c", "f8"), ("d", "i4", (2,))])]
    kind = np.dtype(fields, align=align)
    value = np.array([(1, (2.0, [3, 4]))], dtype=kind)[0]
    loaded = again([kind, value], tmp_path)
    assert loaded[0] == loaded[1].dtype == kind
    assert str(loaded[1]) == str(value)


def test_masks_come_back(tmp_path):
    hard = np.ma.MaskedArray([1, 2], [0, 1], hard_mask=True)
    loaded = again([np.ma.masked, hard, np.ma.MaskedArray([1, 2], [0, 1])], tmp_path)
    assert loaded[0] is np.ma.masked
    assert [each.hardmask for each in loaded[1:]] == [True, False]
    assert loaded[1].tolist() == [1, None]


@pytest.mark.parametrize(
    "params", [{}, {"coerce": False}, {"na_object": None}, {"na_object": np.nan}], ids=repr
)
def test_arrays_of_text_of_any_length_come_back(tmp_path, params):
    kind = getattr(np.dtypes, "StringDType", None) or pytest.skip("of NumPy 2")
    words = [["a", "bb"], ["", params.get("na_object", "c")]]
    array = np.array(words, dtype=kind(**params))
    loaded = again([array], tmp_path)[0]
    assert loaded.dtype == array.dtype
    assert repr(loaded) == repr(array)


def test_generators_go_on(tmp_path):
    made = {
        "old": np.random.RandomState(3),
        "new": np.random.default_rng([1, 2]),
        "philox": np.random.Generator(np.random.Philox(4)),
        "torch": torch.Generator().manual_seed(5),
    }
    made["old"].normal()
    made["new"].spawn(2)
    made["torch"].manual_seed(9)
    torch.rand(3, generator=made["torch"])
    loaded = again(made, tmp_path)
    assert_array_equal(made["old"].normal(size=5), loaded["old"].normal(size=5))
    for name in ("new", "philox"):
        assert_array_equal(made[name].random(5), loaded[name].random(5))
        assert made[name].spawn(1)[0].random() == loaded[name].spawn(1)[0].random()
    ours, theirs = (torch.rand(3, generator=each["torch"]) for each in (made, loaded))
    assert torch.equal(ours, theirs)


def test_what_is_one_object_stays_one(tmp_path):
    rng = np.random.default_rng(0)
    loaded = again({"a": rng, "b": [rng, rng.bit_generator.state]}, tmp_path)
    assert loaded["a"] is loaded["b"][0]


def test_what_is_met_twice_is_read_where_it_was_met_first(tmp_path):
    values, kinds = np.arange(3.0), defaultdict(list, {"x": list})
    called = functools.partial(np.add, values, where=values)
    loaded = again(
        [kinds, functools.partial(functools.partial(np.add, values), values), called], tmp_path
    )
    assert (loaded[0], loaded[0].default_factory) == (kinds, list)
    assert_array_equal(loaded[1](), values * 2)
    assert loaded[2].keywords["where"] is loaded[2].args[0]


def has_rows(kind):
    """Whether this SciPy has arrays of one dimension of that kind: CSR since 1.15."""
    try:
        return kind(np.zeros(2)).ndim == 1
    except ValueError:
        return False


@pytest.mark.parametrize("kind", [*filter(has_rows, [sp.coo_array, sp.dok_array, sp.csr_array])])
def test_sparse_rows_come_back(tmp_path, kind):
    row = kind(np.array([0.0, 1.0, 0.0, 2.0]))
    loaded = again([row], tmp_path)[0]
    same(loaded, row)
    assert loaded.shape == (4,)


# -- which samples are kept ----------------------------------------------------------------------


def test_ids_keep_no_samples_and_want_the_same_pool(table, tmp_path):
    X, y = table
    secret = X * 1
    learner = ActiveLearner(LogisticRegression(), CEAL(threshold=0.5), random_state=0)
    learner.fit(secret[:30], y[:30])
    with pytest.raises(ValueError, match="nothing was queried yet"):
        learner.save(tmp_path / "a", data="ids")
    idx, rows = learner.query(secret, n=5)
    learner.save(tmp_path / "a", data="ids")
    content = (tmp_path / "a").read_bytes()
    assert not any(row.tobytes() in content for row in secret)
    with pytest.raises(ValueError, match=r"load\(path, pool=…\): 120 rows, [0-9a-f]{64}"):
        skactive.load(tmp_path / "a")
    with pytest.raises(ValueError, match="pool is not the one of"):
        skactive.load(tmp_path / "a", pool=X[::-1])
    loaded = skactive.load(tmp_path / "a", pool=X)
    assert_array_equal(loaded.X_labeled_, learner.X_labeled_)
    for each in (learner, loaded):
        each.teach(rows, y[idx])
    assert loaded.history_[-1]["pseudo"] == learner.history_[-1]["pseudo"] > 0
    assert_array_equal(loaded.predict_proba(X), learner.predict_proba(X))
    with pytest.raises(ValueError, match="are not in it"):
        learner.save(tmp_path / "b", data="ids", pool=X[10:])
    with pytest.raises(ValueError, match="pool is for data='ids'"):
        learner.save(tmp_path / "b", pool=X)
    learner.save(tmp_path / "b")
    with pytest.raises(ValueError, match="takes no pool"):
        skactive.load(tmp_path / "b", pool=X)
    with pytest.raises(ValueError, match="data"):
        learner.save(tmp_path / "c", data="some")


def test_ids_of_a_dataset(table, tmp_path):
    X, y = table
    pool = TensorDataset(torch.as_tensor(X))
    learner = ActiveLearner(mlp(), "random", random_state=0).fit(Subset(pool, range(20)), y[:20])
    idx, rows = learner.query(pool, n=5)
    learner.teach(rows, y[idx])
    learner.save(tmp_path / "a", data="ids", pool=pool)
    loaded = skactive.load(tmp_path / "a", pool=pool, modules=OWN)
    loaded.query(pool, n=3)
    assert_array_equal(loaded.excluded_, np.sort([*range(20), *idx]))


def test_the_pool_is_kept_where_it_is_learned_from(table, tmp_path):
    X, y = table
    learner = ActiveLearner(mlp(unlabeled="rst"), "random", use_pool=True, random_state=0)
    learner.fit(X[:30], y[:30])
    idx, rows = learner.query(X, n=5)
    learner.save(tmp_path / "all", data="all")
    learner.save(tmp_path / "labels")
    loaded = skactive.load(tmp_path / "all", modules=OWN)
    for each in (learner, loaded):
        each.teach(rows, y[idx])
    assert torch.equal(weights(loaded.estimator_), weights(learner.estimator_))
    with pytest.raises(ValueError, match="Query the pool again"):
        skactive.load(tmp_path / "labels", modules=OWN).teach(rows, y[idx])


# -- what a file may name ------------------------------------------------------------------------


def lambdas():
    def local(X):
        return X

    return {
        "a lambda": lambda X: X,
        "a closure's lambda": FunctionTransformer(lambda X: X * 2),
        "a file": open(__file__),  # noqa: PTH123
        "a method": "words".upper,
        "an iterator": iter([1]),
        "a sparse tensor": torch.eye(2).to_sparse(),
    }


@pytest.mark.parametrize("kind", lambdas())
@pytest.mark.filterwarnings("ignore:unclosed file")
def test_what_is_no_data_is_refused(tmp_path, kind):
    with pytest.raises(UnsavableError, match=r"cannot|of which only the name"):
        save({"part": lambdas()[kind]}, tmp_path / "a")
    assert not list(tmp_path.iterdir())


class OwnArray(np.ndarray):
    """Keeps its numbers where no attribute tells of them."""


class OwnQueue(deque):
    """Keeps its items so."""


@pytest.mark.parametrize(
    "value",
    [
        np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
        np.char.array(["a"]),
        np.arange(3).view(OwnArray),
        OwnQueue([1]),
        tv_tensors.Image(torch.zeros(1, 2, 2)),
        pd.Timedelta("1s"),
        pd.Period("2020-01", "M"),
        UnsavableError("words"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_more_than_attributes_is_refused(tmp_path, value):
    with pytest.raises(UnsavableError, match=rf"part is a .*{type(value).__name__}, which a file"):
        save({"part": value}, tmp_path / "a")


def test_samples_of_which_the_file_would_hold_nothing_are_refused(tmp_path):
    X = tv_tensors.Image(torch.rand(8, 1, 2, 2))
    learner = ActiveLearner(Untaught(), "random", random_state=0).fit(X, np.array([0, 1] * 4))
    with pytest.raises(UnsavableError, match="X is a torchvision.*Image"):
        learner.save(tmp_path / "a")
    assert not list(tmp_path.iterdir())


class Normed(torch.nn.Sequential):
    """Its layer is of a class that torch makes at run time."""

    def __init__(self, norm):
        super().__init__(getattr(torch.nn.utils.parametrizations, norm)(torch.nn.Linear(4, 2)))


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_layers_with_parametrizations_are_refused_unless_a_class_builds_them(table, tmp_path, norm):
    X, y = table
    built = mlp(Normed, module__norm=norm).fit(X, y)
    loaded = again(built, tmp_path, modules={"Normed": Normed})
    assert_array_equal(loaded.predict_proba(X), built.predict_proba(X))
    module = torch.nn.Sequential(*Normed(norm))
    net = mlp(module).fit(X, y)
    with pytest.raises(UnsavableError, match=r"module\.0 has parametrizations.*as a class"):
        net.save(tmp_path / "a")
    if norm == "spectral_norm":  # the other leaves a hook behind
        torch.nn.utils.parametrize.remove_parametrizations(module[0], "weight")
        again(net.fit(X, y), tmp_path, modules=None)


def test_circles_are_refused(tmp_path):
    circle = []
    circle.append(circle)
    with pytest.raises(UnsavableError, match="part of"):
        save(circle, tmp_path / "a")
    with pytest.raises(UnsavableError, match="part of"):
        save(vars(circle := type("A", (), {})()).update(a=circle) or circle, tmp_path / "a")


def test_classes_of_ones_own_are_passed_or_trusted(table, tmp_path):
    X, y = table
    ActiveLearner(mlp(), "random", random_state=0).fit(X, y).save(tmp_path / "a")
    with pytest.raises(UntrustedError, match=r"modules=\{'SmallMLP': SmallMLP\}") as caught:
        skactive.load(tmp_path / "a")
    assert caught.value.names == ["tests.models.SmallMLP"]
    assert pickle.loads(pickle.dumps(caught.value)).names == caught.value.names
    for params in (
        {"modules": {"SmallMLP": SmallMLP}},
        {"modules": {"tests.models.SmallMLP": SmallMLP}},
        {"trusted": ("tests.models.SmallMLP",)},
    ):
        assert skactive.load(tmp_path / "a", **params).score(X, y) > 0.4
    with pytest.raises(TypeError, match="tuple of import paths"):
        skactive.load(tmp_path / "a", trusted="tests.models.SmallMLP")
    with pytest.raises(TypeError, match="map names to classes"):
        skactive.load(tmp_path / "a", modules={"SmallMLP": "SmallMLP"})
    with pytest.raises(UntrustedError):
        skactive.load(tmp_path / "a", trusted=("tests.models",))


# -- inspected, written, formats -----------------------------------------------------------------


@pytest.mark.parametrize("score", [f_classif, mutual_info_classif])
@pytest.mark.parametrize("fitted", [False, True])
def test_scikit_learns_own_scores_of_features_need_no_trust(table, tmp_path, score, fitted):
    X, y = table
    pipe = make_pipeline(SelectKBest(score, k=2), LogisticRegression())
    learner = ActiveLearner(pipe, "margin", random_state=0)
    loaded = again(learner.fit(X, y) if fitted else learner, tmp_path)
    assert loaded.estimator[0].score_func is score


def test_a_file_tells_what_is_in_it(table, tmp_path):
    X, y = table
    learner = ActiveLearner(mlp(), DRE(), random_state=0).fit(X[:30], y[:30])
    learner.relabel([0], [1 - y[0]]).save(tmp_path / "a")
    about = skactive.inspect(tmp_path / "a")
    assert (about.kind, about.n_labels, about.data) == ("ActiveLearner", 30, "labels")
    assert about.classes == ["0", "1"]
    assert about.needs == ["tests.models.SmallMLP"]
    assert about.packages == ["safetensors"]
    assert about.history[1]["relabeled"] == 1
    assert about.seed == learner.seed_
    assert about.versions["skactive"] == skactive.__version__
    assert "DRE()" in repr(about)
    assert all(name.split("/")[0] in {"arrays", "weights", "optimizer"} for name in about.members)
    assert f" kB in {len(about.members)} parts" in repr(about)


def test_the_size_of_a_small_file_is_not_shown_as_none(tmp_path):
    save(GaussianNB(), tmp_path / "unfitted")
    assert " MB" not in repr(skactive.inspect(tmp_path / "unfitted"))
    save(GaussianNB().fit([[0.0], [1.0]], [0, 1]), tmp_path / "fitted")
    assert re.search(r"\| [1-9].* kB in 1 part \|", repr(skactive.inspect(tmp_path / "fitted")))


def test_other_programs_can_read_the_parts(table, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    X, y = table
    learner = ActiveLearner(mlp(), DRE(), random_state=0).fit(X[:30], y[:30])
    learner.save(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a") as archive:
        assert archive.testzip() is None
        with archive.open("arrays/labeled__X.npy") as file:
            assert_array_equal(np.load(file), X[:30])
        stored = safetensors.load(archive.read("weights/estimator__module.safetensors"))
        assert json.loads(archive.read("manifest.json"))["format"] == 1
    assert_array_equal(stored["0.weight"], learner.estimator_.module_[0].weight.detach().numpy())


def test_a_file_is_replaced_whole_or_not_at_all(table, tmp_path):
    X, y = table
    learner = ActiveLearner(LogisticRegression(), "random", random_state=0).fit(X[:30], y[:30])
    learner.save(tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    learner.set_params(query_strategy=lambda *args: [0])
    with pytest.raises(UnsavableError, match="query_strategy is a lambda"):
        learner.save(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    with pytest.raises(FileNotFoundError, match="no folder"):
        learner.save(tmp_path / "nowhere" / "a")
    with pytest.raises(IsADirectoryError, match=r"is a folder\. Name a file in it"):
        learner.save(tmp_path)


def test_a_newer_format_is_refused_with_both_versions(table, tmp_path, monkeypatch):
    from skactive.persistence import _files

    monkeypatch.setattr(_files, "FORMAT", 2)
    save([1, 2], tmp_path / "a")
    monkeypatch.setattr(_files, "FORMAT", 1)
    match = rf"format 2, written by skactive {skactive.__version__}.*reads formats up to 1"
    for read in (skactive.load, skactive.inspect):
        with pytest.raises(NewerFormatError, match=match):
            read(tmp_path / "a")


@pytest.mark.parametrize("library", ["skops", "safetensors"])
def test_who_lacks_a_library_is_told_the_extra(table, tmp_path, library, monkeypatch):
    X, y = table
    estimator = LogisticRegression() if library == "skops" else mlp()
    learner = ActiveLearner(estimator, "random").fit(X[:30], y[:30])
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(ImportError, match=rf'{library}: pip install "skactive\[files\]"'):
        learner.save(tmp_path / "a")
    ActiveLearner(estimator, "random").save(tmp_path / "a")  # no weights, no need
    assert skactive.load(tmp_path / "a", modules=OWN).query_strategy == "random"


def test_a_large_set_takes_little_memory_beyond_it(tmp_path):
    """The small form of benchmarks/bench_saving.py: what Python and NumPy allocate."""
    X = np.random.default_rng(0).random((1 << 13, 1 << 10), dtype=np.float32)  # 32 MB
    learner = ActiveLearner(LogisticRegression(), "random", random_state=0)
    learner.fit(X[:10], np.arange(10) % 2)
    learner.labeled_ = dataclasses.replace(learner.labeled_, X=X, y=np.arange(len(X)) % 2)
    learner.save(tmp_path / "a")
    tracemalloc.start()
    learner.save(tmp_path / "a")
    saving = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    loaded = skactive.load(tmp_path / "a")
    loading = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert saving < 16 << 20
    assert loading < X.nbytes + (16 << 20)
    assert_array_equal(loaded.X_labeled_, X)


# -- what layers hold beside their parameters ----------------------------------------------------


class Projected(torch.nn.Module):
    """Forgot to register its projection, and keeps a mean of what it saw."""

    def __init__(self, sparse=False):
        super().__init__()
        self.projection = torch.randn(4, 8)
        self.scales = {"in": [np.random.default_rng().random(4).astype("f4")]}
        self.graph = torch.eye(4).to_sparse() if sparse else None
        self.mean = torch.zeros(4)
        self.seen = torch.Size([])
        self.register_buffer("shift", torch.zeros(8))
        self.alias = self.shift
        self.last = torch.nn.Linear(8, 2)

    def forward(self, X):
        X = X.flatten(1)
        if self.training:
            self.mean = 0.9 * self.mean + X.detach().mean(dim=0)
            self.seen = X.shape
            self.shift += 0.01
        X = (X - self.mean) * torch.from_numpy(self.scales["in"][0])
        return self.last(X @ self.projection + self.alias)


class InAList(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [torch.nn.Linear(4, 4)]
        self.last = torch.nn.Linear(4, 2)

    def forward(self, X):
        return self.last(self.layers[0](X.flatten(1)))


@pytest.mark.parametrize("module", [Projected, Projected(), functools.partial(Projected, True)])
def test_tensors_that_no_layer_registered_come_back(module, table, tmp_path):
    net = mlp(module, attack=None).fit(*table)
    loaded = again(net, tmp_path, modules={"Projected": Projected})
    assert_array_equal(net.predict_proba(table[0]), loaded.predict_proba(table[0]))
    assert loaded.module_.seen == net.module_.seen != torch.Size([])
    net.partial_fit(*table), loaded.partial_fit(*table)
    assert_array_equal(net.predict_proba(table[0]), loaded.predict_proba(table[0]))
    assert loaded.module_.alias is loaded.module_.shift


def test_layers_that_torch_does_not_know_of_are_not_lost_in_silence(table, tmp_path):
    net = mlp(InAList, attack=None).fit(*table)
    with pytest.raises(UnsavableError, match=r"layers in layers .* nn\.ModuleList"):
        save(net, tmp_path / "file.skactive")


class Frozen(torch.nn.Module):
    """A layer of fixed weights, which is kept from the optimiser by hiding it."""

    def __init__(self):
        super().__init__()
        fixed = torch.nn.Linear(4, 4)
        torch.nn.init.eye_(fixed.weight), torch.nn.init.zeros_(fixed.bias)
        self.hidden = {"fixed": fixed}
        self.last = torch.nn.Linear(4, 2)

    def forward(self, X):
        return self.last(self.hidden["fixed"](X.flatten(1)))


def test_layers_that_are_the_same_whenever_made_need_no_file(table, tmp_path):
    net = mlp(Frozen, attack=None).fit(*table)
    loaded = again(net, tmp_path, modules={"Frozen": Frozen})
    assert_array_equal(net.predict_proba(table[0]), loaded.predict_proba(table[0]))


@pytest.mark.parametrize("attributes", [{"p": len}, {"p": [print]}, {"forward": 0.5}])
def test_files_give_layers_nothing_but_data(attributes):
    decoder = types.SimpleNamespace(decode=lambda value: value)
    with pytest.raises(ValueError, match=f"is given {next(iter(attributes))}, which no layer"):
        restore_attributes({"0": torch.nn.Dropout()}, {"0": attributes}, decoder)


def test_saving_to_a_link_writes_what_it_leads_to(tmp_path):
    (tmp_path / "deep").mkdir()
    real, link = tmp_path / "deep" / "real.skactive", tmp_path / "link.skactive"
    save({"a": 1}, real)
    link.symlink_to(real)
    save({"a": 2}, link)
    assert link.is_symlink()
    assert skactive.load(real) == skactive.load(link) == {"a": 2}
