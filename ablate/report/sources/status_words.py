"""The names of status columns and the words in them, of other software and of this one."""

from __future__ import annotations

import re

WORDS = {
    "finished": "finished complete completed success succeeded successful done ok",
    "unstable": "unstable diverged",
    "failed": """
        failed fail failure error errored crashed crash exception boot_fail node_fail special_exit internal_error
        upstream_failed
    """,
    "out_of_memory": "out_of_memory outofmemory oom oom_killed",
    "killed": """
        killed cancelled canceled interrupted aborted timeout timed_out preempted preempting deadline revoked stopped
        deleted
    """,
    "pruned": "pruned",
    "running": """
        running scheduled pending waiting queued initializing configuring completing resizing requeued requeue_fed
        requeue_hold resv_del_hold signaling stage_out suspended paused in_progress inprogress starting started
    """,
}
"""Our statuses, and the words for them in W&B, MLflow, Optuna, Slurm, Lightning and here, in lower case."""

COLUMNS = """
status state runstatus runstate jobstatus jobstate trialstatus trialstate trainerstatus trainerstate slurmstatus
slurmstate finalstatus finalstate expstatus expstate experimentstatus experimentstate taskstatus taskstate
"""
"""Names of status columns, without case and separators."""

LIFECYCLES = "lifecyclestage"
"""Names of columns that show whether a run has been deleted. The word of the others is `active`, whatever their end."""

EXIT_CODES = "exitcode returncode"
"""Names of columns of exit codes: 0 (in Slurm `0:0`) is finished, every other number is failed."""

_FLAGS = {
    ("finished", "failed"): """
        finished isfinished ended isended hasended completed iscompleted complete iscomplete succeeded success issuccess
        done isdone valid isvalid
    """,
    ("finished", "unstable"): "converged isconverged hasconverged",
    ("unstable", "finished"): "diverged isdiverged hasdiverged unstable isunstable hasnan hasnans",
    ("failed", "finished"): "failed isfailed crashed iscrashed",
    ("pruned", "finished"): "pruned ispruned",
    ("killed", "finished"): "killed iskilled deleted isdeleted archived isarchived trashed istrashed",
    ("out_of_memory", "finished"): "oom isoom",
}
FLAGS = {name: meaning for meaning, names in _FLAGS.items() for name in names.split()}
"""Names of true/false columns that show how a run ended, without case and separators, and the statuses that true and
false mean. The user is asked, because they may be factors."""

OUTCOMES = "outcome result runresult jobresult runoutcome termination terminationreason exitstatus exitstate endstate"
"""Names of columns that may be a status, although they hold words that are not known."""

REASONS = """
stopreason stoppingreason stoppedreason stopcause terminationreason endreason exitreason exitcause abortreason
finishreason quitreason endingreason
"""
"""Names of columns with the reason why a run ended."""

BAD_REASON = re.compile(
    r"(?:^|_)(?:(?:nans?|inf|oom)(?:_|$)|diverg|unstable|fail|err|exception|crash|out_of_mem|kill|timed?_?out|abort|"
    r"interrupt|cancel|preempt)"
)

DIVERGED_AT = "divergedat divergedatstep divergedatepoch divergedstep divergedepoch nanat nanatstep nanatepoch"
"""Names of columns with the step at which a run diverged. A run with a number above 0 there is unstable."""

FAILURES = """
failed crashed killed oom out_of_memory cancelled canceled aborted timed_out diverged deleted internal_error
upstream_failed
"""
"""Words of runs that did not finish, which hardly mean anything else."""

ERRORS = re.compile(
    r"(?:run|job|trial|task|train|training|eval|last|final|first|fatal|unhandled|uncaught)?"
    r"(?:errors?|err|exceptions?|exc|failures?|fail|crash|traceback|stacktrace)"
    r"(?:message|msg|type|text|reason|class|name|info|details?|string|str|trace|log)?"
)
"""Names of columns with the error of a run, without case and separators. A run with a text there did not finish."""

STATUS_OF = {word: status for status, words in WORDS.items() for word in words.split()}
