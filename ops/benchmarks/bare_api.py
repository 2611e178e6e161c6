"""A bare Flask route with one ORM SELECT by primary key, on the service's own server: a reference."""

from __future__ import annotations

from functools import cache

from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import api.app
from models.quizzes import Quiz
from models.settings import Settings
from ops.processes import api_command


def create_bare_app(settings: Settings) -> Flask:
    """Make an application of one route, `/quizzes/<id>`."""
    app = Flask(__name__, static_folder=None)

    @cache
    def engine() -> Engine:
        return create_engine(
            settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1), pool_size=8
        )

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "bare"}

    @app.get("/quizzes/<int:quiz_id>")
    def show(quiz_id: int) -> dict[str, object]:
        with Session(engine()) as session:
            quiz = session.get_one(Quiz, quiz_id)
            return {"id": quiz.id, "title": quiz.title}

    return app


if __name__ == "__main__":
    # The command makes its application by this name: so the server and its settings are the same.
    api.app.create_app = create_bare_app
    api_command()
