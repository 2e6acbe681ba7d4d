"""Opening a store: damaged, foreign, newer, locked and half-made databases, and what the caller is told."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine

from retrieval.records import EditKind, Horizon
from retrieval.store import BusyError, Store, StoreError
from retrieval.tables import upgrade

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("content", [b"this is not a database " * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_one_plain_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.db").write_bytes(content)
    with pytest.raises(StoreError) as caught:
        Store(f"sqlite:///{tmp_path / 'bad.db'}")
    assert "damaged" in caught.value.hint


def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for address in (
        "nonsense",
        "oracle://x/y",
        "mysql://x/y",
        f"sqlite:///{tmp_path}/file/x.db",
        f"sqlite:///{tmp_path}",
    ):
        with pytest.raises(StoreError) as caught:
            Store(address)
        assert caught.value.hint


def test_a_foreign_or_newer_database_is_left_alone(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'x.db'}"
    with Store(address):
        pass
    _execute(tmp_path / "x.db", "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer"):
        Store(address)
    _execute(tmp_path / "y.db", "CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program"):
        Store(f"sqlite:///{tmp_path / 'y.db'}")


def test_a_database_locked_by_another_process_is_a_store_error(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'x.db'}", busy_timeout_s=0.05) as waiting:
        other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="locked") as caught:
            waiting.set_meta("k", "v")
        assert "wait" in caught.value.hint
        other.close()
        waiting.set_meta("k", "v")


def test_a_migration_that_fails_leaves_nothing_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path / 'x.db'}"
    migrate = upgrade._migrate

    def cut_off(conn: Connection) -> None:
        migrate(conn)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(upgrade, "_migrate", cut_off)
        with pytest.raises(RuntimeError, match="power cut"):
            Store(address)
    assert _execute(tmp_path / "x.db", "SELECT name FROM sqlite_master") == []
    with Store(address) as store:
        assert store.users() == []


def test_a_store_of_the_first_schema_opens_and_keeps_its_marks(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    config = Config()
    config.set_main_option("script_location", str(upgrade.MIGRATIONS))
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        marks = [("u", "t2", "pinned", 7), ("u", "t1", "muted", 5), ("v", "t1", "muted", 6)]
        conn.exec_driver_sql("INSERT INTO theme_marks VALUES (?, ?, ?, ?)", marks)
    engine.dispose()
    with Store(f"sqlite:///{tmp_path / 'x.db'}") as store:
        found = [(e.number, e.kind, e.target, e.of_theme) for e in store.edits("u")]
        assert found == [(1, EditKind.MUTE, "t1", True), (2, EditKind.PIN, "t2", True)]
        assert [e.number for e in store.edits("v")] == [1]


def test_a_store_of_the_first_version_opens_with_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"sqlite:///{tmp_path / 'x.db'}"
    with monkeypatch.context() as patched:
        patched.setattr(upgrade, "HEAD", "0001")
        Store(address).close()
    _execute(tmp_path / "x.db", "INSERT INTO profiles VALUES ('u', 1, 0, 'Jazz.', 'model', 3)")
    _execute(
        tmp_path / "x.db",
        "INSERT INTO themes VALUES ('u', 1, 't', 0, 'Jazz', '', 'like', '[]', 's', x'', 1.0, 0.0, 'model', 1)",
    )
    _execute(tmp_path / "x.db", "INSERT INTO theme_events VALUES ('u', 1, 0, 't', 'born', 0, '[]', 'from 3 events')")
    with Store(address) as store:
        profile = store.profile("u")
        assert profile is not None
        assert [(t.label, t.horizon) for t in profile.themes] == [("Jazz", Horizon.LONG)]
        assert [(e.detail, e.causes) for e in store.theme_events("u")] == [("from 3 events", ())]
        assert store.theme_state("u") is None


def test_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from retrieval.store import Store\nwith Store(sys.argv[1]) as s: s.set_meta(sys.argv[2], 'done')"
    )
    address = f"sqlite:///{tmp_path / 'x.db'}"
    started = [subprocess.Popen([sys.executable, "-c", code, address, str(n)], cwd=ROOT) for n in range(3)]
    assert [child.wait(timeout=60) for child in started] == [0, 0, 0]
    with Store(address) as store:
        assert [store.get_meta(str(n)) for n in range(3)] == ["done"] * 3


def test_opening_an_up_to_date_database_does_not_import_alembic(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'x.db'}"
    with Store(address):
        pass
    code = (
        "import sys; from retrieval.store import Store; Store(sys.argv[1]).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, address], cwd=ROOT, check=False).returncode == 0


def _execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(statement).fetchall()
    connection.commit()
    connection.close()
    return rows
