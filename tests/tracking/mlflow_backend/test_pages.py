"""Searches in several pages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ablate.errors import StoreError
from ablate.tracking.mlflow_backend.pages import pages


def test_pages_follow_their_tokens() -> None:
    successors = {None: "b", "b": "c", "c": ""}
    assert [page.token for page in pages(lambda token: SimpleNamespace(token=successors[token]))] == ["b", "c", ""]


@pytest.mark.parametrize("successors", [{None: "b", "b": "b"}, {None: "b", "b": "c", "c": "b"}])
def test_pages_that_a_server_repeats_are_an_error(successors: dict[str | None, str]) -> None:
    with pytest.raises(StoreError, match="repeats a page"):
        list(pages(lambda token: SimpleNamespace(token=successors[token])))
