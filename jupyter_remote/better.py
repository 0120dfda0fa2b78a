"""Whether more or less of a metric is better: as its name tells, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

from .errors import UsageError

DIRECTIONS = ("min", "max")

_LOWER = """
loss losses err error errors rmse mse mae mape smape rmsle nll bpc bpb ppl perplexity entropy wer
cer ter eer fid kl divergence distance brier ece regret penalty fpr fnr latency time times seconds
secs sec ms us ns minutes hours duration elapsed overhead cost memory mem vram misses failures
violations residual
"""
_HIGHER = """
acc accuracy top f1 fscore auc auroc auprc roc ap map precision recall sensitivity specificity score
bleu rouge meteor cider iou miou dice jaccard r2 pearson spearman kappa mcc ndcg mrr hits psnr ssim
reward rewards return returns elo throughput speed speedup bandwidth fps qps tps flops gflops tflops
pflops mfu gbps mbps success wins tpr tnr correlation likelihood elbo
"""
_MEANING = {**dict.fromkeys(_LOWER.split(), "min"), **dict.fromkeys(_HIGHER.split(), "max")}
# `samples_per_second`, `tokens/s`, `it/s`: of what has such an end, more is better.
_RATE = re.compile(r"(?:per_?|/)(?:s|sec|secs|second|seconds|min|minute|hour|h|day|watt|gpu)$")
_WORDS = re.compile(r"[A-Z]+\d*(?![a-z])|[A-Z]?[a-z]+\d*|\d+")


def direction(name: str) -> str | None:
    """``min`` for a metric of which less is better, ``max`` for more, None where the name does not tell.

    The last word that means something counts: `accuracy_loss` is a loss.

    Args:
        name: of the metric: ``val_loss``, ``TRAIN.top1``, ``valAcc``, ``tokens/s``.
    """
    if _RATE.search(name.lower()):
        return "max"
    for word in reversed([word.lower() for word in _WORDS.findall(name)]):
        for known in (word, word.rstrip("0123456789")):
            if known in _MEANING:
                return _MEANING[known]
    return None


def parse(words: Iterable[str]) -> dict[str, str]:
    """What `--best` says: ``max`` for all metrics, ``NAME=min`` for one; the key of the first is "".

    Raises:
        UsageError: neither.
    """
    said = {}
    for text in words:
        name, _, way = text.rpartition("=")
        if way not in DIRECTIONS:
            raise UsageError(f"--best {text}: say min or max, or NAME=min, NAME=max for one metric")
        said[name] = way
    return said


def of(name: str, said: Mapping[str, str]) -> str | None:
    """The direction of a metric: what was said of it, of all, or what its name tells."""
    return said.get(name) or said.get("") or direction(name)


def best(values: Mapping[str, float], way: str | None) -> tuple[str, ...]:
    """The keys of the best values; none where nothing can be better: one value, all equal, no direction.

    Args:
        values: by run; what is not finite is never the best.
        way: ``min``, ``max`` or None.
    """
    finite = {key: value for key, value in values.items() if isfinite(value)}
    if way is None or len(values) < 2 or not finite or len(set(values.values())) == 1:
        return ()
    top = (min if way == "min" else max)(finite.values())
    return tuple(key for key, value in finite.items() if value == top)
