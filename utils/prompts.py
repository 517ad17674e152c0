"""The Alpaca prompt, byte for byte as stanford_alpaca trains it."""

PROMPT_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
PROMPT_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)


def format_prompt(instruction: str, input: str = "") -> str:
    """The text the model sees before it answers; the response follows the last `:` at once.

    Source: `PROMPT_DICT` of tatsu-lab/stanford_alpaca. Not covered: other templates, and text that imitates a heading.
    """
    template = PROMPT_WITH_INPUT if input else PROMPT_WITHOUT_INPUT
    return template.format(instruction=instruction, input=input)
