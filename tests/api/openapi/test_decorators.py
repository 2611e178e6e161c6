"""A route carries its description, and stays the function that it was."""

from __future__ import annotations

from api.openapi.decorators import Operation, ResponseSpec, describe, operation_of


def test_a_route_keeps_what_it_declares() -> None:
    def view() -> str:
        return "shown"

    operation = Operation(responses={200: ResponseSpec("A thing.")})

    assert operation_of(view) is None
    assert describe(operation)(view) is view
    assert operation_of(view) is operation
    assert view() == "shown"
