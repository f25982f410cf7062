"""Pools: who does the tasks of a long run. A pool makes workers in other processes, here or on a cluster, gives them tasks,
and yields what became of each, whatever happens to a worker."""
