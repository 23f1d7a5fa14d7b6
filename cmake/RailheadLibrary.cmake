# SPDX-License-Identifier: MIT
# railhead_library(folder dependency…): one static library per folder, of all its sources (main.c stands
# outside). The dependencies given here are the arrows of the architecture: a folder links what it may include.
function(railhead_library folder)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    add_library(rh_${folder} STATIC ${sources})
    railhead_flags(rh_${folder})
    target_link_libraries(rh_${folder} PUBLIC ${ARGN})
endfunction()
