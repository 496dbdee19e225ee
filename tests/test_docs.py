"""Documentation that names code names what exists."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# A file of the repository, and in parentheses after it what it defines.
_REFERENCE = re.compile(r"`((?:components|pipeline|trainer_module)/[\w/]+\.py)`(?: \(((?:`\w+`(?:, )?)+)\))?")


def test_the_threat_model_names_files_and_definitions_that_exist() -> None:
    text = (REPOSITORY / "docs/explanation/threat_model.md").read_text(encoding="utf-8")
    references = _REFERENCE.findall(text)
    assert len(references) > 40
    missing = []
    for file, names in references:
        path = REPOSITORY / file
        source = path.read_text(encoding="utf-8") if path.is_file() else ""
        defined = re.findall(r"^ *(?:def|class) (\w+)|^(\w+) = ", source, re.MULTILINE)
        known = {name for pair in defined for name in pair}
        if not source:
            missing.append(file)
        missing += [f"{file}: {name}" for name in re.findall(r"\w+", names) if name not in known]
    assert missing == []
