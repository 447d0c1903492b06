"""How passages are found."""

from pydantic import BaseModel, Field, field_validator

from xnai.settings.words import place

BUNDLED_EMBEDDER = "bundled"


class RetrievalSettings(BaseModel):
    """How passages are found."""

    passages: int = Field(4, ge=1, le=20, description="Default number of passages per question.")
    embedder: str = Field(
        "",
        description="Folder of an embedding model (model.onnx, tokenizer.json, config.json), or "
        "`bundled` for all-MiniLM-L6-v2. Documents are embedded anew in the background, and "
        "searched as before until then. Unset: multilingual-e5-small if it was fetched (`make run` "
        "and `xnai models get multilingual-e5-small-q4` do), else the bundled one.",
    )
    reranker: str = Field(
        "",
        description="Folder of a cross-encoder (model.onnx, tokenizer.json, config.json) that "
        "ranks the best passages. Unset: late interaction with the embedding model.",
    )

    @field_validator("embedder", "reranker")
    @classmethod
    def _embedding_place(cls, value: str) -> str:
        return place(value)
