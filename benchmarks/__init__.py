"""Codecs that gstex is compared with and that are not part of it. tools/bench.py has the commands, results/ the tables.

    image_gs        Image-GS as published: the schedule of a fit, and its bytes
    image_gs_torch  the picture and the loss of Image-GS, in torch
"""
