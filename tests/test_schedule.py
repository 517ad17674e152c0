"""The learning rate: that of transformers' schedulers, from the update's number alone."""

import pytest
import torch
import transformers

from utils.config import RunConfig
from utils.training.schedule import learning_rate

PEAK, NUM_WARMUP, NUM_UPDATES = 3e-4, 20, 100
# Of the 80 updates after warm-up the last quarter decays.
WSD = dict(num_decay_steps=20, num_training_steps=NUM_UPDATES, decay_type="linear")
SCHEDULERS = {
    "cosine": (transformers.get_cosine_schedule_with_warmup, dict(num_training_steps=NUM_UPDATES)),
    "linear": (transformers.get_linear_schedule_with_warmup, dict(num_training_steps=NUM_UPDATES)),
    "constant": (transformers.get_constant_schedule_with_warmup, {}),
    "warmup_stable_decay": (transformers.get_wsd_schedule, WSD),
}


def rates_of_transformers(name, num_warmup_steps):
    make, options = SCHEDULERS[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = make(optimizer, num_warmup_steps=num_warmup_steps, **options)
    rates = []
    for _ in range(NUM_UPDATES):
        rates += scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("warmup", [NUM_WARMUP, NUM_WARMUP / NUM_UPDATES])
def test_rates_are_those_of_transformers(name, warmup):
    config = RunConfig(learning_rate=PEAK, lr_scheduler_type=name, warmup_steps=float(warmup))
    rates = [learning_rate(config, update, NUM_UPDATES) for update in range(NUM_UPDATES)]
    # The first rate there is 0, an update that changes nothing: here it is the second one of a longer warm-up.
    assert rates[:NUM_WARMUP] == pytest.approx(rates_of_transformers(name, NUM_WARMUP + 1)[1 : NUM_WARMUP + 1])
    assert rates[NUM_WARMUP:] == pytest.approx(rates_of_transformers(name, NUM_WARMUP)[NUM_WARMUP:])
