"""What a process checks before it starts: faults that do not pass, and that would stay unnoticed."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import click
import structlog

from models.broker import BrokerError, BrokerRefusesUserError, check_broker
from models.errors import StorageError
from models.settings import Settings
from models.storage import check_store

_log = structlog.stdlib.get_logger(__name__)


def require_broker_user(settings: Settings) -> None:
    """Raise BrokerRefusesUserError if the broker refuses the user or the password of REDIS_URL.

    A broker that is absent or full is only logged: it may come back, and reports are accepted without it.
    """
    try:
        check_broker(settings.redis_url)
    except BrokerRefusesUserError:
        raise
    except BrokerError as error:
        _log.warning("broker_cannot_be_used", reason=str(error))


def require_store(settings: Settings) -> None:
    """Raise ClickException if the store cannot be written, so that no job is taken and failed.

    The test runs in a process of its own: obstore's threads must not exist when Celery forks its children.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
        try:
            process.submit(check_store, settings).result()
        except StorageError as error:
            raise click.ClickException(
                f"{settings.storage_url} cannot be used ({error}): check STORAGE_URL, the AWS_* variables,"
                " and that this user may write to it"
            ) from None
