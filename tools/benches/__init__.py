"""What `python tools/bench.py NAME` measures: a file for each table, and what they share.

    run, cases          options, materials and the end of a run
    store, table        stored rows, and the files of a table
    fits                the files that `compare --fits` measures
    ratios, plot, strips, filtering_views, image_gs    parts of single tables
    trials              the record of experiments
    times_worker        one measurement of `times`, in a process of its own and perhaps of another gstex
"""
