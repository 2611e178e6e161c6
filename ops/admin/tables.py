"""All tables of the service, for comparing them with those of a database."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData

import models
import models.db.migrations
from models.db.base import Base


def all_tables() -> MetaData:
    """Import every module of `models`, so that every table is known, and return the tables."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        # Alembic runs the modules of this package, with a context of its own.
        if not module.name.startswith(models.db.migrations.__name__):
            importlib.import_module(module.name)
    return Base.metadata
