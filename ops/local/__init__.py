"""The servers and processes of `quiz-reports up` on one machine."""
