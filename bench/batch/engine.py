"""Answers the question by one engine: count, sum, min and max per hour and key.

usage: engine.py ENGINE THREADS FILE...

Prints one JSON line: CPU seconds and wall seconds of the query, from the call to
the whole answer in memory as Arrow; the peak memory of the process up to then; the
rows; and the answer's digest, which is taken afterwards.
"""

import hashlib
import json
import os
import resource
import sys
import time

ENGINE, THREADS, FILES = sys.argv[1], sys.argv[2], sys.argv[3:]
os.environ["POLARS_MAX_THREADS"] = THREADS


def duckdb_query():
    import duckdb

    con = duckdb.connect()
    con.execute(f"set threads={THREADS}")
    con.execute("set preserve_insertion_order=false")
    con.execute("set TimeZone='UTC'")
    sql = """
        select epoch_us(event_time) // 3600000000 as hour, key,
               count(*) as count, sum(value) as sum, min(value) as min, max(value) as max
        from read_parquet(?) group by all"""
    return lambda: con.sql(sql, params=[FILES]).to_arrow_table(), duckdb.__version__


def polars_query():
    import polars as pl

    query = (
        pl.scan_parquet(FILES)
        .select("key", "value", hour=pl.col("event_time").to_physical() // 3_600_000_000)
        .group_by("hour", "key")
        .agg(
            count=pl.len(),
            sum=pl.col("value").sum(),
            min=pl.col("value").min(),
            max=pl.col("value").max(),
        )
    )
    return lambda: query.collect(engine="streaming").to_arrow(), pl.__version__


def datafusion_query():
    import datafusion
    import pyarrow as pa

    ctx = datafusion.SessionContext(
        datafusion.SessionConfig().with_target_partitions(int(THREADS))
    )
    ctx.register_parquet("events", os.path.dirname(FILES[0]))
    sql = """
        select cast(event_time as bigint) / 3600000000 as hour, key,
               count(*) as count, sum(value) as sum, min(value) as min, max(value) as max
        from events group by 1, 2"""
    return lambda: pa.Table.from_batches(ctx.sql(sql).collect()), datafusion.__version__


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def peak():
    with open("/proc/self/status") as f:
        return next(int(x.split()[1]) << 10 for x in f if x.startswith("VmHWM"))


def digest(table):
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.set_column(
        table.schema.get_field_index("key"), "key", pc.cast(table["key"], pa.large_string())
    )
    table = table.take(pc.sort_indices(table, [("hour", "ascending"), ("key", "ascending")]))
    h = hashlib.sha256()
    for name in ("hour", "count", "sum", "min", "max"):
        column = pc.cast(table[name], pa.int64()).combine_chunks()
        h.update(column.to_numpy(zero_copy_only=False).tobytes())
    h.update("\n".join(table["key"].to_pylist()).encode())
    return h.hexdigest()


def main():
    query, version = {
        "duckdb": duckdb_query,
        "polars": polars_query,
        "datafusion": datafusion_query,
    }[ENGINE]()
    used, began = cpu(), time.perf_counter()
    table = query()
    wall, used = time.perf_counter() - began, cpu() - used
    high = peak()
    print(
        json.dumps(
            {
                "version": version,
                "cpu_s": used,
                "wall_s": wall,
                "peak_bytes": high,
                "rows": table.num_rows,
                "digest": digest(table),
            }
        )
    )


main()
