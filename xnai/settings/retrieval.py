"""How passages are found."""

from pydantic import BaseModel, Field, field_validator

from xnai.settings.words import place


class RetrievalSettings(BaseModel):
    """How passages are found."""

    passages: int = Field(4, ge=1, le=20, description="Default number of passages per question.")
    embedder: str = Field(
        "",
        description="Folder of another embedding model (model.onnx, tokenizer.json, config.json). "
        "Documents are embedded anew in the background, and searched as before until then. Unset: "
        "the bundled all-MiniLM-L6-v2.",
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
