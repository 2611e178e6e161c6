"""An application on the test's own servers, in a school with every kind of caller."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.app import create_app
from api.services import Services
from models.db.session import Database
from models.settings import Settings
from tests.factories import Api, add_school


@pytest.fixture
def api(settings: Settings, database: Database) -> Iterator[Api]:
    with database.transaction() as session:
        tokens = add_school(session)
    app = create_app(settings)
    yield Api(app, settings, database, tokens)
    Services.of(app).close()
