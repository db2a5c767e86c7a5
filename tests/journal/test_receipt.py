"""Receipts that anything may have written: each is valid, or as good as missing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from ablate.journal import receipt
from ablate.journal.receipt import Receipt, receipt_path
from ablate.journal.study_journal import StudyJournals, StudyReceipt

VALID = Receipt(store="ours", run_id="a1", records=3, size=10, changed=5, closed=True)


def write(journal: Path, content: bytes) -> None:
    receipt_path(journal).write_bytes(content)


def test_a_valid_receipt_is_read_for_its_store_only(tmp_path: Path) -> None:
    journal = tmp_path / "a.jsonl"
    write(journal, json.dumps({**asdict(VALID), "added": "by a newer version"}).encode())
    assert receipt.read(journal, "ours") == VALID
    assert receipt.read(journal, "theirs") is None
    assert (receipt.store_of(journal), receipt.run_id(journal)) == ("ours", "a1")


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"x",
            b"null",
            b"[]",
            b'"ours"',
            b"[" * 50_000,
            b"1" * 5000,
            b"\xff",
            b"\x00" * 100,
            b'{"store": "ours"}',
        ),
        *(
            json.dumps({**asdict(VALID), "records": records}).encode()
            for records in ("3", -1, None, 1.5, True, [], 2**70)
        ),
        json.dumps({**asdict(VALID), "closed": "no"}).encode(),
    ],
)
def test_a_damaged_receipt_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "a.jsonl"
    write(journal, content)
    assert receipt.read(journal, "ours") is None
    assert receipt.store_of(journal) in (None, "ours")
    assert receipt.run_id(journal) in (None, "a1")


def test_only_regular_files_are_receipts(tmp_path: Path) -> None:
    pipe, link, folder = (tmp_path / f"{name}.jsonl" for name in ("pipe", "link", "folder"))
    os.mkfifo(receipt_path(pipe))
    receipt_path(link).symlink_to("/dev/zero")
    receipt_path(folder).mkdir()
    assert [receipt.store_of(journal) for journal in (pipe, link, folder)] == [None] * 3


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_nothing_is_written_through_what_is_in_place_of_a_receipt(tmp_path: Path, kind: str) -> None:
    journal, other = tmp_path / "a.jsonl", tmp_path / "other"
    if kind == "pipe":
        os.mkfifo(receipt_path(journal))
    elif kind == "folder":
        receipt_path(journal).mkdir()
    else:
        receipt_path(journal).symlink_to(other)
        other.write_text("theirs", encoding="utf-8") if kind == "link" else None
    with receipt.delivery_lock(journal):
        receipt.write(journal, VALID)
    assert receipt.read(journal, "ours") == (None if kind == "folder" else VALID)
    assert (other.read_text(encoding="utf-8") if other.exists() else None) == ("theirs" if kind == "link" else None)


@pytest.mark.parametrize("target", ["a.jsonl", "missing"])
def test_a_link_in_place_of_a_journal_has_no_valid_receipt(tmp_path: Path, target: str) -> None:
    journal = tmp_path / "a.jsonl"
    journal.symlink_to(target)
    assert not VALID.covers(journal)


def test_the_receipt_of_a_study_covers_its_size(tmp_path: Path) -> None:
    studies = StudyJournals(tmp_path)
    studies.path("small").write_bytes(b"{}\n")
    write(studies.path("small"), b"")
    assert not studies.is_delivered("small", "ours")
    studies.mark_delivered("small", StudyReceipt("ours", "a1", 3, 0))
    assert studies.is_delivered("small", "ours")
    assert not studies.is_delivered("small", "theirs")
    write(studies.path("small"), b"[" * 50_000)
    assert not studies.is_delivered("small", "ours")
