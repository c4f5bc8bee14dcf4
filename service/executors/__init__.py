"""Where a run is carried out: in a process of its own, so that its crash ends the run and nothing else."""
