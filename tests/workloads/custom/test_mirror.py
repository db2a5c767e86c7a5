"""A mirror shows the originals, its changes stay in it, and restoring it removes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import UserError
from ablate.studies.job import TrainingLost
from ablate.workloads.custom import mirror as mirror_module
from ablate.workloads.custom.linked_originals import check_unchanged, states_of_links
from ablate.workloads.custom.mirror import Mirror, root_of
from ablate.workloads.custom.run_folder import run_folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "around" / "project"
    for name, text in {"study/own.py": "study", "study/model.pt": "old", "results/a.txt": "a", "README": "r"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "mlruns" / "journal").mkdir(parents=True)
    (folder.parent / "data").mkdir()
    (folder.parent / "data" / "train.csv").write_text("1,2")
    return folder


def mirror_of(project: Path, *data: Path) -> Mirror:
    store = project / "mlruns"
    return Mirror(store / "journal" / "run.work", project, store, data)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def inside(mirror: Mirror, path: Path) -> Path:
    return Path(mirror.top + str(path))


def test_a_run_of_a_project_that_was_moved_has_a_new_mirror(project: Path) -> None:
    def top(of: Path) -> Path:
        return of / "mlruns" / "journal" / "run.work"

    with pytest.raises(TrainingLost), run_folder(top(project), [project / "study"], []):
        raise TrainingLost("interrupted")
    moved = project.rename(project.with_name("moved"))
    with run_folder(top(moved), [moved / "study"], []) as folder:
        assert names_in(folder.path) == ["model.pt", "own.py"]
    assert not top(moved).exists()


def test_relative_paths_lead_to_the_same_content(project: Path) -> None:
    mirror = mirror_of(project)
    mirror.restore([project / "study"])
    work = inside(mirror, project / "study")
    for name in ("own.py", "model.pt", "../results/a.txt", "../README", "../../data/train.csv", "../../../around"):
        assert (work / name).exists(), name
        if (work / name).is_file():
            assert (work / name).read_text() == (project / "study" / name).read_text()
    assert not (work / "../mlruns").exists(), "the runs are not part of the view"


def test_what_a_run_writes_is_its_own(project: Path) -> None:
    mirror = mirror_of(project)
    mirror.restore([project / "study"])
    work = inside(mirror, project / "study")
    (work / "model.pt").write_text("new")
    (work / "../results/b.txt").write_text("b")
    (work / "../README").unlink()
    (work / "../../outside.txt").write_text("outside")
    shutil.rmtree(work / "../results")
    assert (project / "study" / "model.pt").read_text() == "old"
    assert (project / "README").read_text() == "r"
    assert names_in(project / "results") == ["a.txt"]
    assert names_in(project.parent) == ["data", "project"]


def content(folder: Path) -> dict[str, str]:
    """Return the entries of a folder, recursively: the text of files, the target of links."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            kind = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else "folder"
            found[str(path.relative_to(folder))] = kind
    return found


NAMES = st.sampled_from(["a", "b", "c d", "ä", "e/f", "e/g/h"])
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["write", "append", "delete", "folder", "link", "absolute link", "move", "same"]), NAMES, NAMES
    ),
    max_size=8,
)


def change(folder: Path, how: str, name: str, other: str) -> None:
    """Change a folder as programs do; what is impossible, such as a file in a file, is left out."""
    path = folder / name
    try:
        match how:
            case "write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("written " + other)
            case "append":
                with path.open("a") as file:
                    file.write("more")
            case "delete":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            case "folder":
                path.mkdir(parents=True)
            case "link":
                path.symlink_to(other)
            case "absolute link":
                path.symlink_to(folder / other)
            case "move":
                path.rename(folder / other)
            case "same":  # the same size and times, as `tar` writes them
                status = path.stat()
                path.write_text("x" * status.st_size)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError:
        pass


@settings(max_examples=25)
@given(originals=CHANGES, by_run=CHANGES, by_user=CHANGES)
def test_a_restored_mirror_equals_a_new_one(
    originals: list[tuple[str, str, str]], by_run: list[tuple[str, str, str]], by_user: list[tuple[str, str, str]]
) -> None:
    with TemporaryDirectory() as name:
        project = Path(name).resolve() / "project"
        (project / "study").mkdir(parents=True)
        for one in originals:
            change(project / "study", *one)
        mirror = mirror_of(project)
        mirror.restore([project / "study"])
        before = content(project / "study")
        for one in by_run:
            change(inside(mirror, project / "study"), *one)
        assert content(project / "study") == before, "the run changed the originals"
        for one in by_user:
            change(project / "study", *one)
        mirror.restore([project / "study"])
        new = Mirror(project / "mlruns" / "journal" / "new.work", project, project / "mlruns", ())
        new.restore([project / "study"])
        assert content(inside(mirror, project)) == content(inside(new, project))


def test_an_unchanged_copy_is_kept(project: Path) -> None:
    mirror = mirror_of(project)
    mirror.restore([project / "study"])
    work = inside(mirror, project / "study")
    inodes = {name: (work / name).stat().st_ino for name in ("own.py", "model.pt")}
    (work / "model.pt").write_text("new")
    mirror.restore([project / "study"])
    assert (work / "own.py").stat().st_ino == inodes["own.py"]
    assert (work / "model.pt").read_text() == "old"


def test_data_large_files_and_large_folders_are_links(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "COPIED_BYTES", 1000)
    monkeypatch.setattr(mirror_module, "FOLDER_ENTRIES", 20)
    study = project / "study"
    (study / "huge.bin").write_text("x" * 2000)
    for name in ("data/one/1.png", *(f"cache/{number}" for number in range(30)), ".venv/pyvenv.cfg", ".git/HEAD"):
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_text("x")
    mirror = mirror_of(project, study / "data")
    mirror.restore([study])
    work = inside(mirror, study)
    linked = ["huge.bin", "data/one/1.png", "cache", ".venv", ".git"]
    assert {name: (work / name).is_symlink() for name in linked} == dict.fromkeys(linked, True)
    assert not (work / "data" / "one").is_symlink(), "new files in the folders of data are the run's own"
    assert not (work / "own.py").is_symlink()
    states = states_of_links(inside(mirror, root_of(study, project)))
    checked = {Path(link).name for link, state in states.items() if state is not None}
    assert checked == {"huge.bin", "1.png", "cache"}, "environments and tools may change"


def _edit_file(study: Path) -> None:
    (study / "huge.bin").write_text("y")


def _edit_file_in_folder(study: Path) -> None:
    (study / "cache" / "a" / "1").write_text("y")


def _add_file_to_folder(study: Path) -> None:
    (study / "cache" / "new").write_text("y")


@pytest.mark.parametrize("edit", [_edit_file, _edit_file_in_folder, _add_file_to_folder])
def test_a_change_of_a_linked_original_is_an_error(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    originals = tmp_path / "originals"
    (originals / "cache" / "a").mkdir(parents=True)
    (originals / "huge.bin").write_text("x")
    (originals / "cache" / "a" / "1").write_text("xx")
    (tmp_path / "mirror").mkdir()
    for name in ("huge.bin", "cache"):
        (tmp_path / "mirror" / name).symlink_to(originals / name)
    before = states_of_links(tmp_path / "mirror")
    check_unchanged(before)
    edit(originals)
    with pytest.raises(UserError, match=rf"The run changed {originals}/(huge.bin|cache), which the other runs read"):
        check_unchanged(before)


def _special_files(folder: Path) -> Iterator[str]:
    (folder / "nowhere").symlink_to("missing")
    yield "nowhere"
    os.mkfifo(folder / "pipe")
    yield "pipe"
    (folder / "loop").symlink_to("..")
    yield "loop"
    (folder / "results").symlink_to(folder.parent.parent / "data")
    yield "results"
    (folder / "two\nlines").write_text("")
    yield "two\nlines"


def test_special_files_and_linked_folders(project: Path) -> None:
    study = project / "study"
    names = list(_special_files(study))
    mirror = mirror_of(project)
    mirror.restore([study])
    work = inside(mirror, study)
    assert all(os.path.lexists(work / name) for name in names)
    (work / "results" / "new.txt").write_text("a run's own")
    assert names_in(project.parent / "data") == ["train.csv"]
    (work / "loop" / "README").write_text("changed through a loop of links")
    assert (project / "README").read_text() == "r"


def text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


LINKS = {
    "dangling": ("a", None),
    "dangling, absolute": ("{study}/a", None),
    "dangling, with a folder that is missing, too": ("runs/last/a", None),
    "dangling, outside the project": ("{around}/data/a", None),
    "dangling, of a folder": ("../results/missing/", None),
    "file": ("model.pt", "model.pt"),
    "file, absolute": ("{study}/model.pt", "model.pt"),
    "file of another folder": ("../results/a.txt", "../results/a.txt"),
    "file, through a link": ("linked/a.txt", "../results/a.txt"),
    "file outside the project": ("{around}/data/train.csv", None),
    "chain": ("chained", "model.pt"),
    "broken chain": ("broken", None),
}


@pytest.mark.parametrize(("target", "same"), LINKS.values(), ids=LINKS)
def test_no_link_leads_to_an_original(project: Path, target: str, same: str | None) -> None:
    study = project / "study"
    target = target.format(study=study, around=project.parent)
    for name, to in {"b": target, "linked": "../results", "chained": "model.pt", "broken": "b"}.items():
        (study / name).symlink_to(to)
    mirror = mirror_of(project)
    mirror.restore([study])
    before, work = content(project.parent), inside(mirror, study)
    assert text(work / "b") == text(study / "b")
    (work / "runs" / "last").mkdir(parents=True)
    try:
        (work / "b").write_text("new")
    except OSError:  # where the target is a folder that is missing
        assert target.endswith("/") or target == "broken"
    else:
        assert (work / "b").read_text() == "new"
        assert text(work / (same or "b")) == "new", "the link and its target are the same file"
    (work / "b").unlink()
    after = {name: kind for name, kind in content(project.parent).items() if ".work" not in name}
    assert after == {name: kind for name, kind in before.items() if ".work" not in name}


def test_links_to_folders_are_links(project: Path) -> None:
    study = project / "study"
    for name, to in {"first": "../results", "again": "first", "here": ".", "top": str(project), "x": "x"}.items():
        (study / name).symlink_to(to)
    mirror = mirror_of(project)
    mirror.restore([study])
    work = inside(mirror, study)
    assert {name: str((work / name).readlink()) for name in ("first", "again", "here", "top", "x")} == {
        "first": "../results",
        "again": "first",
        "here": ".",
        "top": "..",
        "x": "x",
    }
    (work / "again" / "new.txt").write_text("new")
    assert (work / ".." / "results" / "new.txt").read_text() == "new"
    (work / "first").unlink()  # as programs do with a link to their last results
    (work / "first").symlink_to("..")
    assert (work / "again" / "README").read_text() == "r"
    assert names_in(project / "results") == ["a.txt"]
    mirror.restore([study])
    assert names_in(work / "first") == ["a.txt"]


def test_a_folder_outside_the_project(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "x.txt").write_text("x")
    mirror = mirror_of(project)
    mirror.restore([other, project / "study"])
    (inside(mirror, other) / "x.txt").write_text("y")
    (inside(mirror, project / "study") / "model.pt").write_text("new")
    assert ((other / "x.txt").read_text(), (project / "study" / "model.pt").read_text()) == ("x", "old")


def test_folders_that_are_too_deep_for_the_mirror_are_linked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = project.parent / "/".join(["neighbour", *["d" * 50] * 4])
    deep.mkdir(parents=True)
    mirror = mirror_of(project)
    monkeypatch.setattr(mirror_module, "LONGEST_PATH", len(mirror.top + str(deep.parent)))
    mirror.restore([project / "study"])
    assert inside(mirror, deep).is_symlink()
    assert not inside(mirror, deep.parent).is_symlink()
