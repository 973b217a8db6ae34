"""A session written down in a file: what it opens, and how it says what is wrong with it."""

import os
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from skactive.__main__ import main
from skactive.labeling import LabelingError
from skactive.labeling._pool import SessionPool
from skactive.labeling._pool_files import load_pool
from skactive.labeling._session_file import SessionFileError, flat_images, read_session
from skactive.labeling.page._rendering import make_rendering

pd = pytest.importorskip("pandas")
pytest.importorskip("starlette")

X, Y = load_digits(return_X_y=True)


def write(folder, text, pool=True):
    """A session file, with a small pool unless there is one."""
    if pool:
        np.save(folder / "pool.npy", X[:40])
        text = f'{text}\n[pool]\npath = "pool.npy"' if "[pool]" not in text else text
    path = folder / "session.toml"
    path.write_text(text, encoding="utf-8")
    return path


def label_some(session, y_of, n=12):
    """Labels from a person who knows, and a training on them."""
    for item in session.claim("ada", n):
        session.label(item.id, y_of(item), "ada")
    session.teach()
    return session.learner


def test_an_array_with_a_classifier_by_name(tmp_path):
    path = write(
        tmp_path,
        """
        classes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        batch = 15
        [pool]
        path = "pool.npy"
        [learner]
        estimator = "RandomForestClassifier"
        params = { n_estimators = 7, max_depth = "none" }
        strategy = "margin"
        [page]
        image_shape = [8, 8]
        port = 0
        """,
    )
    session, page = read_session(path)
    with session:
        assert session.batch == 15
        assert page == {"title": "session", "image_shape": [8, 8], "port": 0}
        learner = label_some(session, lambda item: int(Y[item.position]))
        assert learner.estimator_.n_estimators == 7
        assert learner.estimator_.max_depth is None
        assert type(learner.query_strategy).__name__ == "Margin"
    assert (tmp_path / "labels.db").exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_with_ids_texts_and_what_people_see(tmp_path, suffix):
    table = pd.DataFrame(
        {
            "nr": [f"r{i}" for i in range(30)],
            "text": [f"{'good' if i % 2 else 'bad'} film {i}" for i in range(30)],
            "year": range(30),
        }
    )
    if suffix == ".csv":
        table.to_csv(tmp_path / "films.csv", index=False)
    else:
        pytest.importorskip("pyarrow", reason="needs pyarrow")
        table.to_parquet(tmp_path / "films.parquet")
    path = write(
        tmp_path,
        f"""
        store = "films.db"
        classes = ["good", "bad"]
        [pool]
        path = "films{suffix}"
        ids = "nr"
        columns = "text"
        show = ["text", "year"]
        [learner]
        estimator = ["TfidfVectorizer", "LogisticRegression"]
        params = {{ logisticregression__C = 10.0 }}
        """,
        pool=False,
    )
    session, page = read_session(path)
    with session:
        (item,) = session.claim("ada", 1)
        assert item.id == f"r{item.position}"
        learner = label_some(session, lambda item: "good" if item.position % 2 else "bad")
        assert learner.estimator_.steps[-1][1].C == 10
        assert learner.predict(["good film"]) == ["good"]
        with session.serve(block=False, **{**page, "port": 0}) as server:
            shown = server.app.service.rendering
            assert shown.kind == "table"
            assert shown.content(3)["rows"] == [["text", "good film 3"], ["year", "3"]]


@pytest.mark.parametrize("words", [["NA", "null", "", "good"], ["007", "1.50", "1e5", "true"]])
def test_texts_stay_as_they_are_written(tmp_path, words):
    lines = [f"{i},{word},{i}" for i, word in enumerate(words)]
    (tmp_path / "t.csv").write_text("\n".join(["nr,text,year", *lines]))
    loaded = load_pool(tmp_path / "t.csv", columns="text", show="text")
    assert loaded.X.tolist() == loaded.show.tolist() == words
    shown = make_rendering(SessionPool(loaded.X))
    assert [shown.content(i)["text"] for i in range(4)] == words


def test_texts_that_are_all_of_a_table_stay_as_they_are_written(tmp_path):
    (tmp_path / "t.csv").write_text("nr,text\n1,NA\n2,None\n3,good\n")
    for columns in (None, ["text"]):
        loaded = load_pool(tmp_path / "t.csv", ids="nr", columns=columns)
        assert loaded.X["text"].tolist() == ["NA", "None", "good"]
    assert load_pool(tmp_path / "t.csv", ids="text", columns=["nr"]).X["nr"].tolist() == [1, 2, 3]


def test_what_people_see_of_a_table_stays_as_it_is_written(tmp_path):
    (tmp_path / "t.csv").write_text("code,year,size\nNA,2001,1.5\nDE,2002,\n,2003,3\n")
    loaded = load_pool(tmp_path / "t.csv", columns=["size"], show=["code", "year", "size"])
    shown = make_rendering(SessionPool(loaded.show))
    rows = [[value for _, value in shown.content(i)["rows"]] for i in range(3)]
    assert rows == [["NA", "2001", "1.5"], ["DE", "2002", None], [None, "2003", "3"]]
    assert loaded.X["size"].dtype == float


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        (["001", "002", "0010"], ["001", "002", "0010"]),
        (["1", "2", "10"], [1, 2, 10]),
        (["-1", "2", "1790000000000000001"], [-1, 2, 1790000000000000001]),
        (["1", "2", "18446744073709551615"], [1, 2, 18446744073709551615]),
        (["1", "2", "3.0"], ["1", "2", "3.0"]),
        (["1", "2", "1e1"], ["1", "2", "1e1"]),
        (["NA", "DE", "FR"], ["NA", "DE", "FR"]),
        (["True", "False", "None"], ["True", "False", "None"]),
    ],
)
def test_ids_stay_as_they_are_written(tmp_path, written, ids):
    lines = [f"{id},{i}" for i, id in enumerate(written)]
    (tmp_path / "t.csv").write_text("\n".join(["nr,size", *lines]))
    loaded = load_pool(tmp_path / "t.csv", ids="nr")
    assert loaded.ids.tolist() == ids
    assert loaded.X.columns.tolist() == ["size"]
    pool = SessionPool(loaded.X, loaded.ids)
    assert [pool.position_of(text) for text in written] == [0, 1, 2]
    assert [pool.shown(text) for text in pool.texts([0, 1, 2], [])] == ids


def test_an_id_that_is_missing_is_told_with_its_row(tmp_path):
    (tmp_path / "t.csv").write_text("nr,size\na,1\n,2\nc,3\n")
    with pytest.raises(LabelingError, match=r"t.csv has no id in row 2 \(column 'nr'\)"):
        load_pool(tmp_path / "t.csv", ids="nr")


@pytest.mark.parametrize("show", ["text", ["text"]])
def test_one_column_is_shown_by_its_name(tmp_path, show):
    pd.DataFrame({"size": [1, 2], "text": ["one", "two"]}).to_csv(tmp_path / "t.csv", index=False)
    loaded = load_pool(tmp_path / "t.csv", columns=["size"], show=show)
    assert make_rendering(SessionPool(loaded.show)).content(1) == {"text": "two"}


def test_a_folder_of_images_shows_the_files(tmp_path):
    for i in range(20):
        folder = tmp_path / "photos" / ("a" if i % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10 + i, 12), (255 * (i % 2), i, 0)).save(folder / f"{i:02}.png")
    path = write(
        tmp_path,
        """
        classes = ["red", "black"]
        [pool]
        path = "photos"
        image_size = [6, 5]
        """,
        pool=False,
    )
    session, page = read_session(path)
    with session:
        assert session.pool.shape == (20, 3, 6, 5)
        assert session.pool.dtype == np.uint8
        learner = label_some(session, lambda item: "red" if item.id.startswith("a/") else "black")
        assert learner.predict(session.pool).tolist() == ["red"] * 10 + ["black"] * 10
        assert page["show"][0].endswith("photos/a/01.png")
        with session.serve(block=False, **{**page, "port": 0}) as server:
            data, _ = server.app.service.rendering.data(0)
            assert data == (tmp_path / "photos" / "a" / "01.png").read_bytes()


@pytest.mark.parametrize(("suffix", "dtype"), [("png", "u2"), ("tif", "u2"), ("tif", "f4")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_images_of_more_than_bytes_are_refused(tmp_path, suffix, dtype, mode):
    Image.fromarray(np.full((4, 4), 4000, dtype)).save(tmp_path / f"deep.{suffix}")
    with pytest.raises(LabelingError, match=rf"deep.{suffix} has pixels of mode.*8-bit"):
        load_pool(tmp_path, mode=mode)


def test_images_for_a_net(tmp_path):
    np.save(tmp_path / "pool.npy", (X[:40].reshape(-1, 1, 8, 8) / 16).astype(np.float32))
    path = write(
        tmp_path,
        """
        classes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        [pool]
        path = "pool.npy"
        [learner]
        estimator = "AdversarialNetClassifier"
        params = { module = "lenet5", attack = "none", max_epochs = 1, verbose = 0 }
        """,
        pool=False,
    )
    session, _ = read_session(path)
    with session:
        assert session.learner.estimator.module.__name__ == "LeNet5"
        assert session.learner.estimator.attack is None


def test_bytes_are_flattened_to_numbers_between_zero_and_one():
    flat = flat_images(np.full((2, 3, 2, 2), 255, np.uint8))
    assert flat.shape == (2, 12)
    assert flat.max() == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("classes = [0, 1", "is no valid TOML"),
        ("", "classes is missing"),
        ("clases = [0, 1]", "no key 'clases'. Did you mean 'classes'"),
        ("classes = [0, 1]\n[pool]\npth = 'pool.npy'", r"\[pool\]: There is no key 'pth'. Did you"),
        ("classes = [0, 1]\n[pool]\n", r"\[pool\]: path is missing"),
        ("classes = [0, 1]\n[pool]\npath = 'pol.npy'", "there is no .*pol.npy"),
        ("classes = [0, 1]\n[pool]\npath = 'session.toml'", "none of what can be read"),
        ("classes = [0, 1]\n[pool]\npath = 'pool.npy'\nids = 'x'", "takes no ids"),
        ("classes = [0, 1]\nlearner = 3", "learner must be a table"),
        ("classes = [0]", "at least two distinct"),
        ("classes = [0, 1]\nbatch = 0", "batch"),
        ("classes = [0, 1]\n[learner]\nestimator = 'LogisticRegresion'",
         r"\[learner\]: .*Did you mean 'LogisticRegression'"),
        ("classes = [0, 1]\n[learner]\nparams = { c = 1 }", r"\[learner\]: Invalid parameter 'c'"),
        ("classes = [0, 1]\n[learner]\nstrategy = 'entrpy'", "Did you mean 'entropy'"),
        ("classes = [0, 1]\n[learner]\nestimator = 'nowhere:thing'", "cannot be imported"),
        ("classes = [0, 1]\n[learner]\nestimator = []", "empty list"),
        ("classes = [0, 1]\n[page]\nrendr = 'image'", r"\[page\]: There is no key 'rendr'"),
        ("classes = [0, 1]\n[page]\nshow_confidence = 'yes'", r"\[page\]: .*show_confidence"),
        ("classes = [0, 1]\nstore = 3", "store must be a file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_file_and_key(tmp_path, text, words, capsys):
    path = write(tmp_path, text)
    with pytest.raises(SessionFileError, match=words) as raised:
        read_session(path)
    assert "session.toml" in str(raised.value)
    assert isinstance(raised.value, LabelingError)
    assert main(["label", str(path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["label", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_command_serves_until_ctrl_c(tmp_path):
    path = write(tmp_path, "classes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]")
    command = [sys.executable, "-u", "-m", "skactive", "label", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        line = process.stdout.readline()
        assert line.startswith("Label at http://127.0.0.1:")
        with urllib.request.urlopen(line.split()[-1]) as answer:
            assert b"sk-label" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
