"""What people see of an audit."""

import re
from typing import Any

FROZEN = "transformer/layer_1/intermediate/kernel"


def cells(page: str) -> list[list[str]]:
    """The table's rows, as text."""
    texts = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", page, re.DOTALL)]
    return [texts[index : index + 6] for index in range(0, len(texts), 6)]


def read_page(audited: Any) -> str:
    page: str = (audited.folder / "audit" / "freeze_audit.html").read_text(encoding="utf-8")
    return page


def test_each_part_with_what_is_frozen_and_how_far_it_moved(sound: Any) -> None:
    record = sound.run()
    page = read_page(sound)
    assert "<title>Freeze audit: passed</title>" in page
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert facts == {
        "verdict": "passed",
        "exported model": f"{sound.folder}/model/Format-Serving",
        "Hub model": sound.hub_model.handle,
        "its digest": sound.hub_model.digest,
        "plan digest": sound.plan.digest(),
        "frozen": "17,088",
        "trainable": "16,672, and the task head",
        "variables moved": "23 of 55",
    }
    blocks = {block.name: block for block in record.blocks}
    assert cells(page) == [
        ["embeddings", "7,072", "0%", "5 of 5", f"{blocks['embeddings'].relative_l2_change:.3g}", "1"],
        ["encoder[0]", "8,544", "100%", "0 of 16", "0", "0"],
        ["encoder[1]", "8,544", "100%", "0 of 16", "0", "0"],
        ["encoder[2]", "8,544", "0%", "16 of 16", f"{blocks['encoder[2]'].relative_l2_change:.3g}", "1"],
        ["pooler", "1,056", "0%", "2 of 2", f"{blocks['pooler'].relative_l2_change:.3g}", "1"],
    ]


def test_the_part_that_moved_furthest_has_a_full_bar(sound: Any) -> None:
    record = sound.run()
    shares = [float(share) for share in re.findall("background-size: (.*?)% 100%", read_page(sound))[1::2]]
    moved = [block.relative_l2_change or 0.0 for block in record.blocks]
    assert max(shares) == 100.0
    assert shares == [float(f"{100 * each / max(moved):.1f}") for each in moved]


def test_problems_are_on_the_page(wrong: Any) -> None:
    wrong.run()
    page = read_page(wrong)
    assert "<title>Freeze audit: failed</title>" in page
    assert f"<li>1 frozen variables differ from the Hub model&#39;s: {FROZEN}</li>" in page


def test_a_model_that_cannot_be_read_has_a_page_too(sound: Any) -> None:
    (sound.folder / "model" / "Format-Serving" / "saved_model.pb").unlink()
    sound.run()
    assert [row[3:] for row in cells(read_page(sound))] == [["0 of 0", "unknown", "unknown"]] * 5
