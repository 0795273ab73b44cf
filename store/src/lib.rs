//! Rows, ids, queries, the job queue's SQL, wake-ups over Redis, files by hash.
