"""A reference: a bare Flask route with one ORM SELECT by primary key, on the server of the service."""

from __future__ import annotations

import sys
from functools import cache

from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from models.lms.quizzes import Quiz
from models.settings import Settings
from ops.serve.api import serve


def create_bare_app() -> Flask:
    """Create an application with the route `/quizzes/<id>`, from the environment."""
    settings = Settings.from_env()
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
    serve(
        *("127.0.0.1", int(sys.argv[-1])),
        *("--workers", "2", "--threads", "16", "ops.benchmarks.bare_api:create_bare_app()"),
    )
