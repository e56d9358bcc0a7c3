"""What gstex is measured against and is no part of it; the commands are in tools/bench.py, the tables in results/.

    image_gs        Image-GS as published: the schedule of a fit, and what is counted
    image_gs_torch  its picture and its loss, in torch
"""
