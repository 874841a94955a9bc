"""scikit-learn's callback protocol: what its callbacks hear of a fit. Without effect before version 1.9."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's."""

    def with_callbacks(method: Any) -> Any:
        """Return the method: nobody can have set callbacks."""
        return method


__all__ = ["CallbackSupportMixin", "FitTask", "with_callbacks"]


class FitTask:
    """A fit and its epochs, as tasks and subtasks; X, y and the weights are those the user gave."""

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> None:
        self.estimator = estimator
        self.epoch: Any = None
        self.active = not incremental and (
            bool(getattr(estimator, "_skl_callbacks", ())) or hasattr(estimator, "_parent_callback_ctx")
        )
        if not self.active:
            return
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        single = estimator.n_estimators == 1  # else the fit is told of as a whole
        self.context = estimator._init_callback_context(max_subtasks=estimator.max_iter if single else 0)
        self.context.call_on_fit_task_begin(**self.arguments)
        if single:
            self.epoch = self._begun_epoch()

    @classmethod
    def of_nobody(cls, estimator: Any) -> FitTask:
        """Return the task of a fit of which nobody is told."""
        return cls(estimator, None, None, None, incremental=True)

    def epoch_ended(self, *, last: bool) -> bool:
        """Tell the callbacks; return whether one of them wants to stop."""
        if not self.active:
            return False
        stop = self.epoch.call_on_fit_task_end(**self.arguments, reconstruction_attributes=self._weights)
        self.epoch = None if last or stop else self._begun_epoch()
        return bool(stop)

    def ended(self) -> None:
        """Tell the callbacks that the fit is over."""
        if not self.active:
            return
        if self.epoch is not None:  # begun, but there was nothing left to do
            self.epoch.call_on_fit_task_end(estimator=self.estimator)
        self.context.call_on_fit_task_end(**self.arguments, reconstruction_attributes=self._weights)

    def _begun_epoch(self) -> Any:
        epoch = self.context.subcontext(task_name="epoch")
        return epoch.call_on_fit_task_begin(**self.arguments)

    def _weights(self) -> dict[str, Any]:
        if self.estimator.n_estimators > 1:
            return {}  # a copy has all it needs
        return {
            "coefs_": [W.copy() for W in self.estimator.coefs_],
            "intercepts_": [b.copy() for b in self.estimator.intercepts_],
        }
