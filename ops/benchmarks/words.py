"""Random texts of realistic lengths, from the words of a biology course."""

from __future__ import annotations

import random

_WORDS = """
    the a of in and to is that cell membrane energy protein enzyme which water light plant animal between
    during because therefore oxygen carbon nucleus division growth species gene expression transport active
    passive gradient concentration molecule reaction rate temperature organ tissue blood vessel signal
    receptor hormone root leaf photosynthesis respiration mitochondrion chloroplast ribosome population
    selection inheritance dominant recessive experiment hypothesis measured result shows higher lower than
    without within its their some most every only also called usually
""".split()  # noqa: SIM905 - a text of words reads better than a list of them; the same below.

_FIRST_NAMES = """
    Ann Bao Carla Dmitri Elif Femi Grete Hiro Ines José Kofi Léa Mina Noor Olu Priya Quinn Rosa Søren Tuana
""".split()  # noqa: SIM905
_LAST_NAMES = """
    Lee Okafor Müller García Nowak Haddad Tanaka Silva Andersson O'Neil Kaya Dubois Rossi Ivanova Smith
    Mbeki Larsen Novák Costa Zhang Papadopoulos Yılmaz Schwarz Moreau Jensen Ali Kim Brown Weiß Fischer
""".split()  # noqa: SIM905


def sentence(dice: random.Random, length: int) -> str:
    """Make a text of about `length` characters, with commas, a few quotes, and a full stop."""
    words: list[str] = []
    size = 0
    while size < length:
        word = dice.choice(_WORDS)
        match dice.randrange(40):
            case 0:
                word = f'"{word}"'
            case 1 | 2 | 3:
                word += ","
        words.append(word)
        size += len(word) + 1
    return " ".join(words).capitalize()[: length - 1].rstrip(" ,") + "."


def person(number: int) -> str:
    """Return a name; one in forty contains a comma."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number // len(_FIRST_NAMES) % len(_LAST_NAMES)]
    name = f"{first} {last}"
    return f"{name}, Jr. {number}" if number % 40 == 0 else f"{name} {number}"
