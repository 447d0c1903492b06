import re

import pytest
from paths import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ATTACKS = ROOT / "tests" / "attacks"


def count_in(name):
    text = (ATTACKS / name).read_text(encoding="utf-8")
    return len(re.findall(r"^(?:async )?def test_", text, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(path.name for path in ATTACKS.glob("test_*.py")))
def test_the_page_names_every_file_of_attacks_with_its_number_of_tests(name):
    row = next((line for line in PAGE.splitlines() if f"`{name}`" in line), "")
    named = re.findall(r"`(test_\w+\.py)`", row)
    assert f" | {sum(map(count_in, named))} | " in row, f"{name}: {row or 'not on the page'}"
