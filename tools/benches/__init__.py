"""What `python tools/bench.py NAME` measures: a file for each table, and what they share.

    run, cases          options, materials and how a run ends
    store, table        rows that are kept, and the files that are written
    fits                the files that others measure
    ratios, plot, strips, filtering_views, image_gs    parts of single tables
    trials              rows of an experiment
    times_worker        one measurement of times, in a process of its own, perhaps of another gstex
"""
