"""The pages of a search in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ablate.errors import StoreError


def pages(page_after: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield the pages of a search; `page_after` returns the page after a token, and the first one for None.

    Raises StoreError if a page is named as its own or an earlier one's successor.
    """
    token: str | None = None
    seen: set[str] = set()
    while True:
        page = page_after(token)
        yield page
        token = page.token
        if not token:
            return
        if token in seen:
            raise StoreError("The tracking server repeats a page without end. Check whether a proxy stores its answers")
        seen.add(token)
