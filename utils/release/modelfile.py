"""A run's prompt template in the terms of the programs that serve it: Ollama and llama.cpp."""

import json
from collections.abc import Iterable

from utils.errors import UserError
from utils.release.gguf_vocabulary import LEAVE_OUT
from utils.tokens.prompts import CHAT, begin_ids, format_prompt

MARK = "zqxjk"  # in place of the instruction
PROMPT, BRACES = "{{ .Prompt }}", '{{ "{{" }}'  # of Go's templates: the instruction, and two braces


def frame(template: str, tokenizer) -> tuple[str, str]:
    """The text before and after an instruction without input; raises `UserError` as `format_prompt` does."""
    before, _, after = format_prompt(MARK, template=template, tokenizer=tokenizer).partition(MARK)
    return before, after


def modelfile(source: str, template: str, tokenizer, stops: Iterable[int], context: int) -> str:
    """Ollama's Modelfile for the GGUF file `source`: the run's template byte for byte, and its stop tokens.

    A BOS token that llama.cpp itself adds is left out of the template. Raises `UserError` for a template that a
    Modelfile cannot hold. Not covered: pairs with an input, and several turns, which Ollama joins.
    """
    before, after = frame(template, tokenizer)
    if template == CHAT and begin_ids(tokenizer):
        before = before.removeprefix(tokenizer.bos_token or "")
    text = f"{_escaped(before)}{PROMPT}{_escaped(after)}"
    if '"""' in f'""{text}""':
        raise UserError(f'a template with """ cannot be written to a Modelfile. {LEAVE_OUT}')
    ends = [json.dumps(tokenizer.decode([stop]), ensure_ascii=False) for stop in sorted(stops)]
    lines = [
        f"FROM {source}",
        f'TEMPLATE """{text}"""',
        *(f"PARAMETER stop {end}" for end in ends),
        f"PARAMETER num_ctx {context}",
        "PARAMETER repeat_penalty 1.0",  # Ollama's own is higher, and code repeats itself
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("{{", BRACES)


def prompt_of(text: str, instruction: str) -> str:
    """The prompt that a Modelfile as written here makes of an instruction."""
    _, _, template = text.partition('TEMPLATE """')
    return template.partition('"""')[0].replace(PROMPT, instruction).replace(BRACES, "{{")


def chat_template(template: str, tokenizer) -> str:
    """The run's template as a chat template (Jinja): one user message gives the prompt of training, byte for byte.

    Further turns follow under the same headings; the model was not trained on them.
    """
    if template == CHAT:
        return tokenizer.get_chat_template()
    before, after = frame(template, tokenizer)
    introduction, gap, heading = before.rpartition("\n\n")
    introduction, heading, response = map(json.dumps, (introduction, gap + heading, after))
    return (
        f"{{{{ {introduction} }}}}{{% for message in messages %}}{{% if message['role'] == 'assistant' %}}"
        f"{{{{ {response} + message['content'] }}}}{{% else %}}{{{{ {heading} + message['content'] }}}}{{% endif %}}"
        f"{{% endfor %}}{{% if add_generation_prompt %}}{{{{ {response} }}}}{{% endif %}}"
    )
