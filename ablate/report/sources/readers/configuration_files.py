"""Read the configuration of a run, and JSON and YAML files of any content."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.report.sources.equal_values import canonical
from ablate.report.sources.readers.run_table import UnreadableFileError, cell, check_content, flat, optional_library

CONFIGURATIONS = (
    *(
        "hparams.yaml",
        "config.yaml",
        "config.yml",
        "config.json",
        "params.yaml",
        "params.json",
        "args.yaml",
        "args.json",
    ),
    *("hparams.json", "hyperparameters.json", ".hydra/config.yaml"),
)
"""Names of files with the configuration of a run."""


def existing(folder: Path, names: Iterable[str], files: Collection[str]) -> list[Path]:
    """Return the files of a folder with some names, of which `files` are in the folder itself."""
    return [folder / name for name in names if (name in files if "/" not in name else (folder / name).is_file())]


def read_configuration(folder: Path, files: Collection[str]) -> dict[str, str]:
    """Return the parameters in the configuration files of a folder, in which `files` are.

    Raises UnreadableFileError for a file that cannot be read, and UserError for two files with different values of a
    parameter.
    """
    found: dict[str, tuple[str, str]] = {}
    for path in existing(folder, CONFIGURATIONS, files):
        name = path.relative_to(folder).as_posix()
        values = read_yaml(path) if path.suffix in (".yaml", ".yml") else read_json(path)
        if not isinstance(values, dict):
            raise UnreadableFileError(f"{path} contains no parameters by name")
        for key, value in flat(values):
            text = cell(value)
            text = "" if text in ("null", "~") else text
            if canonical(found.setdefault(key, (text, name))[0]) != canonical(text):
                raise UserError(
                    f"{folder} has two values of {key}: {found[key][0]} in {found[key][1]}, {text} in {name}"
                )
    return {key: text for key, (text, _) in found.items()}


def read_json(path: Path) -> Any:
    """Return the content of a JSON file. Raises UnreadableFileError if it cannot be read."""
    try:
        content = path.read_bytes()
        check_content(path, content)
        return json.loads(content.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFileError(f"Cannot read {path} as JSON: {error}") from None


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file with all values as text; no object of any other type is created."""
    yaml = optional_library("yaml", "yaml", path)
    try:
        content = path.read_bytes()
        check_content(path, content)
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # both make text, lists and mappings only
        return yaml.load(content.decode(), loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UnreadableFileError(f"Cannot read {path} as YAML: {str(error).splitlines()[0]}") from None
