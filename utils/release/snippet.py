"""The code in a model card that asks the model in exactly the prompt of its training, with transformers alone."""

from utils.tokens.prompts import CHAT, format_prompt

INSTRUCTION = "Write a Python function that returns the largest number in a list."
HEAD = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

checkpoint = {checkpoint!r}
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", use_safetensors=True)

instruction = {instruction!r}
"""
PROMPT = """\
prompt = (
{lines}
)
inputs = tokenizer(prompt.format(instruction=instruction), return_tensors="pt", return_token_type_ids=False)
"""
CHAT_PROMPT = """\
messages = [{"role": "user", "content": instruction}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
"""
TAIL = """\
output = model.generate(**inputs, max_new_tokens=128, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))"""


def code(template: str, checkpoint: str = ".") -> str:
    """The snippet for a template; `checkpoint` is a folder or a model on the hub."""
    head = HEAD.format(checkpoint=checkpoint, instruction=INSTRUCTION)
    if template == CHAT:
        return head + CHAT_PROMPT + TAIL
    text = format_prompt("{instruction}", "", template)
    lines = "\n".join(f"    {line!r}" for line in text.splitlines(keepends=True))
    return head + PROMPT.format(lines=lines) + TAIL
