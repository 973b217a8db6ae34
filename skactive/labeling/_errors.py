"""What can go wrong in a labelling session; nothing is changed then."""


class LabelingError(ValueError):
    """Something a session cannot do; its store is as it was before.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingError, LabelingSession
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> try:
    ...     LabelingSession(":memory:", [[0.0], [1.0]], learner=learner, classes=["cat", "cat"])
    ... except LabelingError as error:
    ...     print(error)
    classes must be at least two distinct labels, got ['cat', 'cat'].
    """


class UnknownItemError(LabelingError):
    """There is no item of that id in the pool.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, UnknownItemError
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> session = LabelingSession(
    ...     ":memory:", [[0.0], [1.0]], learner=learner, classes=["cat", "dog"], ids=["a", "b"])
    >>> try:
    ...     session.label("c", "cat", "ada")
    ... except UnknownItemError as error:
    ...     print(error)
    There is no item 'c' in this pool of 2; ids are like 'a'.
    """


class UnknownClassError(LabelingError):
    """A label that is none of the declared classes.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, UnknownClassError
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> session = LabelingSession(
    ...     ":memory:", [[0.0], [1.0]], learner=learner, classes=["cat", "dog"])
    >>> item = session.claim("ada")[0]
    >>> try:
    ...     session.label(item.id, "cta", "ada")
    ... except UnknownClassError as error:
    ...     print(str(error).partition(" There")[0])
    'cta' is none of the declared classes. Did you mean 'cat'?
    """


class AnnotatorError(LabelingError):
    """No name of an annotator, or none that may label here.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import AnnotatorError, LabelingSession
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> session = LabelingSession(
    ...     ":memory:", [[0.0], [1.0]], learner=learner, classes=["cat", "dog"], annotators=["ada"])
    >>> try:
    ...     session.claim("adda")
    ... except AnnotatorError as error:
    ...     print(str(error).partition(" There")[0])
    'adda' is no annotator of this session. Did you mean 'ada'?
    """


class NotClaimedError(LabelingError):
    """An item that this annotator was never given, or whose lease ran out to somebody else.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, NotClaimedError
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> session = LabelingSession(
    ...     ":memory:", [[0.0], [1.0]], learner=learner, classes=["cat", "dog"], ids=["a", "b"])
    >>> items = session.claim("ada", n=2)
    >>> try:
    ...     session.label("a", "cat", "bob")
    ... except NotClaimedError as error:
    ...     print(error)
    'bob' has not claimed item 'a'. Claim first.
    """


class ConflictError(LabelingError):
    """The item has another answer of this annotator already.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import ConflictError, LabelingSession
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> session = LabelingSession(
    ...     ":memory:", [[0.0], [1.0]], learner=learner, classes=["cat", "dog"], ids=["a", "b"])
    >>> items = session.claim("ada", n=2)
    >>> session.label("a", "cat", "ada")
    >>> try:
    ...     session.label("a", "dog", "ada")
    ... except ConflictError as error:
    ...     print(error)
    'ada' already labelled item 'a' 'cat'. Use relabel to change it, or undo.
    >>> session.relabel("a", "dog", "ada")
    >>> session.consensus()
    {'a': 'dog'}
    """


class PoolChangedError(LabelingError):
    """The pool, its ids or the session's settings are not those that the store was made with.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, PoolChangedError
    >>> store = pathlib.Path(tempfile.mkdtemp()) / "labels.db"
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> settings = {"learner": learner, "classes": ["cat", "dog"]}
    >>> LabelingSession(store, [[0.0], [1.0]], **settings).close()
    >>> try:
    ...     LabelingSession(store, [[0.0], [1.0], [2.0]], **settings)
    ... except PoolChangedError as error:
    ...     print(str(error).partition("; ")[2].partition(". ")[0])
    n_pool: 2 then, 3 now
    """


class StoreError(RuntimeError):
    """The store cannot be read or written.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, StoreError
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> try:
    ...     LabelingSession(
    ...         "mysql://localhost/labels", [[0.0], [1.0]], learner=learner, classes=["cat", "dog"])
    ... except StoreError as error:
    ...     print(str(error).partition(", got")[0])
    store must be a file, ':memory:' or a URL of PostgreSQL
    """


class StoreVersionError(StoreError):
    """The store was written by a newer version, or is none.

    Examples
    --------
    >>> import pathlib
    >>> import sqlite3
    >>> import tempfile
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, StoreVersionError
    >>> store = pathlib.Path(tempfile.mkdtemp()) / "shop.db"
    >>> database = sqlite3.connect(store)
    >>> _ = database.execute("CREATE TABLE prices (item, price)")
    >>> database.close()
    >>> learner = ActiveLearner(GaussianNB(), random_state=0)
    >>> try:
    ...     LabelingSession(store, [[0.0], [1.0]], learner=learner, classes=["cat", "dog"])
    ... except StoreVersionError as error:
    ...     print(str(error).partition(" is ")[2])
    a database of something else: it holds ['prices']. Name another file.
    """


class StoreBusyError(StoreError):
    """Another process holds what only one may have.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, StoreBusyError
    >>> store = pathlib.Path(tempfile.mkdtemp()) / "labels.db"
    >>> def opened():
    ...     learner = ActiveLearner(GaussianNB(), random_state=0)
    ...     return LabelingSession(store, [[0.0], [1.0]], learner=learner, classes=["cat", "dog"])
    >>> with opened() as first, opened() as second:  # several may label, one may serve the page
    ...     with first.serve(port=0, block=False):  # doctest: +ELLIPSIS
    ...         try:
    ...             second.serve(port=0, block=False)
    ...         except StoreBusyError as error:
    ...             print(str(error).partition(" of ")[0])
    Label at http://127.0.0.1:.../
    Another process already has the role
    """
