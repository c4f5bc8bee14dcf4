"""Databases for the store's own tests, migrated once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.connection import make_engine
from service.store.migrate import migrate
from service.store.sql import SqlRunStore


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(migrated_database: Path, tmp_path: Path) -> Path:
    """A migrated SQLite file of the test's own."""
    path = tmp_path / "runs.db"
    shutil.copy(migrated_database, path)
    return path


@pytest.fixture
def store(database: Path) -> Iterator[SqlRunStore]:
    made = SqlRunStore(make_engine(f"sqlite:///{database}"))
    yield made
    made.close()
