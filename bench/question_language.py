"""How often the language of a question is told right: `question_language.py de=FILE fr=FILE …`.

Each file has a JSON object with a "question" on each line, or an array of texts; `und` is the code
of files in any other language. Questions are drawn, the same in each run; time is the processor's.
"""

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path

from xnai.text.detection import detect


def questions(path: Path, count: int) -> list[str]:
    """Draw questions from a file."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        found = [str(one) for one in json.loads(text)]
    else:
        found = [str(json.loads(line)["question"]) for line in text.splitlines() if line.strip()]
    random.Random(1).shuffle(found)
    return found[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="LANGUAGE=FILE")
    parser.add_argument("--count", type=int, default=300, help="of questions from each file")
    parser.add_argument("--show", action="store_true", help="print those that are not told right")
    asked = parser.parse_args()
    for pair in asked.files:
        language, _, name = pair.partition("=")
        drawn = questions(Path(name), asked.count)
        began = time.process_time()
        told = [detect(question) for question in drawn]
        each = (time.process_time() - began) / max(1, len(drawn))
        kinds = Counter("right" if one == language else "wrong" if one else "doubt" for one in told)
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("right", "doubt", "wrong"))
        print(f"{language}: {len(drawn)} questions, {counts}; {each * 1e6:.0f} µs each")
        if asked.show:
            for question, one in zip(drawn, told, strict=True):
                if one != language:
                    print(f"  {one}: {question}")


if __name__ == "__main__":
    main()
