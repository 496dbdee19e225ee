"""The word pieces and the casing of a Hugging Face BERT checkpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer_module.errors import UserError
from trainer_module.hugging_face.config import read_json_object
from trainer_module.text.vocabulary import SEPARATOR, START, UNKNOWN

_CASED_SHARE = 0.01


@dataclass(frozen=True)
class HfVocabulary:
    """A checkpoint's vocabulary.

    Attributes:
        path: `vocab.txt`, one piece a line; the line number is the token's id.
        size: Number of pieces.
        lower_case: Whether text is lower-cased and stripped of accents first.
        notes: What a user should know about how text will be tokenized; usually empty.
    """

    path: Path
    size: int
    lower_case: bool
    notes: tuple[str, ...] = ()


def read_hf_vocabulary(folder: Path, lower_case: bool | None = None) -> HfVocabulary:
    """Reads `vocab.txt` and, where there is one, `tokenizer_config.json`.

    The casing is `lower_case` if given, else `do_lower_case` of `tokenizer_config.json`, else what the pieces
    show: a vocabulary in which more than 1 % of the pieces (special ones in brackets apart) hold a capital
    letter is cased. Hugging Face takes uncased for granted there, which would make every such piece
    unreachable; a share rather than a single capital, because users add pieces such as `URL` to uncased
    vocabularies.

    Raises:
        UserError: A special token is missing, a piece occurs twice, or a file can't be read (all at once).
    """
    path = folder / "vocab.txt"
    pieces = _read_pieces(path)
    problems = [
        f"{path}: the special token {token} is missing; this is not a BERT vocabulary"
        for token in (UNKNOWN, START, SEPARATOR)
        if token not in pieces
    ]
    problems += _duplicates(path, pieces)
    try:
        tokenizer = _read_tokenizer_config(folder)
    except UserError as error:
        problems += error.problems
        tokenizer = {}
    stated = tokenizer.get("do_lower_case")
    if lower_case is None and stated is not None and not isinstance(stated, bool):
        problems.append(f"{folder / 'tokenizer_config.json'}: do_lower_case should be true or false; given {stated!r}")
    if problems:
        raise UserError(problems)
    notes: list[str] = []
    if lower_case is None:
        lower_case = stated if isinstance(stated, bool) else not _looks_cased(pieces)
        if stated is None:
            cased = "uncased" if lower_case else "cased"
            notes.append(f"the checkpoint doesn't say whether it is uncased; its vocabulary looks {cased}")
    return HfVocabulary(path, len(pieces), lower_case, (*notes, *_unlike_hub(tokenizer, lower_case)))


def _read_pieces(path: Path) -> list[str]:
    try:
        lines = path.read_bytes().split(b"\n")
        if not lines[-1]:
            lines.pop()
        return [line.removesuffix(b"\r").decode("utf-8") for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a readable UTF-8 file: {error}; fetch the checkpoint again") from None


def _duplicates(path: Path, pieces: list[str]) -> list[str]:
    first_line: dict[str, int] = {}
    problems = []
    for line, piece in enumerate(pieces, start=1):
        if piece in first_line:
            problems.append(
                f"{path}: line {line} repeats {piece!r} of line {first_line[piece]}; each piece needs one id"
            )
        first_line.setdefault(piece, line)
    if len(problems) > 3:
        problems[3:] = [f"{path}: … and {len(problems) - 3} more repeated pieces"]
    return problems


def _read_tokenizer_config(folder: Path) -> dict[str, object]:
    file = folder / "tokenizer_config.json"
    return read_json_object(file) if file.exists() else {}


def _unlike_hub(tokenizer: dict[str, object], lower_case: bool) -> Iterator[str]:
    """Settings of the checkpoint's tokenizer that a Hub encoder has no place for."""
    strips = tokenizer.get("strip_accents")
    if strips is not None and strips != lower_case:
        yield (
            f"tokenizer_config.json says strip_accents = {str(strips).lower()}, but a Hub encoder strips "
            "accents exactly when it lower-cases: accented words will be tokenized differently"
        )
    if tokenizer.get("tokenize_chinese_chars") is False:
        yield (
            "tokenizer_config.json says tokenize_chinese_chars = false, but a Hub encoder splits Chinese "
            "text into its characters"
        )


def _looks_cased(pieces: list[str]) -> bool:
    ordinary = [piece for piece in pieces if not (piece.startswith("[") and piece.endswith("]"))]
    return sum(piece != piece.lower() for piece in ordinary) > _CASED_SHARE * len(ordinary)
