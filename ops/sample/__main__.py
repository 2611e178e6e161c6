"""`python -m ops.sample DIRECTORY`: write the sample course as files."""

from __future__ import annotations

from pathlib import Path

import click

from ops.sample.loading import write_sample


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def main(directory: Path) -> None:
    """Write the sample course into DIRECTORY, as files for `quiz-reports import`."""
    for path in write_sample(directory):
        click.echo(path)


if __name__ == "__main__":
    main(prog_name="python -m ops.sample")
