"""The question to the model: is a statement true by a text, false, or not said there."""

from collections.abc import Sequence

from xnai.answering import one_word
from xnai.types import Message, TokenLogprob

_SYSTEM = (
    "Compare the statement with the text. Answer True if the text says so, False if the text says "
    "otherwise, Unknown if the text does not say."
)
_EXAMPLES = (
    ("Films are lent to members only.", "Everybody can borrow films.", "False"),
    ("The hall was painted in 1990.", "The hall has a wooden roof.", "Unknown"),
    ("Children may come alone from the age of eight.", "A child of nine may come alone.", "True"),
    ("The gate is open from six to ten.", "The gate opens at seven.", "False"),
    ("Rent: 900 euros, heating included.", "Heating costs extra.", "False"),
    ("Rent: 900 euros, heating included.", "The tenant may keep a cat.", "Unknown"),
    ("The fee is not refunded once the course has begun.", "Fees stay paid later on.", "True"),
    ("Clerk: M. Ash. Date: 3 May.", "The clerk is M. Ash.", "True"),
    ("Clerk: M. Ash. Date: 3 May.", "The clerk works on Sundays.", "Unknown"),
    ("Both partners sign the form.", "One signature is enough.", "False"),
    ("The bridge closes at night.", "The bridge was built by the army.", "Unknown"),
    ("Order 7 went to Lee, order 8 to Kay.", "Kay got order 8.", "True"),
)


def messages(lines: Sequence[str], claim: str) -> tuple[Message, ...]:
    """Return the prompt."""
    return one_word.messages(_SYSTEM, "Statement", _EXAMPLES, "\n".join(lines), claim)


def said(logprobs: Sequence[TokenLogprob]) -> tuple[float, float]:
    """Return how likely "True" and "False" are beside "Unknown" as the first token."""
    shares = one_word.shares(logprobs, ("true", "false", "unknown"))
    return shares.get("true", 0.0), shares.get("false", 0.0)
