"""Candidates with one planted change each: faults that a gate must catch, and variants that it must let pass.

`lockstep selftest` runs the gate on all of them (docs/selftest.md). Each fault names the check that must catch it: one
caught by another check only is one that a change of that check would let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from service.subjects import planted_burdens as burdens
from service.subjects import planted_changes as planted
from service.subjects.variant_subject import Moment, Variant

FREE_RUNNING = "numerics.free_running"
TRANSFER = "checkpoint.transfer"
COLOR = "learning.color_reconstruction"

FAULTY_STEP = 3
"""Of the candidate's own steps, counted from 0: a fault that is not there at once."""

WEIGHT_GRAD = "backward.layer1.weight_grad"


def _one_in_a_hundred(moment: Moment) -> bool:
    return moment.steps % 100 == 99


def _after_the_band(moment: Moment) -> bool:
    """Once the training has lasted longer than any other check looks."""
    return moment.since_load >= moment.band_window


def _first_after_a_file(moment: Moment) -> bool:
    return moment.from_file and moment.since_load == 0


def _harmless() -> Iterator[Variant]:
    """Other orders of summation, other places in memory: the exact result is the same."""
    yield Variant("harmless-split-k", "products summed in two halves", True, product=planted.split_k_product)
    yield Variant("harmless-permuted", "products summed back to front", True, product=planted.permuted_product)
    yield Variant("harmless-naive-order", "products summed one by one", True, product=planted.naive_product)
    yield Variant("harmless-fused-bias", "the bias as one more row of the weights", True, fused_bias=True)
    yield Variant("harmless-layout", "arrays column by column, with gaps", True, layout=planted.every_other_element)
    yield Variant("harmless-float64", "products summed in float64, rounded at the end", True,
                  product=planted.float64_product)  # fmt: skip
    yield Variant("harmless-bias-order", "bias gradient summed from the last sample", True,
                  bias_sum=planted.backward_sum)  # fmt: skip
    yield Variant("harmless-recompute", "activations computed twice, taps handed out as copies", True, recompute=True,
                  taps=planted.copied)  # fmt: skip


def _wrong_gradients() -> Iterator[Variant]:
    yield Variant("bad-decay-only", "the historical backward: decays weights, computes no gradient", decay_only=True)
    yield Variant("bad-no-bias-gradient", "the bias gradient is zero", bias_sum=planted.no_sum)
    yield Variant("bad-early-update", "weights updated before the gradient passes through them", early_update=True)
    yield Variant("bad-stale-activation", "layer 1's gradient from the last step's activation", stale_activation=True)
    yield Variant("bad-forward-alpha", "LeakyReLU slope off by 1e-3 in forward", forward_alpha_factor=1 + 1e-3)
    yield Variant("bad-backward-alpha", "LeakyReLU slope off by 1e-3 in backward", backward_alpha_factor=1 + 1e-3)
    yield Variant("bad-summed-gradient", "the gradient is not divided by the batch", summed_gradient=True)
    yield Variant("bad-gradient-scale", "the gradient is too large by 1e-4", gradient_factor=1 + 1e-4)
    yield Variant("bad-last-sample", "the last sample of a batch gives no gradient", drop_last_sample=True)
    yield Variant("bad-swapped-layers", "first and last layer get each other's gradient", swapped_layers=True)
    yield Variant("bad-half-precision", "products in half precision", product=planted.half_precision_product)
    yield Variant("bad-tf32", "products of inputs rounded to TF32", product=planted.tf32_product)


def _wrong_updates() -> Iterator[Variant]:
    yield Variant("bad-learning-rate", "learning rate too high by 1e-4", learning_rate_factor=1 + 1e-4)
    yield Variant("bad-learning-rate-low", "learning rate too low by 1e-4", learning_rate_factor=1 - 1e-4)
    yield Variant("bad-weight-decay", "weight decay of 1e-6", weight_decay=1e-6)
    yield Variant("bad-no-clip", "gradients are not clipped", clip=False)
    yield Variant("bad-false-taps", "taps tell the truth, the kept weights decay by 1e-4", caught_by=FREE_RUNNING,
                  hidden_decay=1e-4)  # fmt: skip
    yield Variant("bad-one-in-a-hundred", "one step in a hundred updates nothing", caught_by=FREE_RUNNING,
                  learning_rate_factor=0.0, factor_when=_one_in_a_hundred)  # fmt: skip
    yield Variant("bad-stops-learning", "updates nothing any more once the band's steps are over", caught_by=COLOR,
                  learning_rate_factor=0.0, factor_when=_after_the_band)  # fmt: skip


def _wrong_data() -> Iterator[Variant]:
    yield Variant("bad-previous-batch", "trains on the batch before", previous_batch=True)
    yield Variant("bad-shuffled-batch", "shuffles a batch's rows without a seed", shuffled_batch=True)
    yield Variant("bad-written-batch", "writes into the batch that it is given", caught_by="integrity.same_batches",
                  written_batch=True)  # fmt: skip
    yield Variant("bad-ignored-array", "load_state leaves one bias as it was", ignored_array="bias_0")


def _broken_answers() -> Iterator[Variant]:
    yield Variant("bad-nan", f"NaN in the output at step {FAULTY_STEP}", nan_at_step=FAULTY_STEP)
    yield Variant("bad-inf", f"Inf in the output at step {FAULTY_STEP}", inf_at_step=FAULTY_STEP)
    yield Variant("bad-exception", f"raises an exception at step {FAULTY_STEP}", raise_at_step=FAULTY_STEP)
    yield Variant("bad-loss", "reports a loss too high by 1e-3", loss_factor=1 + 1e-3)
    yield Variant("bad-missing-tap", "gives no gradient of layer 1's weights", taps=planted.without(WEIGHT_GRAD))
    yield Variant("bad-extra-tap", "gives a tap that the plan does not expect",
                  taps=planted.with_another("forward.layer99.output"))  # fmt: skip
    yield Variant("bad-transposed-tap", "gives the gradient of layer 1's weights transposed",
                  taps=planted.changed(WEIGHT_GRAD, planted.transposed))  # fmt: skip
    yield Variant("bad-tap-dtype", "gives the gradient of layer 1's weights in float64",
                  taps=planted.changed(WEIGHT_GRAD, planted.in_float64))  # fmt: skip
    yield Variant("bad-reversed-tap", "gives the gradient of layer 1's weights last row first",
                  taps=planted.changed(WEIGHT_GRAD, planted.reversed_rows))  # fmt: skip
    yield Variant("bad-zero-outputs", "forward() gives zeros", caught_by="learning.outputs_vary", shown=planted.zeros)
    yield Variant("bad-channel-order", "forward() gives blue, green, red", caught_by=COLOR,
                  shown=planted.blue_green_red)  # fmt: skip


def _wrong_checkpoints() -> Iterator[Variant]:
    yield Variant("bad-checkpoint-bit", "saves one weight with its last bit flipped", caught_by=TRANSFER,
                  saved=planted.one_bit_flipped)  # fmt: skip
    yield Variant("bad-checkpoint-order", "saves one weight column by column", caught_by=TRANSFER,
                  saved=planted.one_weight_transposed)  # fmt: skip
    yield Variant("bad-checkpoint-ignored", "loads nothing from a checkpoint", caught_by=TRANSFER, loads_files=False)
    yield Variant("bad-checkpoint-metadata", "loses a checkpoint's parameters", caught_by=TRANSFER,
                  reads_parameters=False)  # fmt: skip
    yield Variant("bad-resume", "twice the learning rate in the first step after a load",
                  caught_by="checkpoint.resume", learning_rate_factor=2.0, factor_when=_first_after_a_file)  # fmt: skip


def _slow_or_large() -> Iterator[Variant]:
    """The frozen reference itself, with a burden in every step."""
    yield Variant("timing-slow-3", "every step takes 3 % longer, which is within the margin", True,
                  caught_by="performance.step_time", needs="performance", burden=burdens.stretched(0.03))  # fmt: skip
    yield Variant("timing-slow-8", "every step takes 8 % longer", caught_by="performance.step_time",
                  needs="performance", burden=burdens.stretched(0.08))  # fmt: skip
    yield Variant("bad-slow", "about a tenth more work in every step", caught_by="performance.step_time",
                  needs="performance", burden=burdens.MoreWork)  # fmt: skip
    yield Variant("bad-idle-gap", "sleeps between steps", caught_by="utilization.not_reduced", needs="performance",
                  burden=burdens.Pause)  # fmt: skip
    yield Variant("bad-leak", "keeps 16 KiB of every step", caught_by="memory.leak", needs="memory",
                  burden=burdens.Leak)  # fmt: skip
    yield Variant("bad-pool", "frees a block in every step that is larger than all before", caught_by="memory.leak",
                  needs="memory", burden=burdens.GrowingPool)  # fmt: skip
    yield Variant("bad-extra-memory", "a quarter more memory, and 32 MiB, for a moment", caught_by="memory.peak",
                  needs="memory", burden=burdens.Scratch)  # fmt: skip
    yield Variant("bad-extra-allocation", "64 KiB for a moment in every step", caught_by="memory.pattern",
                  needs="memory", burden=burdens.SmallAllocation)  # fmt: skip


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for group in (
        _harmless,
        _wrong_gradients,
        _wrong_updates,
        _wrong_data,
        _broken_answers,
        _wrong_checkpoints,
        _slow_or_large,
    )
    for variant in group()
}
