"""Which options of a program matter that is not Python, and that nobody changed?

The program beside this file, sorting.sh, sorts random numbers and says how long they are once they are compressed.
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
