"""A fixture that records what a figure draws."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.samples.figures import Drawn


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    record = Drawn()
    draw, savefig = Text.draw, Figure.savefig

    def recording_draw(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            box = Text.get_window_extent(self, renderer)  # of the text only; an annotation's box includes its line
            record.texts[id(self)] = (self.get_text(), box, float(self.get_fontsize()))
        draw(self, renderer)

    def recording_save(self: Figure, *args: Any, **kwargs: Any) -> None:
        record.saved, record.texts = self, {}
        savefig(self, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", recording_draw)
    monkeypatch.setattr(Figure, "savefig", recording_save)
    return record
