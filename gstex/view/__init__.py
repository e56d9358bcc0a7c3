"""The viewer: a .gstex file on the screen, decoded by its shader, beside what it was made from.

    state       what is shown, as plain data
    maps        the maps of a file and how people see them
    pan         pan and zoom of the flat views; orbit: camera and light of the lit view; surface: its channels
    document    a loaded file; stacks: the pictures to compare it with; errors: how far they are from the reference
    gaussians   a mip's Gaussians in texels, for ellipses and for the inspector
    inspect     one texel: its values, and the Gaussians that make them
    environment light from all around: a sky or a panorama
    colors      of levels and of the heat map
    programs    shaders and uniforms; target: what is drawn into, and stacks on the GPU; ellipses: their buffer
    scene       draws a state; screenshot: without a window
    jobs        work in a process beside the window; tasks: what is done there
    session     what the window works on: file, pictures to compare with, jobs, messages; recent: files shown last
    viewer      ... and what of its interface is open
    commands    what can be done, with its keys; actions: how
    keys, mouse what comes in
    panel, inspector, overlay, popups, widgets, style   what stands around the picture
    dialogs     the system's windows to choose files
    window      GLFW: the loop, drops, when to draw

Nothing is imported here: all but the first few need packages of the extra `gstex[view]`.
"""
