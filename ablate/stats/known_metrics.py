"""Known names of metrics: whether higher or lower is better, and whether the values are shares.

The lists are exact, in lower case without separators: for every other name the goal is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ablate.stats.metric import Goal

Kind = Literal["share", "loss", "other"]

HIGHER_SHARES = """
accuracy acc top1 top5 top1accuracy top5accuracy top1acc top5acc acc1 acc5 acctop1 acctop5 accuracytop1 accuracytop5
accuracy1 accuracy5 balancedaccuracy balancedacc accuracyscore balancedaccuracyscore meanaccuracy
categoricalaccuracy sparsecategoricalaccuracy binaryaccuracy multiclassaccuracy f1 f1score fscore f1macro macrof1
f1micro microf1 f1weighted weightedf1 macrof1score microf1score precision precisionscore macroprecision
microprecision recall recallscore macrorecall microrecall sensitivity specificity auc auroc rocauc aucroc
rocaucscore auprc prauc aucpr averageprecision averageprecisionscore map map50 map5095 meanaverageprecision iou miou
meaniou jaccard jaccardscore dice dicescore dicecoefficient ndcg ndcg5 ndcg10 mrr hitrate exactmatch successrate
winrate pass1 pass10
"""
"""Fractions from 0 to 1, or percentages from 0 to 100. Higher is better."""

HIGHER = """
bleu sacrebleu rouge1 rouge2 rougel rougelsum meteor chrf bertscore ssim msssim psnr snr r2 r2score mcc
matthewscorrcoef kappa cohenkappa cohenkappascore spearman spearmanr pearson pearsonr kendalltau reward meanreward
episodereward averagereward episodereturn meanreturn averagereturn averageepisodereturn averageepisodereward
meanepisodereturn meanepisodereward episodicreturn episodicreward eprewmean epret averageepret loglikelihood
inceptionscore
"""
"""Metrics in a unit of their own, or shares in the convention of some users. Higher is better."""

LOSSES = """
loss crossentropy crossentropyloss bce bceloss nll nllloss negativeloglikelihood logloss perplexity ppl mse mseloss
rmse mae mape msle rmsle meansquarederror rootmeansquarederror meanabsoluteerror fid kid lpips brier brierscore
brierloss bpb bpc bpd bitsperbyte bitsperchar bitsperdim latency latencyms latencys
"""
"""Losses, errors of regression, costs: in a unit of their own. Lower is better."""

LOWER_SHARES = """
error err errorrate errrate top1error top5error top1err top5err err1 err5 error1 error5 classificationerror
misclassificationrate wer cer ter eer ece fpr fnr falsepositiverate falsenegativerate hter
"""
"""Rates of errors, from 0 to 1 or in percent. Lower is better."""

PARTS = "train training val valid validation dev test testing eval holdout cv final last best epoch"
"""Words of a name for the data, or the epoch, of a value. They are ignored: `val_acc` is known as `acc`."""

_SUMMARY = re.compile(r"\.(min|max|mean|last|first|best)$")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_\-.@: ]*(?:%|\(%\)|\[%\])?")


@dataclass(frozen=True)
class KnownMetric:
    """The goal of a known metric, and its kind.

    Attributes:
        goal: `max` or `min`.
        kind: `share` for fractions and percentages, `loss` for a unit of its own, `other` where both are in use.
    """

    goal: Goal
    kind: Kind


_KNOWN = {
    **dict.fromkeys(HIGHER_SHARES.split(), KnownMetric("max", "share")),
    **dict.fromkeys(HIGHER.split(), KnownMetric("max", "other")),
    **dict.fromkeys(LOSSES.split(), KnownMetric("min", "loss")),
    **dict.fromkeys(LOWER_SHARES.split(), KnownMetric("min", "share")),
}


def known_metric(name: str) -> KnownMetric | None:
    """Return a metric by its name, or None for one that is not on the lists.

    Case, separators, words such as `val` and `test`, and the ends of summaries of W&B do not count: `val/top1_acc`,
    `valTop1Acc`, `val_acc.max`.
    """
    name = _SUMMARY.sub("", name.removeprefix("metrics.")).strip("_")
    if not _PLAIN.fullmatch(name):  # such as `-loss` and `1/acc+1`
        return None
    words = [word.lower() for word in _WORDS.findall(name)]
    core = [word for word in words if word not in PARTS.split()]
    if words[:1] in (["rollout"], ["charts"]):  # groups of Stable-Baselines3 and CleanRL
        return known_metric(name[len(words[0]) :].lstrip("/_-. "))
    return _KNOWN.get("".join(words)) or _KNOWN.get("".join(core))
