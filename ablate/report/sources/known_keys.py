"""Known names of seeds, and of keys that describe a run without being part of its configuration: results, ids, times.

The lists are exact, in lower case without separators. Seeds, paths and commits count by the last part of a name, too:
`trainer.seed` is a seed, but `model.name` no name of a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ablate.report.sources.columns import plain
from ablate.report.sources.row_checks import STEP_COLUMNS
from ablate.stats.known_metrics import known_metric

SEEDS = """
seed seeds seedid seednumber randomseed randomstate rngseed rngstate manualseed globalseed globalrandomseed baseseed
trainseed trainingseed torchseed npseed numpyseed initseed seedeverything runseed
"""
"""Names of seed columns."""

IDS = """
id ids index uuid guid runid runuuid runname name displayname run runs runnumber runindex runkey title trial trialid
trialname trialnumber job jobid jobname jobtype jobnum jobnumber slurmjobid arrayjobid arraytaskid taskid taskindex
sweep sweepid sweepname group groupname groups notes note description comment comments tags tag user username author
owner email version versionnumber experimentname expname exp experimentid experimenttag wandbgroup wandbid wandbname
wandbnotes wandbtags wandbproject wandbentity wandbprojectname projectname project entity projectid url link
sourcefile
"""
"""Names that identify or describe a run."""

TIMES = """
time times timestamp date datetime created createdat updatedat heartbeatat started startedat ended endedat finishedat
completedat start end starttime endtime startdate enddate runtime duration walltime wallclock wallclocktime elapsed
elapsedtime totaltime traintime trainingtime evaltime inferencetime epochtime timetotals secs seconds minutes hours
runtimeseconds totalseconds durationseconds elapsedseconds trainseconds trainingseconds days
"""
"""Names of times and durations."""

TIME_WORDS = "runtime seconds secs elapsed duration walltime"
"""Words of a name that make it a time, such as `train_runtime_seconds`."""

LIMIT_WORDS = "max min limit budget timeout interval every per"
"""Words of a name that make a time a setting: `max_seconds`."""

MACHINES = """
host hostname node nodename nodelist machine computer pid processid ppid platform os osversion cpu cpus cpucount
cpuname gpu gpus gpuid gpuids gpuname gpucount gputype device devices devicename deviceids cuda cudavisibledevices
cudaversion rank localrank globalrank worldsize port masterport masteraddr ip nodeip cluster queue partition
pythonversion python torchversion transformersversion lightningversion packages executable argv command commandline
cmd cliversion wandbversion libversion numworkers nworkers workers peakvrammb memorygb memorymb peakmemory
peakmemorymb maxmemory
"""
"""Names of hosts, devices, processes and versions."""

PATHS = """
path paths dir dirs directory folder file filename filepath root cwd workdir workingdirectory outputdir outdir logdir
logfile logpath logfolder savedir savepath savefolder checkpoint checkpointdir checkpointpath ckpt ckptdir ckptpath
rundir runpath resultsdir resultdir cachedir datadir dataroot datapath tensorboarddir artifacturi artifactlocation
resume resumefrom
"""
"""Names of files and folders."""

COMMITS = """
commit commithash commitid commitsha gitcommit githash gitsha gitrev gitrevision gitbranch gitdirty gitdiff gitremote
gitstatus gitrepo branch revision sha hash confighash codeversion dirty diff
"""
"""Names of the state of the code."""

CONDITIONS = """
gpu gpuname gputype device devicename devicetype accelerator cpuname cudaversion torchversion pythonversion
transformersversion lightningversion libversion commit commithash commitid commitsha gitcommit githash gitsha gitrev
gitrevision revision codeversion
"""
"""Names of conditions that may change results: a comparison of variants that differ in one may be due to it."""

SETTINGS = """
lr learningrate learnrate baselr maxlr initlr stepsize batchsize batch bs trainbatchsize perdevicetrainbatchsize epochs
nepochs numepochs maxepochs epochcount numtrainepochs trainepochs totalepochs steps nsteps numsteps maxsteps totalsteps
trainsteps maxiters numiterations iterations maxiterations niters warmup warmupsteps warmupratio warmupepochs
weightdecay wd decay momentum beta1 beta2 gamma dropout droprate optimizer optim scheduler lrscheduler schedule model
arch architecture backbone network dataset data datasetname split subset width depth layers nlayers numlayers hiddensize
hiddendim nhidden heads nheads numheads imagesize resolution trainsize nsamples augment augmentation temperature
"""
"""Names of settings of a training."""

RESULT_WORDS = (
    "acc accuracy f1 auc auroc auprc mse rmse mae psnr ssim iou miou dice bleu rouge perplexity ppl reward return"
)
"""Words of a name that make a column of numbers with decimals a result: `acc_pruned`, `mse_overall`."""

_BY_REASON = {
    "ids and descriptions": IDS,
    "times": TIMES,
    "hosts and devices": MACHINES,
    "paths": PATHS,
    "commits": COMMITS,
    "steps and epochs": STEP_COLUMNS,
}
_REASONS = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
_OWN_TAGS = ("tags.mlflow.", "tags.ablate.", "_wandb", "params._wandb")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan", re.IGNORECASE)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_ABSOLUTE = re.compile(r"(?:/|~/|\./|\.\./|[A-Za-z]:\\|[a-z0-9]+://).*")


def is_seed(column: str) -> bool:
    """Return whether a column is called like a seed."""
    return _letters(_last_part(column)) in SEEDS.split()


def is_condition(column: str) -> bool:
    """Return whether a column is called like a condition of runs, such as the type of the GPU."""
    return _letters(_last_part(column)) in CONDITIONS.split()


def is_setting(column: str) -> bool:
    """Return whether a column is called like a setting: `lr`, `optim.lr`."""
    return _letters(_last_part(column)) in SETTINGS.split()


def is_known_result(column: str) -> bool:
    """Return whether a column is called like a metric: `val_acc`, `eval/loss`."""
    name = plain(column)
    return known_metric(name) is not None or known_metric(name.rpartition("/")[2]) is not None


def is_result_like(column: str, cells: Iterable[str]) -> bool:
    """Return whether a column has numbers with decimals, and a word of its name means a result."""
    words = re.findall(r"[a-z]+[0-9]*", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain(column)).lower())
    if not set(words) & set(RESULT_WORDS.split()):
        return False
    numbers = [cell.strip() for cell in cells if cell.strip()]
    return all(map(_NUMBER.fullmatch, numbers)) and any("." in number for number in numbers)


def reason_by_name(column: str) -> str:
    """Return what a column is if its name shows that it is not part of a configuration; empty otherwise."""
    if column.startswith(_OWN_TAGS):
        return "ids and descriptions"
    name, last = _letters(plain(column)), _letters(_last_part(column))
    if _ADDRESS.search(column):
        return "ids and descriptions"
    words = set(re.findall(r"[a-z]+", plain(column).lower()))
    if words & set(TIME_WORDS.split()) and not words & set(LIMIT_WORDS.split()):
        return "times"
    known = _REASONS.get(name) or (_REASONS[last] if last in f"{PATHS} {COMMITS}".split() else "")
    if known:
        return known
    return "results" if not column.startswith("params.") and is_known_result(column) else ""


def are_paths(cells: Iterable[str]) -> bool:
    """Return whether all cells that are not empty are absolute or relative paths, or addresses, also of memory."""
    found = [cell for cell in cells if cell]
    return bool(found) and all(_ABSOLUTE.fullmatch(cell) or _ADDRESS.search(cell) for cell in found)


def _last_part(column: str) -> str:
    return re.split(r"[./]", plain(column))[-1]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
