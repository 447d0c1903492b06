"""Days of the week by their names, in the languages that are asked most."""

import re

_DAYS = (
    "monday montag lundi lunes lunedì понедельник 月曜日 星期一 周一 الاثنين",
    "tuesday dienstag mardi martes martedì вторник 火曜日 星期二 周二 الثلاثاء",
    "wednesday mittwoch mercredi miércoles mercoledì среда среду 水曜日 星期三 周三 الأربعاء",
    "thursday donnerstag jeudi jueves giovedì четверг 木曜日 星期四 周四 الخميس",
    "friday freitag vendredi viernes venerdì пятница пятницу 金曜日 星期五 周五 الجمعة",
    "saturday samstag sonnabend samedi sábado sabato суббота субботу 土曜日 星期六 周六 السبت",
    "sunday sonntag dimanche domingo domenica воскресенье 日曜日 星期日 星期天 周日 الأحد",
)
_NUMBERS = {name: number for number, names in enumerate(_DAYS) for name in names.split()}
_WORD = re.compile(r"\w+")
_JOINED = re.compile(
    "|".join(name for name in _NUMBERS if name > "\u3000")
)  # no blanks around them


def weekdays_in(text: str) -> frozenset[int]:
    """The days of the week that a text names, 0 for Monday."""
    folded = text.casefold()
    words = [word for word in _WORD.findall(folded) if word in _NUMBERS]
    return frozenset(_NUMBERS[word] for word in (*words, *_JOINED.findall(folded)))
