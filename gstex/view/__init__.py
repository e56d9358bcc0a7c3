"""The viewer: shows a .gstex file, decoded by its shader, and compares it with its source.

    state       what is shown, as plain data
    maps        the maps of a file and how people see them
    pan         pan and zoom of the flat views; orbit: camera and light of the lit view; surface: its channels
    document    a loaded file; stacks: the pictures to compare it with; errors: how far they are from the reference
    gaussians   a mip's Gaussians in texels, for ellipses and for the inspector
    inspect     one texel: its values, and the Gaussians that make them
    environment light from all around: a sky or a panorama
    colors      colours of grid levels and of the heat map
    programs    shaders and uniforms; target: framebuffer, and stacks on the GPU; ellipses: their buffer
    scene       draws a state; screenshot: draws it without a window
    jobs        background work in a process; tasks: the functions that run there
    session     file, pictures to compare with, jobs and messages; recent: the files shown last
    viewer      the session and the state of the interface
    commands    all commands with their keys; actions: the functions that carry them out
    keys, mouse input
    panel, inspector, overlay, popups, widgets, style   the interface around the picture
    dialogs     the system's windows to choose files
    window      GLFW: the loop, drops, when to draw

Nothing is imported here: all but the first few need packages of the extra `gstex[view]`.
"""
