# SPDX-License-Identifier: MIT
# What every part is compiled with: the language, the warnings, 64-bit times, hardening, sanitizers.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g")

set(RAILHEAD_SANITIZE "" CACHE STRING "address,undefined | thread | empty")
option(RAILHEAD_COVERAGE "instrument for coverage" OFF)

# Level 3 needs glibc 2.34 and gcc 12 or clang; an older library answers it with a #warning.
set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
check_c_source_compiles("#include <string.h>\nint main(void) { return 0; }" RAILHEAD_HAS_FORTIFY_3)
unset(CMAKE_REQUIRED_FLAGS)
if(RAILHEAD_HAS_FORTIFY_3)
    set(RAILHEAD_FORTIFY 3)
else()
    set(RAILHEAD_FORTIFY 2)
endif()

# Defences that not every compiler has on every processor: those that this one takes.
set(RAILHEAD_DEFENCES -fstack-protector-strong)
foreach(flag -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "RAILHEAD_HAS${flag}" has)
    set(CMAKE_REQUIRED_FLAGS -Werror)
    check_c_compiler_flag(${flag} ${has})
    unset(CMAKE_REQUIRED_FLAGS)
    if(${has})
        list(APPEND RAILHEAD_DEFENCES ${flag})
    endif()
endforeach()

# The compiler's and linker's defences. Off in Debug (fortify needs optimisation) and where a sanitizer
# or the coverage counters watch instead. A test reads the result out of the binary.
function(railhead_harden target)
    target_compile_options(${target} PRIVATE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${RAILHEAD_FORTIFY}
        ${RAILHEAD_DEFENCES})
    target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack)
endfunction()

function(railhead_flags target)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64 _TIME_BITS=64)
    # The prefix map keeps the path of the tree out of assertions, so that builds can be compared.
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
        -Wmissing-prototypes -Wundef -Wformat=2 -Wvla -Werror -fno-common
        -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)
    if(RAILHEAD_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${RAILHEAD_SANITIZE} -fno-omit-frame-pointer
            -fno-sanitize-recover=all)
        target_link_options(${target} PRIVATE -fsanitize=${RAILHEAD_SANITIZE})
    elseif(RAILHEAD_HARDENED AND NOT RAILHEAD_COVERAGE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        railhead_harden(${target})
    endif()
    if(RAILHEAD_FUZZ)
        # The libraries carry the counters that guide the fuzzer; only the targets carry its main().
        target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    if(RAILHEAD_COVERAGE)
        target_compile_options(${target} PRIVATE --coverage)
        target_link_options(${target} PRIVATE --coverage)
    endif()
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
        target_link_options(${target} PRIVATE -pie)
    endif()
endfunction()
