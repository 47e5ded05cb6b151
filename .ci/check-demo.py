"""Hold a finished demo to its promises.

    check-demo.py EXIT_CODE RUN_FOLDER TIME_FILE

TIME_FILE is written by /usr/bin/time -v; most of the memory and time is the
demo's, since everything was built before.
"""

import json
import pathlib
import re
import sys

EVENTS = 116_493
HOURLY_ROWS = 16_460
HOURLY_SUM = 1_595_408  # minutes of delay
RUSHES = 5_822  # sessions of the batch
MAX_SECONDS = 60
MAX_KIB = 1 << 19  # 512 MiB

failures = 0


def expect(what, got, right):
    global failures
    failures += not right
    print(f"{'ok    ' if right else 'FAILED'} {what}: {got}")


def equal(what, got, want):
    expect(what, got if got == want else f"{got}, not {want}", got == want)


def check_usage(text):
    clock = re.search(r"Elapsed .*\): ([\d:.]+)", text).group(1)
    seconds = sum(float(part) * 60**i for i, part in enumerate(reversed(clock.split(":"))))
    kib = int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", text).group(1))
    expect(f"seconds, at most {MAX_SECONDS}", f"{seconds:.1f}", seconds <= MAX_SECONDS)
    expect(f"MiB of memory, at most {MAX_KIB >> 10}", kib >> 10, kib <= MAX_KIB)


def check_report(report):
    equal("schema", (report["schema"], report["version"]), ("parallax-report", 1))
    equal("exit code in the report", report["verdict"]["exit_code"], 0)
    equal("unexplained", report["unexplained"]["total"], 0)
    ledger, records = report["ledger"], report["records"]
    equal("generated", ledger["generated"], EVENTS)
    equal("acknowledged or found", ledger["ok"] + ledger["found"], EVENTS)
    equal("beyond the cut, so not compared", ledger["beyond_cut"], 0)
    equal("valid in the log", records["valid"], EVENTS)
    classes = ("valid", "duplicate", "stale", "dead_letter", "punctuation")
    equal("records in exactly one class", sum(records[c] for c in classes), records["total"])
    broken = [i["name"] for i in report["identities"] + [i for v in report["views"] for i in v["identities"]] if not i["holds"]]
    equal("identities that do not hold", broken, [])
    equal("views", [v["name"] for v in report["views"]], ["hourly", "six-hours", "rushes"])
    for view in report["views"]:
        cells = view["cells"]
        expect(f"{view['name']}: closed cells", cells["closed"], cells["closed"] > 0)
        equal(f"{view['name']}: open cells", cells["open"], 0)
        for same in ("stream_is_a", "merged_is_b", "truth_is_b"):
            equal(f"{view['name']}: {same}", cells[same], cells["closed"])
        stream, b = view["sides"]["stream"], view["sides"]["b"]
        for figure in ("p50", "p95", "p99", "distinct"):
            expect(f"{view['name']}: {figure} of stream and B", (stream[figure], b[figure]), stream[figure] <= b[figure])
    rushes = next(v for v in report["views"] if v["name"] == "rushes")
    equal("rushes: sessions in B", rushes["sides"]["b"]["rows"], RUSHES)
    expect("rushes: sessions of the stream", rushes["sides"]["stream"]["rows"], rushes["sides"]["stream"]["rows"] > RUSHES)
    expect("rushes: retracted rows", rushes["stages"]["retracted"], rushes["stages"]["retracted"] > 0)
    expect("rushes: groups that are split", [c["cells"] for c in rushes["causes"] if c["cause"] == "split"], any(c["cause"] == "split" for c in rushes["causes"]))
    hourly = next(v for v in report["views"] if v["name"] == "hourly")["sides"]
    equal("hourly: rows in B", hourly["b"]["rows"], HOURLY_ROWS)
    equal("hourly: events in B", hourly["b"]["count"], EVENTS)
    equal("hourly: sum in B", hourly["b"]["sum"], HOURLY_SUM)
    share = hourly["stream"]["mean"] / hourly["b"]["mean"]
    expect("hourly: the stream's mean, as a part of the batch's", f"{share:.2f}", 0.35 < share < 0.7)


def main(code, folder, usage):
    equal("exit code of the demo", int(code), 0)
    check_usage(pathlib.Path(usage).read_text())
    path = pathlib.Path(folder, "report.json")
    if path.exists():
        check_report(json.loads(path.read_text()))
    else:
        expect(str(path), "missing", False)
    sys.exit(failures > 0)


main(*sys.argv[1:])
