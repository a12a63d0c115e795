"""The job: reads the records, calls a service with the key, writes what it found."""

import json
import pathlib
import sys

key = pathlib.Path("/run/secrets/api-key").read_text()
records = pathlib.Path("/data/records.jsonl").read_text().splitlines()
out = pathlib.Path(sys.argv[2]) / "result.json"
out.write_text(json.dumps({"records": len(records), "key": f"{len(key)} characters"}))
