"""Rows of a sheet as sentences: what is a heading, and what only stands on top."""

import pytest

from xnai.documents.parsers.table import linearized


@pytest.mark.parametrize(
    ("rows", "read"),
    [
        (
            [["Name", "Age", "Town"], ["Ada", "41", "Tarn"], ["Ben", "35", "Unst"]],
            ["Name: Ada; Age: 41; Town: Tarn.", "Name: Ben; Age: 35; Town: Unst."],
        ),
        (
            [["Ada", "41", "Tarn"], ["Ben", "35", "Unst"]],
            ["Ada; 41; Tarn.", "Ben; 35; Unst."],
        ),
        (
            [["Bolt", "12", "€ 4.50"], ["Screw", "30", "€ 0.20"]],
            ["Bolt; 12; € 4.50.", "Screw; 30; € 0.20."],
        ),
        (
            [["Town", "2023", "2024"], ["Tarn", "41", "45"], ["Unst", "35", "31"]],
            ["Town: Tarn; 2023: 41; 2024: 45.", "Town: Unst; 2023: 35; 2024: 31."],
        ),
        (
            [["Team", "Q1", "1st half"], ["Red", "41", "45"]],
            ["Team: Red; Q1: 41; 1st half: 45."],
        ),
    ],
)
def test_the_first_row_has_headings_unless_its_figures_stand_on_figures(rows, read):
    assert read == list(linearized(rows))
