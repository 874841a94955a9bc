# Finds Eigen's headers (nothing else of it is needed) and defines the target fastmlp_eigen.
# Looked at, in this order: the cmeel-eigen package beside the build tools, the interpreter's site-packages, the system.

set(_eigen_places "")
foreach(prefix IN LISTS CMAKE_PREFIX_PATH)
  list(APPEND _eigen_places "${prefix}/cmeel.prefix")
endforeach()
if(Python_EXECUTABLE)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "import sysconfig; print(sysconfig.get_path('purelib'))"
    OUTPUT_VARIABLE _site_packages
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
  list(APPEND _eigen_places "${_site_packages}/cmeel.prefix")
endif()

find_path(FASTMLP_EIGEN_INCLUDE_DIR signature_of_eigen3_matrix_library
  HINTS ${_eigen_places}
  PATH_SUFFIXES include/eigen3 eigen3 include
  DOC "Directory that holds Eigen's headers")
if(NOT FASTMLP_EIGEN_INCLUDE_DIR)
  message(FATAL_ERROR "Eigen >= 3.4 was not found. Install it with `pip install cmeel-eigen`, or give its "
                      "directory with -DFASTMLP_EIGEN_INCLUDE_DIR=DIR.")
endif()

# Eigen 3.4 keeps its version in Macros.h; Eigen 5 moved it to a file of its own.
set(_version_text "")
foreach(header Eigen/Version Eigen/src/Core/util/Macros.h)
  if(EXISTS "${FASTMLP_EIGEN_INCLUDE_DIR}/${header}")
    file(STRINGS "${FASTMLP_EIGEN_INCLUDE_DIR}/${header}" _lines REGEX "define EIGEN_(WORLD|MAJOR|MINOR)_VERSION +[0-9]")
    string(APPEND _version_text "${_lines}")
  endif()
endforeach()
set(_version "")
foreach(part WORLD MAJOR MINOR)
  if(NOT _version_text MATCHES "EIGEN_${part}_VERSION +([0-9]+)")
    message(FATAL_ERROR "The version of Eigen in ${FASTMLP_EIGEN_INCLUDE_DIR} cannot be read.")
  endif()
  list(APPEND _version ${CMAKE_MATCH_1})
endforeach()
list(JOIN _version "." FASTMLP_EIGEN_VERSION)
if(FASTMLP_EIGEN_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "Eigen >= 3.4 is needed; ${FASTMLP_EIGEN_INCLUDE_DIR} has ${FASTMLP_EIGEN_VERSION}.")
endif()

add_library(fastmlp_eigen INTERFACE)
target_include_directories(fastmlp_eigen SYSTEM INTERFACE "${FASTMLP_EIGEN_INCLUDE_DIR}")
target_compile_definitions(fastmlp_eigen INTERFACE EIGEN_DONT_PARALLELIZE EIGEN_MPL2_ONLY)
