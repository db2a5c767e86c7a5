"""Edits of files that a training imports are warned of: they are no part of a run's identity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ablate.journal.run_journal import Journals
from ablate.report.sources.conditions import condition_cautions, mixed_conditions
from ablate.runs.forecast import code_cautions
from ablate.runs.sweep import plan_runs
from ablate.studies.conditions import Conditions
from ablate.workloads.custom.local_imports import changed_files, local_imports
from ablate.workloads.custom.study_file import load_study
from ablate.workloads.dispatch import imported_files, open_data
from tests.samples.custom import LATENCY, command_study, runs_of, written


def test_local_imports_are_found_in_packages_functions_and_other_modules(tmp_path: Path) -> None:
    main = written(tmp_path, "import json, ablate, pkg.a as a\ndef f():\n    from pkg.sub import b\n", "main.py")
    written(tmp_path, "", "pkg/__init__.py")
    written(tmp_path, "from . import c\nfrom .sub.d import x\n", "pkg/a.py")
    for name in ("pkg/c.py", "pkg/sub/b.py", "pkg/sub/e.py", "unused.py"):
        written(tmp_path, "import main", name)
    written(tmp_path, "from ..pkg import unused\nimport_module('pkg.sub.e')\nthis is no Python", "pkg/sub/d.py")
    written(tmp_path, "import_module('pkg.sub.e')", "pkg/c.py")
    found = local_imports([main], tmp_path)
    assert set(found) == {"pkg/__init__.py", "pkg/a.py", "pkg/c.py", "pkg/sub/b.py", "pkg/sub/d.py", "pkg/sub/e.py"}
    written(tmp_path, "import_module('pkg.sub.e')  # a comment", "pkg/c.py")
    assert changed_files(found, tmp_path) == []
    written(tmp_path, "x = 1", "pkg/sub/b.py")
    (tmp_path / "pkg/sub/e.py").unlink()
    assert sorted(changed_files(found, tmp_path)) == ["pkg/sub/b.py", "pkg/sub/e.py"]


def test_the_imports_of_a_program_and_files_in_code(tmp_path: Path) -> None:
    written(tmp_path, "x = 1", "model.py")
    study = command_study(tmp_path, "{python} program.py {a:|--no-a}", "import model")
    assert list(imported_files(study.workload)) == ["model.py"]
    study = command_study(tmp_path, "{python} program.py {a:|--no-a}", "import model", code=["model.py"])
    assert imported_files(study.workload) == {}


def test_a_sweep_and_a_report_warn_of_edited_imports(tmp_path: Path) -> None:
    journals, conditions = Journals(tmp_path / "mlruns" / "journal"), Conditions("cpu", "own", 1)
    own = written(tmp_path, "import helper_of_own\n" + LATENCY)
    written(tmp_path, "x = 1", "helper_of_own.py")
    study = load_study(own).change(seeds=1)

    def cautions() -> list[str]:
        planned = plan_runs(study.recipes(), open_data(study.baseline, None), conditions, journals)
        return code_cautions(study, planned, journals)

    made = runs_of(study, tmp_path, most=2)
    assert cautions() == []
    written(tmp_path, "x = 2  # faster", "helper_of_own.py")
    assert cautions() == [
        "helper_of_own.py changed since 2 reused runs (baseline/s0, no-cache/s0), and edits of imported files do "
        'not repeat runs. Repeat them with --again, or declare code=["helper_of_own.py"] in the study file'
    ]
    made += runs_of(study, tmp_path)
    assert mixed_conditions(made) == [
        "The trainings imported different versions of helper_of_own.py: 2 runs of 3 (baseline/s0 and no-cache/s0) an "
        "older one. Differences may be due to this. `ablate sweep --again` repeats all runs."
    ]
    assert mixed_conditions([replace(run, environment={}) for run in made[:2]] + made[2:]) == [], "older journals"
    warned = "Finished with a warning: no-cache/s0 (the program's exit code is 0)."
    assert warned in condition_cautions([made[0], replace(made[1], error="the program's exit code is 0")])
