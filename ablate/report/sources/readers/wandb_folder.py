"""Read folders of W&B runs, as programs write them without or with a connection: `wandb/(offline-)run-TIME-ID`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.configuration_files import read_json, read_yaml
from ablate.report.sources.readers.event_file import CorruptError
from ablate.report.sources.readers.run_table import UNREADABLE, RunTable, UnreadableFileError
from ablate.report.sources.readers.wandb_log import WandbLog, read_wandb_log
from ablate.report.sources.readers.wandb_runs import WandbRun, table_of_runs
from ablate.wording import count, listed

RUN_FOLDER = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(.+)")
CORRUPT = "with a damaged log"
EMPTY = "without a record"

_ALIVE_SECONDS = 300
"""W&B considers a run without an end as crashed after this time without a sign of life."""


def read_wandb_folder(folder: Path, options: TableOptions) -> RunTable:
    """Return the runs in all folders below `folder`.

    Configuration, summary, state and history are those of the log, `run-ID.wandb`; of a folder without one, the files
    `config.yaml` and `wandb-summary.json`. Those with a damaged file are set aside. A run of several folders was
    resumed: its later logs replace what they recorded again.

    Args:
        folder: The folder.
        options: The step whose values count, if not those of the summaries, and the logged number that is the step.

    Raises:
        UserError: No runs found, or no file can be read.
    """
    if not folder.is_dir():
        raise UserError(f"Folder not found: {folder}")
    aside: dict[str, list[str]] = {}
    damaged, incomplete, by_id = [], [], dict[tuple[str, str], list[WandbRun]]()
    for place in _folders(folder):
        try:
            run, is_incomplete = _read(place, options.step_param)
        except UnreadableFileError as error:
            aside.setdefault(CORRUPT if isinstance(error, CorruptError) else UNREADABLE, []).append(place.name)
            damaged.append(f"{error}.")
            continue
        if run is None:
            aside.setdefault(EMPTY, []).append(place.name)
            continue
        incomplete += [place.name] if is_incomplete else []
        by_id.setdefault((run.labels.get("project", ""), run.id), []).append(run)
    if not by_id:
        raise UserError(damaged[0] if damaged else f"No W&B runs (run-TIME-ID, offline-run-TIME-ID) in {folder}")
    runs = [_joined(parts) for parts in by_id.values()]
    found = table_of_runs(f"W&B runs in {folder}", runs, aside, options)
    resumed = [parts[0].name for parts in by_id.values() if len(parts) > 1]
    return replace(found, cautions=[*damaged[:3], *_cautions(incomplete, resumed), *found.cautions])


def _folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of runs by name, which begins with the time. Links such as `latest-run` do not count."""
    found = [folder.resolve(), *(path for path in folder.rglob("*run-*") if not path.is_symlink())]
    yield from sorted((path for path in found if RUN_FOLDER.fullmatch(path.name) and path.is_dir()), key=_time)


def _time(folder: Path) -> str:
    return folder.name.removeprefix("offline-")


def _read(folder: Path, step_param: str | None) -> tuple[WandbRun | None, bool]:
    """Return the run of a folder, None if it has no record, and whether its log is incomplete."""
    logs = sorted(folder.glob("run-*.wandb"))
    if not logs:
        return _from_files(folder), False
    log = read_wandb_log(logs[0], step_param)
    if not log.texts:
        return None, log.is_incomplete
    labels = {name: text for name, text in log.texts.items() if name not in ("id", "name")}
    labels |= {"tags": ",".join(log.tags)} if log.tags else {}
    identifier = log.texts.get("id", "")
    return WandbRun(
        identifier,
        log.texts.get("name") or identifier,
        _state(log, logs[0]),
        labels,
        _decoded(log.config, logs[0]),
        _decoded(log.summary, logs[0]),
        log.history,
        media=frozenset(log.media),
    ), log.is_incomplete


def _state(log: WandbLog, path: Path) -> str:
    """Return the state that W&B's server would show."""
    if log.exit_code is None:
        return "running" if time.time() - path.stat().st_mtime < _ALIVE_SECONDS else "crashed"
    return "finished" if log.exit_code == 0 else "preempted" if log.is_preempted else "failed"


def _decoded(values: Mapping[str, bytes], path: Path) -> dict[str, Any]:
    try:
        return {name: json.loads(text) for name, text in values.items() if text}
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{path} has a value that is not JSON") from error


def _from_files(folder: Path) -> WandbRun | None:
    """Return the run in the files next to a log that is missing; None without configuration and summary."""
    paths = {name: folder / "files" / name for name in ("config.yaml", "wandb-summary.json")}
    config, summary = (
        (read_yaml if path.suffix == ".yaml" else read_json)(path) if path.is_file() else {} for path in paths.values()
    )
    if not isinstance(config, dict) or not isinstance(summary, dict):
        raise UnreadableFileError(f"{folder / 'files'} has no configuration and summary by name")
    values = {name: item["value"] for name, item in config.items() if isinstance(item, dict) and "value" in item}
    matched = RUN_FOLDER.fullmatch(folder.name)
    identifier = matched[1] if matched else folder.name
    return WandbRun(identifier, identifier, "", {}, values, summary) if values or summary else None


def _joined(parts: Sequence[WandbRun]) -> WandbRun:
    """Return the parts of a run that was resumed as one run."""
    first, *others = parts
    for later in others:
        first = replace(
            later,
            config={**first.config, **later.config},
            summary={**first.summary, **later.summary},
            history=first.history.continued(later.history),
            media=first.media | later.media,
        )
    return first


def _cautions(incomplete: Sequence[str], resumed: Sequence[str]) -> list[str]:
    found = []
    if incomplete:
        found.append(
            f"The last record is incomplete in {count(len(incomplete), 'log')}, whose program was stopped or is still "
            f"writing: {listed(incomplete, 3)}."
        )
    if resumed:
        found.append(
            f"{count(len(resumed), 'run')} in several folders: their later logs replace what they recorded again: "
            f"{listed(resumed, 3)}."
        )
    return found
