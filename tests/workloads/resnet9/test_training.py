"""The training loop: agreement with the notebook's, exact scores, checkpoints, divergence, memory."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from ablate.journal.run_journal import Journals
from ablate.runs.runner import RunOptions, make_run
from ablate.studies.conditions import Conditions
from ablate.studies.job import Job
from ablate.workloads.dispatch import open_data
from ablate.workloads.resnet9 import workload as resnet9
from ablate.workloads.resnet9.batches import epoch_stream
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.training import Training, evaluate
from tests.samples import notebook
from tests.samples.processes import output_of
from tests.samples.training import CLASSES, ListLog, differing, plan_of, recipe_of, tiny_images, train, weights

pytestmark = pytest.mark.usefixtures("one_thread")


NOTEBOOK_FACTORS = ["batch_norm", "residual", "weight_decay", "grad_clip", "lr_schedule"]
"""The factors of the notebook that draw no random numbers."""


def pairs(training: Training, images: Images) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the batches of a training without augmentation: normalised, with labels."""
    batches = []
    for epoch in range(training.plan.epochs):
        order = torch.randperm(len(images), generator=epoch_stream(training.seed, "order", epoch))
        for positions in order.split(training.plan.batch_size):
            pixels = images.pixels[positions].float() / 255
            batches.append(((pixels - images.mean) / images.std, images.labels[positions]))
    return batches


def in_double(images: Images) -> Images:
    """Return images that are normalised in double precision."""
    return replace(images, mean=images.mean.double(), std=images.std.double())


def twins(factors: list[str], *, width: int = 8, epochs: int = 2, image_count: int = 40, double: bool = True):
    """Return a training of ours and the notebook's network with the same initial weights.

    In double precision, where rounding plays no part: Adam takes the sign of a gradient that is all but zero, so that
    in single precision one other summation order moves single weights by a whole learning rate.
    """
    images = tiny_images(image_count, size=32, classes=10)
    recipe = recipe_of(factors, width=width, image_size=32, epochs=epochs)
    training = Training(resnet9.training_plan(recipe, 10), in_double(images) if double else images, seed=4)
    reference = notebook.ResNet9(width=width)
    reference.load_state_dict(training.model.state_dict())
    reference.classifier[2].p = 0.0
    if double:
        training.model.double()
        reference.double()
    return training, images, reference


class Rounded(nn.Module):
    """A network whose logits are in single precision, as in the package's loss."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.double()).float()


def run_both(training: Training, images: Images, reference: nn.Module, **options):
    batches = pairs(training, in_double(images))
    log = ListLog()
    training.run(in_double(tiny_images(10, size=32, classes=10, seed=1)), log)
    return log, notebook.fit_one_cycle(Rounded(reference), batches, training.total_steps, **options)


def differences(training: Training, reference: nn.Module) -> torch.Tensor:
    ours, theirs = training.model.state_dict(), reference.state_dict()
    return torch.cat([(ours[name].double() - theirs[name].double()).abs().flatten() for name in ours])


def test_the_notebook_loop_is_reproduced():
    training, images, reference = twins(NOTEBOOK_FACTORS, epochs=3)
    log, trace = run_both(training, images, reference)
    assert training.steps_per_epoch == 3
    for epoch, row in enumerate(log.history[1:]):
        losses = trace.losses[epoch * 3 : (epoch + 1) * 3]
        mean = sum(loss * size for loss, size in zip(losses, [16, 16, 8], strict=True)) / 40
        assert row["train/loss"] == pytest.approx(mean, rel=1e-6)
    assert trace.losses[-1] < trace.losses[0], "the reference learned"
    assert log.rates == trace.rates
    assert differences(training, reference).max() < 1e-6
    held_out = in_double(tiny_images(60, size=32, classes=10, seed=9))
    normalised = held_out.normalised(held_out.scaled(torch.arange(60))[0])
    accuracy = notebook.evaluate(reference, normalised, held_out.labels)
    assert evaluate(training.model, held_out).accuracy == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("off", "options"),
    [
        ("weight_decay", {"weight_decay": 0.0}),
        ("grad_clip", {"grad_clip": None}),
        ("lr_schedule", {"one_cycle": False}),
    ],
)
def test_without_a_factor_the_loop_is_the_notebooks_without_it(off, options):
    factors = [name for name in NOTEBOOK_FACTORS if name != off]
    training, images, reference = twins(factors)
    run_both(training, images, reference, **options)
    assert differences(training, reference).max() < 1e-6
    training, images, reference = twins(factors)
    run_both(training, images, reference)
    assert differences(training, reference).max() > 1e-3, "the comparison would notice"


@pytest.mark.parametrize("width", [8, 64])
def test_the_notebook_loop_is_reproduced_in_single_precision(width):
    training, images, reference = twins(NOTEBOOK_FACTORS, width=width, epochs=16, image_count=24, double=False)
    reference.to(memory_format=torch.channels_last)  # else sums are taken in another order, see `twins`
    row = training.train_epoch(ListLog())
    trace = notebook.fit_one_cycle(reference, pairs(training, images)[:2], training.total_steps)
    assert row["train/loss"] == pytest.approx((trace.losses[0] * 16 + trace.losses[1] * 8) / 24, rel=1e-5)
    apart = differences(training, reference)
    assert (apart < 1e-6).double().mean() > 0.999
    assert apart.max() < 3 * sum(trace.rates)


def test_rates_and_momenta_are_those_of_one_cycle():
    plan = plan_of(["lr_schedule"], epochs=4, lr=0.02)
    images = tiny_images(40)
    training = Training(plan, images, 0)
    used = []
    training.optimizer.register_step_pre_hook(
        lambda optimizer, _args, _kwargs: used.append((optimizer.param_groups[0]["lr"], *_betas(optimizer)))
    )
    log = ListLog()
    training.run(tiny_images(8, seed=1), log)
    plain = torch.optim.Adam([nn.Parameter(torch.zeros(1))], 0.02)
    schedule = OneCycleLR(plain, 0.02, total_steps=12)
    expected = []
    for _ in range(12):
        expected.append((plain.param_groups[0]["lr"], *_betas(plain)))
        plain.step()
        schedule.step()
    assert used == expected
    assert log.rates == [rate for rate, *_ in expected]
    assert log.history[1]["lr"] == expected[2][0]
    assert max(rate for rate, *_ in used) > 0.019


def _betas(optimizer) -> tuple[float, float]:
    return tuple(optimizer.param_groups[0]["betas"])


def test_without_a_schedule_rate_and_beta1_stay():
    training, log = train(plan_of([], lr=0.003), tiny_images(40))
    assert set(log.rates) == {0.003}
    assert _betas(training.optimizer) == (0.9, 0.999)


def test_one_row_before_training_and_one_per_epoch():
    _, log = train(plan_of(FACTORS.baseline), tiny_images(40))
    assert [row["step"] for row in log.history] == [0, 1, 2, 3]
    assert log.history[0].keys() == {"step", "val/loss", "val/accuracy"}
    assert log.history[1].keys() == {
        "step", "train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "grad_norm",
    }  # fmt: skip
    assert log.steps == [(done, 9) for done in range(1, 10)]


def test_training_metrics_are_means_over_images_and_the_norm_is_measured_before_clipping():
    images = tiny_images(40)
    plan = plan_of(["grad_clip"], epochs=1)
    training = Training(plan, images, 0)
    losses, right, norms = [], 0, []
    shadow = Training(plan, images, 0)
    for batch, labels, _ in shadow.batches():
        logits = shadow.model.train()(batch)
        loss = F.cross_entropy(logits, labels)
        shadow.model.zero_grad()
        loss.backward()
        flat = torch.cat([parameter.grad.flatten() for parameter in shadow.parameters])
        norms.append(flat.norm().item())
        nn.utils.clip_grad_value_(shadow.parameters, 0.1)
        shadow.optimizer.step()
        losses.append(loss.item() * len(labels))
        right += (logits.argmax(1) == labels).sum().item()
    log = ListLog()
    training.run(tiny_images(8, seed=1), log)
    row = log.history[1]
    assert row["train/loss"] == pytest.approx(sum(losses) / 40, rel=1e-5)
    assert row["train/accuracy"] == right / 40
    assert row["grad_norm"] == pytest.approx(sum(norms) / 3, rel=1e-4)


class Fixed(nn.Module):
    """A network whose prediction depends on the first pixel only."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images[:, 0, 0, 0], torch.zeros(len(images))], dim=1) * 4


@pytest.mark.parametrize("count", [1, 799, 800, 801, 1603])
def test_scores_are_exact_over_images_with_a_partial_last_batch(count):
    generator = torch.Generator().manual_seed(count)
    pixels = torch.randint(0, 256, (count, 3, 2, 2), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 2, (count,), generator=generator)
    labels[800:] = (pixels[800:, 0, 0, 0] < 128).long()  # all predictions after the first batch are correct
    images = Images(pixels, labels, torch.arange(count), torch.tensor(0.5), torch.tensor(0.25))
    scores = evaluate(Fixed(), images)
    logits = Fixed()((pixels.double() / 255 - 0.5) / 0.25)
    assert scores.accuracy == (logits.argmax(1) == labels).sum().item() / count
    assert torch.equal(scores.predicted, logits.argmax(1))
    assert scores.loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)


def test_only_members_count():
    images = tiny_images(40)
    part = replace(images, members=torch.tensor([3, 5, 8, 21]))
    copied = Images(images.pixels[part.members], images.labels[part.members], torch.arange(4), images.mean, images.std)
    plan = plan_of(FACTORS.baseline, batch_size=3)
    (one, one_log), (other, other_log) = train(plan, part), train(plan, copied)
    assert one_log.history == other_log.history
    assert differing(weights(one), weights(other)) == []


def test_evaluation_leaves_the_training_as_it_was():
    plan = plan_of(FACTORS.baseline, epochs=1)
    training = Training(plan, tiny_images(40), 0)
    before = weights(training)
    evaluate(training.scored_model, tiny_images(30))
    assert differing(before, weights(training)) == []


def test_a_tiny_set_and_a_last_batch_of_one_image_train():
    for count in (2, 17):
        _, log = train(plan_of(FACTORS.baseline, epochs=2), tiny_images(count))
        assert len(log.history) == 3


def test_bf16_computes_close_to_fp32_and_keeps_fp32_weights():
    plan = plan_of(FACTORS.baseline, lr=0.002)
    (exact, exact_log), (short, short_log) = (
        train(plan, tiny_images(80), precision=precision) for precision in ("fp32", "bf16")
    )
    assert all(parameter.dtype == torch.float32 for parameter in short.parameters)
    assert differing(weights(exact), weights(short)) != []
    assert short_log.history[-1]["train/loss"] == pytest.approx(exact_log.history[-1]["train/loss"], rel=0.05)


def test_targets_are_smoothed_by_the_formula():
    """Szegedy et al. (2016): the cross entropy with (1 - a) one-hot + a / classes."""
    plan, images = plan_of(["label_smoothing"], epochs=1, batch_size=40), tiny_images(40)
    training, log = Training(plan, images, 0), ListLog()
    (batch, labels, _), *_ = training.batches()
    with torch.no_grad():
        chances = training.model.train()(batch).log_softmax(1)
    soft = 0.9 * F.one_hot(labels, CLASSES) + 0.1 / CLASSES
    training.run(tiny_images(8, seed=1), log)
    assert log.history[1]["train/loss"] == pytest.approx(-(soft * chances).sum(1).mean().item(), rel=1e-5)


def test_a_checkpoint_is_one_file_replaced_whole(tmp_path, monkeypatch):
    plan = plan_of(FACTORS.baseline)
    training = Training(plan, tiny_images(40), 0)
    checkpoint = Checkpoint(tmp_path / "here", every_seconds=0)
    training.run(tiny_images(8, seed=1), ListLog(), checkpoint)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["training.pt"]
    content = checkpoint.path.read_bytes()

    def fail_half_way(_state, path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fail_half_way)
    checkpoint.save(training.state_dict())  # does not raise
    assert checkpoint.path.read_bytes() == content
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["training.pt"]


def test_checkpoints_are_not_written_more_often_than_asked(tmp_path):
    training = Training(plan_of([]), tiny_images(40), 0)
    training.run(tiny_images(8, seed=1), ListLog(), Checkpoint(tmp_path, every_seconds=1000))
    assert list(tmp_path.iterdir()) == []


def test_without_a_checkpoint_there_is_no_state_to_resume_from(tmp_path):
    assert Checkpoint(tmp_path / "nothing").restore() is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_diverging_run_is_unstable_and_keeps_its_metrics(cache):
    from ablate.data import ImageSource

    recipe = recipe_of(["residual"], lr=100.0, optimizer="sgd", train_size=200, epochs=3, batch_size=10)
    data = open_data(recipe, ImageSource("digits"))
    job = Job(recipe, data, Conditions("cpu", "fp32", 1))
    made, is_new = make_run(job, Journals(cache / "journals"), RunOptions(cache))
    assert is_new
    assert made.status == "unstable"
    assert "not finite after epoch 1" in made.error
    assert [row["step"] for row in made.history] == [0, 1]
    assert made.history[0]["val/loss"] == pytest.approx(2.3, abs=0.1)
    assert made.history[1]["train/loss"] != made.history[1]["train/loss"]
    assert made.metrics["test/accuracy"] == data.floor


def test_batches_are_channels_last():
    images = tiny_images(8)
    pixels, _ = images.scaled(torch.arange(8))
    assert images.normalised(pixels).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.slow
def test_no_float_copy_of_the_images_is_made():
    """The set is 15 MB as uint8 and 61 MB as floats; training and scoring may add batches only."""
    program = """
        import resource, sys
        import torch
        from ablate.workloads.resnet9.factors import FACTORS
        from ablate.workloads.resnet9.images import Images
        from ablate.workloads.resnet9.training import Training
        from ablate.workloads.resnet9 import workload as resnet9
        from tests.samples.training import ListLog, recipe_of

        torch.set_num_threads(1)
        count = 5_000
        pixels = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
        mean = std = torch.full((1, 3, 1, 1), 0.5)
        def part(count):
            return Images(pixels[:count], torch.arange(count) % 10, torch.arange(count), mean, std)
        plan = resnet9.training_plan(recipe_of(FACTORS.baseline, width=1, image_size=32, epochs=1, batch_size=200), 10)
        Training(plan, part(800), 0).run(part(800), ListLog())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        Training(plan, part(count), 0).run(part(2_400), ListLog())
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print((after - before) * (1 if sys.platform == "darwin" else 1024))
    """
    assert int(output_of(program)) < 20e6, "bytes beyond what a small part of the set takes"


def test_a_training_imports_no_compiler(tmp_path):
    """PyTorch's optimizers, and networks on the meta device, import it: three seconds and 150 MB per process."""
    program = """
        import sys
        from pathlib import Path
        import torch
        from ablate.workloads.resnet9.checkpoint import Checkpoint
        from ablate.workloads.resnet9.factors import FACTORS
        from tests.samples.training import ListLog, plan_of, tiny_images
        from ablate.workloads.resnet9.training import Training

        torch.set_num_threads(1)
        for optimizer in ("adam", "adamw", "nesterov", "muon"):
            plan = plan_of(tuple(FACTORS), optimizer=optimizer, epochs=2)
            kept, again = Checkpoint(Path(sys.argv[1], optimizer), every_seconds=0), Training(plan, tiny_images(), 0)
            Training(plan, tiny_images(), 0).run(tiny_images(8), ListLog(), kept)
            again.load_state_dict(kept.restore())
            assert again.epoch == 1
        print(*sorted({"torch._dynamo", "sympy"} & set(sys.modules)))
    """
    assert output_of(program, str(tmp_path)) == "\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns memory")
def test_freed_memory_is_kept_for_the_next_step():
    program = """
        import resource, torch
        from ablate.workloads.resnet9.devices import keep_freed_memory
        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(20):
                torch.ones(10_000_000)  # 40 MB: more than glibc keeps by default
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        torch.set_num_threads(1)
        first = faults()
        keep_freed_memory()
        print(first, faults())
    """
    before, after = (int(word) for word in output_of(program).split())
    assert after < before / 2, "some are new until the heap has its size"


def test_the_outcome_names_what_the_tracking_schema_names(cache):
    from ablate.data import ImageSource

    recipe = recipe_of(None, epochs=5, batch_size=100)
    data = open_data(recipe, ImageSource("digits"))
    made, _ = make_run(Job(recipe, data, Conditions("cpu", "fp32", 1)), Journals(cache / "journals"), RunOptions(cache))
    assert made.status == "finished"
    assert made.metrics.keys() >= {"test/accuracy", "test/loss", "time/total_s", "model/params"}
    assert isinstance(made.params["weights_digest"], str)


def test_bare_plans_train():
    _, log = train(plan_of([], width=2, epochs=1, batch_size=20), tiny_images(20))
    assert len(log.history) == 2
