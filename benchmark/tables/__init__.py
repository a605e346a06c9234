"""Tables of a run, made from its rows and from nothing else."""
