"""The figures of the page of an item analysis: the time to its first byte, and its weight by language."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import msgspec

from api.translations import LANGUAGES
from ops.benchmarks.measure import Comparison, Goal, Outcome, Spread, at_most
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, RunningApi, log_line, wait_until
from ops.client.http import Client
from ops.sample.loading import sample_course, sample_quizzes
from ops.sample.simulated_exam import simulated_submissions

_QUIZ, _WORDY_QUIZ = 4_000, 4_001
_TEACHER = "7001"
_QUESTIONS = 100
_MOST_MILLISECONDS, _MOST_KILOBYTES = 150.0, 300.0
# Each process reads the catalogue of a language when it is first asked for.
_UNCOUNTED = 6
_FEWEST_REQUESTS, _REQUESTS = 3, 20
_WORDS = " Mind the units, and give the answer that holds for an adult at rest, if none says otherwise."
_QUESTION_CHARACTERS, _ANSWER_CHARACTERS = 250, 80

Json = dict[str, Any]


def measure_item_page(stack: BenchmarkStack, api: RunningApi) -> Iterator[Outcome]:
    """Measure the page of the sample's questions, repeated to a hundred, and of as many wordy ones."""
    log_line(f"the page of an item analysis of {_QUESTIONS} questions")
    questions = repeated_questions(_QUESTIONS)
    submissions = list(simulated_submissions(questions))
    with Client(api.address, stack.admin_token) as client:
        course = sample_course()
        course_id = course.pop("id")
        client.put_course(course_id, course)
        addresses = []
        for quiz_id, of_quiz in ((_QUIZ, questions), (_WORDY_QUIZ, [_wordy(q) for q in questions])):
            _push(client, course_id, quiz_id, of_quiz, submissions)
            addresses.append(f"{api.address}/courses/{course_id}/quizzes/{quiz_id}/items")
        link = client.page_link(course_id, _QUIZ, _TEACHER)
    with httpx.Client(timeout=30, trust_env=False, follow_redirects=True) as browser:
        browser.get(link).raise_for_status()
        with stack.worker():
            wait_until(lambda: all(_is_computed(browser, address) for address in addresses), pause=0.1)
        yield _first_byte(stack, api, browser, addresses[0])
        most = at_most(_MOST_KILOBYTES, Comparison.ALONE)
        yield _weight("weight", "questions", browser, addresses[0], most)
        # Its texts are most of what it weighs more, and they are what its reader wants to see.
        yield _weight("wordy_weight", "wordy questions", browser, addresses[1])


def repeated_questions(number: int) -> list[Json]:
    """Return the questions of the sample's exam, again and again."""
    (exam,) = (quiz for quiz in sample_quizzes() if quiz.name == "exam")
    of_exam = [question for question in exam.definition["questions"] if "entry_type" not in question]
    return [{**of_exam[n % len(of_exam)], "id": 10_000 + n, "position": n + 1} for n in range(number)]


def _wordy(question: Json) -> Json:
    """Return a question with texts as long as those of a case study."""
    answers = [
        {**answer, "text": _lengthened(answer["text"], _ANSWER_CHARACTERS)} for answer in question["answers"]
    ]
    text = _lengthened(question["question_text"], _QUESTION_CHARACTERS)
    return {**question, "question_text": text, "answers": answers}


def _lengthened(text: str, characters: int) -> str:
    return (text + characters // len(_WORDS) * _WORDS + _WORDS)[:characters]


def _push(
    client: Client, course_id: int, quiz_id: int, questions: Sequence[Json], submissions: Sequence[Json]
) -> None:
    quiz = {
        "title": f"Exam {quiz_id}",
        "quiz_type": "assignment",
        "points_possible": float(_QUESTIONS),
        "questions": questions,
    }
    client.put_quiz(course_id, quiz_id, quiz)
    # The ids of attempts belong to one quiz.
    own = [{**submission, "id": submission["id"] + 1_000 * quiz_id} for submission in submissions]
    lines = [msgspec.json.encode(submission) + b"\n" for submission in own]
    client.put_submissions(course_id, quiz_id, lines, sum(map(len, lines)))


def _page(browser: httpx.Client, address: str, language: str) -> httpx.Response:
    headers = {"Accept-Language": language, "Accept-Encoding": "identity"}
    response = browser.get(address, headers=headers).raise_for_status()
    if response.headers["Content-Language"] != language:
        raise BenchmarkError(f"{address} is not in {language}")
    return response


def _is_computed(browser: httpx.Client, address: str) -> bool:
    return 'id="findings"' in _page(browser, address, "en").text


def _first_byte(stack: BenchmarkStack, api: RunningApi, browser: httpx.Client, address: str) -> Outcome:
    requests = _FEWEST_REQUESTS if stack.plan.quick else _REQUESTS
    for language in LANGUAGES * _UNCOUNTED:
        _page(browser, address, language)
    before = _cpu_seconds(api)
    times: Mapping[str, list[float]] = {language: [] for language in LANGUAGES}
    for _ in range(requests):
        for language, measured in times.items():
            measured.append(1000 * _seconds_to_first_byte(browser, address, language))
    cpu = 1000 * (_cpu_seconds(api) - before) / (requests * len(LANGUAGES))
    medians = ", ".join(f"{language} {statistics.median(of):.0f}" for language, of in times.items())
    return Outcome(
        figure="web/item_page/first_byte",
        work=f"item analysis of {_QUESTIONS} questions, request to first byte",
        unit="ms",
        measured=Spread([milliseconds for of in times.values() for milliseconds in of]),
        goal=at_most(_MOST_MILLISECONDS, Comparison.ALONE),
        remark=f"medians: {medians}; {cpu:.0f} ms of CPU time",
    )


def _seconds_to_first_byte(browser: httpx.Client, address: str, language: str) -> float:
    began = time.perf_counter()
    with browser.stream("GET", address, headers={"Accept-Language": language}) as response:
        rest = response.iter_raw()
        next(rest)
        elapsed = time.perf_counter() - began
        response.raise_for_status()
        for _ in rest:
            pass
    return elapsed


def _cpu_seconds(api: RunningApi) -> float:
    times = [process.cpu_times() for process in api.processes()]
    return sum(used.user + used.system for used in times)


def _weight(
    figure: str, questions: str, browser: httpx.Client, address: str, goal: Goal | None = None
) -> Outcome:
    """Weigh the page in the language in which it is the heaviest."""
    weights = {language: len(_page(browser, address, language).content) / 1000 for language in LANGUAGES}
    return Outcome(
        figure=f"web/item_page/{figure}",
        work=f"weight of the page of {_QUESTIONS} {questions}, uncompressed",
        unit="kB",
        measured=Spread([max(weights.values())]),
        goal=goal,
        remark=", ".join(f"{language} {weight:.0f}" for language, weight in weights.items()),
    )
