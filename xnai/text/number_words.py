"""Small numbers by their words, in the languages that are asked most."""

import re

_WORDS = (
    "one eins ein eine einem einen un une uno una один одна одном 一",
    "two zwei deux dos два две двух 二 两",
    "three drei trois tres три трёх трех 三",
    "four vier quatre cuatro четыре четырёх четырех 四",
    "five fünf cinq cinco пять пяти 五",
    "six sechs seis шесть шести 六",
    "seven sieben sept siete семь семи 七",
    "eight acht huit ocho восемь восьми 八",
    "nine neun neuf nueve девять девяти 九",
    "ten zehn dix diez десять десяти 十",
    "eleven elf onze once",
    "twelve zwölf douze doce",
)
NUMBER_WORDS = {word: number for number, words in enumerate(_WORDS, 1) for word in words.split()}
_HAN = re.compile(r"[一二三四五六七八九十]")
_WORD = re.compile(r"[^\W\d_]+")


def numbers_in_words(text: str) -> frozenset[str]:
    """The numbers that a text has as words, in figures."""
    words = [*_WORD.findall(text.casefold()), *_HAN.findall(text)]
    return frozenset(str(NUMBER_WORDS[word]) for word in words if word in NUMBER_WORDS)
