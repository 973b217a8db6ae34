"""A session's store in PostgreSQL does what the one in SQLite does, and outlives its server."""

import threading

import pytest

from skactive.labeling import OracleAnnotator, StoreBusyError, StoreError, StoreVersionError
from tests import postgres
from tests.labeling_helpers import Clock, X, Y, answer, picks, session, weights

pytestmark = pytest.mark.skipif(bool(postgres.why_not()), reason=postgres.why_not() or "it runs")


@pytest.fixture(scope="module")
def server():
    with postgres.running() as started:
        yield started


@pytest.fixture
def url(server, request):
    """A store of one's own: a schema."""
    import sqlalchemy

    name = f"s{abs(hash(request.node.name))}"
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    return f"{server.url}?options=-csearch_path%3D{name}"


def test_it_picks_and_learns_what_sqlite_does(url, tmp_path):
    stores = url, tmp_path / "labels.db"
    one, other = (session(store, batch=10, retrain_every=10) for store in stores)
    for labeling in (one, other):
        done = answer(labeling, "ada", 25)
        labeling.undo("ada")
        labeling.relabel(done[3].id, 9, "ada")
        labeling.skip(labeling.claim("ada")[0].id, "ada", "it's 'odd'")
        labeling.teach()
        labeling.verify()
    assert picks(one) == picks(other)
    assert (weights(one) == weights(other)).all()
    one.close()
    with session(url) as again:
        assert (weights(again) == weights(other)).all()


def test_annotators_on_two_connections_share_items(url):
    sessions = [session(url, pool=X[:30], overlap=2, batch=10, retrain_every=None) for _ in "ab"]
    threads = [
        threading.Thread(
            target=lambda i=i: OracleAnnotator(Y, name=f"a{i}").annotate(sessions[i % 2])
        )
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frame = sessions[0].to_frame()
    assert set(frame[frame.state == "labelled"].groupby("id").annotator.nunique()) == {2}
    sessions[0].verify()


def test_leases_and_roles(url):
    clock = Clock()
    one, other = (session(url, clock=clock, lease=100) for _ in range(2))
    (item,) = one.claim("ada")
    clock.wait(101)
    assert other.claim("bob")[0].id == item.id
    one.store.alone("server")
    with pytest.raises(StoreBusyError):
        other.store.alone("server")
    one.close()
    other.store.alone("server")
    other.close()


def test_events_and_newer_stores_are_left_alone(url):
    with session(url) as labeling:
        labeling.claim("ada")
        for statement in ("UPDATE skactive_events SET at = 0", "DELETE FROM skactive_events"):
            with pytest.raises(StoreError, match="never changed"), labeling.store.write() as c:
                c.exec_driver_sql(statement)
        with labeling.store.write() as connection:
            labeling.store.put_meta(connection, version=99)
    with pytest.raises(StoreVersionError, match="version 99"):
        session(url)


def test_a_server_that_was_killed_has_what_was_acknowledged(server, url):
    labeling = session(url)
    done = answer(labeling, "ada", 12)
    (held,) = labeling.claim("ada")
    server.kill()
    with pytest.raises(StoreError, match="cannot be read or written now"):
        labeling.label(held.id, 1, "ada")
    server.start()
    labeling.label(held.id, 1, "ada")
    assert len(labeling.consensus()) == len(done) + 1
    labeling.verify()
