"""Records that are damaged, hostile or full of secrets, and requests to the UI by names that are not its own."""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ablate.tracking import Project, serve_ui
from tests.faults.commands import Command
from tests.faults.kills import STUDY, Trial
from tests.faults.others import SWEEP, require_clean_end
from tests.samples.damage import mutated
from tests.samples.servers import free_port

READERS = [("list",), ("report", "kitchen"), ("doctor",), ("sync",), SWEEP]
RUN_OF = (
    "select t.value from tags t join runs r using (run_uuid) where t.key = 'ablate.run' and lifecycle_stage = 'active'"
)
TWICE = (
    "select 1 from metrics m join tags t using (run_uuid) where t.key = 'ablate.kind' and t.value = 'run' "
    "group by run_uuid, m.key, step having count(*) > 1"
)


def finished(trial: Trial) -> Path:
    """Return a project with a finished study."""
    project = trial.project("finished")
    (project / "kitchen.py").write_text(STUDY)
    trial.run_to_end(Command((*SWEEP, "--jobs", "2"), project))
    return project


def damaged_records(trial: Trial) -> None:
    """Change a journal, a study record or a receipt: commands end cleanly, and every other run counts once."""
    source = finished(trial)
    while trial.has_tries_left:
        project = trial.folder / "project"
        shutil.copytree(source, project)
        paths = sorted([*project.glob("mlruns/journal/*-*-*"), *project.glob("mlruns/studies/kitchen.study.*")])
        changed = trial.moments.choice([path for path in paths if path.suffix in (".jsonl", ".delivered")])
        changed.write_bytes(mutated(changed.read_bytes(), trial.moments))
        require_clean_end(trial, Command(trial.moments.choice(READERS), project).run())
        for line in [("doctor", "--repair"), ("sync",), SWEEP]:
            ended = Command(line, project).run()
            if not ended.is_clean:
                trial.tally.add_corruption(f"{' '.join(line)} after a change of {changed.name}: {ended.output[-200:]}")
        check_others(trial, project, changed.name.partition(".")[0])
        shutil.rmtree(project)


def check_others(trial: Trial, project: Path, changed: str) -> None:
    """Check that every run but the changed one is in the store once, with each of its values once."""
    with closing(sqlite3.connect(Project(project).database)) as database:
        stored = [name for (name,) in database.execute(RUN_OF)]
        twice = database.execute(TWICE).fetchall()
    here = {path.stem for path in project.glob("mlruns/journal/*.jsonl")} - {changed}
    for name in here:
        if stored.count(name) != 1:
            (trial.tally.add_duplicate if name in stored else trial.tally.add_loss)(
                f"{name} after a change of {changed}"
            )
    if twice:
        trial.tally.add_duplicate(f"{len(twice)} values after a change of {changed}")


HOSTILE = (
    "../../../outside",
    "/outside",
    "\x1b]0;title\x07",
    "\x1b[31mred",
    "<script>alert(1)</script>",
    "a\u202eb",
    "$(touch canary)",
)
HOSTILE_FIELDS = ("variant", "study", "name", "question", "data_name", "folder", "note", "error", "workload", "file")


def foreign_project(trial: Trial) -> None:
    """Import a project with hostile names, modules and links: nothing of it runs, leaves its folder, is printed raw."""
    source = finished(trial)
    while trial.has_tries_left:
        number = trial.tally.tries
        there, here = trial.folder / f"there-{number}", trial.project(f"here-{number}")
        shutil.copytree(source, there)
        canary = trial.folder / "canary"
        (there / "canary_module.py").write_text(f"open({str(canary)!r}, 'w')")
        for path in [*there.glob("mlruns/journal/*.jsonl"), *there.glob("mlruns/studies/*.jsonl")]:
            lines = [_hostile(trial, json.loads(line), there) for line in path.read_text().splitlines()]
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        (there / "mlruns" / "journal" / "link.jsonl").symlink_to("/etc/passwd")
        before = sorted(trial.folder.iterdir())
        for line in [("sync", str(there)), ("list",), ("report", "kitchen", "--html"), ("doctor", "--repair")]:
            ended = Command(line, here, {"PYTHONPATH": str(there)}).run()
            require_clean_end(trial, ended)
            if "\x1b" in ended.output or "\x07" in ended.output or "\u202e" in ended.output:
                trial.tally.add_corruption(f"{line[0]} printed a control character")
        if canary.exists() or sorted(trial.folder.iterdir()) != before:
            trial.tally.add_corruption("a file outside of the project")
        for page in here.rglob("report.html"):
            if "<script>alert" in page.read_text():
                trial.tally.add_corruption("a script in a report")
        if any(path.is_symlink() for path in here.rglob("*")):
            trial.tally.add_corruption("a link was imported")


def _hostile(trial: Trial, record: object, there: Path) -> object:
    """Return a record with hostile values in some of its fields, at any depth."""
    if isinstance(record, list):
        return [_hostile(trial, one, there) for one in record]
    if not isinstance(record, dict):
        return record
    modules = ("canary_module:WORKLOAD", str(there / "canary_module.py"))
    return {
        name: trial.moments.choice([*HOSTILE, *modules])
        if name in HOSTILE_FIELDS and isinstance(value, str) and trial.moments.random() < 0.3
        else _hostile(trial, value, there)
        for name, value in record.items()
    }


def other_hosts(trial: Trial) -> None:
    """Ask the UI by names that are not its own, as a page of another site could: it answers only to its own."""
    project = finished(trial)
    port = free_port()
    names = [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example#localhost",
        "0.0.0.0",
        "a@localhost",
    ]
    with serve_ui(Project(project), Project(project).tracking_uri(), port=port):
        while trial.has_tries_left:
            own = trial.tally.tries % 5 == 0
            name = "localhost" if own else trial.moments.choice(names)
            host = name + trial.moments.choice(["", f":{port}"]) * (not own) + f":{port}" * own
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/ajax-api/2.0/mlflow/experiments/search?max_results=9", headers={"Host": host})
            status = connection.getresponse().status
            connection.close()
            trial.tally.tries += 1
            if (status == 200) is not own:
                trial.tally.add_corruption(f"the UI answered {status} to Host: {host}")


SECRETS = (
    "https://me:{}@host.example/x",
    "postgresql://me:{}@db.example:5432/runs",
    "Authorization: Bearer {}",
    "curl -u me:{} https://host.example",
    "password={}",
    "--api-key {}",
    "AWS_SECRET_ACCESS_KEY={}",
    '{{"token": "{}"}}',
    "https://host.example/?X-Amz-Signature={}",
    "zip -P {} files.zip",
    "sshpass -p {} ssh host",
    "db.example:5432:runs:me:{}",
)
TALKATIVE = '''"""Which steps matter?"""
import os, sys
from ablate import Metric, Study, from_function
def train(recipe, log):
    print(os.environ["LINE"])
    print(os.environ["LINE"], file=sys.stderr)
    log.file("notes.txt").write_text("done")
    if recipe["salt"] and recipe.seed == 1:
        raise ValueError(os.environ["LINE"])
    return {{"taste": 0.5}}
LINE = {!r}
study = Study(workload=from_function(train, factors={{"salt": "salt"}}, metric=Metric("taste")), seeds=2, margin=1.0)
'''


def secrets(trial: Trial) -> None:
    """Put a secret into the output, the error, the environment and the changes of a program, and search for it."""
    while trial.has_tries_left:
        number = trial.tally.tries
        project = trial.project(f"project-{number}")
        secret = f"hush{trial.moments.randrange(16**24):024x}Q7"
        line = SECRETS[number % len(SECRETS)].format(secret)
        subprocess.run(["git", "init", "-q"], cwd=project, check=True)
        (project / "kitchen.py").write_text(TALKATIVE.format(""))
        (project / ".gitignore").write_text("mlruns\nreports\n")
        subprocess.run(["git", "add", "-A"], cwd=project, check=True)
        (project / "kitchen.py").write_text(TALKATIVE.format(line))
        output = ""
        for words in [(*SWEEP, "--jobs", "1"), ("report", "kitchen"), ("list", "--json"), ("doctor",)]:
            ended = Command(words, project, {"LINE": line}).run()
            output += "\n".join(one for one in ended.output.splitlines() if one != line)  # but the program's own
            if not ended.is_clean:
                trial.tally.add_corruption(f"{words[0]}: {ended.output[-200:]}")
        trial.tally.tries += 1
        files = [path for path in project.glob("[mr]*/**/*") if path.is_file()]
        copies = {path for path in files if ".spare" in str(path)}  # of the user's own files, until the process ends
        written = [path for path in files if path not in copies and secret.encode() in path.read_bytes()]
        if written or secret in output:
            trial.tally.add_corruption(
                f"{line.replace(secret, '***')} in {[path.name for path in written] or 'the output'}"
            )


INPUTS: list[tuple[str, Callable[[Trial], None], int]] = [
    ("journals, study records and receipts with changed bytes, lines and fields", damaged_records, 200),
    ("project from elsewhere with hostile names, modules and links", foreign_project, 40),
    ("requests to the UI by other host names", other_hosts, 40),
    ("secrets in output, errors, variables and changes", secrets, 24),
]
"""Name, function and number of tries of each."""
