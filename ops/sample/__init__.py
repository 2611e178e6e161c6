"""The sample course: what `quiz-reports up --sample` loads, and example input for `quiz-reports import`.

    python -m ops.sample DIRECTORY

writes it as files that `import` takes.
"""

from ops.sample.loading import run_sample as run_sample
