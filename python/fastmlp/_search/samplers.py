"""Who proposes the trials: Optuna's samplers, and a grid."""

from __future__ import annotations

import inspect
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.validation import choice
from fastmlp._search.quiet import need_optuna
from fastmlp._search.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

#: Trials of the first batches, and of the largest ones.
BATCH, _MOST = 16, 64

SAMPLERS = ("tpe", "random", "grid")

#: Each proposal of TPE is the best of so many. Optuna's 24 are for one proposal at a time; those of a batch
#: are to differ, which they do more with fewer candidates.
_CANDIDATES = 8


def batch_size(done: int) -> int:
    """Return how many trials are proposed, trained and judged together, after so many.

    They are 16, which leaves a search of 64 trials four rounds to learn from, and up to 64 where that is at
    most a quarter of what is known: a round costs TPE about the same whatever it proposes. The machine has no
    say in it, as the proposals depend on it.
    """
    size = BATCH
    while size < _MOST and 8 * size <= done:
        size *= 2
    return size


def check_sampler(sampler: Any, space: Space) -> None:
    """Refuse what is no sampler, and a grid of ranges."""
    if isinstance(sampler, need_optuna().samplers.BaseSampler):
        return
    if not isinstance(sampler, str):
        raise TypeError(f"sampler must be one of {', '.join(SAMPLERS)}, or Optuna's object; got {sampler!r}")
    choice("sampler", sampler, SAMPLERS)
    if sampler == "grid":
        grid_axes(space)


def begun_sampler(sampler: Any, space: Space, seed: int, done: int) -> BaseSampler:
    """Return the sampler of the batch that follows so many trials.

    Each batch has random numbers of its own: a search that goes on from a storage proposes what it would have
    proposed without the break. An object of the user's is left as it is.
    """
    samplers = need_optuna().samplers
    if not isinstance(sampler, str):
        return sampler  # type: ignore[no-any-return]
    seed = int(np.random.SeedSequence([seed, done]).generate_state(1)[0])
    if sampler == "tpe" and not _can_batch():
        return samplers.TPESampler(  # type: ignore[no-any-return]
            seed=seed, n_startup_trials=BATCH, multivariate=True, constant_liar=False
        )
    if sampler == "tpe":
        return _batched_tpe()(seed, batch_size(done), space.distributions)  # type: ignore[no-any-return]
    return samplers.RandomSampler(seed=seed)  # type: ignore[no-any-return]


def grid_axes(space: Space) -> dict[str, list[Any]]:
    """Return the values of each parameter, where all have a few."""
    if space.distributions is None:
        raise ValueError("sampler 'grid' needs a space of named lists, got a function")
    distributions, axes = need_optuna().distributions, {}
    for name, one in space.distributions.items():
        if isinstance(one, distributions.CategoricalDistribution):
            axes[name] = list(one.choices)
        elif isinstance(one, distributions.IntDistribution) and not one.log:
            axes[name] = list(range(one.low, one.high + 1, one.step))
        else:
            raise ValueError(f"sampler 'grid' needs a list of values for {name!r}, got {one}")
    return axes


def grid_points(space: Space, seed: int) -> list[dict[str, Any]]:
    """Return all combinations, in a random order: any first part of it is spread over all."""
    axes = grid_axes(space)
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [points[i] for i in np.random.default_rng(seed).permutation(len(points))]


def _can_batch() -> bool:
    """Whether Optuna's sampler compares candidates where `_batched_tpe` expects it: the method is private.

    Where it does not, Optuna's own sampler makes one proposal at a time.
    """
    compares = getattr(need_optuna().samplers.TPESampler, "_compute_acquisition_func", None)
    expected = ["self", "samples", "mpe_below", "mpe_above"]
    return compares is not None and list(inspect.signature(compares).parameters) == expected


def _batched_tpe() -> Any:
    """Return a TPE sampler that draws the proposals of a batch at once.

    Within a batch nothing is learned, so that each proposal compares candidates by the same two densities:
    to build them once for all, rather than once for each, takes a tenth of the time. What is proposed is
    what Optuna's sampler proposes without `constant_liar`, but for the order of the random numbers.
    """
    base = need_optuna().samplers.TPESampler

    class BatchedTPE(base):  # type: ignore[misc, valid-type]
        def __init__(self, seed: int, proposals: int, distributions: dict[str, Any] | None) -> None:
            super().__init__(
                seed=seed,
                n_startup_trials=BATCH,
                n_ei_candidates=_CANDIDATES * proposals,
                multivariate=True,
                constant_liar=False,
            )
            self._proposals: dict[tuple[str, ...], list[dict[str, Any]]] = {}
            self._known = None if distributions is None else dict(sorted(distributions.items()))

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            """Return the space; of a function it is what the trials so far have in common."""
            if self._known is None:
                self._known = super().infer_relative_search_space(study, trial)
            return {name: one for name, one in self._known.items() if not one.single()}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            left = self._proposals.get(tuple(search_space))
            if not left:
                first: dict[str, Any] = super().sample_relative(study, trial, search_space)
                if not first or tuple(search_space) not in self._proposals:
                    return first
                left = self._proposals[tuple(search_space)]
            values = left.pop(0)
            return {name: one.to_external_repr(values[name]) for name, one in search_space.items()}

        def _compute_acquisition_func(self, samples: Any, below: Any, above: Any) -> Any:
            """Keep the best of each 8 candidates; leave the first 8 to choose from."""
            gains = super()._compute_acquisition_func(samples, below, above)
            best = gains.reshape(-1, _CANDIDATES).argmax(axis=1) + np.arange(0, len(gains), _CANDIDATES)
            self._proposals[tuple(samples)] = [
                {name: values[i].item() for name, values in samples.items()} for i in best
            ]
            gains[_CANDIDATES:] = -np.inf
            return gains

    return BatchedTPE
