//! Everything that happens later: the queue, the schedule, and each job.
