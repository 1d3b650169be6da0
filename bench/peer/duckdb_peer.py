"""DuckDB as a peer of the benchmarks.

  duckdb_peer.py ingest FILE.csv FILE.parquet [UNIT_COLUMN]   one whole run: convert, profile, hash
  duckdb_peer.py ingest-all FILE.csv FOLDER                   the same, and every download format that DuckDB has
  duckdb_peer.py sql NAME=FILE.parquet ...                    {"sql": ...} a line in, {"seconds": ..., "rows": ...} a line out
"""

import hashlib
import json
import sys
import time

import duckdb

THREADS = 2
ROW_GROUP_ROWS = 122_880


def connect():
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    return connection


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ingest(source, target, unit=None):
    connection = connect()
    order = f" ORDER BY hash({unit})" if unit else ""
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
    connection.execute(
        f"COPY (SELECT * FROM read_csv('{source}', sample_size = -1){order}) TO '{target}' ({options})"
    )
    connection.execute(f"SUMMARIZE SELECT * FROM read_parquet('{target}')").fetchall()
    sha256(target)
    return connection


def ingest_all(source, folder):
    parquet = f"{folder}/data.parquet"
    connection = ingest(source, parquet)
    for name, options in [
        ("data.csv", "FORMAT csv, HEADER"),
        ("data.json", "FORMAT json, ARRAY true"),
        ("data.ndjson", "FORMAT json"),
    ]:
        path = f"{folder}/{name}"
        connection.execute(f"COPY (SELECT * FROM read_parquet('{parquet}')) TO '{path}' ({options})")
        sha256(path)


def serve(tables):
    connection = connect()
    for table in tables:
        name, path = table.split("=", 1)
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
    print(json.dumps({"version": duckdb.__version__}), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        rows = connection.execute(json.loads(line)["sql"]).fetchall()
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "rows": len(rows)}), flush=True)


if __name__ == "__main__":
    act, arguments = sys.argv[1], sys.argv[2:]
    {"ingest": lambda: ingest(*arguments), "ingest-all": lambda: ingest_all(*arguments), "sql": lambda: serve(arguments)}[act]()
