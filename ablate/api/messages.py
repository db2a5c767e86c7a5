"""Messages of a call from Python: logged as `ablate`, never printed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ablate import console
from ablate.api.surroundings import surroundings_kept

LOGGER = logging.getLogger("ablate")
"""The logger of messages and warnings. Without handlers of the user, they are not shown."""

LOGGER.addHandler(logging.NullHandler())
_LEVELS: dict[console.MessageKind, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def log(kind: console.MessageKind, text: str) -> None:
    """Log a message."""
    LOGGER.log(_LEVELS[kind], text)


@contextmanager
def logged_messages() -> Iterator[None]:
    """Log the messages in the block that a command would print."""
    with surroundings_kept(), console.messages_to(log):
        yield
