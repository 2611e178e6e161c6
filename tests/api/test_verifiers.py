"""Verifiers: whom they admit, and for how long."""

from __future__ import annotations

import uuid

import pytest

from api.verifiers import LEEWAY_SECONDS, LIFETIME_SECONDS, SignedFile, Verifiers

FILE = uuid.UUID("00000000-0000-4000-8000-000000000007")


def test_a_verifier_names_its_file() -> None:
    verifiers = Verifiers("secret")
    assert verifiers.read(verifiers.issue(7, FILE)) == SignedFile("7", FILE)


def test_each_is_a_fresh_one() -> None:
    verifiers = Verifiers("secret", clock=lambda: 1000.0)
    assert verifiers.issue(7, FILE) != verifiers.issue(7, FILE)


@pytest.mark.parametrize(
    ("age", "is_good"), [(0, True), (LIFETIME_SECONDS, True), (LIFETIME_SECONDS + 1, False)]
)
def test_it_lives_for_an_hour(age: int, *, is_good: bool) -> None:
    verifier = Verifiers("secret", clock=lambda: 1000.0).issue(7, FILE)
    assert (Verifiers("secret", clock=lambda: 1000.0 + age).read(verifier) is not None) is is_good


@pytest.mark.parametrize(
    ("seconds_ahead", "is_good"),
    [(0.2, True), (2, True), (LEEWAY_SECONDS, True), (LEEWAY_SECONDS + 1, False)],
)
def test_the_clocks_of_two_processes_may_differ_by_a_minute(seconds_ahead: float, *, is_good: bool) -> None:
    verifier = Verifiers("secret", clock=lambda: 1000.9 + seconds_ahead).issue(7, FILE)
    assert (Verifiers("secret", clock=lambda: 1000.9).read(verifier) is not None) is is_good


def test_another_secret_signs_nothing() -> None:
    assert Verifiers("secret").read(Verifiers("other").issue(7, FILE)) is None


def test_no_character_can_be_changed() -> None:
    verifiers = Verifiers("secret")
    verifier = verifiers.issue(7, FILE)
    # The last character of a signature carries bits that do not count.
    for path in range(len(verifier) - 1):
        changed = verifier[:path] + ("A" if verifier[path] != "A" else "B") + verifier[path + 1 :]
        assert verifiers.read(changed) is None


@pytest.mark.parametrize("nonsense", ["", ".", "..", "7", "ü", "\ud800", "\0", "a" * 100_000])
def test_nonsense(nonsense: str) -> None:
    assert Verifiers("secret").read(nonsense) is None


def test_it_needs_no_escaping_in_a_url() -> None:
    assert Verifiers("secret").issue(7, FILE).replace("-", "").replace("_", "").replace(".", "").isalnum()
