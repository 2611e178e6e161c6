"""The sample course of `quiz-reports up --sample`, and example input for `quiz-reports import`.

    python -m ops.sample DIRECTORY

writes it as files that `import` accepts.
"""

from ops.sample.loading import run_sample as run_sample
