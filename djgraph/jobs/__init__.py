"""Jobs by number, somewhere: in this process, in processes, on a Ray cluster; each is done once, lost ones again."""

from djgraph.jobs.here import Here
from djgraph.jobs.processes import Processes
from djgraph.jobs.ray_cluster import EMBEDDED, Ray
from djgraph.jobs.run import Executor, Made, cores, executor_of, run_jobs
from djgraph.jobs.task import Job, Maker

__all__ = [
    "EMBEDDED",
    "Executor",
    "Here",
    "Job",
    "Made",
    "Maker",
    "Processes",
    "Ray",
    "cores",
    "executor_of",
    "run_jobs",
]
