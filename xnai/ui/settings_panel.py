"""The settings panel of a chat; what a person chooses there is kept for the chats to come."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import chainlit as cl
from chainlit.input_widget import InputWidget, Select, Slider, Switch, TextInput

from xnai.answering.prompt import PLAIN_SYSTEM
from xnai.llm.protocol import LanguageModel
from xnai.locale import IN_ENGLISH, Texts
from xnai.settings import Settings
from xnai.types import Sampling
from xnai.ui import chosen as chosen_documents
from xnai.ui import commands, library_choice
from xnai.ui.reading_language import texts_of

LONGEST_INSTRUCTIONS = 2000  # characters
LONGEST_PROMPTS = 8000
_LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of a user in the panel, each brought into its range."""

    model: str
    temperature: float
    max_tokens: int
    passages: int
    instructions: str
    prompts: str = ""
    libraries: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def sampling(self) -> Sampling:
        """The sampling that these choices mean."""
        return Sampling(max_tokens=self.max_tokens, temperature=self.temperature)

    @property
    def system(self) -> str:
        """The system message of a chat without documents; empty without instructions.

        Beside documents the instructions are not told, so that none of them stands against the
        rules of quoting.
        """
        return f"{PLAIN_SYSTEM}\n\n{self.instructions}" if self.instructions else ""

    @property
    def personal(self) -> dict[str, Any]:
        """What is the person's own: all but the model, which every chat shares."""
        chosen = asdict(self)
        del chosen["model"], chosen["documents"]
        return chosen | {f"{library_choice.KEY}{one}": True for one in chosen.pop("libraries")}


async def show(
    settings: Settings,
    model: LanguageModel,
    *,
    chooses_model: bool,
    libraries: Mapping[str, str],
) -> None:
    """Send the panel, with the user's earlier choices if there are any.

    Who may not choose the model, which all share, is shown the one that is in use. ``libraries``
    can be asked from the chat: their names by their ids.
    """
    chosen = read(settings, model, cl.context.session.chat_settings or {})
    texts = texts_of(cl.context.session)
    names = [info.name for info in model.models()] if chooses_model else []
    asked = library_choice.switches(libraries, chosen.libraries, texts)
    asked += _chosen_documents(cl.context.session.chat_settings or {}, texts)
    shown = [*asked, *widgets(chosen, names or [model.status.name], texts)]
    await cl.ChatSettings(shown).send()


def _chosen_documents(values: Mapping[str, object], texts: Texts) -> list[InputWidget]:
    """Return the switch for the documents that the chat was opened to be asked about."""
    key = chosen_documents.key_of(values)
    count = len(chosen_documents.ids_of({key: True}))
    if not count:
        return []
    told = texts.say_number(
        "Ask the {number} document that was chosen",
        "Ask the {number} documents that were chosen",
        count,
    )
    return [Switch(id=key, label=told, initial=values[key] is True)]


def widgets(chosen: Choices, models: Sequence[str], texts: Texts = IN_ENGLISH) -> list[InputWidget]:
    """Return the settings, each with a sentence that says what it does."""
    return [
        Select(
            id="model",
            label=texts.say("Model"),
            values=list(models),
            initial_value=chosen.model if chosen.model in models else models[0],
            description=texts.say(
                "What writes the answers; every chat on this server uses the same."
            ),
        ),
        Slider(
            id="temperature",
            label=texts.say("How freely it writes (temperature)"),
            initial=chosen.temperature,
            min=0,
            max=2,
            step=0.1,
            description=texts.say(
                "0 takes the likeliest words each time; more is freer and less exact."
            ),
        ),
        Slider(
            id="max_tokens",
            label=texts.say("Longest answer"),
            initial=chosen.max_tokens,
            min=32,
            max=_LONGEST_ANSWER,
            step=32,
            description=texts.say(
                "In tokens, of which a word has one or two: 512 fill most of a page."
            ),
        ),
        Slider(
            id="passages",
            label=texts.say("Places read for an answer"),
            initial=chosen.passages,
            min=1,
            max=20,
            step=1,
            description=texts.say("Of long documents; a small model gets lost in many."),
        ),
        *_texts(chosen, texts),
    ]


def _texts(chosen: Choices, texts: Texts) -> list[InputWidget]:
    """Return the settings that a person writes."""
    told = texts.say(
        "Told to the model in chats without documents; answers from documents keep to what "
        "stands there. At most {number} characters.",
        number=f"{LONGEST_INSTRUCTIONS:,}",
    )
    return [
        TextInput(
            id="instructions",
            label=texts.say("Instructions"),
            initial=chosen.instructions,
            placeholder=texts.say("Answer in German. I am a nurse."),
            multiline=True,
            description=told,
        ),
        TextInput(
            id="prompts",
            label=texts.say("Saved prompts"),
            initial=chosen.prompts,
            placeholder=texts.say("reply: Write a polite reply to this e-mail."),
            multiline=True,
            description=texts.say(
                "One a line, as a name, a colon and what is asked; a slash in the chat offers them."
            ),
        ),
    ]


def read(settings: Settings, model: LanguageModel, values: dict[str, Any]) -> Choices:
    """Read the panel's values, which come from the browser, and bring them into their ranges."""
    return Choices(
        model=str(values.get("model") or model.status.name),
        temperature=_number(values.get("temperature"), settings.temperature, 0, 2),
        max_tokens=int(_number(values.get("max_tokens"), settings.max_tokens, 1, _LONGEST_ANSWER)),
        passages=int(_number(values.get("passages"), settings.passages, 1, 20)),
        instructions=str(values.get("instructions") or "").strip()[:LONGEST_INSTRUCTIONS],
        prompts=str(values.get("prompts") or "").strip()[:LONGEST_PROMPTS],
        libraries=library_choice.chosen_ids(values),
        documents=chosen_documents.ids_of(values),
    )


def saved_prompts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the prompts that a person has saved, by their names."""
    return commands.saved_prompts(str(values.get("prompts") or "")[:LONGEST_PROMPTS])


def _number(value: object, default: float, low: float, high: float) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # float() decides
    except (TypeError, ValueError, OverflowError):  # the last of a number of 400 digits
        return default
    if number != number:  # noqa: PLR0124 - NaN
        return default
    return min(high, max(low, number))
