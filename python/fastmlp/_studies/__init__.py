"""Studies: what initial weights, the batch size and the learning rate do to a training run.

They train networks and compare the runs. The package imports `_training` and what lies below it.
"""

from fastmlp._studies.batch_size import BatchSizeStudy, study_batch_size
from fastmlp._studies.inits import InitComparison, compare_inits
from fastmlp._studies.learning_rate import LearningRateStudy, study_learning_rate

__all__ = [
    "BatchSizeStudy",
    "InitComparison",
    "LearningRateStudy",
    "compare_inits",
    "study_batch_size",
    "study_learning_rate",
]
