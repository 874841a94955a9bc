"""The processes that train one network together.

`Processes`, over a communicator of mpi4py: buffers and values are exchanged in pairs, and the failure of one
process is told to all, so that none waits for ever. It imports `_base` alone; mpi4py is imported where it is
used.
"""
