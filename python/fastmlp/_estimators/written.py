"""The files that a fitted estimator writes."""

from __future__ import annotations

from os import PathLike

from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network


class WrittenAsOne:
    """Saves and exports what was learned, one network or an ensemble."""

    def _as_one(self) -> Network | Ensemble:
        """Return what was learned, and raise an error before `fit`."""
        raise NotImplementedError

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network, or the ensemble, to a safetensors file for `fastmlp.load`; see `Network.save`.

        Parameters
        ----------
        path : path
            A file that exists is replaced once the new one is complete.
        """
        self._as_one().save(path)

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write the network, or the ensemble, as an ONNX model; see `fastmlp.export.to_onnx`.

        With several quantiles, it gives all of them, sorted, as `predict_quantiles` does.

        Parameters
        ----------
        path : path
        """
        self._as_one().to_onnx(path)

    def to_c(self, path: str | PathLike[str], name: str = "model") -> None:
        """Write the network, or the ensemble, as one C99 header; see `fastmlp.export.to_c`.

        With several quantiles, it gives all of them, sorted, as `predict_quantiles` does.

        Parameters
        ----------
        path : path
        name : str, default "model"
            What the functions begin with.
        """
        self._as_one().to_c(path, name)
