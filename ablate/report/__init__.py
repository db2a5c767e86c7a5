"""Reports: read the runs of a study or of a table, estimate the effects, write Markdown, tables and plots.

`sources` read, `analysis` computes, `sections` and `plots` present, `formats` render, `write` puts the files in place;
`write_study` writes that of a study in a store. Import from these modules: a report on a table needs few of them.
May import every lower layer, but a report on a table loads neither `runs`, `workloads`, `tuning` nor `tracking`.
"""
