"""The sample course as files that `quiz-reports import` reads."""

from __future__ import annotations

import json
from pathlib import Path

from ops.sample.contents import sample_quizzes
from ops.sample.course import COURSE_ID, Json, sample_course


def write_sample(directory: Path) -> list[Path]:
    """Write the sample course into a directory and return the files."""
    contents: dict[str, Json] = {"course.json": {"course": {"id": COURSE_ID, **sample_course()}}}
    for sample in sample_quizzes():
        ids = {"id": sample.id, "course_id": COURSE_ID}
        contents[f"{sample.name}_quiz.json"] = {"quiz": {**ids, **sample.quiz}}
        contents[f"{sample.name}_submissions.json"] = {
            "course_id": COURSE_ID,
            "quiz_id": sample.id,
            "quiz_submissions": sample.submissions,
        }
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return paths
