"""What the figures of a quiz suggest, in words for a teacher: what is seen, what it may mean, what to do.

`RULES` is the one table of the rules and their words. A finding is worth a look; a note is of lower rank, and
clean data raises some. How often each rule marks an item of clean data is in `ops/statistics.md`. Below 20
respondents no rule applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from workers.analysis.figures import FEWEST_RESPONDENTS
from workers.analysis.frames import shortened
from workers.analysis.item_figures import ItemFigures, OptionFigures
from workers.analysis.quiz_statistics import QuizFigures
from workers.analysis.totals import ScoredItem

_HARD: Final = 0.20
_ABOVE_CHANCE: Final = 0.05
_EASY: Final = 0.95
_OMITTED: Final = 0.10
_RARELY_CHOSEN: Final = 0.05
_SPLIT: Final = 0.30
_LOW_ALPHA: Final = 0.6
_ITEMS_FOR_ALPHA: Final = 10

SHARES: Final = frozenset({"facility", "limit", "omitted", "share", "top_for_key", "top_for_option"})
"""The figures that are written as percents."""

# Longer texts of answers are cut in a sentence.
_MOST_CHARACTERS: Final = 80


class Rank(StrEnum):
    """How much a remark weighs."""

    FINDING = "finding"
    NOTE = "note"


@dataclass(frozen=True)
class Remark:
    """A rule that applies to the quiz or to an item, with the figures that raised it.

    `template` is `seen` with the names of the figures in braces, a key of translations. `item_id` is None for
    the whole quiz, `option_key` unless the remark is about one option.
    """

    rule: str
    rank: Rank
    seen: str
    template: str
    meaning: str
    advice: str
    figures: dict[str, float | str]
    item_id: int | None = None
    option_key: str | None = None


Found = dict[str, float | str]


@dataclass(frozen=True)
class Rule:
    """A rule and its words, as keys of translations; a condition yields the figures of each case.

    The figures fill the braces of the words. A figure `option` names the option that is meant.
    """

    name: str
    rank: Rank
    condition: Callable[..., Iterator[Found]]
    seen: str
    meaning: str
    advice: str


def remarks(quiz: QuizFigures, items: Sequence[ScoredItem], figures: Sequence[ItemFigures]) -> list[Remark]:
    """Return the findings by their weight, then the notes; within a rule, the items in their order."""
    found = [_remark(rule, case, None) for rule in QUIZ_RULES for case in rule.condition(quiz)]
    for rule in ITEM_RULES:
        for item, its_figures in zip(items, figures, strict=True):
            found += [_remark(rule, case, item.id) for case in rule.condition(item, its_figures)]
    order = {rule.name: weight for weight, rule in enumerate(RULES)}
    return sorted(found, key=lambda remark: order[remark.rule])


def _remark(rule: Rule, case: Found, item_id: int | None) -> Remark:
    key = case.pop("key", None)
    shown = {name: _shown(name, value) for name, value in case.items()}
    return Remark(
        rule.name,
        rule.rank,
        rule.seen.format(**shown),
        rule.seen,
        rule.meaning,
        rule.advice,
        case,
        item_id,
        None if key is None else str(key),
    )


def _shown(name: str, value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:.0%}" if name in SHARES else f"{value:.2f}"
    return shortened(value, _MOST_CHARACTERS)


def _wrong_key(item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """The correlation with the rest is negative, and a distractor has a higher point biserial than the key.

    If the key was chosen by too few students, the correlation of the item with the total is in its place.
    """
    r, key, best = figures.item_rest_correlation.value, _key(item, figures), _best_distractor(figures)
    if r is None or r >= 0 or key is None or best is None:
        return
    of_key = key.point_biserial.value
    if of_key is None:
        of_key = figures.point_biserial_total.value
    if of_key is None:
        return
    if _point_biserial(best) > of_key:
        yield {
            "item_rest_correlation": r,
            "point_biserial_of_key": of_key,
            "point_biserial_of_option": _point_biserial(best),
            "option": best.text,
            "key": best.key,
        }


def _negative_discrimination(item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """The whole interval of the item-rest correlation is negative, and the key is not the likelier reason."""
    r = figures.item_rest_correlation
    if r.value is not None and r.interval and r.interval[1] < 0 and not any(_wrong_key(item, figures)):
        yield {"item_rest_correlation": r.value, "upper_limit": r.interval[1]}


def _ambiguous(item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """The best students are split between the key and a distractor that attracts the weakest no more."""
    key = _key(item, figures)
    if key is None or any(_wrong_key(item, figures)):
        return
    for option in figures.options:
        top, bottom, of_key = (
            f.value for f in (option.share_of_top, option.share_of_bottom, key.share_of_top)
        )
        if option.correct or top is None or bottom is None or of_key is None:
            continue
        if min(top, of_key) >= _SPLIT and top >= bottom:
            yield {"top_for_key": of_key, "top_for_option": top, "option": option.text, "key": option.key}


def _too_hard(item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """The facility is below .20, or hardly above that of guessing."""
    facility = _trusted_facility(figures)
    limit = max(_HARD, item.chance + _ABOVE_CHANCE if item.chance else 0.0)
    if facility is not None and facility < limit:
        yield {"facility": facility, "limit": limit}


def _low_reliability(quiz: QuizFigures) -> Iterator[Found]:
    """Alpha is below .6, with ten items or more."""
    if quiz.alpha.value is not None and quiz.items >= _ITEMS_FOR_ALPHA and quiz.alpha.value < _LOW_ALPHA:
        yield {"alpha": quiz.alpha.value, "items": float(quiz.items)}


def _rarely_chosen(item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """Fewer than 5 percent of the students who answered chose a distractor."""
    if not item.is_choice or figures.answered < FEWEST_RESPONDENTS:
        return
    for option in figures.options:
        share = option.count / figures.answered
        if not option.correct and share < _RARELY_CHOSEN:
            yield {"share": share, "option": option.text, "key": option.key}


def _too_easy(_item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """The facility is above .95."""
    facility = _trusted_facility(figures)
    if facility is not None and facility > _EASY:
        yield {"facility": facility}


def _many_omitted(_item: ScoredItem, figures: ItemFigures) -> Iterator[Found]:
    """More than 10 percent of the students who were shown the item left it blank."""
    shown = figures.answered + figures.omitted
    if shown >= FEWEST_RESPONDENTS and figures.omitted / shown > _OMITTED:
        yield {"omitted": figures.omitted / shown}


def _trusted_facility(figures: ItemFigures) -> float | None:
    """Return the facility of an analysed item, if enough responses are graded."""
    graded = figures.answered + figures.omitted - figures.not_graded
    return figures.facility.value if figures.analysed and graded >= FEWEST_RESPONDENTS else None


def _key(item: ScoredItem, figures: ItemFigures) -> OptionFigures | None:
    correct = [option for option in figures.options if option.correct]
    return correct[0] if item.is_choice and len(correct) == 1 else None


def _best_distractor(figures: ItemFigures) -> OptionFigures | None:
    known = [o for o in figures.options if not o.correct and o.point_biserial.value is not None]
    return max(known, key=_point_biserial, default=None)


def _point_biserial(option: OptionFigures) -> float:
    return -1.0 if option.point_biserial.value is None else option.point_biserial.value


QUIZ_RULES: Final[Sequence[Rule]] = (
    Rule(
        "low_reliability",
        Rank.FINDING,
        _low_reliability,
        "Coefficient alpha is {alpha}, below 0.6.",
        "Another quiz of this kind might well rank the students differently. The questions may be about"
        " several things, be too easy or too hard, or be marked in a way that does not fit.",
        "Look at the questions with a low or negative correlation before you trust small differences.",
    ),
)

ITEM_RULES: Final[Sequence[Rule]] = (
    Rule(
        "wrong_key",
        Rank.FINDING,
        _wrong_key,
        "Students who did well elsewhere tended to choose “{option}”, not the answer that is marked as"
        " correct. The discrimination is negative: {item_rest_correlation}.",
        "The wrong answer may be marked as correct.",
        "Check the key. If it is right, look for wording that misleads students who know more.",
    ),
    Rule(
        "negative_discrimination",
        Rank.FINDING,
        _negative_discrimination,
        "Students who did well elsewhere did worse on this question: the correlation is"
        " {item_rest_correlation}.",
        "The question may be misleading, or be about something else than the quiz.",
        "Read the question with the answers of your best students beside it.",
    ),
    Rule(
        "ambiguous",
        Rank.FINDING,
        _ambiguous,
        "The best students are split: {top_for_key} of them chose the correct answer, {top_for_option} chose"
        " “{option}”.",
        "There may be good reasons for both answers.",
        "See whether the question can be read so that the other answer is right, too.",
    ),
    Rule(
        "too_hard",
        Rank.FINDING,
        _too_hard,
        "The students got {facility} of the points on average, less than {limit}.",
        "The question may be harder than intended, or about something that was not taught; where one"
        " answer is chosen, guessing would do nearly as well.",
        "See which answers were chosen instead, and whether the topic was covered.",
    ),
    Rule(
        "rarely_chosen",
        Rank.NOTE,
        _rarely_chosen,
        "“{option}” was chosen by {share} of the students who answered.",
        "Hardly anybody takes this answer for right, so the question is easier to guess than it looks.",
        "Replace the answer by a mistake that students do make, or leave it out.",
    ),
    Rule(
        "too_easy",
        Rank.NOTE,
        _too_easy,
        "The students got {facility} of the points on average.",
        "Nearly everybody can do this, which may be just what you want to know.",
        "If the question is to tell students apart, make it harder.",
    ),
    Rule(
        "many_omitted",
        Rank.NOTE,
        _many_omitted,
        "{omitted} of the students left this question blank.",
        "They may have run out of time, not have understood the question, or not have dared to guess.",
        "See whether it stands near the end, and whether the instructions are clear.",
    ),
)

# By weight.
RULES: Final = (*ITEM_RULES[:4], *QUIZ_RULES, *ITEM_RULES[4:])


def words() -> Iterator[str]:
    """Yield every text of the rules, for translations."""
    for rule in RULES:
        yield from (rule.seen, rule.meaning, rule.advice)


def as_json(remark: Remark) -> dict[str, Any]:
    """Return a remark as JSON."""
    return {name: value for name, value in vars(remark).items() if value is not None}
