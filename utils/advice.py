"""For every setting of `RunConfig`: what happens when it is too high or too low, and a sensible range.

In words for a person who has never tuned a model. The form shows them; the limits are in `RunConfig`.
"""

ADVICE = {
    "preset": "Begin with `tiny`. A larger model needs a GPU, hours and a download; the plan below says how much.",
    "model_name_or_path": (
        "A larger model answers better, and is slower and needs more memory. If you change it, run notebook 02 again: "
        "every model has its own tokens."
    ),
    "revision": "Leave it at `main` to try something; a commit makes sure that you get the same model next year.",
    "pairs": (
        "Good pairs matter more than any other setting. A hundred teach a form of answering; new abilities take "
        "thousands. If you change it, run the notebooks 01 and 02 again."
    ),
    "template": (
        "Keep `alpaca`, unless the model already is a chat model: then use `chat`. With a template that does not fit, "
        "it learns more slowly."
    ),
    "max_length": (
        "Too low: long pairs are missing, and the model never learns long answers. Too high: more memory. Sensible: "
        "so that nearly all pairs fit (see notebook 02), usually 512 to 2048."
    ),
    "num_train_epochs": (
        "Too few: the answers still look like those of the base model. Too many: the model repeats the pairs word by "
        "word, and the validation loss rises. Sensible: 1 to 3, up to 10 for less than 1,000 pairs."
    ),
    "learning_rate": (
        "Too high: the loss jumps up or becomes NaN, and answers turn into noise. Too low: the loss hardly falls. "
        "Sensible: 1e-5 to 5e-5, with LoRA 1e-4 to 5e-4, for the small model 5e-4 to 2e-3. Change it first, by "
        "factors of 3."
    ),
    "train_batch_size": (
        "Too high: few updates, so the model learns little in an epoch. Too low: the loss jumps about; then lower "
        "learning_rate too. Sensible: 16 to 128. The memory does not depend on it."
    ),
    "lr_scheduler_type": (
        "Keep `cosine`. With `constant` the last updates stay noisy. With `warmup_stable_decay` you can continue a "
        "run for longer."
    ),
    "warmup_steps": (
        "Too low: the first updates can damage the model, and the loss jumps at the start. Too high: the run is half "
        "over before it learns at full rate. Sensible: 0.03 to 0.1."
    ),
    "weight_decay": (
        "Too high: the weights shrink, and the model forgets. Too low: nothing bad in short runs. Sensible: 0 to 0.1."
    ),
    "max_grad_norm": "Too high, or 0: one strange pair can spoil the model. Too low: learning is slow. Sensible: 1.",
    "optim": (
        "Keep `adamw_torch_fused` as long as the memory suffices. The others need less memory; the loss is nearly the "
        "same."
    ),
    "adam_beta1": "Too high: the model reacts late, and overshoots. Too low: updates are noisy. Sensible: 0.9.",
    "adam_beta2": (
        "Too high: slow to notice that gradients have changed. Too low: updates of very different size. Sensible: "
        "0.95 to 0.999."
    ),
    "adam_epsilon": "Too high: as if the learning rate were lower. Too low: no effect in float32. Sensible: 1e-8.",
    "dtype": (
        "`bfloat16` is faster at nearly the same loss. `float32` is the most exact. `bfloat16_weights` halves the "
        "memory of the weights."
    ),
    "lora_rank": (
        "0 trains all weights: best, if the memory suffices. Too low: little can be learned. Too high: no better, and "
        "more memory. Sensible: 8 to 64."
    ),
    "lora_alpha": (
        "Too high: as if the learning rate were too high. Too low: the adapters have hardly an effect. Sensible: "
        "twice lora_rank."
    ),
    "tokens_per_device": (
        "Too high: out of memory. Too low: slow, but the same result. Sensible: the largest that fits; the plan shows "
        "it."
    ),
    "activation_checkpointing": (
        "Keep `none` if the plan fits. Otherwise try `selective`, then `full`: less memory, the same result, slower."
    ),
    "reshard_after_forward": "Off: faster with several GPUs, and more memory. It does not change the result.",
    "torch_compile": "On: minutes of waiting at the start; it pays only in long runs on a GPU. Leave it off at first.",
    "cpu_offload": "On: much slower. The last resort if a model does not fit into your GPUs.",
    "num_processes": "Leave it at 0. More than one per GPU is refused; on a CPU, more than the cores is slower.",
    "max_restarts": (
        "Too low: one lost process ends a long run. Too high: a fault that always returns is tried in vain. Sensible: "
        "3."
    ),
    "eval_steps": (
        "Too high: few points in the curve, and you see overfitting late. Too low: more time for evaluations than for "
        "training. Sensible: 10 to 50 evaluations in a run."
    ),
    "early_stopping_patience": (
        "Too low: one rise of the loss ends the run. Too high: it trains on for nothing. Sensible: 3 to 5, if "
        "you are not sure about the epochs."
    ),
    "save_steps": (
        "Too high: a crash loses more work. Too low: time and disk for checkpoints. Sensible: every 10 to 30 minutes "
        "of training."
    ),
    "save_total_limit": (
        "Too high: the disk fills, as a checkpoint is several times as large as the model. Sensible: 1 to 3."
    ),
    "max_train_samples": (
        "A small number is a quick trial: 500 pairs show whether everything works. Too low: the model learns these by "
        "heart. For the real run: 0."
    ),
    "max_eval_samples": (
        "Too low: the validation loss jumps about. Too high: evaluations take long. Sensible: 200 to 1,000."
    ),
    "num_samples": (
        "A few answers show what the loss does not. Too high: every evaluation takes longer. Sensible: 2 to 5."
    ),
    "eval_tasks": (
        "Shows whether the code works, not only whether the loss falls. It makes every evaluation slower, on large "
        "models by minutes."
    ),
    "report_to": "Leave it empty: notebook 04 has the curves. `wandb` sends them to a company's server.",
    "seed": "It makes nothing better or worse. Two seeds show how much of a difference is chance.",
}
