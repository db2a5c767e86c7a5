"""The MLflow schema is defined in one module and documented completely."""

from __future__ import annotations

import re
from pathlib import Path

from ablate.tracking.mlflow_backend import schema
from tests import ROOT
from tests.import_graph import PACKAGE

TAG = re.compile(r"\b(?:ablate|mlflow)\.[a-z][\w.]*")
DEFINED = set(re.findall(rf'"({TAG.pattern})"', Path(schema.__file__).read_text()))


def test_tags_are_documented() -> None:
    page = (ROOT / "docs" / "tracking.md").read_text()
    table = page.split("| tags | |")[1].split("\n\n")[0]
    documented = {name for row in table.splitlines() for name in re.findall(rf"`({TAG.pattern})`", row.split(" | ")[0])}
    of_the_store = {schema.DATASET_CONTEXT, schema.SHARED_VIEW, *schema.EXPERIMENT_TAGS}
    assert documented == DEFINED - of_the_store
    assert set(schema.STATUSES) <= set(re.findall(r"`(\w+)`", table))


def test_no_other_module_names_a_tag() -> None:
    others = [path for path in (PACKAGE / "tracking").rglob("*.py") if path != Path(schema.__file__)]
    assert len(others) > 10
    for path in others:
        assert not DEFINED & set(re.findall(rf"[\"'`]({TAG.pattern})[\"'`]", path.read_text())), path


def test_conditions_on_tags() -> None:
    assert schema.where_tag(schema.KIND, schema.RUN) == "tags.`ablate.kind` = 'run'"
