"""Every error a user, a program or an operator can meet: code, category, status, words, policy.

The rows stand in private modules by what they are about, each name once; this is their one public
address. What follows from an error stands in its row too (is it a fault of the part, is it tried
again, elsewhere, what is shown instead), so that no part of the program keeps a list of its own.
``docs/errors.md`` is made from them.
"""

from collections.abc import Mapping

from xnai.errors._backup import *
from xnai.errors._document import *
from xnai.errors._endpoint import *
from xnai.errors._health import *
from xnai.errors._hub import *
from xnai.errors._kinds import *
from xnai.errors._library import *
from xnai.errors._model import *
from xnai.errors._operation import *
from xnai.errors._overload import *
from xnai.errors._request import *
from xnai.errors._search import *

CATALOGUE: Mapping[str, ErrorKind] = {
    kind.code: kind for kind in list(globals().values()) if isinstance(kind, ErrorKind)
}
