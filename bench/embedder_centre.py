"""The centre of an embedder's token vectors, and known vectors, as the catalogue has them.

    PYTHONPATH=. python bench/embedder_centre.py models/multilingual-e5-small-q4/e5-small-q4.bin

All vectors of multilingual-e5-small point more or less the same way: unrelated texts have a cosine
of 0.8. What they have in common is the mean of the token vectors of the sentences in
``embedder_centre.txt``, in 14 languages; the catalogue has it in thousandths in ``recipe.json``,
and the model that is unpacked takes it off. The known vectors (the first numbers of three) are
compared when it is unpacked elsewhere.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xnai.retrieval.embedding.model_folder import load_session, load_tokenizer, read_folder
from xnai.retrieval.embedding.packed.packed_file import PackedFile
from xnai.retrieval.embedding.packed.unpacking import RECIPE, unpack

SENTENCES = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
KNOWN = (SENTENCES[1], SENTENCES[19], SENTENCES[24])
NUMBERS = 8


def token_means(source: Path, centre: list[int]) -> dict[str, NDArray[np.float32]]:
    """The mean vector of each sentence's own tokens and, under its text, of all of them."""
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(shutil.copy(source, scratch))
        recipe = {"centre": centre, "floors": [0, 0]}
        (packed.parent / RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
        unpack(packed, {})
        model = read_folder(packed.parent, "XNAI_EMBEDDER")
        tokenizer = load_tokenizer(model.tokenizer, model.max_tokens)
        session = load_session(model.model)
        means = {}
        for text in SENTENCES:
            encoding = tokenizer.encode(model.passage + text)
            ids = np.array([encoding.ids], np.int64)
            vectors = session.run(None, {"input_ids": ids})[0][0]
            own = [end > len(model.passage) for _, end in encoding.offsets]
            means[text] = vectors.mean(axis=0)
            means[text, "own"] = vectors[own].mean(axis=0)
    return means


def main(source: Path) -> None:
    plain = token_means(source, [0] * PackedFile(source).shape.hidden)
    mean = np.mean([plain[text, "own"] for text in SENTENCES], axis=0)
    centre = np.rint(1000 * mean).astype(int).tolist()
    print(json.dumps(centre))
    centred = token_means(source, centre)
    for text in KNOWN:
        vector = centred[text] / np.linalg.norm(centred[text])
        print(json.dumps(text, ensure_ascii=False), np.round(vector[:NUMBERS], 4).tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    main(parser.parse_args().source)
