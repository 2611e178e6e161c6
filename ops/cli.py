"""The command `quiz-reports`: its subcommands, each imported only when it is used."""

from __future__ import annotations

import importlib
import io
import sys
from typing import NoReturn

import click

from models.db.failures import connection_failure
from models.errors import InvalidSettingError, QuizReportsError

# The module and object of each subcommand, and its line in --help, which thus imports none of them.
_COMMANDS = {
    "up": ("ops.up:up_command", "Run everything on this machine, until Ctrl-C; start here."),
    "api": ("ops.serve.api:api_command", "Run the web process."),
    "worker": ("ops.serve.worker:worker_command", "Run a worker, which computes the reports."),
    "sweeper": ("ops.serve.sweeper:sweeper_command", "Run the sweeper, which publishes lost jobs again."),
    "migrate": (
        "ops.admin.commands:migrate_command",
        "Create the database's tables, or bring them up to date.",
    ),
    "token": ("ops.admin.commands:token_group", "Create, list and revoke access tokens."),
    "import": ("ops.client.commands:import_command", "Push course, quiz and submission files."),
    "rebuild": (
        "ops.admin.commands:rebuild_command",
        "Derive the texts of attempts again, after a change of their rules.",
    ),
    "page": ("ops.client.commands:page_command", "Print a link to the pages of a quiz."),
    "report": ("ops.client.commands:report_command", "Request a report, wait for it, save its file."),
    "backup": ("ops.admin.backup:backup_command", "Copy the database and the files into a folder."),
    "restore": ("ops.admin.backup:restore_command", "Restore such a copy into empty servers."),
    "files": ("ops.admin.files:files_group", "Compare the files of the reports with the store."),
    "doctor": ("ops.admin.doctor:doctor_command", "Check every part, and tell how to fix what fails."),
}


class _LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature.
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name != "psutil":
                raise
            raise click.ClickException(
                f"{cmd_name} needs a package that is not installed: pip install 'quiz-reports[embedded]'"
            ) from None
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="quiz-reports")
def cli() -> None:
    """Canvas-compatible quiz reports: student_analysis and item_analysis.

    To try it, run `quiz-reports up --sample`: it starts the whole service on this machine and generates the
    reports of a sample course. In production, run `migrate` once, then `api`, `worker` and `sweeper`, as many
    of each as needed. Each command has its own --help. Settings come from the environment: ops/settings.md
    lists them.
    """


def main() -> NoReturn:
    """Run the command line: exit with 0 on success, 1 on failure, 2 on wrong usage; an error is one line."""
    for stream in (sys.stdout, sys.stderr):
        # A path or a name that the terminal's encoding cannot express must not end a service.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(prog_name="quiz-reports", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.message)
        sys.exit(0)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "quiz-reports"
        _fail(f"{error.format_message()} (see {command} --help)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped", 130)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has closed it.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if (line := _explained(error)) is None:
            raise
        _fail(line, 1)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"quiz-reports: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _explained(error: Exception) -> str | None:
    """Describe an error and its remedy in one line; None if it is unexpected and needs its traceback."""
    if isinstance(error, InvalidSettingError):
        return f"{error}: settings come from the environment, ops/settings.md lists them"
    if isinstance(error, QuizReportsError):
        return str(error)
    reason = str(getattr(error, "orig", None) or error).split("\n")[0]
    # By name, since importing these libraries for their errors would slow every command.
    match f"{type(error).__module__.split('.')[0]}.{type(error).__name__}":
        case "sqlalchemy.OperationalError" | "sqlalchemy.InterfaceError" | "psycopg.OperationalError":
            failure = connection_failure(error)
            return f"{failure.fault} ({reason}): {failure.remedy}"
        case "sqlalchemy.ProgrammingError" if "does not exist" in reason:
            return f"the database is not up to date: {reason}: run quiz-reports migrate"
        case "sqlalchemy.InternalError" if "read-only" in reason:
            return f"PostgreSQL takes no changes ({reason}): let DATABASE_URL name the primary"
        case "redis.ConnectionError" | "redis.TimeoutError" | "kombu.OperationalError":
            return f"the broker does not respond: {reason}: check REDIS_URL"
        case "redis.AuthenticationError":
            return f"the broker refuses the password: {reason}: check REDIS_URL"
    return str(error) if isinstance(error, OSError) else None


if __name__ == "__main__":
    main()
