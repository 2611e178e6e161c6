"""Turn what Canvas's REST API returns into files for `quiz-reports import`.

`python -m ops.sample.canvas_rest.convert TO [FROM]` reads seven JSON files from a folder, by default the
recorded course beside this module, and writes three. README.md says which request gives each of them.
"""

from __future__ import annotations

import json
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

# A JSON object.
Json = dict[str, Any]

RECORDED = Path(__file__).parent


def convert(rest: Json) -> dict[str, Json]:
    """Return the course, the quiz and the attempts as they are pushed."""
    course, quiz, users = rest["course"], rest["quiz"], rest["users"]
    roster = {"users": users, "enrollments": [role for user in users for role in user["enrollments"]]}
    groups = [{**group, "entry_type": "quiz_group"} for group in rest["groups"]]
    entries = [entry for s in rest["submissions"] for entry in s["submission_history"] if entry["attempt"]]
    changed = [{**e, "updated_at": max(e["submitted_at"] or "", e["graded_at"] or "")} for e in entries]
    newest = {(e["id"], e["attempt"]): e for e in sorted(changed, key=itemgetter("updated_at"))}
    ids = {"course_id": course["id"], "quiz_id": quiz["id"]}
    return {
        "course": {"course": {**course, **roster, "sections": rest["sections"]}},
        "quiz": {"quiz": {**quiz, "course_id": course["id"], "questions": [*rest["questions"], *groups]}},
        "submissions": {**ids, "quiz_submissions": list(newest.values())},
    }


def read(folder: Path) -> Json:
    """Read the files of a folder by their names."""
    return {path.stem: json.loads(path.read_bytes()) for path in folder.glob("*.json")}


if __name__ == "__main__":
    to, *given = map(Path, sys.argv[1:])
    to.mkdir(parents=True, exist_ok=True)
    for name, body in convert(read(given[0] if given else RECORDED)).items():
        (to / f"{name}.json").write_text(json.dumps(body))
