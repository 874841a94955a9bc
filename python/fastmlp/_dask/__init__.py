"""One network from the partitions of Dask's collections: rounds of local steps with an outer update.

`partitions` aligns the collections, `parts` reads a partition, `learning` trains and measures one (both run
on workers, as pure functions), `rounds` is the loop in the client, over `futures`. The package needs Dask and
distributed.
"""
