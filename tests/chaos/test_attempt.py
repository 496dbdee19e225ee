from chaos.attempt import Outcome

MESSAGES = """\
FreezePlanner …
✓ FreezePlanner          1.2 s
Trainer …
✗ Trainer
error: training.learning_rate: the loss became nan
  the log: here
"""


def test_the_last_words_are_what_was_said_after_the_last_component():
    outcome = Outcome(code=2, summary={}, messages=MESSAGES, seconds=1)
    assert outcome.last_words == "error: training.learning_rate: the loss became nan the log: here"


def test_a_run_without_components_has_last_words_too():
    assert Outcome(code=2, summary={}, messages="error: no such file\n", seconds=1).last_words == "error: no such file"
