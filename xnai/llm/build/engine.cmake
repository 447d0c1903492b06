# Read by CMake right after llama.cpp's project() command (CMAKE_PROJECT_llama.cpp_INCLUDE).
# Its "common" library serves llama.cpp's own programs; llama-cpp-python switches it on through the
# cache, so that only a normal variable keeps it, and a good third of the build, out.
set(LLAMA_BUILD_COMMON OFF)

# AMX as gcc compiles it loads a tile configuration of garbage; the header says why.
add_compile_options(
    "$<$<COMPILE_LANGUAGE:C,CXX>:SHELL:-include \"${CMAKE_CURRENT_LIST_DIR}/amx_tileconfig.h\">")

# The step of the ladder (ladder.py) after one whose AMX failed. An explicit -mno wins over
# -march=native wherever it stands; compilers that do not know AMX need no switch.
if (XNAI_WITHOUT_AMX)
    include(CheckCCompilerFlag)
    foreach(part tile int8 bf16 fp16 complex)
        check_c_compiler_flag(-mno-amx-${part} XNAI_CAN_SWITCH_OFF_AMX_${part})
        if (XNAI_CAN_SWITCH_OFF_AMX_${part})
            add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-mno-amx-${part}>")
        endif()
    endforeach()
endif()
