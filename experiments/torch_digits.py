"""Do dropout, weight decay and a learning-rate schedule matter for a small network in plain PyTorch?

The metric is the loss on held-out digits: lower is better, and differences are in nats.
"""

from ablate import Metric, Study, from_function


def train(recipe, log, conditions):
    """Train for some epochs; after a crash, continue from the checkpoint."""
    import torch
    from sklearn.datasets import load_digits
    from torch import nn
    from torch.nn.functional import cross_entropy

    torch.manual_seed(recipe.seed)
    pixels, labels = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(labels))
    pixels, labels = pixels[order].float().to(conditions.device) / 16, labels[order].to(conditions.device)
    network = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3 if recipe["dropout"] else 0.0), nn.Linear(128, 10)
    ).to(conditions.device)
    decay, epochs = 0.01 if recipe["weight_decay"] else 0.0, recipe["epochs"]
    optimizer = torch.optim.AdamW(network.parameters(), recipe["lr"], weight_decay=decay)
    last = 0.0 if recipe["schedule"] else 1.0
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, last, total_iters=epochs)

    parts, saved = {"network": network, "optimizer": optimizer, "schedule": schedule}, log.checkpoint / "state.pt"
    if saved.exists():
        for name, state in torch.load(saved).items():
            parts[name].load_state_dict(state)
    for epoch in range(schedule.last_epoch + 1, epochs + 1):
        network.train()
        generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
        for batch in torch.randperm(400, generator=generator).split(50):
            optimizer.zero_grad()
            loss = cross_entropy(network(pixels[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        schedule.step()
        network.eval()
        with torch.no_grad():
            held_out = cross_entropy(network(pixels[400:]), labels[400:])
        log(epoch, **{"train/loss": loss.item(), "val/loss": held_out.item()})
        torch.save({name: part.state_dict() for name, part in parts.items()}, saved)
    return {"loss": held_out.item()}


study = Study(
    workload=from_function(
        train,
        factors=dict(dropout="0.3 before the last layer", weight_decay="0.01", schedule="down to zero, linearly"),
        settings=dict(epochs=20, lr=0.003),
        metric=Metric("loss", goal="min", unit="nats"),
    ),
    seeds=5,
    margin=0.02,
)
