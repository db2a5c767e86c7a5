"""Check the trials of a killed search in Optuna's file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ablate.journal.run_journal import Journals, load
from ablate.tracking import Project
from tests.faults.tally import Tally


class TrialAuditor:
    """Remember the finished trials, and compare every later state with them."""

    def __init__(self, folder: Path, name: str, budget: int, tally: Tally) -> None:
        self._project, self._name, self._budget, self._tally = Project(folder), name, budget, tally
        self._over: dict[int, tuple[object, ...]] = {}

    def check(self) -> list[FrozenTrial]:
        """Check that no finished trial is missing or changed; return all trials except the lost ones."""
        path = self._project.mlruns / "optuna" / f"{self._name}.log"
        if not path.exists() or not path.stat().st_size:
            return []
        try:
            storage = JournalStorage(JournalFileBackend(str(path)))
            names = optuna.get_all_study_names(storage)
            study = optuna.load_study(study_name=self._name, storage=storage) if self._name in names else None
        except Exception as error:  # of any kind: the file cannot be read
            self._tally.add_corruption(f"{path.name}: {type(error).__name__}: {error}")
            return []
        lost = study.user_attrs.get("lost", {}) if study else {}
        found = [trial for trial in (study.trials if study else []) if str(trial.number) not in lost]
        over = {trial.number: (trial.state, trial.params, trial.values) for trial in found if trial.state.is_finished()}
        for number, facts in self._over.items():
            if over.get(number) != facts:
                self._tally.add_loss(f"trial {number}: {facts}, now {over.get(number)}")
        self._over = over
        return found

    def check_end(self) -> None:
        """Check that the search has exactly its budget of trials, and that each trial has its run."""
        found = self.check()
        states = Counter(trial.state.name for trial in found)
        if states != {"COMPLETE": self._budget}:
            self._tally.add_loss(f"{self._budget} trials were requested, found {dict(states)}")
        for values, count in Counter(str(sorted(trial.params.items())) for trial in found).items():
            if count > 1:
                self._tally.add_duplicate(f"{count} trials of {values}")
        journals = Journals(self._project.journals)
        for trial in found:
            for name in trial.user_attrs.get("runs", {}).values():
                run = load(journals.path(name)) if journals.path(name).exists() else None
                if trial.state == TrialState.COMPLETE and not (run and run.is_result):
                    self._tally.add_loss(f"the run {name} of trial {trial.number}")
