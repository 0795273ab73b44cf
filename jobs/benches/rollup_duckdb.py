"""The aggregation of `script/bench rollup` by DuckDB, on the same Parquet: hourly and daily rows with different actors.

The same work as `jobs::tally`: of an actor's views (downloads) of a workflow within half an hour one counts.
"""
import resource
import sys
import time

import duckdb

folder, threads = sys.argv[1], int(sys.argv[2])
db = duckdb.connect()
db.execute(f"SET threads = {threads}")
started = time.monotonic()
db.execute(f"""
    CREATE TEMP TABLE different AS
    SELECT DISTINCT kind, workflow, actor, at_s // 1800 AS half_hour, at_s // 3600 AS hour
    FROM read_parquet('{folder}/*.parquet')
""")
counts = """
    workflow, count(*) FILTER (kind = 1) AS views, count(DISTINCT actor) FILTER (kind = 1) AS unique_viewers,
    count(*) FILTER (kind = 2) AS downloads, count(DISTINCT actor) FILTER (kind = 2) AS unique_downloaders
"""
db.execute(f"CREATE TEMP TABLE hourly AS SELECT hour, {counts} FROM different GROUP BY hour, workflow")
db.execute(f"CREATE TEMP TABLE daily AS SELECT hour // 24 AS day, {counts} FROM different GROUP BY day, workflow")
took = time.monotonic() - started
found = db.execute("""
    SELECT (SELECT count(*) FROM hourly), count(*), sum(views), sum(downloads), (SELECT sum(unique_viewers) FROM hourly), sum(unique_viewers)
    FROM daily
""").fetchone()
found = " ".join(str(int(number)) for number in found)
expected = open(f"{folder}/expected").read().strip()
events = db.execute(f"SELECT count(*) FROM read_parquet('{folder}/*.parquet')").fetchone()[0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
what = f"DuckDB {duckdb.__version__} from Parquet, by hour and by day"
print(f"{what:<44} {took:>8.2f} s {events / took / 1e6:>8.2f} M events/s {peak:>6} MB")
if found != expected:
    sys.exit(f"DuckDB found {found}, polars {expected}")
