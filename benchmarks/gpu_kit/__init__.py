"""All measurements on a GPU in one command and a fixed time: correctness, speed, runs at a time, a study, precision.

Each part runs in a process of its own and stores every result as soon as it has it, so that a part that fails or runs
out of time loses nothing and stops no other part.
"""
