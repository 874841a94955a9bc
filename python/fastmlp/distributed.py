"""One network trained by many processes: ``train(..., shards=8, communicator=MPI.COMM_WORLD)``.

`ProcessError` is raised where another process of the run failed, or did not answer in time.
"""

from fastmlp._processes.failure import ProcessError

__all__ = ["ProcessError"]
