"""The viewer: a .gstex file on the screen, decoded by its shader, beside what it was made from.

    state       what is shown, as plain data
    maps        the maps of a file and how people see them
    pan         pan and zoom of the flat views; orbit: camera and light of the lit view
    document    a loaded file; stacks: the pictures to compare it with
    gaussians   a mip's Gaussians in texels, for ellipses and for the inspector
    inspect     one texel: its values, and the Gaussians that make them
    programs    shaders and uniforms; stack_texture: a stack on the GPU
    scene       draws a state; screenshot: into a file, without a window
    jobs        work in a process beside the window; tasks: what is done there
    commands    what can be done, with its keys
    panel, overlay, popups   what stands around the picture
    session     what the window works on: file, pictures to compare with, jobs, messages
    window      GLFW: the loop, drops, reloads

Nothing is imported here: all but the first few need packages of the extra `gstex[view]`.
"""
