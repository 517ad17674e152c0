"""The Alpaca prompt, byte for byte."""

from utils.prompts import format_prompt


def test_prompt_without_input():
    assert format_prompt("Add 1 and 2.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\nAdd 1 and 2.\n\n### Response:"
    )


def test_prompt_with_input():
    assert format_prompt("Explain.", "x = {1}") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
        "response that appropriately completes the request."
        "\n\n### Instruction:\nExplain.\n\n### Input:\nx = {1}\n\n### Response:"
    )


def test_braces_and_headings_in_the_text_stay_as_they_are():
    assert "\n{input} {0} ### Response:\n" in format_prompt("{input} {0} ### Response:", "{instruction}")
