"""Tries README's commands in clones of HEAD, as newcomers do: `make fresh`, or some of them with `ways="…"`.

Each way makes its own situation in a temporary folder, runs `make install` and `make run` until the sample's
reports are made, stops it as Ctrl-C does, and looks for what is left. As many are tried at a time as there
are processors, which lengthens their seconds. With FRESH_TESTS=1 each runs `make test` too, one at a time.
FRESH_ROOT names a folder with another system's files (as debootstrap makes) that `container` enters. Root
tries each way as its user; another user tries all ways as itself, without those that need root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
IS_ROOT = os.geteuid() == 0
# Two runs at a time have two guests.
GUEST = f"quiz-reports-{os.getpid()}"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
WITH_TESTS = "FRESH_TESTS" in os.environ
LIMIT_SECONDS = 5400.0 if WITH_TESTS else 900.0
# pip and the start of a service keep one processor busy, `make test` all of them.
AT_ONCE = 1 if WITH_TESTS else os.cpu_count() or 1
# What a container leaves to its root, and no more.
CAPABILITIES = (
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot"
)
# Of our own environment a newcomer has neither the settings nor what make tells its children.
NOT_A_NEWCOMERS = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PUBLIC_URL", "SECRET_KEY", "VIRTUAL_ENV")


class NotToBeHadError(Exception):
    """The situation cannot be made here; the message says why."""


class FailedError(Exception):
    """A command did not do what README says; the message says which, and its last words."""


@dataclass(frozen=True)
class Way:
    """One situation: whose clone lies where, and what the environment is like."""

    name: str
    title: str
    folder: str = "quiz-reports"
    guest: bool = False
    needs_root: bool = False
    umask: int = 0o022
    environ: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    python: str = ""
    container: bool = False
    neighbour: bool = False


WAYS = [
    Way("root-home", "root, below a private home", "home/quiz-reports", needs_root=True),
    Way(
        "root-tmpdir",
        "root, TMPDIR in the private home too",
        "home/quiz-reports",
        needs_root=True,
        environ={"TMPDIR": "{home}/my tmp"},
    ),
    Way("container", "root, in a container", needs_root=True, container=True),
    Way(
        "umask", "a user, umask 077, blanks and é", "home/été à la mer/quiz reports", guest=True, umask=0o077
    ),
    Way("no-home", "a user without HOME and LANG", guest=True, unset=("HOME", "LANG", "LC_ALL")),
    Way("ascii", "a user with an ASCII terminal, é", "é", guest=True, environ={"PYTHONIOENCODING": "ascii"}),
    Way("tmpdir", "a user with TMPDIR elsewhere", guest=True, environ={"TMPDIR": "{home}/my tmp"}),
    Way("neighbour", "beside another user's stack", guest=True, needs_root=True, neighbour=True),
    *(Way(f"python{version}", f"Python {version}", python=version) for version in PYTHONS),
]


@dataclass
class Row:
    """What was seen of one way: seconds by step, and how it ended."""

    way: Way
    install: float | None = None
    ready: float | None = None
    reports: float | None = None
    tests: float | None = None
    postgres: str = ""
    verdict: str = ""
    failed: bool = False

    def __str__(self) -> str:
        seconds = (self.install, self.ready, self.reports, self.tests)
        cells = ["" if number is None else f"{number:.1f}" for number in seconds]
        return f"| {' | '.join([self.way.title, *cells, self.postgres, self.verdict])} |"


HEADER = """\
| situation | install, s | to ready, s | to the reports, s | make test, s | PostgreSQL's user | result |
|---|---|---|---|---|---|---|"""


class Clone:
    """A clone of HEAD for one way, and the commands that are run in it."""

    def __init__(self, way: Way, base: Path, root: Path | None) -> None:
        self.way = way
        self.root = root
        self.home = base / "home"
        self.folder = base / way.folder
        self.user = GUEST if way.guest and IS_ROOT else None
        self.home.mkdir(mode=0o700)
        (self.home / "my tmp").mkdir()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        clone = ["git", "clone", "--quiet", "--no-local", str(REPOSITORY), str(self.folder)]
        subprocess.run(clone, check=True, umask=way.umask)
        if self.user:
            subprocess.run(["chown", "--recursive", f"{self.user}:", str(base)], check=True)

    @property
    def _environ(self) -> dict[str, str]:
        kept = {
            name: text
            for name, text in os.environ.items()
            if name.removesuffix("_FILE") not in NOT_A_NEWCOMERS
            and not name.startswith(("MAKE", "MFLAGS", "FRESH_", "QUIZ_", "PYTHON"))
        }
        home = str(self._inside(self.home))
        if self.user or self.way.container:
            kept["PATH"] = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        if self.user:
            kept |= {"USER": self.user, "LOGNAME": self.user}
        kept |= {"HOME": home} | {name: text.format(home=home) for name, text in self.way.environ.items()}
        return {name: text for name, text in kept.items() if name not in self.way.unset}

    def _inside(self, path: Path) -> Path:
        return Path("/", path.relative_to(self.root)) if self.root else path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start make with these arguments, in a process group of its own, as a terminal does."""
        command = ["make", *arguments]
        if self.way.container:
            command = self._contained(command)
        if self.way.python:
            command.append(f"PYTHON={python(self.way.python)}")
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environ,
            umask=self.way.umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
        )

    def _contained(self, command: list[str]) -> list[str]:
        kept = ",".join(["-all", *(f"+{name}" for name in CAPABILITIES.split())])
        inside = (
            "mkdir -p /dev/shm && mount -t tmpfs -o size=64m shm /dev/shm && "
            f'exec setpriv --inh-caps=-all --bounding-set={kept} -- "$@"'
        )
        line = ["unshare", "--mount", "--pid", "--fork", "--ipc", "--mount-proc"]
        line += [f"--root={self.root or '/'}", f"--wd={self._inside(self.folder)}"]
        return [*line, "sh", "-c", inside, "sh", *command]

    def make(self, *arguments: str) -> float:
        """Run make to its end; return the seconds that it took."""
        begun = time.monotonic()
        process = self.start(*arguments)
        said = ""
        with ended_after(process, LIMIT_SECONDS):
            said, _ = process.communicate()
        if process.returncode != 0:
            raise FailedError(f"make {' '.join(arguments)}: {last_words(said)}")
        return time.monotonic() - begun

    @contextmanager
    def running(self, row: Row) -> Iterator[None]:
        """Run the service with its sample, and stop it in the end as Ctrl-C does."""
        begun = time.monotonic()
        process = self.start("run", "port=0")
        assert process.stdout is not None
        said = []
        with ended_after(process, LIMIT_SECONDS):
            try:
                for line in process.stdout:
                    said.append(line)
                    if line.startswith("ready: "):
                        row.ready = time.monotonic() - begun
                    if "Ctrl-C stops the service" in line:
                        row.reports = time.monotonic() - begun
                        break
                else:
                    raise FailedError(f"make run: {last_words(''.join(said))}")
                row.postgres = self.postgres_user()
                yield
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGINT)
                end, _ = process.communicate()
        if "stopped\n" not in end or self.processes():
            raise FailedError(f"after Ctrl-C: {last_words(end)}; still running: {self.processes()}")
        if (self.folder / ".quiz-reports" / "postgres" / "programs").is_symlink():
            raise FailedError("after Ctrl-C: a copy of PostgreSQL's programs is left")

    def processes(self) -> list[psutil.Process]:
        """Find all processes that stand in the clone."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if Path(process.cwd()).is_relative_to(self.folder):
                    found.append(process)
        return found

    def postgres_user(self) -> str:
        """Name the user of the embedded PostgreSQL; it must have no capability."""
        users = set()
        for process in self.processes():
            # A backend ends with its connection, maybe while it is looked at.
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                if process.name() != "postgres":
                    continue
                users.add(process.username())
                # Only Linux has this file.
                status = Path(f"/proc/{process.pid}/status").read_text()
                if "CapEff:\t0000000000000000" not in status:
                    raise FailedError("PostgreSQL has capabilities")
        if not users or "root" in users:
            raise FailedError(f"PostgreSQL runs as {users}")
        return ", ".join(users)


@contextmanager
def ended_after(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """Kill the process's group if it takes longer: what waits for its output goes on then."""
    timer = Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def last_words(said: str) -> str:
    return " / ".join(said.strip().splitlines()[-4:]).replace("|", "¦")


def python(version: str) -> str:
    """Find an interpreter of this version: on the path, or where pyenv keeps them."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(kept.glob(f"{version}.*/bin/python{version}"))]
    for candidate in filter(None, candidates):
        # A shim of pyenv stands for versions that are not there, too.
        trial = subprocess.run([str(candidate), "-m", "venv", "-h"], capture_output=True, check=False)
        if trial.returncode == 0:
            return str(candidate)
    raise NotToBeHadError(f"there is no python{version} here")


@contextmanager
def guest() -> Iterator[None]:
    """Make the user that ways of other users run as, and remove it again."""
    if not IS_ROOT or shutil.which("useradd") is None:
        yield
        return
    subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", GUEST], check=True)
    try:
        yield
    finally:
        subprocess.run(["userdel", GUEST], check=True)


def _is_user(name: str) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


@contextmanager
def base_folder(root: Path | None = None) -> Iterator[Path]:
    """Make a folder that everybody may enter, and remove it with all that is in it."""
    base = Path(tempfile.mkdtemp(prefix="quiz-reports-fresh-", dir=root and root / "tmp"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base)


def attempt(way: Way, row: Row) -> None:
    """Make the situation and run the commands in it; fill in the row."""
    if way.needs_root and not IS_ROOT:
        raise NotToBeHadError("it needs root")
    if way.guest and IS_ROOT and not _is_user(GUEST):
        raise NotToBeHadError("there is no useradd to make another user with")
    if way.python:
        python(way.python)
    root = Path(os.environ["FRESH_ROOT"]) if way.container and "FRESH_ROOT" in os.environ else None
    with base_folder(root) as base:
        clone = Clone(way, base, root)
        row.install = clone.make("install")
        if way.neighbour:
            with base_folder() as other:
                first = Clone(Way("first", "the neighbour"), other, None)
                first.make("install")
                with first.running(Row(way)), clone.running(row):
                    pass
        else:
            with clone.running(row):
                pass
        if WITH_TESTS:
            row.tests = clone.make("test")


def tried(way: Way) -> Row:
    """Attempt a way; return its row, with the verdict."""
    row = Row(way, verdict="passed")
    try:
        attempt(way, row)
    except NotToBeHadError as reason:
        row.verdict = f"could not be had: {reason}"
    except (FailedError, OSError, subprocess.SubprocessError) as error:
        # What goes wrong with one situation leaves the rows of the others.
        row.failed, row.verdict = True, f"FAILED: {error}"
    return row


def main(names: list[str]) -> int:
    """Try the ways of these names, or all; print the table; return 1 if one failed."""
    if unknown := set(names) - {way.name for way in WAYS}:
        sys.exit(f"there are no such ways: {', '.join(unknown)}; there are {', '.join(w.name for w in WAYS)}")
    chosen = [way for way in WAYS if not names or way.name in names]
    rows = []
    print(HEADER, flush=True)  # noqa: T201
    with guest(), ThreadPoolExecutor(AT_ONCE) as pool:
        for row in pool.map(tried, chosen):
            print(row, flush=True)  # noqa: T201
            rows.append(row)
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
