"""A queue of calls in a folder that several machines share. Jobs take calls from it and leave their results in it.

    calls/000000      the packed call
    claims/000000     the id of the job that makes the call, and how often Slurm has restarted the job before
    results/000000    the packed result
    queue.json        the identity and the title of each call, the process that waits for the results, and the folder
    closed            no further call may begin

A claim is a hard link, which exactly one of several machines can create on a network file system too.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

NAME_PREFIX = "ablate-"
"""The names of queues, which are those of their jobs, begin with this."""


@dataclass(frozen=True)
class CallLabel:
    """The identity of a call, which is the same in each command that needs it (empty: none), and its title."""

    identity: str
    title: str


@dataclass(frozen=True)
class Claim:
    """The job that makes a call, and how often Slurm had restarted it when it took the call."""

    job: str
    restarts: int = 0


class CallQueue:
    """The queue in `folder`, whose name is the name of its jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self._calls, self._claims, self._results = (folder / name for name in ("calls", "claims", "results"))

    @classmethod
    def create(
        cls, parent: Path, calls: Sequence[bytes], labels: Sequence[CallLabel], owner: Mapping[str, Any]
    ) -> Self:
        """Create a queue of packed calls in `parent`."""
        queue = cls(parent / f"{NAME_PREFIX}{uuid.uuid4().hex[:10]}")
        for folder in (queue._calls, queue._claims, queue._results):
            folder.mkdir(parents=True)
        for number, call in enumerate(calls):
            (queue._calls / f"{number:06}").write_bytes(call)
        queue._describe(labels, owner)
        return queue

    def _describe(self, labels: Sequence[CallLabel], owner: Mapping[str, Any]) -> None:
        calls = [[label.identity, label.title] for label in labels]
        facts = {"owner": dict(owner), "folder": str(self.folder.absolute()), "calls": calls}
        self._write(self.folder / "queue.json", json.dumps(facts).encode())

    @property
    def labels(self) -> list[CallLabel]:
        """The labels of the calls, in order."""
        return [CallLabel(*label) for label in self._facts["calls"]]

    @property
    def owner(self) -> dict[str, Any]:
        """The process that waits for the results, as `this_process` returns it."""
        owner: dict[str, Any] = self._facts["owner"]
        return owner

    def adopt(self, owner: Mapping[str, Any]) -> None:
        """Make another process the one that waits for the results."""
        self._describe(self.labels, owner)

    @property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.folder / "queue.json").read_text(encoding="utf-8"))
        return facts

    @property
    def is_original(self) -> bool:
        """Whether the jobs work in this folder: not if it was copied or moved since."""
        folder = self._facts.get("folder", self.folder)
        return Path(folder).exists() and Path(folder).samefile(self.folder)

    def results(self) -> set[int]:
        """Return the numbers of the calls that have a result."""
        return _numbers(self._results)

    def result(self, number: int) -> bytes:
        """Return the packed result of a call."""
        return (self._results / f"{number:06}").read_bytes()

    def claims(self) -> dict[int, Claim]:
        """Return the claims on the calls without a result."""
        return self._read_claims(_numbers(self._claims) - self.results())

    def makers(self) -> set[str]:
        """Return the ids of the jobs that have taken a call."""
        return {claim.job for claim in self._read_claims(_numbers(self._claims)).values()}

    def _read_claims(self, numbers: set[int]) -> dict[int, Claim]:
        found = {}
        for number in sorted(numbers):
            with suppress(FileNotFoundError):  # released meanwhile
                job, restarts = (self._claims / f"{number:06}").read_text(encoding="utf-8").split()
                found[number] = Claim(job, int(restarts))
        return found

    def unclaimed(self) -> list[int]:
        """Return the numbers of the calls that no job has taken."""
        return sorted(_numbers(self._calls) - _numbers(self._claims) - self.results())

    def release(self, number: int, claim: Claim) -> None:
        """Remove a claim on a call, so that another job makes it. A claim of another job remains."""
        if self._read_claims({number}).get(number) == claim:
            (self._claims / f"{number:06}").unlink(missing_ok=True)

    def close(self) -> None:
        """Let no further call begin."""
        (self.folder / "closed").touch()

    @property
    def is_closed(self) -> bool:
        """Whether no further call may begin."""
        return (self.folder / "closed").exists()

    def take(self, claim: Claim) -> int | None:
        """Return the number of the next call of a job, or None: a call that it began before a restart, or a new one."""
        if self.is_closed:
            return None
        for number, other in self.claims().items():
            if other.job == claim.job:
                return number
        return next((number for number in self.unclaimed() if self._claim(number, claim)), None)

    def _claim(self, number: int, claim: Claim) -> bool:
        draft = self._write_draft(self.folder, f"{claim.job} {claim.restarts}".encode())
        try:
            os.link(draft, self._claims / f"{number:06}")
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def call(self, number: int) -> bytes:
        """Return a packed call."""
        return (self._calls / f"{number:06}").read_bytes()

    def put(self, number: int, result: bytes) -> None:
        """Write the packed result of a call."""
        self._write(self._results / f"{number:06}", result)

    def age(self) -> float:
        """Return the seconds since the last change."""
        changed = max((path.stat().st_mtime for path in (self.folder, self._claims, self._results)), default=0.0)
        return time.time() - changed

    def _write(self, path: Path, content: bytes) -> None:
        self._write_draft(self.folder, content).replace(path)

    @staticmethod
    def _write_draft(folder: Path, content: bytes) -> Path:
        draft = folder / f".{uuid.uuid4().hex}"
        draft.write_bytes(content)
        return draft


def queues(parent: Path) -> list[CallQueue]:
    """Return the queues in a folder, oldest first. Copies are left out, as their jobs work in another folder."""
    found = list(parent.glob(f"{NAME_PREFIX}*/queue.json"))
    every = [CallQueue(path.parent) for path in sorted(found, key=lambda path: path.parent.stat().st_mtime)]
    return [queue for queue in every if queue.is_original]


def _numbers(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir() if path.name.isdecimal()}
