# Compiled CUDA kernels for the wheel (tools/compile_kernels.py, docs/gpu.md). They take minutes, and a machine that builds
# for itself needs few of them, which NVRTC compiles when they are first used: so a build has none unless it is told to.
set(GSTEX_CUDA_KERNELS OFF CACHE STRING "OFF, ON (they must be there in the end), or AUTO (where there is nvcc)")
set(GSTEX_KERNELS_FOLDER "${CMAKE_CURRENT_LIST_DIR}/../../build/kernels" CACHE PATH "where they are, or are made")
get_filename_component(GSTEX_KERNELS_FOLDER "${GSTEX_KERNELS_FOLDER}" ABSOLUTE)

string(TOUPPER "${GSTEX_CUDA_KERNELS}" KERNELS)
if(NOT KERNELS MATCHES "^(OFF|ON|AUTO)$")
  message(FATAL_ERROR "gstex: GSTEX_CUDA_KERNELS is ${GSTEX_CUDA_KERNELS}, expected OFF, ON or AUTO")
endif()
if(NOT KERNELS STREQUAL "OFF")
  set(COMPILE "${CMAKE_CURRENT_LIST_DIR}/../../tools/compile_kernels.py" --output "${GSTEX_KERNELS_FOLDER}")
  if(KERNELS STREQUAL "AUTO")
    list(APPEND COMPILE --if-possible)
  endif()
  add_custom_target(kernels ALL COMMAND "${Python_EXECUTABLE}" ${COMPILE} VERBATIM USES_TERMINAL)
  install(DIRECTORY "${GSTEX_KERNELS_FOLDER}/" DESTINATION gstex/_kernels FILES_MATCHING PATTERN "*.fatbin")
endif()
