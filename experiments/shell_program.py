"""Which options of an unmodified shell program matter?

The program, sorting.sh in the same folder, sorts random numbers and prints their size after compression.
"""

from ablate import Metric, Study, from_command

study = Study(
    workload=from_command(
        "sh {here}/sorting.sh --seed {seed} --lines {lines} {sorted:--sort|--no-sort} {unique:--unique|}",
        settings=dict(lines=2000),
        metric=Metric("size", goal="min", unit="bytes"),
        pattern=r"^size: (\d+)$",
        time_limit=60,
    ),
    seeds=5,
    margin=100,
)
